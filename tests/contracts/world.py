"""A small scheme in full swing: two currencies, four banks, shops, cards, payments under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_utils import keccak

from tael.terms import Terms
from tael.testing import LocalNode
from tael.typed_data import Domain, dynamic_code, escrow_domain
from tests.contracts.chain import Chain, Contract, Event, Receipt, plain
from tests.contracts.keys import Key, Signature

SCHEME_BPS = 25
INTERCHANGE_CAP_BPS = 300
INTERCHANGE_BPS = 120
FUNDS = 10_000_000
RESERVE = 100_000_000
STATIC_LIMIT = 50_000
PAYMENT_LIMIT = 100_000
DAY_LIMIT = 250_000
AMOUNT = 40_000
DAY = 86_400
MAX_HOLD_SECONDS = 31 * DAY
MAX_REFUND_SECONDS = 540 * DAY

# Values of the contracts' enums and constants.
NONE, ACTIVE, SUSPENDED, CLOSED = range(4)
ENTRY_NONE, ENTRY_ACTIVE, ENTRY_BLOCKED = range(3)
FROM_AVAILABLE, FROM_HOLD = range(2)
AUTHORIZE, CHARGE, CAPTURE, VOID, REFUND, CARDS, MERCHANTS = (1 << bit for bit in range(7))
ALL_VERBS = (1 << 7) - 1

BANKS = ("issuer", "other_issuer", "acquirer", "other_acquirer", "scheme")
ROLES = ("operator", *BANKS, "delegate", "outsider", "module", "other_module", "newcomer")

NO_CODE: list[Any] = []
NO_CONSENT: list[Any] = []


class Actor(Key):
    """A role with an account of its own on the node."""


@dataclass
class Merchant:
    """A merchant in the Directory."""

    id: bytes
    acquirer: Actor
    signer: Key


@dataclass
class Payment:
    """A payment that a cardholder would sign."""

    name: str
    terms: Terms
    card: Any
    domain: Domain
    id: bytes = field(init=False)
    packed: tuple[bytes, bytes, bytes, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.id = self.terms.payment_id(self.domain)
        self.packed = self.terms.packed

    @property
    def parties(self) -> tuple[str, str, str]:
        return self.terms.parties

    @property
    def amount(self) -> int:
        return self.terms.amount_minor

    @property
    def signed(self) -> Signature:
        return self.card.sign(self.id)

    @property
    def plain_form(self) -> tuple[Any, ...]:
        """The arguments of `authorize` and `charge`."""
        return (self.signed.compact, self.parties, self.packed)

    def full_form(
        self,
        codes: list[Any] = NO_CODE,
        consents: list[Any] = NO_CONSENT,
        card_signature: bytes | None = None,
    ) -> tuple[Any, ...]:
        """The arguments of `authorizeWith` and `chargeWith`."""
        signature = self.signed.bytes65 if card_signature is None else card_signature
        return (self.parties, self.packed, (signature, codes, consents))

    def item(self, code: int = 0, signature: Signature | None = None) -> tuple[Any, ...]:
        """An item of `authorizeMany`."""
        return (self.packed, (signature or self.signed).compact, code)


class World:
    """Everything a test needs, deployed once and rolled back after each test."""

    def __init__(self, node: LocalNode, project: Any) -> None:
        built = (
            "Governance", "SettlementToken", "PaymentEscrow", "OwnedWallet", "VillainWallet",
            "ReentrantWallet", "HostileToken", "Books",
        )  # fmt: skip
        self.project = project
        self.node = node
        self.chain = Chain(node, [getattr(project, name).abi for name in built])
        self.actors = {role: _actor(node, index, role) for index, role in enumerate(ROLES)}
        self.operator = self.actors["operator"]
        self.issuer = self.actors["issuer"]
        self.other_issuer = self.actors["other_issuer"]
        self.acquirer = self.actors["acquirer"]
        self.other_acquirer = self.actors["other_acquirer"]
        self.scheme = self.actors["scheme"]
        self.delegate = self.actors["delegate"]
        self.outsider = self.actors["outsider"]
        self.module = self.actors["module"]
        self.other_module = self.actors["other_module"]
        self.newcomer = self.actors["newcomer"]
        self.card, self.second_card, self.other_card = map(
            Key, ("card", "second_card", "other_card")
        )
        self.participants: list[Any] = [self.actors[name] for name in (*BANKS, "newcomer")]
        """Whose books are kept; the supply is the sum of their balances."""
        self._counter = 0
        self._start_at_noon()
        self._deploy()
        self._open_business()

    # Setting up

    def _start_at_noon(self) -> None:
        # Noon of the next UTC day: no test meets midnight by chance.
        self.at((self.now // DAY + 1) * DAY + DAY // 2)

    def _deploy(self) -> None:
        operator, project, deploy = self.operator, self.project, self.chain.deploy
        self.governance = deploy(project.Governance, operator, by=operator, label="governance")
        self.cny = self.new_token("CNY", 156, 2)
        self.hkd = self.new_token("HKD", 344, 2)
        self.tokens = {"CNY": self.cny, "HKD": self.hkd}
        self.escrow = self.new_escrow()
        self.books_contract = deploy(project.Books, by=operator, label="books")
        for token in self.tokens.values():
            self.fund(token)
            token.admitEscrow(self.escrow, by=operator)
            self.escrow.admitToken(token, by=operator)

    def new_token(self, symbol: str, code: int, exponent: int) -> Contract:
        arguments = (self.governance, f"Tael {symbol}", symbol, code, exponent)
        built = self.project.SettlementToken
        return self.chain.deploy(built, *arguments, by=self.operator, label=symbol)

    def new_escrow(
        self,
        scheme_bps: int = SCHEME_BPS,
        cap_bps: int = INTERCHANGE_CAP_BPS,
        label: str = "escrow",
    ) -> Contract:
        arguments = (self.governance, self.scheme, scheme_bps, cap_bps)
        built = self.project.PaymentEscrow
        return self.chain.deploy(built, *arguments, by=self.operator, label=label)

    def fund(self, token: Contract) -> None:
        token.attest(RESERVE, keccak(text="statement"), self.now + 30 * DAY, by=self.operator)
        for bank in BANKS:
            token.admit(self.actors[bank], by=self.operator)
            reference = keccak(text=f"first issue {bank}")
            token.issue(self.actors[bank], FUNDS, reference, by=self.operator)

    def _open_business(self) -> None:
        self.shop = self.new_merchant(self.acquirer, "shop")
        self.stall = self.new_merchant(self.acquirer, "stall")
        self.other_shop = self.new_merchant(self.other_acquirer, "other_shop")
        cards = ((self.issuer, self.card), (self.issuer, self.second_card))
        for issuer, card in (*cards, (self.other_issuer, self.other_card)):
            self.set_card(issuer, card)
        # Payments of others, and of the same banks and the same card, stay under way in every test.
        others = {"issuer": self.other_issuer, "acquirer": self.other_acquirer}
        others |= {"card": self.other_card, "merchant": self.other_shop}
        self.tracked: dict[str, Payment] = {}
        self.neighbour = self.new_payment("neighbour", amount=30_001, **others)
        self.sibling = self.new_payment("sibling", amount=7_777)
        self.abroad = self.new_payment("abroad", amount=20_003, token=self.hkd)
        for payment in (self.neighbour, self.sibling, self.abroad):
            self.authorize(payment)
        self.capture(self.neighbour, 10_003)

    def new_merchant(self, acquirer: Actor, name: str, *, signer: Any = None) -> Merchant:
        """A merchant that accepts both currencies."""
        key = signer or Key(f"{name} till")
        commitment = keccak(text=f"salt {name}")
        merchant = self.escrow.merchantId(acquirer, commitment)
        name_hash = keccak(text=name)
        self.escrow.setMerchant(acquirer, commitment, key, 5411, name_hash, by=acquirer)
        entries = [(token, STATIC_LIMIT, ENTRY_ACTIVE) for token in self.tokens.values()]
        self.escrow.setAcceptances(merchant, entries, by=acquirer)
        return Merchant(merchant, acquirer, key)

    def set_card(
        self,
        issuer: Actor,
        card: Any,
        *,
        payment_limit: int = PAYMENT_LIMIT,
        day_limit: int = DAY_LIMIT,
        status: int = ENTRY_ACTIVE,
    ) -> None:
        entries = [
            (card, token, payment_limit, day_limit, status) for token in self.tokens.values()
        ]
        self.escrow.setCards(issuer, entries, by=issuer)

    # Time

    @property
    def now(self) -> int:
        return self.node.timestamp()

    def at(self, timestamp: int) -> None:
        """Let the next call and the next transaction happen at this second."""
        if timestamp != self.now:
            self.node.mine(timestamp=timestamp)

    # Payments

    @property
    def domain(self) -> Domain:
        return escrow_domain(self.node.chain_id, self.escrow.address)

    def token_domain(self, token: Contract) -> Domain:
        return Domain(token.name(), self.node.chain_id, token.address)

    def new_payment(self, name: str = "payment", *, card: Any = None, **changes: Any) -> Payment:
        """A payment that is accepted now, but for the changes; its books are kept from here on."""
        self._counter += 1
        now = self.now
        merchant = changes.pop("merchant", self.shop)
        domain = changes.pop("domain", None) or self.domain
        values: dict[str, Any] = {
            "issuer": self.issuer,
            "acquirer": self.acquirer,
            "token": self.cny,
            "merchant": merchant.id if isinstance(merchant, Merchant) else merchant,
            "amount_minor": changes.pop("amount", AMOUNT),
            "authorize_before": now + 600,
            "capture_before": now + 7 * DAY,
            "refund_before": now + 90 * DAY,
            "interchange_bps": INTERCHANGE_BPS,
            "uetr": keccak(text=f"uetr {self._counter}")[:16],
            "reference_hash": keccak(text=f"reference {self._counter}"),
            **changes,
        }
        signer = card or self.card
        values["card"] = signer.address
        terms = Terms(**{key: plain(value) for key, value in values.items()})
        payment = Payment(name, terms, signer, domain)
        self.tracked[name] = payment
        return payment

    def new_payment_of_zero(self) -> Payment:
        """A payment of nothing: the SDK's `Terms` would not even build it."""
        payment = self.new_payment()
        card_and_amount = payment.packed[2][:20] + bytes(8) + payment.packed[2][28:]
        payment.packed = (*payment.packed[:2], card_and_amount, payment.packed[3])
        payment.id = self.escrow.paymentId(payment.parties, payment.packed)
        return payment

    def authorize(self, payment: Payment) -> Receipt:
        return self.escrow.authorize(*payment.plain_form, by=self.actor(payment.terms.issuer))

    def charge(self, payment: Payment) -> Receipt:
        return self.escrow.charge(*payment.plain_form, by=self.actor(payment.terms.issuer))

    def capture(self, payment: Payment, total: int) -> Receipt:
        by = self.actor(payment.terms.acquirer)
        return self.escrow.capture(payment.parties, payment.packed, total, by=by)

    def void(self, payment: Payment, total: int) -> Receipt:
        by = self.actor(payment.terms.acquirer)
        return self.escrow.void(payment.parties, payment.packed, total, by=by)

    def reclaim(self, payment: Payment) -> Receipt:
        return self.escrow.reclaim(payment.parties, payment.packed, by=self.outsider)

    def refund(self, payment: Payment, total: int) -> Receipt:
        by = self.actor(payment.terms.acquirer)
        return self.escrow.refund(payment.parties, payment.packed, total, by=by)

    def actor(self, address: str) -> Actor:
        return next(actor for actor in self.actors.values() if actor.address == address)

    def code(
        self,
        payment: Payment,
        *,
        amount: int | None = None,
        expires_at: int | None = None,
        signer: Key | None = None,
    ) -> tuple[int, int, bytes]:
        """The shop's dynamic code for a payment, as the contract takes it."""
        asked = payment.amount if amount is None else amount
        expiry = self.now + 300 if expires_at is None else expires_at
        terms = payment.terms
        digest = dynamic_code(
            payment.domain, terms.merchant, terms.token, asked, terms.uetr, expiry
        ).digest
        key = signer or next(
            m.signer for m in (self.shop, self.stall, self.other_shop) if m.id == terms.merchant
        )
        return (asked, expiry, key.sign(digest).bytes65)

    # Books

    def books(self) -> dict[str, int]:
        """Every amount there is: supplies, accounts, payments, what cards spent today."""
        participants = self.participants
        payments = list(self.tracked.values())
        cards = [
            (issuer, card, token)
            for issuer, card in (
                (self.issuer, self.card),
                (self.issuer, self.second_card),
                (self.other_issuer, self.other_card),
            )
            for token in self.tokens.values()
        ]
        ids = [payment.id for payment in payments]
        tokens = list(self.tokens.values())
        supplies, lines, states, spent = self.books_contract.read.read(
            self.escrow, tokens, participants, ids, cards
        )
        found: dict[str, int] = {}
        rows = iter(lines)
        for symbol, supply in zip(self.tokens, supplies, strict=True):
            found[f"{symbol}.supply"] = supply
            total = 0
            for actor in participants:
                balance, available, held, escrowed, status = next(rows)
                name = f"{symbol}.{getattr(actor, 'label', None) or actor.name}"
                assert balance == available + held, name
                total += balance
                found[f"{name}.available"] = available
                found[f"{name}.escrowed"] = escrowed
                found[f"{name}.reserved"] = held - escrowed
                found[f"{name}.status"] = status
            assert total == supply, f"{symbol}: the supply is not the sum of the balances"
        for payment, state in zip(payments, states, strict=True):
            for key, value in zip(
                ("exists", "captured", "voided", "refunded"), state[:4], strict=True
            ):
                found[f"{payment.name}.{key}"] = int(value)
        for (_, card, token), amount in zip(cards, spent, strict=True):
            found[f"{token.label}.{card.name}.spent"] = amount
        return found

    def changes(self, before: dict[str, int]) -> dict[str, int]:
        """What differs from `before`, each as the difference; whatever is not named stood still."""
        after = self.books()
        return {
            key: value - before.get(key, 0)
            for key, value in after.items()
            if value != before.get(key, 0)
        }

    # Events

    def opened(self, name: str, payment: Payment) -> Event:
        """The event that opens a payment."""
        terms = payment.terms
        return self.escrow.event(
            name,
            id=payment.id,
            issuer=terms.issuer,
            acquirer=terms.acquirer,
            token=terms.token,
            terms=payment.packed,
        )

    def moved(self, token: Contract, sender: Any, to: Any, value: int) -> Event:
        """A `Transfer`."""
        return token.event("Transfer", from_=sender, to=to, value=value)


def share(amount: int, bps: int) -> int:
    """The floor of a share in 1/10,000."""
    return amount * bps // 10_000


def parts(
    total: int, before: int = 0, interchange_bps: int = INTERCHANGE_BPS
) -> tuple[int, int, int]:
    """How a capture from `before` to `total` splits: acquirer, scheme, interchange."""
    scheme = share(total, SCHEME_BPS) - share(before, SCHEME_BPS)
    interchange = share(total, interchange_bps) - share(before, interchange_bps)
    return total - before - scheme - interchange, scheme, interchange


def _actor(node: LocalNode, index: int, role: str) -> Actor:
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{index}"
    return Actor(role, bytes(Account.from_mnemonic(node.mnemonic, account_path=path).key))
