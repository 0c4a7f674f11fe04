"""The rule of each data object of a merchant-presented code: who it is, its format, its length.

Source: EMVCo QRCPS Merchant-Presented Mode 1.1, Tables 3.2 to 3.9 and 4.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from tael.qr.findings import Findings, refuse
from tael.qr.names import find_name_danger, show

__all__ = [
    "ADDITIONAL_RULES",
    "COUNTRIES",
    "GUID_RULE",
    "LANGUAGE_RULES",
    "ROOT_RULES",
    "Format",
    "Rule",
    "check_name",
    "check_value",
]


class Format(Enum):
    """What a value may consist of."""

    NUMERIC = "N"
    ALPHANUMERIC_SPECIAL = "ANS"
    STRING = "S"


@dataclass(frozen=True)
class Rule:
    """One line of EMVCo's tables.

    Args:
        name: The object's name, for messages.
        format: What the value may consist of.
        max_characters: Longest value.
        min_characters: Shortest value.
        mandatory: Whether a strict reader misses it.
    """

    name: str
    format: Format
    max_characters: int
    min_characters: int = 1
    mandatory: bool = False


_N, _ANS, _S = Format.NUMERIC, Format.ALPHANUMERIC_SPECIAL, Format.STRING

ROOT_RULES = {
    "00": Rule("Payload format indicator", _N, 2, 2),
    "01": Rule("Point of initiation method", _N, 2, 2),
    "52": Rule("Merchant category code", _N, 4, 4, mandatory=True),
    "53": Rule("Transaction currency", _N, 3, 3, mandatory=True),
    # 54, 56 and 57 have a grammar of their own in `amounts`.
    "55": Rule("Tip or convenience indicator", _N, 2, 2),
    "58": Rule("Country code", _ANS, 2, 2, mandatory=True),
    "59": Rule("Merchant name", _ANS, 25, mandatory=True),
    "60": Rule("Merchant city", _ANS, 15, mandatory=True),
    "61": Rule("Postal code", _ANS, 10),
}
ADDITIONAL_RULES = {
    "01": Rule("Bill number", _ANS, 25),
    "02": Rule("Mobile number", _ANS, 25),
    "03": Rule("Store label", _ANS, 25),
    "04": Rule("Loyalty number", _ANS, 25),
    "05": Rule("Reference label", _ANS, 25),
    "06": Rule("Customer label", _ANS, 25),
    "07": Rule("Terminal label", _ANS, 25),
    "08": Rule("Purpose of transaction", _ANS, 25),
    "09": Rule("Additional consumer data request", _ANS, 3),
    "10": Rule("Merchant tax ID", _ANS, 20),
    "11": Rule("Merchant channel", _ANS, 3, 3),
}
LANGUAGE_RULES = {
    "00": Rule("Language preference", _ANS, 2, 2),
    "01": Rule("Merchant name in its language", _S, 25),
    "02": Rule("Merchant city in its language", _S, 15),
}
GUID_RULE = Rule("Globally unique identifier", _ANS, 32)

# ISO 3166-1 alpha-2, assigned; XK is user-assigned and in everyday use for Kosovo.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """.split()  # noqa: SIM905  (250 quoted strings would hide a typing slip)
)

_NUMERIC = re.compile(r"[0-9]+")
_ALPHANUMERIC_SPECIAL = re.compile(r"[ -~]+")


def check_value(object_id: str, value: str, rule: Rule, findings: Findings) -> str:
    """Hold a value against its rule.

    Args:
        object_id: Its id, dotted when nested.
        value: The value.
        rule: The rule.
        findings: Takes the defect of characters outside ANS, which many issuers print all the same.

    Returns:
        The value.

    Raises:
        MalformedCodeError: A length outside the rule, or something else than digits for N.
        NonConformingCodeError: Characters outside ANS, when strict.
    """
    low, high = rule.min_characters, rule.max_characters
    if not low <= len(value) <= high:
        wanted = str(high) if low == high else f"{low} to {high}"
        raise refuse(object_id, f"{rule.name} has {len(value)} characters instead of {wanted}")
    if rule.format is Format.NUMERIC and not _NUMERIC.fullmatch(value):
        raise refuse(object_id, f"{rule.name} “{show(value)}” is not digits 0 to 9")
    if rule.format is Format.ALPHANUMERIC_SPECIAL and not _ALPHANUMERIC_SPECIAL.fullmatch(value):
        findings.defect(
            "characters_outside_ans",
            object_id,
            f"{rule.name} “{show(value)}” has characters outside printable ASCII",
        )
    return value


def check_name(object_id: str, value: str, findings: Findings) -> None:
    """Warn of a name or place that hides characters or mixes scripts."""
    danger = find_name_danger(value)
    if danger is not None:
        findings.note("deceptive_characters", object_id, f"“{show(value)}” has {danger}")
