"""Check a code as a payer: place, standing, currency, signature, time and name, without a network.

Source: EIP-712, ERC-2098; the contracts ``Directory`` and ``PaymentEscrow``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tael.addresses import address_bytes, checksummed
from tael.errors import (
    CodeExpiredError,
    CurrencyMismatchError,
    LookAlikeNameError,
    MerchantInactiveError,
    NameNotVouchedError,
    SignatureMismatchError,
    StaticLimitError,
    WrongChainError,
    WrongContractError,
    WrongSignerError,
)
from tael.qr.findings import CodeWarning
from tael.qr.model import MerchantCode, PromptedTip
from tael.qr.names import (
    compute_name_hash,
    find_look_alike,
    find_name_danger,
    list_imitated_names,
    show,
)
from tael.qr.signing import list_names
from tael.qr.tael_templates import SIGNER_CHECK_BYTES, TaelPayload, read_templates, to_address
from tael.signatures import recover
from tael.typed_data import Message, dynamic_code, escrow_domain, static_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MerchantEntry", "VerifiedCode", "verify"]


@dataclass(frozen=True)
class MerchantEntry:
    """What the Directory says of a merchant.

    Args:
        acquirer: The participant that vouches for it, an address.
        signer: The address of the key that signs its codes.
        name_hash: 32 bytes of :func:`tael.qr.compute_name_hash`.
        category_code: ISO 18245 merchant category, four digits.
        static_limit_minor: The most a payment may be without a dynamic code, minor units.
        active: Whether the acquirer vouches for it now.
    """

    acquirer: str
    signer: str
    name_hash: bytes
    category_code: str
    static_limit_minor: int
    active: bool


@dataclass(frozen=True)
class VerifiedCode:
    """A code whose signature, time, place and name are checked: show and pay these values.

    Args:
        merchant_id: 32 bytes.
        acquirer: The merchant's bank, checksummed.
        name: The name the Directory vouches for, as the code spells it.
        category_code: From the Directory.
        currency: ISO 4217 letters; None on a static code that names none.
        token: The settlement token of the currency, checksummed; None without a currency.
        amount_minor: What the merchant signed, convenience fee included, minor units; on a static
            code what it asks for, unsigned; None where the payer types it.
        asks_for_tip: Whether the wallet shall ask for a tip on top.
        uetr: The payment's identifier, the same at every scan; None on a static code, for which
            each payment needs a fresh one from the payer's bank.
        expires_at: Unix seconds; the code is dead from then on. None on a static code.
        signature: 64 bytes, to be sent along when the amount exceeds the static limit.
        warnings: What the reader and this check let pass.
    """

    merchant_id: bytes
    acquirer: str
    name: str
    category_code: str
    currency: str | None
    token: str | None
    amount_minor: int | None
    asks_for_tip: bool
    uetr: bytes | None
    expires_at: int | None
    signature: bytes
    warnings: tuple[CodeWarning, ...]


def verify(
    code: MerchantCode,
    directory_entry: MerchantEntry,
    *,
    chain_id: int,
    escrow: str,
    now: int,
    token_for_currency: Mapping[str, str],
    known_names: Iterable[str] = (),
) -> VerifiedCode:
    """Check a code that was read against what the Directory says of its merchant.

    The order is fixed: place, standing, currency, signature, time, name. So an error names the
    first thing that is wrong, and nothing signed is believed before the signature holds.

    Args:
        code: The code as read.
        directory_entry: The Directory's entry for :attr:`TaelPayload.merchant_id` of the code
            (:func:`tael.qr.read_templates` gives it).
        chain_id: The chain the wallet is on.
        escrow: The escrow the wallet pays through.
        now: Chain time, Unix seconds UTC.
        token_for_currency: Settlement tokens by ISO 4217 letters.
        known_names: Names of other merchants that this one must not be taken for.

    Returns:
        What to show and to pay.

    Raises:
        NotTaelCodeError: No complete set of Tael templates.
        WrongChainError: For another chain.
        WrongContractError: For another escrow.
        MerchantInactiveError: The acquirer does not vouch for the merchant now.
        CurrencyMismatchError: No token stands for the code's currency.
        SignatureMismatchError: Altered after signing.
        WrongSignerError: Signed by another key than the merchant's.
        CodeExpiredError: Its time is over.
        StaticLimitError: A static code asks for more than the merchant's static limit.
        LookAlikeNameError: The name imitates another or hides characters.
        NameNotVouchedError: The Directory does not vouch for the name.
        MalformedCodeError: A Tael template does not add up.
    """
    payload = read_templates(code)
    if payload.chain_id != chain_id:
        raise WrongChainError(
            f"The code is for chain {payload.chain_id}, this wallet is on {chain_id}. Connect to "
            "that chain or ask for another code."
        )
    if payload.escrow != to_address(escrow, "escrow"):
        raise WrongContractError(
            f"The code is for the escrow {payload.escrow}, not for this wallet's. Do not "
            "pay it; ask the merchant for a current code."
        )
    if not directory_entry.active:
        raise MerchantInactiveError("The merchant's bank does not vouch for it now. Do not pay.")
    token = _find_token(code, token_for_currency)
    _check_signature(
        payload, _build_expected(code, payload, directory_entry, token), directory_entry
    )
    if payload.expires_at is not None and now >= payload.expires_at:
        raise CodeExpiredError(
            f"The code expired at {payload.expires_at} (Unix seconds). Ask for a fresh one."
        )
    total_minor = code.total_minor
    limit_minor = directory_entry.static_limit_minor
    if payload.uetr is None and total_minor is not None and total_minor > limit_minor:
        raise StaticLimitError(
            f"The static code asks for {total_minor} minor units, this merchant's limit without a "
            f"dynamic code is {limit_minor}. Ask for a dynamic code."
        )
    name = _find_vouched_name(code, payload.merchant_id, directory_entry.name_hash, known_names)
    warnings = code.warnings
    if code.category_code != directory_entry.category_code:
        note = CodeWarning(
            "category_differs", "52", "The Directory has another category; it counts"
        )
        warnings = (*warnings, note)
    return VerifiedCode(
        merchant_id=payload.merchant_id,
        acquirer=to_address(directory_entry.acquirer, "acquirer"),
        name=name,
        category_code=directory_entry.category_code,
        currency=code.currency,
        token=token,
        amount_minor=total_minor,
        asks_for_tip=isinstance(code.tip, PromptedTip),
        uetr=payload.uetr,
        expires_at=payload.expires_at,
        signature=payload.signature,
        warnings=warnings,
    )


def _build_expected(
    code: MerchantCode, payload: TaelPayload, entry: MerchantEntry, token: str | None
) -> Message:
    domain = escrow_domain(payload.chain_id, payload.escrow)
    if payload.uetr is None or payload.expires_at is None:
        return static_code(domain, payload.merchant_id, entry.name_hash)
    if token is None or code.total_minor is None:
        raise SignatureMismatchError("The amount or currency was taken out after signing.")
    return dynamic_code(
        domain, payload.merchant_id, token, code.total_minor, payload.uetr, payload.expires_at
    )


def _check_signature(payload: TaelPayload, message: Message, entry: MerchantEntry) -> None:
    recovered = recover(message.digest, (payload.signature[:32], payload.signature[32:]))
    if recovered == address_bytes(to_address(entry.signer, "signer")):
        return
    if recovered is not None and recovered[:SIGNER_CHECK_BYTES] == payload.signer_check:
        raise WrongSignerError(
            f"The code is signed by {checksummed(recovered)}, which is not this merchant's "
            "key: another merchant's, or one since replaced. Do not pay; ask for a new code."
        )
    raise SignatureMismatchError(
        "The code was altered after the merchant signed it (amount, currency, merchant, UETR or "
        "expiry). Do not pay it."
    )


def _find_token(code: MerchantCode, token_for_currency: Mapping[str, str]) -> str | None:
    if code.currency is None:
        return None
    token = token_for_currency.get(code.currency)
    if token is None:
        raise CurrencyMismatchError(
            f"No settlement token stands for {code.currency} here. Pay with another scheme or ask "
            "for a code in another currency."
        )
    return to_address(token, "token")


def _find_vouched_name(
    code: MerchantCode, merchant_id: bytes, name_hash: bytes, known_names: Iterable[str]
) -> str:
    names = list_names(code)
    known = tuple(known_names)
    for name in names:
        danger = find_name_danger(name)
        if danger is not None:
            raise LookAlikeNameError(f"The name “{show(name)}” has {danger}. Do not pay it.")
        imitated = find_look_alike(name, known)
        if imitated is not None:
            raise LookAlikeNameError(
                f"The name “{show(name)}” looks like “{show(imitated)}” and is not. Do not pay it."
            )
    for name in names:
        if compute_name_hash(merchant_id, name) == name_hash:
            return name
    for name in names:
        for candidate in list_imitated_names(name):
            if compute_name_hash(merchant_id, candidate) == name_hash:
                raise LookAlikeNameError(
                    f"The name “{show(name)}” imitates “{show(candidate)}”, the vouched one. Do "
                    "not pay it."
                )
    raise NameNotVouchedError(
        "The Directory does not vouch for the name in the code. Do not show it and do not pay; "
        "ask the merchant for a new code."
    )
