"""The three templates by which a standard code carries a Tael payment.

A template holds 99 characters, so the payment is spread over three that share one identifier:

* account (26 to 51): 01 chain id, 02 escrow, 03 merchant id. Exactly 99 characters at most.
* payment (80 to 99): 04 UETR or the static marker, 05 expiry, 06 the signer's check.
* proof (80 to 99): 07 the merchant's signature, 64 bytes in ERC-2098's compact form.

Binary values are base85 in RFC 1924's alphabet (Python's ``b85encode``): it is all printable ASCII,
so EMVCo's ANS holds it, needs no escaping in JSON or a shell's single quotes, and makes 80
characters of 64 bytes where hexadecimal would take 128. One value has one spelling: anything that
does not encode back to itself is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.addresses import address_bytes, checksummed, is_address
from tael.errors import InvalidInputError, NotTaelCodeError
from tael.qr.findings import refuse
from tael.qr.model import Initiation, MerchantCode, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "GUID",
    "STATIC_MARKER",
    "TaelPayload",
    "attach_templates",
    "check_terms",
    "read_templates",
    "to_address",
]

GUID = "org.tael"
STATIC_MARKER = "STATIC"
MAX_CHAIN_ID = 9_999_999_999
MAX_EXPIRES_AT = 2**40 - 1
ADDRESS_BYTES, MERCHANT_BYTES, UETR_BYTES = 20, 32, 16
SIGNATURE_BYTES, SIGNER_CHECK_BYTES = 64, 4

_CHAIN, _ESCROW, _MERCHANT, _UETR, _EXPIRY, _CHECK, _SIGNATURE = (
    f"{number:02d}" for number in range(1, 8)
)
_ACCOUNT_IDS = frozenset({_CHAIN, _ESCROW, _MERCHANT})
_STATIC_IDS = frozenset({_UETR, _CHECK})
_DYNAMIC_IDS = _STATIC_IDS | {_EXPIRY}
_PROOF_IDS = frozenset({_SIGNATURE})
_ACCOUNT_SLOTS = tuple(str(number) for number in range(26, 52))
_UNRESERVED_SLOTS = tuple(str(number) for number in range(80, 100))
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


@dataclass(frozen=True)
class TaelPayload:
    """What the three templates say; nothing of it is trusted before :func:`tael.qr.verify`.

    Args:
        chain_id: EIP-155 chain id, 1 to 9999999999.
        escrow: The escrow contract, checksummed.
        merchant_id: 32 bytes.
        uetr: 16 bytes of a dynamic code; None marks a static one.
        expires_at: Unix seconds, below 2**40; None for a static code.
        signer_check: First four bytes of the signer's address. Tells a code altered after signing
            from one signed by another key; it is no part of the proof.
        signature: ERC-2098 compact signature, 64 bytes.
    """

    chain_id: int
    escrow: str
    merchant_id: bytes
    uetr: bytes | None
    expires_at: int | None
    signer_check: bytes
    signature: bytes


def attach_templates(
    code: MerchantCode, payload: TaelPayload
) -> tuple[Template, Template, Template]:
    """Build the three templates in the first free places of a code.

    Args:
        code: The code they are for.
        payload: What they say.

    Returns:
        Account, payment and proof template.

    Raises:
        InvalidInputError: The code already is a Tael code or has no place left.
    """
    if any(_is_tael(template) for template in code.templates):
        raise InvalidInputError("The code is a Tael code already; sign the plain code instead.")
    account_id = _take_slots(_ACCOUNT_SLOTS, [item.id for item in code.accounts], 1)[0]
    payment_id, proof_id = _take_slots(_UNRESERVED_SLOTS, [i.id for i in code.unreserved], 2)
    payment = {
        _UETR: STATIC_MARKER if payload.uetr is None else _encode(payload.uetr),
        _CHECK: _encode(payload.signer_check),
    }
    if payload.expires_at is not None:
        payment[_EXPIRY] = str(payload.expires_at)
    return (
        Template.of(
            account_id,
            GUID,
            {
                _CHAIN: str(payload.chain_id),
                _ESCROW: _encode(address_bytes(payload.escrow)),
                _MERCHANT: _encode(payload.merchant_id),
            },
        ),
        Template.of(payment_id, GUID, payment),
        Template.of(proof_id, GUID, {_SIGNATURE: _encode(payload.signature)}),
    )


def read_templates(code: MerchantCode) -> TaelPayload:
    """Find and decode the three templates.

    Args:
        code: A code that was read.

    Returns:
        What they say, unverified.

    Raises:
        NotTaelCodeError: A template is missing: another scheme's code, or an unsigned one.
        MalformedCodeError: A template is doubled, or something in it is missing, foreign or
            misspelt.
    """
    accounts = [i for i in code.accounts if isinstance(i, Template) and _is_tael(i)]
    unreserved = [i for i in code.unreserved if isinstance(i, Template) and _is_tael(i)]
    if not accounts or len(unreserved) < 2:
        raise NotTaelCodeError(
            "The code has no complete Tael payment in it, so the escrow cannot pay it. Use the "
            "scheme the code belongs to, or ask for a signed Tael code."
        )
    proofs = [item for item in unreserved if item.get(_SIGNATURE) is not None]
    payments = [item for item in unreserved if item.get(_SIGNATURE) is None]
    if (len(accounts), len(payments), len(proofs)) != (1, 1, 1):
        raise refuse("", "Tael templates stand there twice")
    account, payment, proof = accounts[0], payments[0], proofs[0]
    static = payment.get(_UETR) == STATIC_MARKER
    _check_ids(account, _ACCOUNT_IDS)
    _check_ids(payment, _STATIC_IDS if static else _DYNAMIC_IDS)
    _check_ids(proof, _PROOF_IDS)
    if static != (code.initiation is not Initiation.DYNAMIC):
        raise refuse("01", "and the Tael template disagree on the code being static")
    return TaelPayload(
        chain_id=_decode_number(account, _CHAIN, MAX_CHAIN_ID),
        escrow=checksummed(_decode(account, _ESCROW, ADDRESS_BYTES)),
        merchant_id=_decode(account, _MERCHANT, MERCHANT_BYTES),
        uetr=None if static else _decode(payment, _UETR, UETR_BYTES),
        expires_at=None if static else _decode_number(payment, _EXPIRY, MAX_EXPIRES_AT),
        signer_check=_decode(payment, _CHECK, SIGNER_CHECK_BYTES),
        signature=_decode(proof, _SIGNATURE, SIGNATURE_BYTES),
    )


def check_terms(chain_id: int, expires_at: int | None) -> None:
    """Refuse what the templates cannot carry, before anything is signed.

    Raises:
        InvalidInputError: Out of range.
    """
    if not _is_number(chain_id, MAX_CHAIN_ID):
        raise InvalidInputError(f"A chain id here is 1 to {MAX_CHAIN_ID}; correct it.")
    if expires_at is not None and not _is_number(expires_at, MAX_EXPIRES_AT):
        raise InvalidInputError("An expiry is Unix seconds below 2**40; correct it.")


def to_address(address: str, what: str) -> str:
    """Checksum an address that the caller configured.

    Raises:
        InvalidInputError: No address; ``what`` says which one.
    """
    if not is_address(address):
        raise InvalidInputError(f"The {what} is not an address; take it from the manifest.")
    return checksummed(address)


def _is_number(value: object, maximum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= maximum


def _is_tael(template: Template) -> bool:
    return template.guid == GUID


def _take_slots(slots: Sequence[str], taken: Sequence[str], count: int) -> list[str]:
    free = [slot for slot in slots if slot not in taken][:count]
    if len(free) < count:
        raise InvalidInputError("The code has no free template left; remove one first.")
    return free


def _check_ids(template: Template, expected: frozenset[str]) -> None:
    if {item.id for item in template.values} != expected:
        raise refuse(template.id, "the Tael template lacks a part or has a foreign one")


def _decode_number(template: Template, object_id: str, maximum: int) -> int:
    text = template.get(object_id) or ""
    if not _NUMBER.fullmatch(text) or not 0 < int(text) <= maximum:
        raise refuse(f"{template.id}.{object_id}", "no number in range")
    return int(text)


def _encode(data: bytes) -> str:
    return base64.b85encode(data).decode()


def _decode(template: Template, object_id: str, size_bytes: int) -> bytes:
    path = f"{template.id}.{object_id}"
    text = template.get(object_id) or ""
    try:
        data = base64.b85decode(text)
    except (ValueError, binascii.Error) as error:
        raise refuse(path, "no base85") from error
    if len(data) != size_bytes or _encode(data) != text:
        raise refuse(path, f"not {size_bytes} bytes in their one spelling")
    return data
