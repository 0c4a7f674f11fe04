"""A deployment to test the SDK on, its actors by role, and short ways to the usual steps.

Four banks in two currencies, one merchant at each acquirer, two cards at each issuer: a test with
a single payment or bank could not see money go astray.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from eth_account import Account

from tael import (
    Acceptance,
    CardEntry,
    Chain,
    Client,
    Manifest,
    Money,
    PreparedPayment,
    PrivateKeySigner,
    SignedPayment,
    qr,
)
from tael.deployment import DeploymentPlan, deploy
from tael.store import Store
from tael.testing import LocalNode
from tests.support.canary.key import put_to_use

CANARY = "issuer"
"""Who signs with the canary: the role that writes most."""
ETHER_WEI = 10**18

ROLES = (
    "deployer",
    "operator",
    "guardian",
    "issuer",
    "acquirer",
    "other_issuer",
    "other_acquirer",
    "cardholder",
    "other_cardholder",
    "till",
    "other_till",
    "delegate",
    "outsider",
)
BANKS = ("issuer", "acquirer", "other_issuer", "other_acquirer")
CURRENCIES = ("CNY", "HKD")
DELAY_SECONDS = 3_600
DAY_SECONDS = 86_400
SCHEME_BPS = 20

STATIC_LIMIT_MINOR = 100_00
OPENING_MINOR = 1_000_000_00
PAYMENT_LIMIT_MINOR = 5_000_00
DAY_LIMIT_MINOR = 50_000_00

SHOP_NAMES = {"acquirer": "Tea House", "other_acquirer": "Noodle Bar"}


def cny(text: str) -> Money:
    return Money.parse(text, "CNY")


def hkd(text: str) -> Money:
    return Money.parse(text, "HKD")


@dataclass
class World:
    """A deployed chain, its actors by role, and short ways to the usual steps."""

    node: LocalNode
    chain: Chain
    manifest: Manifest
    signers: dict[str, PrivateKeySigner]
    shops: dict[str, bytes] = field(default_factory=dict)
    logs: int = 0
    _clients: dict[str, Client] = field(default_factory=dict)

    def address(self, role: str) -> str:
        return self.signers[role].address

    def client(self, role: str) -> Client:
        if role not in self._clients:
            signer = self.signers[role]
            self._clients[role] = Client(
                self.chain, self.manifest, signer, store=Store.temporary(), wait_seconds=30
            )
        return self._clients[role]

    def is_as_built(self) -> bool:
        """Whether going back has worked: Anvil sometimes keeps logs of blocks that it took back."""
        return self.logs == len(self.node.rpc("eth_getLogs", {"fromBlock": "0x0"}))

    def forget_clients(self) -> None:
        """Drop the clients, and with them their journals: the chain goes back too."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def prepare(
        self,
        reference: str,
        amount: Money | None = None,
        *,
        issuer: str = "issuer",
        acquirer: str = "acquirer",
        card: str = "cardholder",
        **options: object,
    ) -> PreparedPayment:
        if "code" not in options:
            options["merchant_id"] = self.shops[acquirer]
        payments = self.client(issuer).payments
        card_address = self.address(card)
        return payments.prepare(reference=reference, card=card_address, amount=amount, **options)

    def sign(
        self, reference: str, amount: Money | None = None, *, card: str = "cardholder", **options
    ) -> SignedPayment:
        prepared = self.prepare(reference, amount, card=card, **options)
        issuer = options.get("issuer", "issuer")
        return self.client(issuer).payments.sign(prepared, self.signers[card])

    def authorize(self, reference: str, amount: Money, **options: object) -> SignedPayment:
        payment = self.sign(reference, amount, **options)
        issuer = options.get("issuer", "issuer")
        self.client(issuer).payments.authorize(payment, reference=reference)
        return payment

    def code(
        self,
        amount_minor: int | None,
        *,
        currency: str | None = "CNY",
        acquirer: str = "acquirer",
        reference: str | None = None,
        valid_seconds: int = 600,
        till: str | None = None,
        **fields: object,
    ) -> qr.MerchantCode:
        """A signed code of a shop: dynamic if it has a reference, else static."""
        client = self.client(acquirer)
        plain = qr.MerchantCode(
            accounts=(),
            name=SHOP_NAMES[acquirer],
            city="HONG KONG",
            country="HK",
            category_code="5812",
            currency=currency,
            amount_minor=amount_minor,
            initiation=qr.Initiation.DYNAMIC if reference else qr.Initiation.STATIC,
            **fields,
        )
        return client.directory.sign_code(
            plain,
            self.signers[till or ("till" if acquirer == "acquirer" else "other_till")],
            merchant_id=self.shops[acquirer],
            uetr=client.uetr(reference) if reference else None,
            expires_at=client.now() + valid_seconds if reference else None,
        )

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Available and held of everybody, in minor units."""
        client = self.client("outsider")
        return {
            (role, currency): (balance.available.amount_minor, balance.held.amount_minor)
            for role in (*BANKS, "operator")
            for currency in CURRENCIES
            for balance in [client.balances.of(currency, self.address(role))]
        }


def key_of(mnemonic: str, role: str) -> bytes:
    """A role's private key; signers do not give theirs away."""
    if role == CANARY:
        return put_to_use()
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{ROLES.index(role)}"
    return bytes(Account.from_mnemonic(mnemonic, account_path=path).key)


