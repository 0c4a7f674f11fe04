"""Every public method there is, found by looking, with arguments made from their names and types.

A new method is covered by itself; one whose arguments nobody knows fails the test that lists them.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tael import (
    Acceptance,
    CardEntry,
    Chain,
    Client,
    History,
    Keeper,
    Ledger,
    Manifest,
    SignedPayment,
    Verb,
    compare,
    deployment,
    qr,
)
from tael import client as client_module
from tael.contracts.calls import Contract
from tael.index import Index, Indexer, Subscription
from tael.index import verify as verify_index
from tael.outbox import Change
from tael.store import Store
from tests.support.world import World, cny

_numbers = itertools.count(1)

OPERATED = ("participants", "operations")
"""Services whose verbs are the operator's."""
ROLE_OF = {
    "balances.issue": "operator",
    **{
        f"payments.{verb}": "acquirer"
        for verb in (
            "capture",
            "capture_many",
            "capture_more",
            "void",
            "void_rest",
            "refund",
            "refund_more",
        )
    },
    **{f"participants.{verb}": "guardian" for verb in ("pause", "suspend")},
    **{f"directory.{verb}": "acquirer" for verb in ("set_merchant", "accept", "sign_code")},
}
NOT_ASKED = {
    "Client.close",  # ends the threads that the others need
    "Chain.close",
    "Chain.connect",  # a test of its own
    "Index.account_row",  # given a connection by the others
    "Index.first_receipt",
    "Index.snapshot",
    "Subscription.follow",
    "Indexer.follow",  # runs until it is told to stop, and takes the same steps
    "Manifest.default_path",  # files, no node
    "Manifest.from_dict",
    "Manifest.having",
    "Manifest.load",
    "Manifest.save",
    "Manifest.to_dict",
    "Manifest.token",
}

PUBLIC = ("balances", "directory", "operations", "participants", "payments")

SERVICES = {
    name.lower(): kind
    for name, kind in vars(client_module).items()
    if inspect.isclass(kind) and kind.__module__.startswith("tael.services.")
}
"""Classes by the attribute of a client that holds them; a test compares them with a client's."""


@dataclass
class Stage:
    """What the methods are called with, made while the node still tells the truth."""

    world: World
    chain: Chain
    store: Store
    clients_store: Store | None = None
    """What the clients write into; None is a store in memory for each."""
    clients: dict[str, Client] = field(default_factory=dict)
    _stores: list[Store] = field(default_factory=list)
    opened: SignedPayment = field(init=False)
    captured: SignedPayment = field(init=False)

    def __post_init__(self) -> None:
        self.opened = self.world.authorize("HOSTILE-1", cny("9.00"))
        self.captured = self.world.authorize("HOSTILE-2", cny("8.00"))
        acquirer = self.world.client("acquirer")
        acquirer.payments.capture(self.captured, cny("6.00"), reference="HOSTILE-2")
        operator = self.world.client("operator")
        token = operator.contract("SettlementToken", "CNY")
        self.operation = operator.operations.schedule(token, "unpause", reference="HOSTILE-3")
        self.status = acquirer.payments.status(self.captured)
        self.code = self.world.code(5_00, reference="HOSTILE-4")
        self.plain_code = replace(
            self.code, accounts=(), unreserved=(), initiation=qr.Initiation.STATIC
        )
        self.ledger = Ledger.replay(self.client("issuer").history().events())
        Indexer(self.store, self.client("issuer")).catch_up()
        self.index = Index(self.store, self.world.manifest)
        self.subscription = Subscription(self.index, "stage")
        self.delivery = self.subscription.read()[0]

    def client(self, role: str) -> Client:
        """A client behind the hostile node."""
        if role not in self.clients:
            self.clients[role] = Client(
                self.chain,
                self.world.manifest,
                self.world.signers[role],
                store=":memory:" if self.clients_store is None else self.clients_store,
                wait_seconds=0.15,
                finality="simulated",
            )
        return self.clients[role]

    def close(self) -> None:
        for client in self.clients.values():
            client.close(5.0)
        for store in self._stores:
            store.close()

    def empty_store(self) -> Store:
        """A store for one index."""
        store = Store.temporary()
        self._stores.append(store)
        return store

    # Arguments

    def argument(self, method: str, name: str, annotation: str) -> Any:
        """A value for a parameter.

        Raises:
            LookupError: Nobody has said what such a parameter is given.
        """
        of_class = f"{method.partition('.')[0]}.{name}"
        for key in (f"{method}.{name}", of_class, f"{name}: {annotation}", name):
            if key in _VALUES:
                return _VALUES[key](self)
        raise LookupError(f"{method} needs {name}: {annotation}; say which in subjects._VALUES")

    def fresh(self) -> SignedPayment:
        """A signed payment that was not sent."""
        self.reference = f"FRESH-{next(_numbers)}"
        return self.world.sign(self.reference, cny("1.00"))


