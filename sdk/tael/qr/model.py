"""What a merchant-presented code says, as frozen values that are the same for reading and writing.

Source: EMVCo QRCPS Merchant-Presented Mode, Tables 3.2 to 3.9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tael.qr.amounts import compute_percentage_fee
from tael.qr.tlv import DataObject
from tael.qr.unionpay import ACCOUNT_IDS, UnionPayAccount, decode_account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tael.qr.findings import CodeWarning

__all__ = [
    "PROMPT",
    "AdditionalData",
    "FixedFee",
    "Initiation",
    "LanguageTemplate",
    "MerchantCode",
    "PercentageFee",
    "PromptedTip",
    "Template",
    "Tip",
]

PROMPT = "***"
"""Stands in for a value of additional data that the wallet shall ask the payer for (4.8.1)."""


class Initiation(Enum):
    """Object 01: whether one code serves many payments or one."""

    STATIC = "11"
    DYNAMIC = "12"


@dataclass(frozen=True)
class Template:
    """A data object made of data objects: an account (26 to 51) or unreserved (80 to 99).

    Args:
        id: Two digits.
        guid: Whose template it is (object 00 inside): an application identifier, a UUID, a
            reverse domain or what a scheme puts there; None when a lenient reader found none.
        values: The other objects inside, kept in ascending order of their ids.
    """

    id: str
    guid: str | None
    values: tuple[DataObject, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(sorted(self.values)))

    @classmethod
    def of(cls, template_id: str, guid: str, values: Mapping[str, str]) -> Template:
        """Build a template from a mapping of ids to values."""
        return cls(template_id, guid, tuple(DataObject(k, v) for k, v in values.items()))

    def get(self, object_id: str) -> str | None:
        """The value of an object inside, or None."""
        return next((item.value for item in self.values if item.id == object_id), None)


@dataclass(frozen=True)
class PromptedTip:
    """Object 55 = 01: the wallet asks the payer for a tip."""


@dataclass(frozen=True)
class FixedFee:
    """Object 55 = 02 with 56: a fixed convenience fee.

    Args:
        amount_minor: Minor units of the code's currency.
    """

    amount_minor: int


@dataclass(frozen=True)
class PercentageFee:
    """Object 55 = 03 with 57: a convenience fee in percent of the amount.

    Args:
        percent_thousandths: Thousandths of a percent, 10 (0.01 %) to 99990 (99.99 %).
    """

    percent_thousandths: int


Tip = PromptedTip | FixedFee | PercentageFee


@dataclass(frozen=True, kw_only=True)
class AdditionalData:
    """Object 62. Every text may be :data:`PROMPT` where the wallet shall ask for it.

    Args:
        bill_number: 01, up to 25 characters.
        mobile_number: 02, up to 25.
        store_label: 03, up to 25.
        loyalty_number: 04, up to 25.
        reference_label: 05, up to 25.
        customer_label: 06, up to 25.
        terminal_label: 07, up to 25.
        purpose: 08, up to 25.
        consumer_data_request: 09, any of A (address), M (mobile number), E (e-mail).
        merchant_tax_id: 10, up to 20.
        merchant_channel: 11, three digits: medium, location, presence of the merchant.
        reserved: Objects EMVCo has not yet defined; only a lenient reader lets them in.
        systems: 50 to 99, templates of payment systems.
    """

    bill_number: str | None = None
    mobile_number: str | None = None
    store_label: str | None = None
    loyalty_number: str | None = None
    reference_label: str | None = None
    customer_label: str | None = None
    terminal_label: str | None = None
    purpose: str | None = None
    consumer_data_request: str | None = None
    merchant_tax_id: str | None = None
    merchant_channel: str | None = None
    reserved: tuple[DataObject, ...] = ()
    systems: tuple[Template | DataObject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LanguageTemplate:
    """Object 64: the merchant in its own language.

    Args:
        language: 00, two letters of ISO 639.
        name: 01, up to 25 characters of any script.
        city: 02, up to 15 characters of any script.
        reserved: Objects EMVCo has not yet defined; only a lenient reader lets them in.
    """

    language: str
    name: str
    city: str | None = None
    reserved: tuple[DataObject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MerchantCode:
    """A merchant-presented code. What EMVCo makes mandatory may be None after lenient reading.

    Args:
        accounts: 02 to 51, at least one.
        category_code: 52, ISO 18245 merchant category, four digits.
        currency: 53 as ISO 4217 letters; None also when the number is no currency.
        country: 58, ISO 3166-1 alpha-2.
        name: 59, up to 25 characters of ASCII.
        city: 60, up to 15 characters of ASCII.
        initiation: 01; without it a code may be shown more than once.
        amount_minor: 54 in minor units; None lets the payer type it.
        tip: 55 to 57.
        postal_code: 61, up to 10 characters.
        additional: 62.
        language: 64.
        reserved: 65 to 79; only a lenient reader lets them in.
        unreserved: 80 to 99, templates, or plain objects where a lenient reader found no template.
        text: The payload it was read from or written as; no part of equality.
        warnings: What a lenient reader let pass; no part of equality.
    """

    accounts: tuple[DataObject | Template, ...]
    category_code: str | None
    currency: str | None
    country: str | None
    name: str | None
    city: str | None
    initiation: Initiation | None = None
    amount_minor: int | None = None
    tip: Tip | None = None
    postal_code: str | None = None
    additional: AdditionalData | None = None
    language: LanguageTemplate | None = None
    reserved: tuple[DataObject, ...] = ()
    unreserved: tuple[DataObject | Template, ...] = ()
    text: str = field(default="", compare=False, repr=False)
    warnings: tuple[CodeWarning, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in ("accounts", "unreserved"):
            ordered = sorted(getattr(self, name), key=lambda item: str(item.id))
            object.__setattr__(self, name, tuple(ordered))

    @property
    def templates(self) -> tuple[Template, ...]:
        """Every template of the accounts and of 80 to 99."""
        objects = (*self.accounts, *self.unreserved)
        return tuple(item for item in objects if isinstance(item, Template))

    @property
    def unionpay(self) -> UnionPayAccount | None:
        """The UnionPay account of object 15 or 16, if there is one in UnionPay's layout."""
        primitives = (item for item in self.accounts if isinstance(item, DataObject))
        decoded = (decode_account(item) for item in primitives if item.id in ACCOUNT_IDS)
        return next((account for account in decoded if account is not None), None)

    @property
    def fee_minor(self) -> int:
        """Convenience fee in minor units: fixed, or the percentage of the amount, half up."""
        if isinstance(self.tip, FixedFee):
            return self.tip.amount_minor
        if isinstance(self.tip, PercentageFee) and self.amount_minor is not None:
            return compute_percentage_fee(self.amount_minor, self.tip.percent_thousandths)
        return 0

    @property
    def total_minor(self) -> int | None:
        """Amount and convenience fee in minor units, a prompted tip excluded; None if open."""
        return None if self.amount_minor is None else self.amount_minor + self.fee_minor
