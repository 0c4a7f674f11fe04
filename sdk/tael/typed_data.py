"""The messages that are signed (EIP-712), one function a message; pure, no network.

Each kind of message is a type of its own, so none serves two verbs, contracts or chains. The same
hashes are computed by `contracts/libraries/TermsLib.sol`, `PaymentEscrow.sol` and
`SettlementToken.sol`; tests compare both sides over random values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tael.hashing import keccak

ESCROW_NAME = "Tael Payment Escrow"
VERSION = "1"

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
TERMS_TYPE = (
    "Terms(address issuer,address acquirer,address token,bytes32 merchant,address card,"
    "uint64 amount,uint40 authorizeBefore,uint40 captureBefore,uint40 refundBefore,"
    "uint16 interchangeBps,bytes16 uetr,bytes32 referenceHash,bytes32 funding)"
)
DYNAMIC_CODE_TYPE = (
    "DynamicCode(bytes32 merchant,address token,uint64 amount,bytes16 uetr,uint40 expiresAt)"
)
STATIC_CODE_TYPE = "StaticCode(bytes32 merchant,bytes32 nameHash)"
AUTHORIZE_CONSENT_TYPE = "AuthorizeConsent(bytes32 paymentId,uint40 validBefore)"
CHARGE_CONSENT_TYPE = "ChargeConsent(bytes32 paymentId,uint40 validBefore)"
TRANSFER_TYPE = (
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
    "uint256 validBefore,bytes32 nonce)"
)
RECEIVE_TYPE = (
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
    "uint256 validBefore,bytes32 nonce)"
)
CANCEL_TYPE = "CancelAuthorization(address authorizer,bytes32 nonce)"
PERMIT_TYPE = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one contract on one chain.

    Args:
        name: The contract's EIP-712 name; `ESCROW_NAME`, or the token's `name()`.
        chain_id: EIP-155 chain id.
        contract: Address of the verifying contract.
    """

    name: str
    chain_id: int
    contract: str

    @property
    def separator(self) -> bytes:
        """The domain separator, 32 bytes."""
        return _separator(self)


@lru_cache(maxsize=64)
def _separator(domain: Domain) -> bytes:
    return keccak(
        keccak(DOMAIN_TYPE.encode())
        + keccak(domain.name.encode())
        + keccak(VERSION.encode())
        + _word(domain.chain_id)
        + _word(domain.contract)
    )


def escrow_domain(chain_id: int, escrow: str) -> Domain:
    """The domain of everything signed for a PaymentEscrow."""
    return Domain(ESCROW_NAME, chain_id, escrow)


def digest(domain: Domain, struct_hash: bytes) -> bytes:
    """The 32 bytes that are signed.

    Source: EIP-712, "Specification".
    """
    return keccak(b"\x19\x01" + domain.separator + struct_hash)


def dynamic_code_digest(
    domain: Domain, merchant: bytes, token: str, amount_minor: int, uetr: bytes, expires_at: int
) -> bytes:
    """What a merchant signs for a dynamic code.

    Args:
        domain: Of the escrow.
        merchant: Merchant id, 32 bytes.
        token: SettlementToken of the code's currency.
        amount_minor: The amount asked for, in minor units, before a tip the payer adds.
        uetr: UETR of the payment, 16 bytes.
        expires_at: Unix seconds; the code counts strictly before.
    """
    return digest(
        domain,
        _struct(DYNAMIC_CODE_TYPE, merchant, token, amount_minor, _left(uetr), expires_at),
    )


def static_code_digest(domain: Domain, merchant: bytes, name_hash: bytes) -> bytes:
    """What a merchant signs for a static code, so that no sticker can carry another name."""
    return digest(domain, _struct(STATIC_CODE_TYPE, merchant, name_hash))


def authorize_consent_digest(domain: Domain, payment_id: bytes, valid_before: int) -> bytes:
    """What an issuer signs to let anyone authorize one payment until `valid_before`."""
    return digest(domain, _struct(AUTHORIZE_CONSENT_TYPE, payment_id, valid_before))


def charge_consent_digest(domain: Domain, payment_id: bytes, valid_before: int) -> bytes:
    """What an issuer signs to let anyone charge one payment until `valid_before`."""
    return digest(domain, _struct(CHARGE_CONSENT_TYPE, payment_id, valid_before))


def transfer_digest(
    domain: Domain,
    sender: str,
    to: str,
    amount_minor: int,
    valid_after: int,
    valid_before: int,
    nonce: bytes,
) -> bytes:
    """What a participant signs for `transferWithAuthorization`.

    Source: ERC-3009.
    """
    fields = (sender, to, amount_minor, valid_after, valid_before, nonce)
    return digest(domain, _struct(TRANSFER_TYPE, *fields))


def receive_digest(
    domain: Domain,
    sender: str,
    to: str,
    amount_minor: int,
    valid_after: int,
    valid_before: int,
    nonce: bytes,
) -> bytes:
    """What a participant signs for `receiveWithAuthorization`, which only the payee may send.

    Source: ERC-3009.
    """
    fields = (sender, to, amount_minor, valid_after, valid_before, nonce)
    return digest(domain, _struct(RECEIVE_TYPE, *fields))


def cancel_digest(domain: Domain, authorizer: str, nonce: bytes) -> bytes:
    """What a participant signs to make an unused authorization void for ever.

    Source: ERC-3009.
    """
    return digest(domain, _struct(CANCEL_TYPE, authorizer, nonce))


def permit_digest(
    domain: Domain, owner: str, spender: str, amount_minor: int, nonce: int, deadline: int
) -> bytes:
    """What an owner signs to set an allowance.

    Source: ERC-2612.
    """
    return digest(domain, _struct(PERMIT_TYPE, owner, spender, amount_minor, nonce, deadline))


def _struct(type_string: str, *fields: int | str | bytes) -> bytes:
    return keccak(keccak(type_string.encode()) + b"".join(_word(field) for field in fields))


def _word(value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x")).rjust(32, b"\0")
    if len(value) != 32:
        raise ValueError(f"a word has 32 bytes, not {len(value)}")
    return value


def _left(value: bytes) -> bytes:
    return value.ljust(32, b"\0")
