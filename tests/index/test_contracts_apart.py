"""Several escrows, modules and kinds of contracts in one deployment are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from eth_utils import keccak, to_checksum_address

from tael import Acceptance, CardEntry, Client, Manifest, Money
from tael import events as ev
from tael.contracts.calls import Contract
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.errors import IndexStateError, LedgerError, UnknownEventError
from tael.events import declared, topic_of
from tael.index import (
    Index,
    Indexer,
    ModuleMovementKind,
    MovementKind,
    Subscription,
    event_document,
    verify,
)
from tael.index.handlers import ContractEvents, handles, register
from tael.reporting import statement
from tael.store import Store
from tests.index import jar
from tests.index.contents import contents
from tests.support.raw_contracts import creation
from tests.support.waiting import wait_until
from tests.support.world import CURRENCIES, STATIC_LIMIT_MINOR, World, cny, hkd

SECOND_BPS = 50


def send(world: World, role: str, to: str | None, data: bytes) -> dict:
    """Send by a key that the node plays."""
    sender = world.address(role)
    world.node.rpc("anvil_impersonateAccount", sender)
    call = {"from": sender, "data": "0x" + data.hex(), "gas": hex(10_000_000)}
    hash_ = world.node.rpc("eth_sendTransaction", call if to is None else {**call, "to": to})
    wait_until(lambda: world.node.rpc("eth_getTransactionReceipt", hash_))
    receipt = world.node.rpc("eth_getTransactionReceipt", hash_)
    assert receipt["status"] == "0x1"
    return receipt


def governed(world: World, contract: Contract, function: str, *arguments: object) -> None:
    """What governance announces first."""
    operator = world.client("operator")
    name = f"{function[:8]}-{world.node.block_number()}"
    scheduled = operator.operations.schedule(contract, function, *arguments, reference=f"{name} S")
    world.node.mine(timestamp=scheduled.ready_at)
    operator.operations.execute(scheduled, reference=f"{name} E")


def token_of(world: World, currency: str) -> Contract:
    return SETTLEMENT_TOKEN.at(world.manifest.token(currency))


@dataclass
class Pair:
    """A deployment with two escrows: `first`'s manifest knows both, `second`'s only its own."""

    first: World
    second: World
    manifest: Manifest

    def client(self) -> Client:
        return Client(self.first.chain, self.manifest)

    def holder(self, number: int) -> str:
        return (self.first if number == 1 else self.second).manifest.escrow


@pytest.fixture
def pair(world: World) -> Iterator[Pair]:
    scheme = world.address("guardian")
    operator = world.client("operator")
    for currency in CURRENCIES:
        operator.participants.admit(scheme, currency, reference=f"SCHEME {currency}")
    arguments = (world.manifest.governance, scheme, SECOND_BPS, 1_000)
    words = b"".join(
        bytes.fromhex(each[2:]).rjust(32, b"\0")
        if isinstance(each, str)
        else each.to_bytes(32, "big")
        for each in arguments
    )
    receipt = send(world, "deployer", None, PAYMENT_ESCROW.artifact.bytecode + words)
    address = to_checksum_address(receipt["contractAddress"])
    code = bytes.fromhex(world.node.rpc("eth_getCode", address, "latest")[2:])
    deployed = replace(
        world.manifest.contracts["escrow"],
        address=address,
        block_number=int(receipt["blockNumber"], 16),
        code_hash="0x" + keccak(code).hex(),
    )
    escrow = PAYMENT_ESCROW.at(address)
    for currency in CURRENCIES:
        governed(world, escrow, "admitToken", world.manifest.token(currency))
        governed(world, token_of(world, currency), "admitModule", address)
    mine = world.manifest.contracts
    other = replace(
        world,
        manifest=world.manifest.having(contracts={**mine, "escrow": deployed}),
        shops={},
        _clients={},
    )
    amounts = [Money(currency, STATIC_LIMIT_MINOR) for currency in CURRENCIES]
    directory = other.client("acquirer").directory
    other.shops["acquirer"] = directory.set_merchant(
        "SHOP-1", signer=world.address("till"), name="Tea", category_code=5812, reference="SHOP-1"
    ).subject
    directory.accept(
        other.shops["acquirer"], [Acceptance(each) for each in amounts], reference="ACCEPT"
    )
    entries = [CardEntry(world.address("cardholder"), each * 10, each * 10) for each in amounts]
    other.client("issuer").directory.set_cards(entries, reference="CARDS")
    yield Pair(world, other, world.manifest.having(contracts={**mine, "escrow:2": deployed}))
    other.forget_clients()


def live(pair: Pair) -> None:
    """Payments in both escrows, one batch and one of each later verb, and a module's hold."""
    for number, world in enumerate((pair.first, pair.second), 1):
        issuer, acquirer = world.client("issuer"), world.client("acquirer")
        batch = [
            world.sign(f"B-{number}-{each}", cny("10.00"), interchange_bps=100) for each in range(3)
        ]
        issuer.payments.authorize_many(batch, reference=f"B-{number}")
        acquirer.payments.capture_many(
            [(each, cny("6.00")) for each in batch[:2]], reference=f"C-{number}"
        )
        acquirer.payments.void(batch[0], cny("1.00"), reference=f"V-{number}")
        acquirer.payments.refund(batch[1], cny("2.00"), reference=f"R-{number}")
        charged = world.sign(f"CH-{number}", hkd("3.00"))
        issuer.payments.charge(charged, reference=f"CH-{number}")
        world.authorize(f"HK-{number}", hkd("7.00"))


