"""The messages that are signed (EIP-712), one function a message; pure, no network.

Every digest of the package is made here. Each kind of message is a type of its own, so none serves
two verbs, contracts or chains. The same hashes are computed by `contracts/libraries/TermsLib.sol`,
`PaymentEscrow.sol` and `SettlementToken.sol`; tests compare both sides, and eth-account's hashes,
over random values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from tael.abi import encode
from tael.hashing import keccak

ESCROW_NAME = "Tael Payment Escrow"
VERSION = "1"

_DOMAIN_MEMBERS = "string name,string version,uint256 chainId,address verifyingContract"
DOMAIN_TYPE = f"EIP712Domain({_DOMAIN_MEMBERS})"
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
    name, version = keccak(domain.name.encode()), keccak(VERSION.encode())
    types = ("bytes32", "bytes32", "bytes32", "uint256", "address")
    type_hash = keccak(DOMAIN_TYPE.encode())
    return keccak(encode(types, (type_hash, name, version, domain.chain_id, domain.contract)))


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its digest for whoever signs that, the whole of it for a device to show.

    Args:
        domain: Where its signature counts.
        declaration: Its type, as in `StaticCode(bytes32 merchant,bytes32 nameHash)`.
        values: Of its members, in their order; addresses checksummed.
    """

    domain: Domain
    declaration: str
    values: tuple[int | str | bytes, ...]

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return digest(self.domain, struct_hash(self.declaration, *self.values))

    def document(self) -> dict[str, Any]:
        """What `eth_signTypedData` takes: `types`, `primaryType`, `domain` and `message`."""
        kind, _, members = self.declaration.rstrip(")").partition("(")
        listed = _listed(members)
        return {
            "types": {"EIP712Domain": _listed(_DOMAIN_MEMBERS), kind: listed},
            "primaryType": kind,
            "domain": {
                "name": self.domain.name,
                "version": VERSION,
                "chainId": self.domain.chain_id,
                "verifyingContract": self.domain.contract,
            },
            "message": {
                member["name"]: value for member, value in zip(listed, self.values, strict=True)
            },
        }


def escrow_domain(chain_id: int, escrow: str) -> Domain:
    """The domain of everything signed for a PaymentEscrow."""
    return Domain(ESCROW_NAME, chain_id, escrow)


def digest(domain: Domain, struct_hash: bytes) -> bytes:
    """The 32 bytes that are signed.

    Source: EIP-712, "Specification".
    """
    return keccak(b"\x19\x01" + domain.separator + struct_hash)


def struct_hash(declaration: str, *values: int | str | bytes) -> bytes:
    """The hash of one message apart from its domain, 32 bytes.

    Args:
        declaration: The message's type; its members are no arrays, structs, texts or `bytes`.
        values: Of its members, in their order.

    Raises:
        ValueError, TypeError, OverflowError: A value does not fit its member.

    Source: EIP-712, "Definition of hashStruct".
    """
    type_hash, types = _declared(declaration)
    return keccak(type_hash + encode(types, values))


def dynamic_code(
    domain: Domain, merchant: bytes, token: str, amount_minor: int, uetr: bytes, expires_at: int
) -> Message:
    """What a merchant signs for a dynamic code.

    Args:
        domain: Of the escrow.
        merchant: Merchant id, 32 bytes.
        token: SettlementToken of the code's currency.
        amount_minor: The amount asked for, in minor units, before a tip the payer adds.
        uetr: UETR of the payment, 16 bytes.
        expires_at: Unix seconds; the code counts strictly before.
    """
    return Message(domain, DYNAMIC_CODE_TYPE, (merchant, token, amount_minor, uetr, expires_at))


def static_code(domain: Domain, merchant: bytes, name_hash: bytes) -> Message:
    """What a merchant signs for a static code, so that no sticker can carry another name."""
    return Message(domain, STATIC_CODE_TYPE, (merchant, name_hash))


def authorize_consent_digest(domain: Domain, payment_id: bytes, valid_before: int) -> bytes:
    """What an issuer signs to let anyone authorize one payment until `valid_before`."""
    return digest(domain, struct_hash(AUTHORIZE_CONSENT_TYPE, payment_id, valid_before))


def charge_consent_digest(domain: Domain, payment_id: bytes, valid_before: int) -> bytes:
    """What an issuer signs to let anyone charge one payment until `valid_before`."""
    return digest(domain, struct_hash(CHARGE_CONSENT_TYPE, payment_id, valid_before))


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
    return digest(domain, struct_hash(TRANSFER_TYPE, *fields))


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
    return digest(domain, struct_hash(RECEIVE_TYPE, *fields))


def cancel_digest(domain: Domain, authorizer: str, nonce: bytes) -> bytes:
    """What a participant signs to make an unused authorization void for ever.

    Source: ERC-3009.
    """
    return digest(domain, struct_hash(CANCEL_TYPE, authorizer, nonce))


def permit_digest(
    domain: Domain, owner: str, spender: str, amount_minor: int, nonce: int, deadline: int
) -> bytes:
    """What an owner signs to set an allowance.

    Source: ERC-2612.
    """
    return digest(domain, struct_hash(PERMIT_TYPE, owner, spender, amount_minor, nonce, deadline))


@cache
def _declared(declaration: str) -> tuple[bytes, tuple[str, ...]]:
    """A type's hash, and the types of its members."""
    _, _, members = declaration.rstrip(")").partition("(")
    types = tuple(member["type"] for member in _listed(members))
    return keccak(declaration.encode()), types


def _listed(members: str) -> list[dict[str, str]]:
    pairs = (member.split(" ") for member in members.split(","))
    return [{"name": name, "type": type_} for type_, name in pairs]