_VALUES: Mapping[str, Callable[[Stage], Any]] = {
    "reference": lambda _: f"REF-{next(_numbers)}",
    "Client.resolve.reference": lambda s: "HOSTILE-1",
    "Payments.authorize.reference": lambda s: s.reference,
    "Payments.charge.reference": lambda s: s.reference,
    "Payments.find.reference": lambda s: "HOSTILE-1",
    "payment: SignedPayment": Stage.fresh,
    "payment: SignedPayment | PreparedPayment": Stage.fresh,
    "payment: Payment": lambda s: s.opened,
    "Payments.refund.payment": lambda s: s.captured,
    "Payments.status.payment": lambda s: s.opened.payment_id,
    "Payments.terms.payment": lambda s: s.opened.payment_id,
    "payments: Iterable[SignedPayment]": lambda s: [s.fresh(), s.fresh()],
    "payment_id": lambda s: s.opened.payment_id,
    "totals": lambda s: [(s.opened, cny("1.00")), (s.captured, cny("6.50"))],
    "total": lambda _: cny("1.00"),
    "amount": lambda _: cny("1.00"),
    "more": lambda _: cny("0.01"),
    "reserve": lambda _: cny("2000000.00"),
    "status": lambda s: s.status,
    "currency": lambda _: "CNY",
    "Participants.currency": lambda _: "HKD",  # where nobody pays, for it is paused and suspended
    "participant": lambda s: s.world.address("issuer"),
    "to": lambda s: s.world.address("acquirer"),
    "payer": lambda s: s.world.address("issuer"),
    "payee": lambda s: s.world.address("acquirer"),
    "issuer": lambda s: s.world.address("issuer"),
    "delegate": lambda s: s.world.address("delegate"),
    "card: str": lambda s: s.world.address("cardholder"),
    "card: Signer": lambda s: s.world.signers["cardholder"],
    "cards": lambda s: [CardEntry(s.world.address("till"), cny("5.00"), cny("9.00"))],
    "acceptances": lambda _: [Acceptance(cny("100.00"))],
    "verbs": lambda _: Verb.CAPTURE,
    "merchant": lambda _: f"shop {next(_numbers)}",
    "merchant_id": lambda s: s.world.shops["acquirer"],
    "signer: str": lambda s: s.world.address("till"),
    "signer: Signer": lambda s: s.world.signers["till"],
    "name": lambda _: "Tea House",
    "category_code": lambda _: 5812,
    "code": lambda s: s.code,
    "Directory.sign_code.code": lambda s: s.plain_code,
    "Payments.prepare.code": lambda s: s.code,
    "document": lambda _: b"because",
    "valid_before": lambda s: s.world.client("operator").now() + 9_000,
    "operation": lambda s: s.operation,
    "contract": lambda s: Contract("SettlementToken", s.world.manifest.token("CNY")),
    "Operations.delay_seconds.name": lambda _: "unpause",
    "Operations.find.name": lambda _: "unpause",
    "Operations.schedule.name": lambda _: "unpause",
    "arguments": lambda _: (),
    "wait_seconds": lambda _: 0.05,
    "listener": lambda _: lambda change: None,
    "change": lambda _: Change(1, "included", "0x" + "00" * 32),
    "reference_hash": lambda s: s.opened.terms.reference_hash,
    "prepared": lambda s: s.world.prepare(f"FRESH-{next(_numbers)}", cny("1.00")),
    "calls: Sequence[tuple[Contract, str, Sequence[object]]]": lambda s: [
        (Contract("SettlementToken", s.world.manifest.token("CNY")), name, ())
        for name in ("name", "totalSupply", "attestation", "eip712Domain")
    ],
    "kind: str": lambda _: "PaymentEscrow",
    # Chain
    "method": lambda _: "eth_getBlockByNumber",
    "params": lambda _: ["latest", False],
    "calls: Sequence[Call]": lambda s: [
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]),
    ],
    "address": lambda s: s.world.manifest.escrow,
    "slot": lambda _: 4,
    "request": lambda s: s.chain.head,
    # History
    "topics": lambda _: (),
    "tell": lambda _: None,
    # Index
    "since": lambda _: 0,
    "delivery": lambda s: s.delivery,
    "begin_block": lambda _: 0,
    # Manifest
    "chain: Chain": lambda s: s.chain,
    "key": lambda _: "escrow",
    # functions
    "Keeper.run.once": lambda _: True,
    "Keeper.run.until": lambda _: lambda: True,
    "client": lambda s: s.client("issuer"),
    "ledger": lambda s: s.ledger,
    "index": lambda s: s.index,
    "manifest": lambda s: s.world.manifest,
    "plan": lambda _: None,
}