def hold(world: World, amount: int) -> None:
    """A module beside the escrows holds something, and pays a part."""
    token = token_of(world, "CNY")
    governed(world, token, "admitModule", world.address("outsider"))
    bank, payee = world.address("issuer"), world.address("acquirer")
    scheme = world.address("operator")
    for function, arguments in (
        ("holdFunds", (bank, amount)),
        ("executeHold", (bank, payee, 30, scheme, 5, 10)),
    ):
        call = token.function(function).encode(*arguments)
        send(world, "outsider", token.address, call)


def indexed(pair: Pair, store: Store) -> Index:
    Indexer(store, pair.client()).catch_up()
    return Index(store, pair.manifest)


def held(index: Index, world: World, currency: str = "CNY") -> dict[str, int]:
    number = index.token_number(currency)
    bank = world.address("issuer")
    return {
        module: amount
        for (participant, token, module), amount in contents(index)["holds"].items()
        if (participant, token) == (bank, number)
    }


def differences(index: Index, pair: Pair) -> list:
    return verify(index, pair.client()).differences


def test_two_escrows_and_a_module_are_told_apart(pair: Pair, store: Store) -> None:
    live(pair)
    hold(pair.first, 1_000)
    index = indexed(pair, store)
    assert differences(index, pair) == []
    # Of 30.00 each escrow paid 12.00 and gave back 1.00.
    assert held(index, pair.first) == {
        pair.holder(1): 17_00,
        pair.holder(2): 17_00,
        pair.first.address("outsider"): 955,
    }
    assert held(index, pair.first, "HKD") == {pair.holder(1): 7_00, pair.holder(2): 7_00}
    assert {payment.escrow for payment in index.payments()} == {pair.holder(1), pair.holder(2)}
    for payment in index.payments():
        assert payment == index.payment(payment.payment_id)
    # Each scheme earned by its own rate: 0.2 % of 12.00, 0.5 % of 12.00, floored a payment.
    for role, fee in (("operator", 2), ("guardian", 6)):
        moved = list(index.movements(pair.first.address(role), "CNY"))
        fees = [each for each in moved if each.kind == MovementKind.SCHEME_FEE]
        assert [each.change_minor for each in fees] == [fee]
    with statement(index, pair.first.address("issuer"), "CNY") as made:
        kinds = [line.movement.kind for line in made.lines]
    assert kinds.count(MovementKind.AUTHORIZE) == 6
    assert kinds.count(MovementKind.CAPTURE) == 4
    # Only the module's own holds are movements of holds.
    assert (kinds.count(MovementKind.HOLD), kinds.count(MovementKind.EXECUTE_HOLD)) == (1, 1)


@pytest.mark.parametrize("number", [1, 2])
def test_reorganisation_is_undone_when_an_escrow_is_a_module(
    pair: Pair, store: Store, other_store: Store, number: int
) -> None:
    live(pair)
    indexer = Indexer(store, pair.client())
    indexer.catch_up()
    before = contents(Index(store, pair.manifest))
    world = pair.first if number == 1 else pair.second
    height = world.node.block_number()
    payment = world.authorize("LATE", cny("8.00"))
    world.client("acquirer").payments.capture(payment, cny("3.00"), reference="LATE C")
    hold(pair.first, 500)
    indexer.catch_up()
    assert held(Index(store, pair.manifest), pair.first)[pair.holder(number)] == 22_00
    for each in (pair.first, pair.second):
        each.forget_clients()
    world.node.rpc("anvil_reorg", world.node.block_number() - height, [])
    Indexer(store, pair.client()).catch_up()
    after = contents(Index(store, pair.manifest))
    assert {**after, "status": None} == {**before, "status": None}
    assert after == contents(indexed(pair, other_store))
    pair.first.authorize("NEXT", cny("1.00"))
    assert differences(indexed(pair, store), pair) == []


