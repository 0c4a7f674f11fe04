"""Settings from the environment and a `.env` file.

The environment wins over the file. Any variable may be given for one network only, with the
network's name inside: `TAEL_NETWORK_SEPOLIA_KEY` counts when the network is `sepolia` and wins over
`TAEL_KEY`. `TAEL_NETWORK_SEPOLIA_URL` is what makes a network known.

| variable | meaning |
| --- | --- |
| `TAEL_RPC_URL` | JSON-RPC endpoint of the node; of several, spaces or commas between them |
| `TAEL_CHAIN_ID` | chain id that must answer there |
| `TAEL_MANIFEST` | manifest of the deployment; `deployments/<chain id>.json` if not set |
| `TAEL_PLAN` | deployment plan, for `deploy` and `verify` |
| `TAEL_KEY` | private key that signs |
| `TAEL_KEYSTORE` | encrypted keystore that signs instead |
| `TAEL_KEYSTORE_PASSWORD`, `TAEL_KEYSTORE_PASSWORD_FILE` | its password, or a file with it |
| `TAEL_PARTICIPANT` | the participant acted for, if the key is its delegate's |
| `TAEL_REFERENCE_SECRET` | what its identifiers derive from, in hexadecimal digits |
| `TAEL_STORE` | database of the journal and the index: a path or a URL; the user's own if not set |
| `TAEL_FINALITY` | when a block is final; what fits the chain if not set |
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dotenv import dotenv_values

from tael.chain.connection import Chain, shown_url
from tael.errors import ConfigurationError, SigningKeyError
from tael.manifest import Manifest
from tael.secrets import Secret
from tael.signers import KeystoreSigner, PrivateKeySigner, Signer

ENV_FILE = ".env"
LOCAL_URL = "http://127.0.0.1:8545"
MAX_ENV_BYTES = 64 * 1024

# Names that mean a chain on this machine, at the default port unless a variable says otherwise.
_LOCAL_NETWORKS = ("development", "ganache", "anvil", "hardhat", "local")
_NETWORK_VARIABLE = re.compile(r"TAEL_NETWORK_([A-Z0-9_]+)_URL", re.ASCII)
_NETWORK = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_HEX_SECRET = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){32,})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Printing it shows no key, no password and no path of the URL.

    Attributes:
        network: Name the settings were asked for; empty if none.
        rpc_urls: JSON-RPC endpoints, the preferred one first; they may carry keys of hosted nodes.
        chain_id: Chain id that must answer; None takes what answers.
        manifest: The manifest's path; None is the default for the chain id.
        plan: The deployment plan's path; None if not set.
        key: The private key; None if not set.
        keystore: The encrypted keystore's path; None if not set.
        keystore_password: Its password; None if not set.
        participant: Address of the participant acted for; None is the signer itself.
        reference_secret: What the participant's identifiers derive from, hexadecimal digits without
            a prefix; None if not set.
        store: Path or URL of the database; it may carry a password. None is the user's own file.
        finality: When a block is final, as `tael.outbox.Finality` reads it; None is what fits.
    """

    network: str
    rpc_urls: tuple[str, ...] = field(repr=False)
    chain_id: int | None = None
    manifest: Path | None = None
    plan: Path | None = None
    key: Secret | None = None
    keystore: Path | None = None
    keystore_password: Secret | None = None
    participant: str | None = None
    reference_secret: Secret | None = None
    store: str | None = field(default=None, repr=False)
    finality: str | None = None

    @classmethod
    def load(
        cls,
        network: str = "",
        *,
        env_file: str | Path | None = ENV_FILE,
        environment: Mapping[str, str] | None = None,
    ) -> Settings:
        """Read the settings.

        Args:
            network: Name of the network; empty for the plain variables.
            env_file: The file; it need not exist. None reads no file.
            environment: What wins over the file; None is the process's environment.

        Raises:
            ConfigurationError: The file can be read by others, or a value is unusable. No value of
                a secret is repeated.
        """
        values = {
            **(read_env_file(env_file) if env_file is not None else {}),
            **(os.environ if environment is None else environment),
        }
        if network and not _NETWORK.fullmatch(network):
            raise ConfigurationError(f"{network!r:.40} is not the name of a network")
        known = _networks(values)
        if network and network not in known and network not in _LOCAL_NETWORKS:
            raise ConfigurationError(
                f"no network {network}: set {_network_variable(network, 'URL')} (known now: "
                f"{', '.join(sorted(known)) or 'none'})"
            )

        def value(name: str, in_network: str = "") -> str | None:
            own = _network_variable(network, in_network or name.removeprefix("TAEL_"))
            return (network and values.get(own)) or values.get(name) or None

        password = value("TAEL_KEYSTORE_PASSWORD")
        password_file = value("TAEL_KEYSTORE_PASSWORD_FILE")
        if password is None and password_file is not None:
            password = _first_line(Path(password_file))
        key = value("TAEL_KEY")
        return cls(
            network=network,
            rpc_urls=split_urls(value("TAEL_RPC_URL", "URL") or LOCAL_URL),
            chain_id=_chain_id(value("TAEL_CHAIN_ID")),
            manifest=_path(value("TAEL_MANIFEST")),
            plan=_path(value("TAEL_PLAN")),
            key=None if key is None else Secret(key),
            keystore=_path(value("TAEL_KEYSTORE")),
            keystore_password=None if password is None else Secret(password),
            participant=value("TAEL_PARTICIPANT"),
            reference_secret=_reference_secret(value("TAEL_REFERENCE_SECRET")),
            store=value("TAEL_STORE"),
            finality=value("TAEL_FINALITY"),
        )

    @property
    def rpc_url(self) -> str:
        """The preferred endpoint."""
        return self.rpc_urls[0]

    def connect(self) -> Chain:
        """Connect to the node, or to the first of several that is well, and check its chain id.

        Raises:
            NetworkMismatchError: Another chain answers than the one meant.
            NodeUnavailableError: Nothing answers properly.
        """
        return Chain.connect(self.rpc_urls, self.chain_id)

    def manifest_path(self, chain_id: int) -> Path:
        """Where the manifest is: as set, or `deployments/<chain id>.json`."""
        return self.manifest or Manifest.default_path(chain_id)

    @property
    def has_signer(self) -> bool:
        """Whether a key or a keystore is set."""
        return self.key is not None or self.keystore is not None

    def signer(self) -> Signer:
        """The signer that is set.

        Raises:
            SigningKeyError: None is set, or both, or it cannot be used.
        """
        if self.key is not None and self.keystore is not None:
            raise SigningKeyError("TAEL_KEY and TAEL_KEYSTORE are both set: keep one")
        if self.key is not None:
            return PrivateKeySigner.from_key(self.key)
        if self.keystore is None:
            raise SigningKeyError("set TAEL_KEYSTORE, or TAEL_KEY, to what is to sign")
        if self.keystore_password is None:
            raise SigningKeyError(
                "set TAEL_KEYSTORE_PASSWORD_FILE, or TAEL_KEYSTORE_PASSWORD, for the keystore"
            )
        return KeystoreSigner.from_file(self.keystore, self.keystore_password)

    def reference_secret_bytes(self) -> bytes | None:
        """The reference secret as a client takes it; None if not set."""
        return (
            None if self.reference_secret is None else bytes.fromhex(self.reference_secret.reveal())
        )

    def __str__(self) -> str:
        others = f" and {len(self.rpc_urls) - 1} more" if len(self.rpc_urls) > 1 else ""
        return f"{self.network or 'default'} at {shown_url(self.rpc_url)}{others}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("settings are never pickled or copied: secrets would go along")


