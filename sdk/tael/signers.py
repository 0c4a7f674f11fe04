"""Who signs: a key from the environment, an encrypted keystore, or whatever fits `Signer`.

A bank's own signing service or hardware module needs three members to fit: `address`,
`sign_digest` and `sign_transaction`. The signers here never show their key: not in `repr`, not in
`vars`, not in a pickle, not in an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

from tael.addresses import checksummed
from tael.errors import SigningKeyError
from tael.hashing import keccak
from tael.json_files import read_json
from tael.raw_transaction import SignRecoverable, sign_plain
from tael.secrets import Secret
from tael.signatures import coincurve

if TYPE_CHECKING:
    from tael.chain.connection import Chain

KEY_VARIABLE = "TAEL_KEY"
MAX_KEYSTORE_BYTES = 64 * 1024
MAX_SCRYPT_BYTES = 512 * 1024 * 1024
"""Memory an encrypted keystore may ask for; geth's own setting takes half of it."""
MAX_SCRYPT_WORK = 2**24
MAX_PBKDF2_ROUNDS = 10_000_000

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)


@runtime_checkable
class Signer(Protocol):
    """What signs for one address. Implement it to keep the key in hardware or in a service."""

    @property
    def address(self) -> str:
        """The checksummed address the signatures recover to."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes as they are, an EIP-712 digest for example.

        Args:
            digest: 32 bytes.

        Returns:
            65 bytes: r, s (in the lower half of the curve's order), v (27 or 28).
        """

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """Sign a transaction and return its raw bytes, ready to broadcast.

        Args:
            transaction: Fields as in `eth_account`'s `sign_transaction`, `chainId` among them;
                numbers are integers, `data` is bytes, `to` is checksummed.
        """