def test_holds_go_to_the_successor_when_it_was_a_module_before(pair: Pair, store: Store) -> None:
    live(pair)
    assert differences(indexed(pair, store), pair) == []
    token, second = token_of(pair.first, "CNY"), pair.holder(2)
    cut_off = token.function("cutOffModule").encode(second)
    send(pair.first, "guardian", token.address, cut_off)
    governed(pair.first, token, "admitEscrow", second)
    # From now on the second one's holds are the token's own word, with what the first one left.
    payment = pair.second.authorize("AFTER", cny("9.00"))
    pair.second.client("acquirer").payments.capture(payment, cny("4.00"), reference="AFTER C")
    index = indexed(pair, store)
    assert differences(index, pair) == []
    assert held(index, pair.first) == {pair.holder(1): 17_00, second: 22_00}
    # What stands in the database suffices to go on.
    pair.second.authorize("MORE", cny("1.00"))
    assert differences(indexed(pair, store), pair) == []


def test_index_is_refused_when_the_manifest_got_another_escrow(pair: Pair, store: Store) -> None:
    Indexer(store, pair.first.client("outsider")).catch_up()
    with pytest.raises(IndexStateError, match="other contracts"):
        Index(store, pair.manifest)
    with pytest.raises(IndexStateError, match="other contracts"):
        Indexer(store, pair.client())


def test_payment_is_none_of_another_escrow(pair: Pair, store: Store) -> None:
    payment = pair.first.authorize("P-1", cny("5.00"))
    pair.first.client("acquirer").payments.capture(payment, cny("5.00"), reference="C-1")
    indexer = Indexer(store, pair.client())
    honest = indexer._reader._logs
    captured = topic_of(ev.PaymentCaptured)

    def lying(answer: object) -> list[dict]:
        return [
            {**log, "address": pair.holder(2).lower()} if log["topics"][0] == captured else log
            for log in honest(answer)
        ]

    indexer._reader._logs = lying
    with pytest.raises(LedgerError, match="never opened in escrow"):
        indexer.catch_up()


# A fourth kind of contract


@pytest.fixture
def jars(world: World) -> World:
    """A deployment with a jar that its token admitted."""
    receipt = send(world, "deployer", None, creation(jar.PUPPET))
    address = to_checksum_address(receipt["contractAddress"])
    governed(world, token_of(world, "CNY"), "admitModule", address)
    deployed = replace(world.manifest.contracts["escrow"], contract="Jar", address=address)
    return replace(
        world,
        manifest=world.manifest.having(contracts={**world.manifest.contracts, "jar": deployed}),
    )


def pull(jars: World, topic: str, word: int, function: str, *arguments: object) -> None:
    """Have the jar log an event and call the token."""
    token = token_of(jars, "CNY")
    target = bytes.fromhex(token.address[2:]).rjust(32, b"\0")
    purpose = b"tea".ljust(32, b"\0")
    call = token.function(function).encode(*arguments)
    data = target + bytes.fromhex(topic[2:]) + purpose + word.to_bytes(32, "big") + call
    send(jars, "outsider", jars.manifest.contracts["jar"].address, data)


def jars_client(jars: World) -> Client:
    """A reader by the manifest with the jar, whose code nobody compiled."""
    known = {key: each for key, each in jars.manifest.contracts.items() if key != "jar"}
    client = Client(jars.chain, jars.manifest.having(contracts=known))
    client.manifest = jars.manifest
    return client