def split_urls(text: str) -> tuple[str, ...]:
    """The URLs in a text, with spaces or commas between them; each once, in their order.

    Raises:
        ConfigurationError: There is none, or one that no node can have. None is repeated, since
            they may carry keys.
    """
    found = tuple(dict.fromkeys(url for url in re.split(r"[\s,]+", text) if url))
    if not found:
        raise ConfigurationError("TAEL_RPC_URL names no node: set it to http:// or https:// URLs")
    for number, url in enumerate(found, start=1):
        if not _is_url(url):
            which = f"URL {number} of {len(found)}" if len(found) > 1 else "the URL"
            raise ConfigurationError(
                f"{which} in TAEL_RPC_URL is not the address of a node: write http:// or https://, "
                "the host, and a port up to 65535 if need be"
            )
    return found


def read_env_file(path: str | Path) -> dict[str, str]:
    """Read a `.env` file that nobody else can read.

    Args:
        path: The file; if there is none, nothing is read.

    Returns:
        The variables, nothing expanded in them.

    Raises:
        ConfigurationError: Group or others may read or write it, or it is no text.
    """
    file = Path(path)
    try:
        # What is checked is what is read: the mode of the open file, not of the name.
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise ConfigurationError(f"{file} is not a regular file")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    f"{file} holds keys and others can reach it (mode {stat.S_IMODE(mode):o}): "
                    f"run `chmod 600 {file}`"
                )
            content = opened.read(MAX_ENV_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}") from error
    if len(content) > MAX_ENV_BYTES:
        raise ConfigurationError(f"{file}: too large for settings")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: not UTF-8 text") from None
    read = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in read.items() if value is not None}


def _network_variable(network: str, name: str) -> str:
    return f"TAEL_NETWORK_{network.upper().replace('-', '_')}_{name}"


def _networks(values: Mapping[str, str]) -> set[str]:
    found = (_NETWORK_VARIABLE.fullmatch(name) for name in values)
    return {match[1].lower() for match in found if match}


def _chain_id(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text, re.ASCII):
        raise ConfigurationError(f"TAEL_CHAIN_ID must be a decimal number, not {text!r:.40}")
    return int(text)


def _reference_secret(text: str | None) -> Secret | None:
    if text is None:
        return None
    match = _HEX_SECRET.fullmatch(text)
    if match is None:
        # What stands there may be the secret all but a digit, so it is not repeated.
        raise ConfigurationError(
            "TAEL_REFERENCE_SECRET is at least 64 hexadecimal digits, two a byte: make one with "
            "`python -c 'import secrets; print(secrets.token_hex(32))'`"
        )
    return Secret(match[1])


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: the password cannot be read") from error
    return lines[0] if lines else ""
