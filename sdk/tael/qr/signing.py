"""Sign codes as a merchant: what is signed, and how it gets into the code.

A dynamic code's signature covers what is paid, to whom, on which chain and contract, and until
when. A static code's covers merchant and name, so that a sticker cannot carry another name. Each is
an EIP-712 type of its own; the escrow checks the first one on chain with the same hash.

Source: EIP-712, ERC-2098; the contract ``PaymentEscrow``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from eth_utils.address import to_canonical_address, to_checksum_address

from tael.errors import InvalidInputError
from tael.qr.model import Initiation, MerchantCode
from tael.qr.names import compute_name_hash, find_name_danger
from tael.qr.tael_templates import (
    MERCHANT_BYTES,
    SIGNATURE_BYTES,
    SIGNER_CHECK_BYTES,
    UETR_BYTES,
    TaelPayload,
    attach_templates,
    check_terms,
    to_address,
)
from tael.typed_data import DYNAMIC_CODE_TYPE, ESCROW_NAME, STATIC_CODE_TYPE, VERSION

__all__ = [
    "DYNAMIC_CODE_TYPE",
    "STATIC_CODE_TYPE",
    "MerchantSigner",
    "build_dynamic_message",
    "build_static_message",
    "list_names",
    "sign",
]


class _Signed(Protocol):
    @property
    def signature(self) -> bytes: ...


class MerchantSigner(Protocol):
    """Whoever holds the merchant's key; eth-account's ``LocalAccount`` is one.

    It is given the whole typed message, never a bare hash, so that a hardware signer can show it.
    """

    @property
    def address(self) -> Any:
        """The signer's address."""

    def sign_typed_data(
        self,
        domain_data: dict[str, Any] | None = None,
        message_types: dict[str, Any] | None = None,
        message_data: dict[str, Any] | None = None,
    ) -> _Signed:
        """Sign an EIP-712 message; the result has the 65-byte ``signature``."""


def build_dynamic_message(
    *,
    merchant_id: bytes,
    token: str,
    amount_minor: int,
    uetr: bytes,
    expires_at: int,
    chain_id: int,
    escrow: str,
) -> dict[str, Any]:
    """The EIP-712 message of a dynamic code, for signers and for the contract's tests.

    Args:
        merchant_id: 32 bytes.
        token: The settlement token of the code's currency.
        amount_minor: Amount and convenience fee, a prompted tip excluded, minor units.
        uetr: 16 bytes.
        expires_at: Unix seconds.
        chain_id: EIP-155 chain id.
        escrow: The escrow contract.

    Returns:
        ``types``, ``primaryType``, ``domain`` and ``message``.
    """
    message = {
        "merchant": merchant_id,
        "token": to_checksum_address(token),
        "amount": amount_minor,
        "uetr": uetr,
        "expiresAt": expires_at,
    }
    return _build(DYNAMIC_CODE_TYPE, message, chain_id, escrow)


def build_static_message(
    *, merchant_id: bytes, name_hash: bytes, chain_id: int, escrow: str
) -> dict[str, Any]:
    """The EIP-712 message of a static code.

    Args:
        merchant_id: 32 bytes.
        name_hash: 32 bytes of :func:`tael.qr.compute_name_hash`.
        chain_id: EIP-155 chain id.
        escrow: The escrow contract.

    Returns:
        ``types``, ``primaryType``, ``domain`` and ``message``.
    """
    message = {"merchant": merchant_id, "nameHash": name_hash}
    return _build(STATIC_CODE_TYPE, message, chain_id, escrow)


