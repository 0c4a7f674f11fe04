"""Sign codes as a merchant: what is signed, and how it gets into the code.

A dynamic code's signature covers what is paid, to whom, on which chain and contract, and until
when. A static code's covers merchant and name, so that a sticker cannot carry another name. Each is
an EIP-712 type of its own; the escrow checks the first one on chain with the same hash.

Source: EIP-712, ERC-2098; the contract ``PaymentEscrow``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from tael.addresses import address_bytes
from tael.errors import InvalidInputError
from tael.qr.model import Initiation, MerchantCode
from tael.qr.names import compute_name_hash, find_name_danger
from tael.qr.tael_templates import (
    MERCHANT_BYTES,
    SIGNER_CHECK_BYTES,
    UETR_BYTES,
    TaelPayload,
    attach_templates,
    check_terms,
    to_address,
)
from tael.signatures import compact
from tael.typed_data import Message, dynamic_code, escrow_domain, static_code

__all__ = ["MerchantSigner", "TypedDataSigner", "list_names", "sign"]


class MerchantSigner(Protocol):
    """Whoever holds the merchant's key and signs digests; every ``tael.Signer`` is one."""

    @property
    def address(self) -> Any:
        """The signer's address."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes: 65 bytes with v, or the 64 bytes of ERC-2098."""


class _Signed(Protocol):
    @property
    def signature(self) -> bytes: ...


class TypedDataSigner(Protocol):
    """Whoever holds the merchant's key and wants to see what it signs.

    It is given the whole message, never a bare digest: a device can show it. eth-account's
    ``LocalAccount`` is one.
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
        """Sign an EIP-712 message; the result has the ``signature``."""


def sign(
    code: MerchantCode,
    signer: MerchantSigner | TypedDataSigner,
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
    domain = escrow_domain(chain_id, escrow)
    name = list_names(code)[:1]
    if not name or find_name_danger(name[0]) is not None:
        raise InvalidInputError("The code's name is missing or hides characters; correct it.")
    if code.initiation is Initiation.DYNAMIC:
        if token is None or uetr is None or expires_at is None or code.total_minor is None:
            raise InvalidInputError(
                "A dynamic code needs an amount, a token, a UETR and an expiry; pass them all."
            )
        message = dynamic_code(
            domain, merchant_id, to_address(token, "token"), code.total_minor, uetr, expires_at
        )
    else:
        if (token, uetr, expires_at) != (None, None, None):
            raise InvalidInputError(
                "A static code takes no token, UETR or expiry; leave them out or make it dynamic."
            )
        message = static_code(domain, merchant_id, compute_name_hash(merchant_id, name[0]))
    payload = TaelPayload(
        chain_id=chain_id,
        escrow=escrow,
        merchant_id=merchant_id,
        uetr=uetr,
        expires_at=expires_at,
        signer_check=address_bytes(signer.address)[:SIGNER_CHECK_BYTES],
        signature=_signature(message, signer),
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


def _signature(message: Message, signer: MerchantSigner | TypedDataSigner) -> bytes:
    if hasattr(signer, "sign_typed_data"):
        document = message.document()
        kind = document["primaryType"]
        made = signer.sign_typed_data(
            document["domain"], {kind: document["types"][kind]}, document["message"]
        ).signature
    else:
        made = signer.sign_digest(message.digest)
    words = compact(bytes(made))
    if words is None:
        raise InvalidInputError("The signer returned no 65-byte signature; use an EOA's key.")
    return b"".join(words)


def _check_sizes(merchant_id: bytes, uetr: bytes | None) -> None:
    if len(merchant_id) != MERCHANT_BYTES:
        raise InvalidInputError("A merchant id has 32 bytes; pass it as the Directory gives it.")
    if uetr is not None and len(uetr) != UETR_BYTES:
        raise InvalidInputError("A UETR has 16 bytes; pass `uuid.UUID(...).bytes`.")