@dataclass(frozen=True)
class Case:
    """A method, or a function, to be called again and again.

    Attributes:
        name: For people, and to find it by.
        get: Gives it, bound to what it belongs to.
    """

    name: str
    get: Callable[[Stage], Callable[..., Any]]

    def call(self, stage: Stage) -> Any:
        """Call it, and read what it gives to the end."""
        function = self.get(stage)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is not parameter.empty and not _is_known(self.name, parameter):
                continue
            value = stage.argument(self.name, parameter.name, str(parameter.annotation))
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += value
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        found = function(*positional, **named)
        return list(itertools.islice(found, 100)) if isinstance(found, Iterator) else found


def _is_known(method: str, parameter: inspect.Parameter) -> bool:
    return f"{method}.{parameter.name}" in _VALUES


def _methods(kind: type[Any], get: Callable[[Stage, str], Any]) -> Iterator[Case]:
    for name, member in inspect.getmembers(kind):
        method = f"{kind.__name__}.{name}"
        if not name.startswith("_") and callable(member) and method not in NOT_ASKED:
            yield Case(method, lambda stage, name=name: getattr(get(stage, name), name))


def _of_service(attribute: str) -> Callable[[Stage, str], Any]:
    def get(stage: Stage, name: str) -> Any:
        default = "operator" if attribute in OPERATED else "issuer"
        return getattr(stage.client(ROLE_OF.get(f"{attribute}.{name}", default)), attribute)

    return get


CASES = (
    *_methods(Client, lambda stage, _: stage.client("issuer")),
    *(
        case
        for attribute, kind in SERVICES.items()
        if attribute in PUBLIC
        for case in _methods(kind, _of_service(attribute))
    ),
    *_methods(Chain, lambda stage, _: stage.chain),
    *_methods(History, lambda stage, _: stage.client("issuer").history()),
    *_methods(Keeper, lambda stage, _: Keeper(stage.client("outsider"))),
    *_methods(Indexer, lambda stage, _: Indexer(stage.empty_store(), stage.client("issuer"))),
    *_methods(Manifest, lambda stage, _: stage.world.manifest),
    Case("compare", lambda _: compare),
    Case("index.verify", lambda _: verify_index),
    Case("deployment.verify", lambda _: deployment.verify),
)

CASES_OF_STORE = (
    *CASES,
    *_methods(Index, lambda stage, _: stage.index),
    *_methods(Subscription, lambda stage, _: stage.subscription),
)
"""Those that read a database only, besides."""