def sign(
    code: MerchantCode,
    signer: MerchantSigner,
    *,
    merchant_id: bytes,
    chain_id: int,
    escrow: str,
    token: str | None = None,
    uetr: bytes | None = None,
    expires_at: int | None = None,
) -> MerchantCode:
    """Sign a plain code and put the three Tael templates into it.

    A dynamic code (``initiation`` DYNAMIC) has an amount and needs ``token``, ``uetr`` and
    ``expires_at``; a static one takes none of the three. The name that is signed is that of the
    language template if there is one, else object 59.

    Args:
        code: What the code shall say, without Tael's templates.
        signer: The merchant's key.
        merchant_id: 32 bytes, as the Directory has it.
        chain_id: EIP-155 chain id.
        escrow: The escrow contract's address.
        token: The settlement token of the code's currency.
        uetr: 16 bytes that identify this one payment.
        expires_at: Unix seconds from which on the code is dead.

    Returns:
        The code to hand to :func:`tael.qr.write`.

    Raises:
        InvalidInputError: A value is missing, out of range, or has no place in such a code.

    Source:
        ``PaymentEscrow``, the types DynamicCode and StaticCode.
    """
    check_terms(chain_id, expires_at)
    _check_sizes(merchant_id, uetr)
    escrow = to_address(escrow, "escrow")
    name = list_names(code)[:1]
    if not name or find_name_danger(name[0]) is not None:
        raise InvalidInputError("The code's name is missing or hides characters; correct it.")
    if code.initiation is Initiation.DYNAMIC:
        if token is None or uetr is None or expires_at is None or code.total_minor is None:
            raise InvalidInputError(
                "A dynamic code needs an amount, a token, a UETR and an expiry; pass them all."
            )
        message = build_dynamic_message(
            merchant_id=merchant_id,
            token=to_address(token, "token"),
            amount_minor=code.total_minor,
            uetr=uetr,
            expires_at=expires_at,
            chain_id=chain_id,
            escrow=escrow,
        )
    else:
        if (token, uetr, expires_at) != (None, None, None):
            raise InvalidInputError(
                "A static code takes no token, UETR or expiry; leave them out or make it dynamic."
            )
        message = build_static_message(
            merchant_id=merchant_id,
            name_hash=compute_name_hash(merchant_id, name[0]),
            chain_id=chain_id,
            escrow=escrow,
        )
    kind = message["primaryType"]
    signed = signer.sign_typed_data(
        message["domain"], {kind: message["types"][kind]}, message["message"]
    )
    payload = TaelPayload(
        chain_id=chain_id,
        escrow=escrow,
        merchant_id=merchant_id,
        uetr=uetr,
        expires_at=expires_at,
        signer_check=to_canonical_address(signer.address)[:SIGNER_CHECK_BYTES],
        signature=_compact(bytes(signed.signature)),
    )
    account, payment, proof = attach_templates(code, payload)
    return replace(
        code,
        accounts=(*code.accounts, account),
        unreserved=(*code.unreserved, payment, proof),
        text="",
        warnings=(),
    )


def list_names(code: MerchantCode) -> list[str]:
    """The names a code gives its merchant, that of its own language first."""
    own_language = None if code.language is None else code.language.name
    return [name for name in (own_language, code.name) if name is not None]


def _build(declaration: str, message: dict[str, Any], chain_id: int, escrow: str) -> dict[str, Any]:
    # The declaration is the one source; the contract's type hash is made from the same string.
    kind, members = declaration.rstrip(")").split("(")
    fields = [member.split(" ") for member in members.split(",")]
    domain = [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    ]
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": solidity} for name, solidity in domain],
            kind: [{"name": name, "type": solidity} for solidity, name in fields],
        },
        "primaryType": kind,
        "domain": {
            "name": ESCROW_NAME,
            "version": VERSION,
            "chainId": chain_id,
            "verifyingContract": to_checksum_address(escrow),
        },
        "message": message,
    }


def _compact(signature: bytes) -> bytes:
    if len(signature) == SIGNATURE_BYTES:
        return signature
    if len(signature) != SIGNATURE_BYTES + 1 or signature[64] not in {0, 1, 27, 28}:
        raise InvalidInputError("The signer returned no 65-byte signature; use an EOA's key.")
    parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
    s = int.from_bytes(signature[32:64], "big") | parity << 255
    return signature[:32] + s.to_bytes(32, "big")


def _check_sizes(merchant_id: bytes, uetr: bytes | None) -> None:
    if len(merchant_id) != MERCHANT_BYTES:
        raise InvalidInputError("A merchant id has 32 bytes; pass it as the Directory gives it.")
    if uetr is not None and len(uetr) != UETR_BYTES:
        raise InvalidInputError("A UETR has 16 bytes; pass `uuid.UUID(...).bytes`.")