def test_fourth_contract_moves_money_in_statements(world: World, jars: World, store: Store) -> None:
    bank, payee = jars.address("issuer"), jars.address("acquirer")
    scheme = jars.address("operator")
    pull(jars, topic_of(jar.JarFilled), 700, "holdFunds", bank, 700)
    pull(jars, topic_of(jar.JarPainted), 3, "holdFunds", bank, 20)
    pull(jars, topic_of(jar.JarEmptied), 700, "executeHold", bank, payee, 700, scheme, 0, 0)
    world.authorize("P-1", cny("5.00"))
    client = jars_client(jars)
    Indexer(store, client).catch_up()
    index = Index(store, jars.manifest)
    assert verify(index, client).differences == []
    with statement(index, bank, "CNY") as made:
        lines = [line.movement for line in made.lines][-5:]
    assert [each.kind.word for each in lines] == [
        *("fill jar", "hold", "empty jar", "give from jar", "authorize")
    ]
    assert [each.kind for each in lines[:3]] == [jar.FILL, MovementKind.HOLD, jar.EMPTY]
    assert [each.held_change_minor for each in lines] == [700, 20, -700, 0, 500]
    assert [each.change_minor for each in lines] == [0, 0, 0, -700, 0]
    assert lines[0].subject == b"tea".ljust(32, b"\0")
    assert lines[0].counterparty == jars.manifest.contracts["jar"].address
    (got,) = [each for each in index.movements(payee, "CNY") if each.kind == jar.GIVE]
    assert (got.change_minor, got.counterparty) == (700, bank)
    read = [
        event_document(each, jars.chain.chain_id)
        for each in Subscription(index, "jars", kinds=[jar.JarFilled, jar.JarPainted]).read()
    ]
    assert [each["type"] for each in read] == ["JarFilled", "JarPainted"]
    assert read[0]["data"] == {"purpose": "0x" + b"tea".ljust(32, b"\0").hex(), "amount_minor": 700}


def test_fourth_contract_is_found_out_when_it_announces_something_else(
    jars: World, store: Store
) -> None:
    pull(jars, topic_of(jar.JarFilled), 700, "holdFunds", jars.address("issuer"), 699)
    with pytest.raises(LedgerError, match="not what was announced"):
        Indexer(store, jars_client(jars)).catch_up()


def test_fourth_contract_is_found_out_when_nothing_follows(jars: World, store: Store) -> None:
    bank, payee = jars.address("issuer"), jars.address("acquirer")
    pull(jars, topic_of(jar.JarPainted), 1, "holdFunds", bank, 100)
    scheme = jars.address("operator")
    pull(jars, topic_of(jar.JarEmptied), 100, "executeHold", bank, payee, 0, scheme, 0, 100)
    with pytest.raises(LedgerError, match="missing"):
        Indexer(store, jars_client(jars)).catch_up()


@pytest.mark.parametrize("topic", ["0x" + "77" * 32, topic_of(ev.Transfer)])
def test_event_is_never_swallowed_when_its_contract_does_not_have_it(
    jars: World, store: Store, topic: str
) -> None:
    # One that nobody declared; and one that is another contract's, which the jar does not have.
    pull(jars, topic, 1, "holdFunds", jars.address("issuer"), 1)
    with pytest.raises(UnknownEventError, match="install the version"):
        Indexer(store, jars_client(jars)).catch_up()


def test_index_is_refused_when_a_kind_is_not_known(world: World, store: Store) -> None:
    deployed = replace(world.manifest.contracts["escrow"], contract="Vault")
    client = world.client("outsider")
    client.manifest = world.manifest.having(
        contracts={**world.manifest.contracts, "vault": deployed}
    )
    with pytest.raises(IndexStateError, match="Vault"):
        Indexer(store, client)


def test_handlers_are_refused_when_they_contradict_themselves() -> None:
    class Twice(ContractEvents):
        @handles(jar.JarFilled)
        def filled(self, values: tuple) -> None:
            pass

    class Varying(ContractEvents):
        @handles(ev.PaymentSkipped)
        def skipped(self, values: tuple) -> None:
            pass

    kind = replace(jar.JAR, name="Twice", number=251)
    with pytest.raises(ValueError, match="no effect"):
        register(kind, without_effect=[jar.JarFilled])(Twice)
    with pytest.raises(ValueError, match="size varies"):
        register(kind)(Varying)
    with pytest.raises(ValueError, match="name or number"):
        register(jar.JAR)(Twice)


@pytest.mark.parametrize(
    ("number", "word"),
    [(200, "another"), (203, "fill jar"), (204, "hold"), (99, "a"), (2**15, "b")],
)
def test_movement_kind_is_refused_when_it_is_taken(number: int, word: str) -> None:
    with pytest.raises(ValueError, match="taken"):
        ModuleMovementKind(number, word)


def test_movement_kind_is_the_same_when_it_is_made_again() -> None:
    assert ModuleMovementKind(200, "fill jar") is jar.FILL
    assert jar.JarFilled in declared()