class PrivateKeySigner:
    """Signs with a key in this process's memory: for development, tests and hot delegates.

    Make one with `from_key` or `from_environment`.
    """

    __slots__ = ("_sign_digest", "_sign_transaction", "address")

    address: str
    _sign_digest: Callable[[bytes], bytes]
    _sign_transaction: Callable[[dict[str, Any]], bytes]

    def __init__(self, secret: Secret) -> None:
        key = bytes.fromhex(secret.reveal())
        sign = _recoverable(key)

        def sign_digest(digest: bytes) -> bytes:
            if len(digest) != 32:
                raise SigningKeyError(f"a digest is 32 bytes, not {len(digest)}")
            signature = sign(digest)
            return signature[:64] + bytes([signature[64] + 27])

        def sign_transaction(transaction: dict[str, Any]) -> bytes:
            raw = sign_plain(transaction, sign)
            if raw is not None:
                return raw
            from eth_account import Account

            return bytes(Account.sign_transaction(transaction, secret.reveal()).raw_transaction)

        self.address = checksummed(keccak(_public_key(key))[12:])
        self._sign_digest = sign_digest
        self._sign_transaction = sign_transaction

    @classmethod
    def from_key(cls, key: str | bytes | Secret) -> PrivateKeySigner:
        """Take a key as 64 hexadecimal digits, with or without 0x, or as 32 bytes.

        Raises:
            SigningKeyError: It is no key of the curve. What was given is not repeated.
        """
        text = key.reveal() if isinstance(key, Secret) else key
        match = _KEY.fullmatch(text.hex() if isinstance(text, bytes) else text.strip())
        del key, text
        if match is None:
            raise SigningKeyError("a private key is 64 hexadecimal digits")
        try:
            signer = cls(Secret(match[1].lower()))
        except Exception:  # noqa: BLE001 - whatever the curve library says may quote the key
            signer = None
        if signer is None:
            del match
            raise SigningKeyError("a private key lies between 1 and the order of the curve")
        return signer

    @classmethod
    def from_environment(
        cls, variable: str = KEY_VARIABLE, environment: Mapping[str, str] | None = None
    ) -> PrivateKeySigner:
        """Take the key from an environment variable.

        Args:
            variable: Its name.
            environment: Where to look; None is the process's own environment.

        Raises:
            SigningKeyError: It is not set, or is no key.
        """
        value = (os.environ if environment is None else environment).get(variable, "")
        if not value:
            raise SigningKeyError(f"set {variable} to the private key that is to sign")
        try:
            return cls.from_key(value)
        except SigningKeyError as error:
            raise SigningKeyError(f"{variable}: {error.message}") from None

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes as they are; see `Signer`."""
        return self._sign_digest(digest)

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """Sign a transaction; see `Signer`."""
        return self._sign_transaction(transaction)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied: its key would go along")


class KeystoreSigner(PrivateKeySigner):
    """Signs with a key from an encrypted keystore file (Web3 Secret Storage, version 3)."""

    __slots__ = ()

    @classmethod
    def from_file(cls, path: str | Path, password: str | Secret) -> KeystoreSigner:
        """Decrypt a keystore.

        What it may cost is bounded before any work is done: a hostile file cannot take all memory.

        Args:
            path: The file, as geth, Clef or `eth_account` write it.
            password: Its password.

        Raises:
            SigningKeyError: No such file, damaged, too costly, or not this password.

        Source: Web3 Secret Storage Definition, version 3.
        """
        file = Path(path)
        document = _read_keystore(file)
        text = password.reveal() if isinstance(password, Secret) else password
        from eth_account import Account

        try:
            key = bytes(Account.decrypt(document, text)).hex()
        except Exception:  # noqa: BLE001 - the decryption library raises many kinds, all mean this
            key = ""
        del text, password
        if not key:
            raise SigningKeyError(f"{file}: wrong password, or the file is damaged")
        return cls(Secret(key))


def is_test_address(address: str) -> bool:
    """Whether an address belongs to a key that every developer knows.

    Covered are the phrases Anvil, Hardhat, Ganache, Truffle and brownie ship with (20 accounts
    each) and the keys 1 to 256.

    Args:
        address: Checksummed or not.
    """
    from tael.known_keys import TEST_ADDRESSES

    return checksummed(address) in TEST_ADDRESSES


def require_usable(signer: Signer, chain: Chain) -> None:
    """Refuse a key that everybody knows unless the chain is local.

    Local means a loopback URL and either a development chain id (1337, 5777, 31337) or a node that
    names itself Anvil, Ganache or Hardhat, so an Anvil that poses as another chain still counts.

    Args:
        signer: Who is going to sign.
        chain: Where it will count.

    Raises:
        SigningKeyError: Nothing was signed.
    """
    if not chain.is_local and is_test_address(signer.address):
        raise SigningKeyError(
            f"{signer.address} is a well-known test account: anyone can take what it holds on "
            f"chain {chain.chain_id}. Use a key of your own."
        )


def _recoverable(key: bytes) -> SignRecoverable:
    """What signs 32 bytes with a key: 65 bytes of r, s (in the lower half) and the parity."""
    if coincurve is None:
        from eth_keys.datatypes import PrivateKey

        slow = PrivateKey(key)
        return lambda digest: bytes(slow.sign_msg_hash(digest).to_bytes())
    fast = coincurve.PrivateKey(key)
    return lambda digest: bytes(fast.sign_recoverable(digest, hasher=None))


def _public_key(key: bytes) -> bytes:
    """The 64 bytes of a key's public half; what fails is not on the curve."""
    if coincurve is None:
        from eth_keys.datatypes import PrivateKey

        return bytes(PrivateKey(key).public_key.to_bytes())
    return bytes(coincurve.PrivateKey(key).public_key.format(compressed=False)[1:])


def _read_keystore(file: Path) -> dict[str, Any]:
    try:
        document = read_json(file, max_bytes=MAX_KEYSTORE_BYTES)
        crypto = document.get("crypto") or document["Crypto"]
        name, parameters = crypto["kdf"], crypto["kdfparams"]
        cost_ok = _is_bounded(name, parameters)
    except OSError as error:
        raise SigningKeyError(f"{file}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SigningKeyError(f"{file}: not a keystore of version 3, or damaged") from error
    if not cost_ok:
        raise SigningKeyError(f"{file}: its key derivation would cost too much time or memory")
    return dict(document)


def _is_bounded(name: str, parameters: Mapping[str, Any]) -> bool:
    if name == "scrypt":
        cost, block, parallel = (_count(parameters[key]) for key in ("n", "r", "p"))
        # Memory is 128 n r bytes (RFC 7914), time grows with n r p.
        return 128 * cost * block <= MAX_SCRYPT_BYTES and cost * block * parallel <= MAX_SCRYPT_WORK
    if name == "pbkdf2":
        return _count(parameters["c"]) <= MAX_PBKDF2_ROUNDS
    raise ValueError(name)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(value)
    return value