def make_signers(mnemonic: str) -> dict[str, PrivateKeySigner]:
    return {role: PrivateKeySigner.from_key(key_of(mnemonic, role)) for role in ROLES}


def fund(node: LocalNode, address: str) -> None:
    """Give ether to a key that the node does not know."""
    method = "anvil_setBalance" if node.kind == "anvil" else "evm_setAccountBalance"
    node.rpc(method, address, hex(1_000 * ETHER_WEI))


def build_world(node: LocalNode) -> World:
    chain = Chain.connect(node.url)
    signers = make_signers(node.mnemonic)
    fund(node, signers[CANARY].address)
    plan = DeploymentPlan.development(
        signers["operator"].address,
        currencies=CURRENCIES,
        scheme_bps=SCHEME_BPS,
        delay_seconds=DELAY_SECONDS,
        guardian=signers["guardian"].address,
    )
    manifest = deploy(chain, signers["deployer"], plan, wait_seconds=30)
    world = World(node, chain, manifest, signers)
    operator = world.client("operator")
    for currency in CURRENCIES:
        operator.participants.attest(
            Money(currency, 100 * OPENING_MINOR),
            document=b"reserve",
            valid_before=operator.now() + 34 * DAY_SECONDS,
            reference=f"ATTEST {currency}",
        )
        for role in BANKS:
            bank = world.address(role)
            operator.participants.admit(
                bank, currency, reference=f"ADMIT {currency} {role.replace('_', '-')}"
            )
            operator.balances.issue(
                bank,
                Money(currency, OPENING_MINOR),
                reference=f"OPEN {currency} {role.replace('_', '-')}",
            )
    for role, till in (("acquirer", "till"), ("other_acquirer", "other_till")):
        directory = world.client(role).directory
        world.shops[role] = directory.set_merchant(
            "SHOP-1",
            signer=world.address(till),
            name=SHOP_NAMES[role],
            category_code=5812,
            reference="SHOP-1",
        ).subject
        directory.accept(
            world.shops[role],
            [Acceptance(Money(currency, STATIC_LIMIT_MINOR)) for currency in CURRENCIES],
            reference="SHOP-1 ACCEPT",
        )
    for role in ("issuer", "other_issuer"):
        world.client(role).directory.set_cards(
            [
                CardEntry(
                    world.address(card),
                    Money(currency, PAYMENT_LIMIT_MINOR),
                    Money(currency, DAY_LIMIT_MINOR),
                )
                for card in ("cardholder", "other_cardholder")
                for currency in CURRENCIES
            ],
            reference="CARDS-1",
        )
    world.forget_clients()
    world.logs = len(node.rpc("eth_getLogs", {"fromBlock": "0x0"}))
    return world


@contextlib.contextmanager
def isolated(world: World) -> Iterator[World]:
    snapshot = world.node.snapshot()
    world.forget_clients()
    try:
        yield world
    finally:
        world.forget_clients()
        world.node.revert(snapshot)
