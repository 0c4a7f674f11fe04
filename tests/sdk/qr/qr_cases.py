"""What the tests of payment codes share: the vectors, a merchant with a key, and its codes."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_account import Account

from tael import qr

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

VECTORS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("vectors.json").read_text(encoding="utf-8")
)["vectors"]

CHAIN_ID, OTHER_CHAIN_ID = 1337, 11155111
ESCROW, OTHER_ESCROW = "0x" + "e5" * 20, "0x" + "0e" * 20
CNY_TOKEN, HKD_TOKEN = "0x" + "c1" * 20, "0x" + "c2" * 20
NOW, EXPIRES_AT = 1_800_000_000, 1_800_000_600


def body(**changes: str | None) -> str:
    """A sound payload without its check sum, objects replaced, added or (None) left out."""
    values: dict[str, str | None] = {
        "00": "01",
        "01": "12",
        "29": "0012D156000000000510A93FO3230Q",
        "52": "4111",
        "53": "156",
        "54": "23.72",
        "58": "CN",
        "59": "BEST TRANSPORT",
        "60": "BEIJING",
    }
    values.update({key.removeprefix("t"): value for key, value in changes.items()})
    return "".join(f"{k}{len(v):02d}{v}" for k, v in values.items() if v is not None)


def seal(text: str) -> str:
    """Put the right check sum behind a payload, as an attacker can too."""
    return f"{text}6304{qr.compute_crc(text + '6304')}"


def payload(**changes: str | None) -> str:
    return seal(body(**changes))


@dataclass(frozen=True)
class Merchant:
    key: LocalAccount
    merchant_id: bytes
    name: str
    entry: qr.MerchantEntry

    def make_code(self, **changes: Any) -> qr.MerchantCode:
        values: dict[str, Any] = {
            "accounts": (),
            "category_code": "4111",
            "currency": "CNY",
            "country": "CN",
            "name": self.name,
            "city": "BEIJING",
            "initiation": qr.Initiation.DYNAMIC,
            "amount_minor": 2372,
        }
        return qr.MerchantCode(**(values | changes))

    def sign_dynamic(self, **changes: Any) -> qr.MerchantCode:
        terms: dict[str, Any] = {
            "merchant_id": self.merchant_id,
            "chain_id": CHAIN_ID,
            "escrow": ESCROW,
            "token": CNY_TOKEN,
            "uetr": uuid.UUID(int=7, version=4).bytes,
            "expires_at": EXPIRES_AT,
        }
        own = {key: changes.pop(key) for key in list(changes) if key in terms}
        return qr.sign(self.make_code(**changes), self.key, **(terms | own))

    def sign_static(self, **changes: Any) -> qr.MerchantCode:
        plain = self.make_code(
            **({"initiation": qr.Initiation.STATIC, "amount_minor": None} | changes)
        )
        return qr.sign(
            plain, self.key, merchant_id=self.merchant_id, chain_id=CHAIN_ID, escrow=ESCROW
        )


def make_merchant(number: int, name: str) -> Merchant:
    key = Account.from_key(bytes([number]) * 32)
    merchant_id = bytes([number]) * 32
    entry = qr.MerchantEntry(
        acquirer="0x" + "ac" * 20,
        signer=key.address,
        name_hash=qr.compute_name_hash(merchant_id, name),
        category_code="4111",
        static_limit_minor=50_000,
        active=True,
    )
    return Merchant(key, merchant_id, name, entry)


def check(code: qr.MerchantCode | str, entry: qr.MerchantEntry, **changes: Any) -> qr.VerifiedCode:
    """Verify as a wallet would: from the text."""
    text = code if isinstance(code, str) else qr.write(code)
    terms: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "escrow": ESCROW,
        "now": NOW,
        "token_for_currency": {"CNY": CNY_TOKEN, "HKD": HKD_TOKEN},
    }
    return qr.verify(qr.read(text), entry, **(terms | changes))


def rewrite(code: qr.MerchantCode, **changes: Any) -> str:
    """What an attacker prints: a signed code with something else in it and a right check sum."""
    return qr.write(replace(code, **changes))
