"""Whose code is it? Recognized from identifiers inside, so that a refusal can say what it is.

Recognition is a courtesy to the reader of a message and proves nothing: anybody can print any
identifier.

Source: EMVCo QRCPS Merchant-Presented Mode, Table 4.1 for ids 02 to 16; the schemes' own published
identifiers for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from tael.qr.cpm import ConsumerCode
from tael.qr.findings import CodeWarning
from tael.qr.model import Initiation, MerchantCode, Template
from tael.qr.tael_templates import GUID as TAEL_GUID

__all__ = ["SCHEMES", "Scheme", "list_profile_warnings", "recognize_schemes"]


@dataclass(frozen=True)
class Scheme:
    """A payment scheme.

    Args:
        name: Short and stable.
        title: For a person.
    """

    name: str
    title: str


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("Tael", "Tael escrow payment"),
        Scheme("SGQR", "SGQR, Singapore's common code"),
        Scheme("QRIS", "QRIS, Bank Indonesia"),
        Scheme("KHQR", "KHQR, National Bank of Cambodia"),
        Scheme("PromptPay", "PromptPay, Thailand"),
        Scheme("Pix", "Pix, Central Bank of Brazil"),
        Scheme("DuitNow", "DuitNow QR, Malaysia"),
        Scheme("FPS", "Faster Payment System, Hong Kong"),
        Scheme("PayNow", "PayNow, Singapore"),
        Scheme("VietQR", "VietQR, NAPAS"),
        Scheme("BharatQR", "BharatQR, India"),
        Scheme("QRPh", "QR Ph, Philippines"),
        Scheme("UnionPay", "UnionPay"),
        Scheme("Visa", "Visa"),
        Scheme("Mastercard", "Mastercard"),
        Scheme("Discover", "Discover"),
        Scheme("American Express", "American Express"),
        Scheme("JCB", "JCB"),
        Scheme("EMVCo", "EMVCo code of a scheme not listed here"),
    )
}

_GUIDS = {
    "SG.SGQR": "SGQR",
    "ID.CO.QRIS.WWW": "QRIS",
    "A000000677010111": "PromptPay",
    "A000000677010112": "PromptPay",
    "A000000677010113": "PromptPay",
    "A000000677010114": "PromptPay",
    "BR.GOV.BCB.PIX": "Pix",
    "A0000006150001": "DuitNow",
    "HK.COM.HKICL": "FPS",
    "SG.PAYNOW": "PayNow",
    "A000000727": "VietQR",
    "A000000524": "BharatQR",
    "COM.P2PQRPAY": "QRPh",
}
_PRIMITIVES = {
    "02": "Visa",
    "03": "Visa",
    "04": "Mastercard",
    "05": "Mastercard",
    "09": "Discover",
    "10": "Discover",
    "11": "American Express",
    "12": "American Express",
    "13": "JCB",
    "14": "JCB",
    "15": "UnionPay",
    "16": "UnionPay",
}
_REGISTERED_PROVIDERS = {
    "A000000003": "Visa",
    "A000000004": "Mastercard",
    "A000000025": "American Express",
    "A000000065": "JCB",
    "A000000152": "Discover",
    "A000000333": "UnionPay",
}
_RANK = {name: place for place, name in enumerate(SCHEMES)}


def recognize_schemes(code: MerchantCode | ConsumerCode) -> tuple[str, ...]:
    """Name the schemes a code speaks for.

    Args:
        code: A code that was read.

    Returns:
        Names of :data:`SCHEMES`, the one that governs the code first; ``EMVCo`` alone when none is
        recognized.
    """
    if isinstance(code, ConsumerCode):
        aids = (application.aid or "" for application in code.applications)
        found = {_REGISTERED_PROVIDERS.get(aid[:10]) for aid in aids}
    else:
        found = {_PRIMITIVES.get(item.id) for item in code.accounts}
        found |= {_recognize_template(item, code) for item in code.templates}
    names = sorted((name for name in found if name is not None), key=_RANK.__getitem__)
    return tuple(names) or ("EMVCo",)


def list_profile_warnings(code: MerchantCode) -> tuple[CodeWarning, ...]:
    """What breaks a national profile while EMVCo's rules are kept; never a reason to refuse."""
    dynamic_without_amount = code.initiation is Initiation.DYNAMIC and code.amount_minor is None
    if dynamic_without_amount and recognize_schemes(code)[0] == "KHQR":
        return (CodeWarning("profile", "54", "KHQR wants an amount in a dynamic code"),)
    return ()


def _recognize_template(template: Template, code: MerchantCode) -> str | None:
    guid = (template.guid or "").upper()
    if guid == TAEL_GUID.upper():
        return "Tael"
    if guid in _GUIDS:
        return _GUIDS[guid]
    # QRIS's national and switch identifiers, such as ID.CO.BCA.WWW.
    if guid.startswith("ID.CO.") and guid.endswith(".WWW"):
        return "QRIS"
    # A Bakong account such as name@bank; a lenient reader may have found no country.
    if "@" in guid and code.country in {"KH", None}:
        return "KHQR"
    return _REGISTERED_PROVIDERS.get(guid[:10])
