"""Objects 62 (additional data) and 64 (the merchant in its own language).

Source: EMVCo QRCPS Merchant-Presented Mode 1.1, 4.8 and 4.9, Tables 3.7 and 3.8.
"""

from __future__ import annotations

import re

from tael.qr.findings import Findings, refuse
from tael.qr.formats import ADDITIONAL_RULES, LANGUAGE_RULES, check_name, check_value
from tael.qr.model import AdditionalData, LanguageTemplate, Template
from tael.qr.templates import assemble_template, read_template, try_split
from tael.qr.tlv import DataObject, join, split

__all__ = ["assemble_additional", "read_additional", "read_language"]

_ATTRIBUTES = {
    "01": "bill_number",
    "02": "mobile_number",
    "03": "store_label",
    "04": "loyalty_number",
    "05": "reference_label",
    "06": "customer_label",
    "07": "terminal_label",
    "08": "purpose",
    "09": "consumer_data_request",
    "10": "merchant_tax_id",
    "11": "merchant_channel",
}
_LANGUAGE = re.compile(r"[A-Za-z]{2}")
# Medium 0 to 7, location and presence 0 to 3; every other value is reserved.
_CHANNEL = re.compile(r"[0-7][0-3][0-3]")
_FIRST_SYSTEM_ID = "50"


def read_additional(value: str | None, findings: Findings) -> AdditionalData | None:
    """Read object 62.

    Args:
        value: Its content; None when the code has none.
        findings: Takes what is reserved or unconventional.

    Returns:
        The additional data.

    Raises:
        MalformedCodeError: The objects inside do not add up or have a wrong length.
        NonConformingCodeError: A defect, when strict.
    """
    if value is None:
        return None
    known: dict[str, str] = {}
    reserved: list[DataObject] = []
    systems: list[DataObject | Template] = []
    for item in split(value, "62"):
        path = f"62.{item.id}"
        if item.id in ADDITIONAL_RULES:
            known[_ATTRIBUTES[item.id]] = check_value(
                path, item.value, ADDITIONAL_RULES[item.id], findings
            )
        elif item.id < _FIRST_SYSTEM_ID:
            reserved.append(item)
            findings.defect("reserved_for_future_use", path, "Not defined by EMVCo yet")
        else:
            systems.append(_read_system(item, findings))
    data = AdditionalData(**known, reserved=tuple(reserved), systems=tuple(systems))
    request = data.consumer_data_request
    if request is not None and (set(request) - set("AME") or len(set(request)) != len(request)):
        findings.defect("consumer_data_request", "62.09", "Only A, M and E, each once, are defined")
    if data.merchant_channel is not None and not _CHANNEL.fullmatch(data.merchant_channel):
        findings.defect("merchant_channel", "62.11", "A value EMVCo has not defined")
    return data


def read_language(value: str | None, findings: Findings) -> LanguageTemplate | None:
    """Read object 64.

    Args:
        value: Its content; None when the code has none.
        findings: Takes what is reserved or deceptive.

    Returns:
        Name and city in the merchant's language.

    Raises:
        MalformedCodeError: Language or name is missing, or an object has a wrong length.
        NonConformingCodeError: A defect, when strict.
    """
    if value is None:
        return None
    values = {item.id: item.value for item in split(value, "64")}
    for object_id, rule in LANGUAGE_RULES.items():
        if object_id in values:
            check_value(f"64.{object_id}", values[object_id], rule, findings)
        elif object_id != "02":
            raise refuse(f"64.{object_id}", f"{rule.name} is missing")
    if not _LANGUAGE.fullmatch(values["00"]):
        raise refuse("64.00", "a language is two letters")
    for object_id in ("01", "02"):
        check_name(f"64.{object_id}", values.get(object_id, ""), findings)
    reserved = tuple(DataObject(k, v) for k, v in values.items() if k not in LANGUAGE_RULES)
    for item in reserved:
        findings.defect("reserved_for_future_use", f"64.{item.id}", "Not defined by EMVCo yet")
    return LanguageTemplate(
        language=values["00"], name=values["01"], city=values.get("02"), reserved=reserved
    )


def assemble_additional(
    data: AdditionalData | None, language: LanguageTemplate | None
) -> dict[str, str]:
    """Write objects 62 and 64, each only if there is something to say."""
    written: dict[str, str] = {}
    if data is not None:
        inner = [
            DataObject(object_id, getattr(data, attribute))
            for object_id, attribute in _ATTRIBUTES.items()
            if getattr(data, attribute) is not None
        ]
        for item in (*data.reserved, *data.systems):
            inner.append(assemble_template(item))
        written["62"] = join(sorted(inner, key=lambda item: item.id))
    if language is not None:
        parts = [("00", language.language), ("01", language.name), ("02", language.city)]
        inner = [DataObject(key, text) for key, text in parts if text is not None]
        written["64"] = join([*inner, *language.reserved])
    return written


def _read_system(item: DataObject, findings: Findings) -> DataObject | Template:
    path = f"62.{item.id}"
    inner = try_split(item)
    if inner is None:
        findings.defect("not_a_template", path, "Holds no data objects; kept as text")
        return item
    return read_template(item.id, path, inner, findings)
