"""Read and write EMVCo merchant-presented codes.

One rulebook: the writer assembles the text and lets the strict reader judge it.

Source: EMVCo QRCPS Merchant-Presented Mode 1.1, chapters 3 and 4; `docs/qr.md` rules on each case
the specification leaves open.
"""

from __future__ import annotations

import re
from typing import Any

from tael.errors import CrcMismatchError, InvalidInputError, NotPaymentCodeError
from tael.qr import amounts
from tael.qr.additional import assemble_additional, read_additional, read_language
from tael.qr.findings import Findings, refuse
from tael.qr.formats import COUNTRIES, ROOT_RULES, Format, Rule, check_name, check_value
from tael.qr.model import (
    FixedFee,
    Initiation,
    MerchantCode,
    PercentageFee,
    PromptedTip,
    Template,
    Tip,
)
from tael.qr.names import show
from tael.qr.payload import prepare
from tael.qr.templates import assemble_template, read_template, try_split
from tael.qr.tlv import CRC_ID, DataObject, compute_crc, join, split
from tael.qr.unionpay import ACCOUNT_IDS, decode_account

__all__ = ["decode_fields", "read", "write"]

_CRC_TAIL = re.compile(r"6304(?P<crc>[0-9A-Fa-f]{4})")
_HEADER = re.compile(r"[0-9]{4}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PRIMITIVE_ACCOUNT = Rule("Merchant account", Format.ALPHANUMERIC_SPECIAL, 99)


def read(text: str | bytes, *, strict: bool = False) -> MerchantCode:
    """Read a merchant-presented code.

    Refused in both modes is whatever could be read in two ways or breaks a format; what merely
    falls short of EMVCo's rules, as millions of codes in use do, leaves a warning. A sound check
    sum proves a good scan and nothing else: see :func:`tael.qr.verify`.

    Args:
        text: The scanned text, or its bytes in UTF-8.
        strict: Refuse what EMVCo makes mandatory or recommends.

    Returns:
        The code with its warnings.

    Raises:
        NotPaymentCodeError: Does not begin like a merchant's code; :func:`tael.qr.recognize` knows
            the other kinds.
        CrcMismatchError: The check sum does not fit.
        OversizeCodeError: Longer than any QR code.
        AmountFormatError: An amount or fee is not written as EMVCo allows.
        NonConformingCodeError: Outside the rules, when strict.
        MalformedCodeError: Everything else that cannot be trusted to mean one thing.

    Source:
        EMVCo QRCPS Merchant-Presented Mode, 4.2 to 4.11.

    Example:
        >>> code = read(
        ...     "00020101021229300012D156000000000510A93FO3230Q520441115303156540523.725802CN"
        ...     "5914BEST TRANSPORT6007BEIJING63041DE5"
        ... )
        >>> code.name, code.amount_minor, code.currency
        ('BEST TRANSPORT', 2372, 'CNY')
    """
    findings = Findings(strict)
    payload = prepare(text, findings)
    if not _HEADER.match(payload):
        raise NotPaymentCodeError(
            f"“{show(payload)}” is not a merchant's code. Scan the code of the payment."
        )
    _check_crc(payload, findings)
    objects = split(payload)
    if objects[0].id != "00":
        raise refuse("00", "has to come first")
    if objects[0].value != "01":
        raise refuse("00", "only format 01 is defined")
    if objects[-1].id != CRC_ID:
        raise refuse(CRC_ID, "the check sum has to come last")
    values = {item.id: item.value for item in objects}
    for object_id, rule in ROOT_RULES.items():
        if object_id in values:
            check_value(object_id, values[object_id], rule, findings)
        elif rule.mandatory:
            findings.defect("mandatory_missing", object_id, f"{rule.name} is missing")
    currency = _read_currency(values, findings)
    accounts = tuple(_read_account(i, findings) for i in objects if "02" <= i.id <= "51")
    if not accounts:
        findings.defect("mandatory_missing", "02", "No merchant account (02 to 51)")
    for object_id in ("59", "60"):
        check_name(object_id, values.get(object_id, ""), findings)
    reserved = tuple(item for item in objects if "65" <= item.id <= "79")
    for item in reserved:
        findings.defect("reserved_for_future_use", item.id, "Not defined by EMVCo yet")
    return MerchantCode(
        accounts=accounts,
        category_code=values.get("52"),
        currency=currency,
        country=_read_country(values.get("58"), findings),
        name=values.get("59"),
        city=values.get("60"),
        initiation=_read_initiation(values.get("01")),
        amount_minor=_read_amount("54", values, currency, findings),
        tip=_read_tip(values, currency, findings),
        postal_code=values.get("61"),
        additional=read_additional(values.get("62"), findings),
        language=read_language(values.get("64"), findings),
        reserved=reserved,
        unreserved=tuple(_read_unreserved(i, findings) for i in objects if i.id >= "80"),
        text=payload,
        warnings=tuple(findings.warnings),
    )


def write(code: MerchantCode) -> str:
    """Write a merchant-presented code, strictly by EMVCo's rules, objects in ascending order.

    Args:
        code: What the code shall say.

    Returns:
        The payload with its check sum; reading it gives an equal code.

    Raises:
        InvalidInputError: A value has the wrong type, or an id where it has no place.
        OversizeCodeError: More than 99 characters in an object.
        QrError: The code would break a rule; the message names the object.

    Example:
        >>> code = MerchantCode(
        ...     accounts=(Template.of("29", "D15600000000", {"05": "A93FO3230Q"}),),
        ...     category_code="4111", currency="CNY", country="CN",
        ...     name="BEST TRANSPORT", city="BEIJING",
        ... )
        >>> write(code)[-8:]
        '6304EBD6'
    """
    body = join(sorted(_assemble(code), key=lambda item: item.id)) + CRC_ID + "04"
    try:
        text = body + compute_crc(body)
    except UnicodeEncodeError as error:
        raise InvalidInputError("A text has half a character in it; type it anew.") from error
    written = read(text, strict=True)
    if written != code:
        raise InvalidInputError(
            "The code would not read back as it was given: an object stands in the wrong group or "
            "an id is used for something else; correct the ids."
        )
    return text


def decode_fields(text: str) -> dict[str, Any]:
    """The data objects of a payload by id, templates as mappings, without the check sum.

    Args:
        text: A payload that :func:`read` has accepted.

    Returns:
        Ids to texts, or to mappings for accounts 26 to 51, 62, 64 and the templates of 80 to 99.
        Objects inside 62 stay text.
    """
    fields: dict[str, Any] = {}
    for item in split(text):
        nested = "26" <= item.id <= "51" or item.id in {"62", "64"} or item.id >= "80"
        inner = try_split(item) if nested else None
        fields[item.id] = item.value if inner is None else {i.id: i.value for i in inner}
    fields.pop(CRC_ID, None)
    return fields


def _check_crc(payload: str, findings: Findings) -> None:
    match = _CRC_TAIL.fullmatch(payload[-8:])
    if match is None:
        raise refuse(CRC_ID, "the text does not end with a check sum (6304 and four digits)")
    if compute_crc(payload[:-4]) != match["crc"].upper():
        raise CrcMismatchError("The check sum does not fit the text. Scan the code again.")
    if match["crc"] != match["crc"].upper():
        findings.defect("crc_lower_case", CRC_ID, "The check sum is in lower case")


def _read_currency(values: dict[str, str], findings: Findings) -> str | None:
    number = values.get("53")
    if number is None:
        return None
    currency = amounts.find_currency(number)
    if currency is None:
        findings.defect("unknown_currency", "53", f"{number} is no ISO 4217 currency")
    return currency


def _read_country(country: str | None, findings: Findings) -> str | None:
    if country is None:
        return None
    if not _COUNTRY.fullmatch(country):
        raise refuse("58", "a country is two letters A to Z in upper case")
    if country not in COUNTRIES:
        findings.defect("unknown_country", "58", f"{country} is no ISO 3166-1 country")
    return country


def _read_initiation(value: str | None) -> Initiation | None:
    if value is None:
        return None
    try:
        return Initiation(value)
    except ValueError as error:
        raise refuse("01", "only 11 (static) and 12 (dynamic) are defined") from error


def _read_amount(
    object_id: str, values: dict[str, str], currency: str | None, findings: Findings
) -> int | None:
    text = values.get(object_id)
    if text is None:
        return None
    exponent = None if currency is None else amounts.get_exponent(currency)
    amount_minor, has_surplus = amounts.parse_amount(text, exponent)
    if amount_minor is None:
        findings.note("amount_without_currency", object_id, f"{text} of an unknown currency")
    if has_surplus:
        findings.defect("surplus_decimals", object_id, f"{text} has more decimals than {currency}")
    return amount_minor


def _read_tip(values: dict[str, str], currency: str | None, findings: Findings) -> Tip | None:
    indicator = values.get("55")
    for fee_id, needed in (("56", "02"), ("57", "03")):
        if (fee_id in values) != (indicator == needed):
            raise refuse(fee_id, f"stands there exactly when object 55 is {needed}")
    if indicator == "01":
        return PromptedTip()
    if indicator == "02":
        fee_minor = _read_amount("56", values, currency, findings)
        return None if fee_minor is None else FixedFee(fee_minor)
    if indicator == "03":
        return PercentageFee(amounts.parse_percent(values["57"]))
    if indicator is not None:
        raise refuse("55", "only 01, 02 and 03 are defined")
    return None


def _read_account(item: DataObject, findings: Findings) -> DataObject | Template:
    if item.id >= "26":
        return read_template(item.id, item.id, split(item.value, item.id), findings)
    check_value(item.id, item.value, _PRIMITIVE_ACCOUNT, findings)
    if item.id in ACCOUNT_IDS and decode_account(item) is None:
        findings.note("unionpay_layout", item.id, "Not in UnionPay's layout of 8, 8 and 15")
    return item


def _read_unreserved(item: DataObject, findings: Findings) -> DataObject | Template:
    inner = try_split(item)
    if inner is None:
        findings.defect("not_a_template", item.id, "Holds no data objects; kept as text")
        return item
    return read_template(item.id, item.id, inner, findings)


def _assemble(code: MerchantCode) -> list[DataObject]:
    exponent = 0 if code.currency is None else amounts.get_exponent(code.currency)
    number = None if code.currency is None else amounts.get_currency_number(code.currency)
    amount = code.amount_minor
    fixed = code.tip.amount_minor if isinstance(code.tip, FixedFee) else None
    percent = code.tip.percent_thousandths if isinstance(code.tip, PercentageFee) else None
    indicator = {PromptedTip: "01", FixedFee: "02", PercentageFee: "03"}.get(type(code.tip))
    values = {
        "00": "01",
        "01": None if code.initiation is None else code.initiation.value,
        "52": code.category_code,
        "53": number,
        "54": None if amount is None else amounts.format_amount(amount, exponent),
        "55": indicator,
        "56": None if fixed is None else amounts.format_amount(fixed, exponent),
        "57": None if percent is None else amounts.format_percent(percent),
        "58": code.country,
        "59": code.name,
        "60": code.city,
        "61": code.postal_code,
        **assemble_additional(code.additional, code.language),
    }
    objects = [DataObject(key, value) for key, value in values.items() if value is not None]
    for item in (*code.accounts, *code.reserved, *code.unreserved):
        objects.append(assemble_template(item))
    return objects
