"""Who takes part: four banks, the operator and its helpers, cards, merchants.

All keys come from fixed words, so that every run has the same addresses. They belong on this local
chain only; the SDK refuses its test accounts anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from scripts.main_job.day import ShopRow
from scripts.main_job.generate import CARDS_PER_BANK, CURRENCY_OF_BANK
from tael import Client, PrivateKeySigner

if TYPE_CHECKING:
    from tael.store import Store
    from tael.testing import LocalNode

BANK_NAMES = (
    "Nine Rivers Bank",
    "Bank of Jinshan",
    "Victoria Peak Bank",
    "Lion Rock Bank",
)
CODES = ("NRB", "BJS", "VPB", "LRB")

ACCOUNTS = 9
_ROLES = ("deployer", "operator", "guardian", "auditor", *CODES, "stranger")


def role_signers(node: LocalNode) -> dict[str, PrivateKeySigner]:
    """The node's funded accounts, by what they are here."""
    Account.enable_unaudited_hdwallet_features()
    return {
        role: PrivateKeySigner.from_key(
            bytes(Account.from_mnemonic(node.mnemonic, account_path=f"m/44'/60'/0'/0/{index}").key)
        )
        for index, role in enumerate(_ROLES)
    }


@dataclass(frozen=True)
class Bank:
    """A participant.

    Args:
        index: 0 to 3.
        name: For people.
        code: Short, for references and file names.
        client: The bank's own way to the deployment.
        store: Its database: the client's journal, and the index.
    """

    index: int
    name: str
    code: str
    client: Client
    store: Store

    @property
    def address(self) -> str:
        """Its account."""
        return self.client.participant

    @property
    def currency(self) -> str:
        """What its cards pay in, ISO 4217 letters."""
        return CURRENCY_OF_BANK[self.index]


@dataclass(frozen=True)
class Card:
    """A payer's key.

    Args:
        holder: For people.
        bank: Its issuer.
        signer: The key, in the payer's phone.
    """

    holder: str
    bank: Bank
    signer: PrivateKeySigner

    @property
    def address(self) -> str:
        """What the issuer vouches for."""
        return self.signer.address


@dataclass(frozen=True)
class Shop:
    """A merchant.

    Args:
        row: What the data file says.
        bank: Its acquirer.
        till: The key that signs its codes.
        merchant_id: 32 bytes.
    """

    row: ShopRow
    bank: Bank
    till: LocalAccount
    merchant_id: bytes

    @property
    def reference(self) -> str:
        """The acquirer's own reference for it."""
        return f"SHOP-{self.row.number:02d}"

    @property
    def vouched_name(self) -> str:
        """The name that its codes carry and the Directory vouches for."""
        return self.row.local_name or self.row.name

    @property
    def shown_name(self) -> str:
        """Both names, for people who read one of them."""
        local = self.row.local_name
        return f"{self.row.name} ({local})" if local else self.row.name


def make_card(holder: str, bank: Bank) -> Card:
    """A card with the key of its holder's name."""
    return Card(holder, bank, PrivateKeySigner.from_key(keccak(text=f"Tael demo, card {holder}")))


def make_day_cards(banks: list[Bank]) -> list[Card]:
    """The cards of the busy day, each bank's in a row."""
    return [
        make_card(f"{number}", bank)
        for bank in banks
        for number in range(bank.index * CARDS_PER_BANK + 1, (bank.index + 1) * CARDS_PER_BANK + 1)
    ]


def make_shop(row: ShopRow, bank: Bank) -> Shop:
    """A merchant with the key of its number."""
    till: LocalAccount = Account.from_key(keccak(text=f"Tael demo, till {row.number}"))
    return Shop(row, bank, till, bank.client.merchant_id(f"SHOP-{row.number:02d}"))
