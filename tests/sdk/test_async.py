"""The asynchronous client: the same results, many at once, and nothing lost with a task."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tael import AsyncClient, Client, SignedPayment
from tael.aio.iteration import BUFFERED, Iteration
from tael.errors import (
    ConfigurationError,
    IdempotencyConflictError,
    InsufficientFundsError,
    InvalidInputError,
    NodeUnavailableError,
    OutcomeUnknownError,
)
from tael.events import PaymentAuthorized
from tael.history import History
from tael.outbox import Change
from tests.support.world import OPENING_MINOR, World, cny

Result = TypeVar("Result")

ITERATIONS = {"authorize_each", "charge_each", "events", "logs"}
STREAM = re.compile(r"(Iterable\[.*\]) \| AsyncIterable\[.*\]")
GENERATOR = re.compile(r"AsyncGenerator\[(.*), None\]")
WAIT_SECONDS = 60


def run(main: Callable[[], Awaitable[Result]]) -> Result:
    async def bounded() -> Result:
        async with asyncio.timeout(WAIT_SECONDS):
            return await main()

    return asyncio.run(bounded())


@pytest.fixture
def bank(world: World, tmp_path: Path) -> AsyncClient:
    return client_of(world, "issuer", tmp_path)


def client_of(world: World, role: str, folder: Path, **options: Any) -> AsyncClient:
    return AsyncClient(
        world.chain,
        world.manifest,
        world.signers[role],
        store=folder / f"{role}.db",
        wait_seconds=30,
        **options,
    )


@pytest.fixture
def paused(world: World) -> Iterator[World]:
    """A chain that takes transactions into no block."""
    world.node.rpc("evm_setAutomine", False)
    yield world
    world.node.rpc("evm_setAutomine", True)
    world.node.mine()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


# The same names


def public(members: Any) -> set[str]:
    return {name for name in members if not name.startswith("_")}


def services_of(client: Client) -> dict[str, type]:
    """By attribute, from a client that is there and not from its source."""
    return {
        name: type(vars(client)[name])
        for name in public(vars(client))
        if type(vars(client)[name]).__module__.startswith("tael.services")
    }


def test_every_method_is_there_with_its_signature(world: World) -> None:
    import tael.aio

    services = services_of(world.client("issuer"))
    assert {"balances", "payments"} <= set(services)
    for kind in (*services.values(), History):
        made = getattr(tael.aio, f"Async{kind.__name__}")
        wanted = {name: getattr(kind, name) for name in public(dir(kind))}
        assert wanted
        for name, function in wanted.items():
            own = getattr(made, name)
            assert without_streams(own) == without_streams(function)
            assert inspect.getdoc(own) == (inspect.getdoc(function) or "")
            assert inspect.iscoroutinefunction(own) is (name not in ITERATIONS)
        assert public(vars(made)) == set(wanted)


def without_streams(function: Callable[..., Any]) -> inspect.Signature:
    """A signature whose streams may come from either side."""
    found = inspect.signature(function)
    if function.__name__ not in ITERATIONS:
        return found
    parameters = [
        each.replace(annotation=STREAM.sub(r"\1", str(each.annotation)))
        for each in found.parameters.values()
    ]
    returned = GENERATOR.sub(r"Iterator[\1]", str(found.return_annotation))
    assert returned.startswith("Iterator[")
    return found.replace(parameters=parameters, return_annotation=returned)


def test_client_has_the_names_of_the_client(world: World) -> None:
    services = set(services_of(world.client("issuer")))
    names = public(dir(Client))
    ours = public(dir(AsyncClient))
    assert ours - names == {"of", "open", "manifest", "chain", "signer", *services}
    assert names <= ours
    assert public(vars(world.client("issuer"))) <= ours
    for name in names - {"participant", "history"}:
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name)), name


# The same results


def test_results_are_those_of_the_client(world: World, bank: AsyncClient) -> None:
    plain, payee = world.client("issuer"), world.address("acquirer")

    async def main() -> None:
        async with bank:
            assert bank.participant == plain.participant
            assert (bank.chain, bank.manifest) == (plain.chain, plain.manifest)
            assert await bank.uetr("P-1") == plain.uetr("P-1")
            first = await bank.balances.transfer(payee, cny("3.00"), reference="T-1")
            again = plain.balances.transfer(payee, cny("3.00"), reference="T-1")
            assert (again.transaction_hash, again.repeated) == (first.transaction_hash, True)
            assert not first.repeated
            assert await bank.balances.of("CNY", payee) == plain.balances.of("CNY", payee)
            ours, theirs = await bank.resolve("T-1"), plain.resolve("T-1")
            assert (ours.state, ours.status) == (theirs.state, theirs.status)
            payment = world.sign("P-1", cny("20.00"))
            written = await bank.payments.authorize(payment, reference="P-1")
            assert written.subject == payment.payment_id
            status = await bank.payments.status(payment)
            assert (status.held, status.verbs) == (
                cny("20.00"),
                plain.payments.status(payment).verbs,
            )
            events = [each async for each in bank.history().events()]
            assert events == list(plain.history().events())
            assert isinstance(events[-1], PaymentAuthorized)

    run(main)


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
def test_payments_are_opened_by_the_stream(world: World, bank: AsyncClient, kind: str) -> None:
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(12)]
    beyond = world.sign("P-X", cny("5000.01"))
    payments.insert(5, beyond)

    async def each_in_turn() -> AsyncIterator[SignedPayment]:
        for payment in payments:
            await asyncio.sleep(0)
            yield payment

    source: Any = {"list": payments, "generator": iter(payments), "async": each_in_turn()}[kind]

    async def main() -> None:
        async with bank:
            outcomes = [each async for each in bank.payments.authorize_each(source)]
            assert [each.payment_id for each in outcomes] == [each.payment_id for each in payments]
            refused = [each for each in outcomes if each.refusal is not None]
            assert [each.payment_id for each in refused] == [beyond.payment_id]
            statuses = [await bank.payments.status(each.payment_id) for each in outcomes[:5]]
            assert {status.held for status in statuses} == {cny("1.00")}

    run(main)


def test_two_hundred_transfers_are_made_at_once(world: World, bank: AsyncClient) -> None:
    payee = world.address("acquirer")
    # Those of other clients end some seconds after their last order.
    before = set(threading.enumerate())

    async def main() -> None:
        async with bank:
            done = await asyncio.gather(
                *(
                    bank.balances.transfer(payee, cny("1.00"), reference=f"T-{n}")
                    for n in range(200)
                )
            )
            assert len({each.transaction_hash for each in done}) == 200
            assert not any(each.repeated for each in done)
            # However many began at once, one key has one lane.
            names = [each.name for each in set(threading.enumerate()) - before]
            assert sum(name.startswith("tael-send-") for name in names) <= 1
            balance = await bank.balances.available("CNY", payee)
            assert balance.amount_minor == OPENING_MINOR + 200_00
            again = await asyncio.gather(
                *(bank.balances.transfer(payee, cny("1.00"), reference=f"T-{n}") for n in range(9))
            )
            assert all(each.repeated for each in again)
            assert (await bank.balances.available("CNY", payee)) == balance

    run(main)


def test_many_clients_share_a_loop(world: World, tmp_path: Path) -> None:
    roles = ("issuer", "acquirer", "other_issuer", "other_acquirer")

    async def main() -> None:
        clients = [client_of(world, role, tmp_path, threads=4) for role in roles]
        opened = await asyncio.gather(*(client.open() for client in clients))
        assert opened == [None] * 4

        async def pay(n: int) -> None:
            payer, payee = clients[n % 4], clients[(n + 1) % 4].participant
            await payer.balances.transfer(payee, cny("1.00"), reference=f"T-{n}")

        await asyncio.gather(*(pay(n) for n in range(40)))
        found = await asyncio.gather(*(client.balances.available("CNY") for client in clients))
        assert {each.amount_minor for each in found} == {OPENING_MINOR}
        await asyncio.gather(*(client.close() for client in clients))

    run(main)


def test_a_client_that_is_there_is_shared(world: World) -> None:
    plain, payee = world.client("issuer"), world.address("acquirer")

    async def main() -> None:
        async with AsyncClient.of(plain) as bank:
            assert bank.signer is plain.signer
            await bank.balances.transfer(payee, cny("1.00"), reference="T-1")

    run(main)
    assert plain.resolve("T-1").state == "settled"
    assert plain.balances.transfer(payee, cny("1.00"), reference="T-2").block_number


def test_context_of_the_task_goes_along(world: World) -> None:
    number: ContextVar[int] = ContextVar("number")
    seen = []

    class Signing:
        def __getattr__(self, name: str) -> Any:
            if name.startswith("sign"):
                seen.append(number.get(None))
            return getattr(world.signers["issuer"], name)

    async def main() -> None:
        async with AsyncClient(world.chain, world.manifest, Signing()) as bank:  # type: ignore[arg-type]
            number.set(7)
            await bank.uetr("T-1")

    run(main)
    assert 7 in seen


# Errors


def test_errors_pass_through_with_their_type(world: World, bank: AsyncClient) -> None:
    payee = world.address("acquirer")

    async def main() -> None:
        async with bank:
            with pytest.raises(InsufficientFundsError) as refused:
                await bank.balances.transfer(payee, cny("99999999.00"), reference="T-1")
            assert refused.value.arguments["needed"] == 99999999_00
            with pytest.raises(InvalidInputError):
                await bank.balances.transfer(payee, cny("1.00"), reference="")
            await bank.balances.transfer(payee, cny("1.00"), reference="T-2")
            with pytest.raises(IdempotencyConflictError):
                await bank.balances.transfer(payee, cny("2.00"), reference="T-2")
            broken = bank.payments.authorize_each([object()])  # type: ignore[list-item]
            with pytest.raises(AttributeError):
                _ = [each async for each in broken]

    run(main)


def test_what_an_asynchronous_source_raises_is_raised_where_it_is_read(
    world: World, bank: AsyncClient
) -> None:
    async def source() -> AsyncIterator[SignedPayment]:
        yield world.sign("P-1", cny("1.00"))
        raise ZeroDivisionError

    async def main() -> None:
        async with bank:
            with pytest.raises(ZeroDivisionError):
                _ = [each async for each in bank.payments.authorize_each(source())]

    run(main)


def test_opening_fails_when_no_node_answers(world: World, tmp_path: Path) -> None:
    async def main() -> None:
        nowhere = AsyncClient("http://127.0.0.1:9", world.manifest)
        with pytest.raises(NodeUnavailableError):
            await nowhere.open()
        await nowhere.close()

    run(main)


def test_nothing_is_asked_of_a_client_that_is_not_open(world: World, bank: AsyncClient) -> None:
    with pytest.raises(ConfigurationError):
        _ = bank.participant
    assert repr(bank) == "AsyncClient(not open)"
    with pytest.raises(ConfigurationError):
        client_of(world, "issuer", Path(), threads=0)

    async def main() -> None:
        # The first call opens it.
        assert await bank.now() == world.chain.now()
        assert bank.participant in repr(bank)
        await bank.close()
        with pytest.raises(ConfigurationError):
            await bank.now()
        with pytest.raises(ConfigurationError):
            bank.history().events()

    run(main)


def test_closing_waits_for_a_call_that_was_just_beginning(
    bank: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go = threading.Event(), threading.Event()

    async def main() -> None:
        await bank.open()
        connection, loop_thread = bank._connection, threading.get_ident()
        require_open = connection._require_open

        def slowly() -> None:
            require_open()
            if threading.get_ident() != loop_thread:
                asked.set()
                assert go.wait(WAIT_SECONDS)

        monkeypatch.setattr(connection, "_require_open", slowly)
        call = asyncio.create_task(bank.now())
        await until(asked.is_set)
        closing = asyncio.create_task(bank.close())
        await asyncio.sleep(0.5)
        assert not closing.done()
        go.set()
        assert await call
        await closing

    run(main)


# Cancelling


@pytest.mark.threat("S02")
def test_a_write_goes_on_when_its_task_is_cancelled(paused: World, bank: AsyncClient) -> None:
    world, payee = paused, paused.address("acquirer")
    sent = threading.Event()

    async def main() -> None:
        async with bank:
            stop = await bank.listen(lambda change: sent.set())
            task = asyncio.create_task(bank.balances.transfer(payee, cny("1.00"), reference="T-1"))
            await until(sent.is_set)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            stop()
            assert (await bank.resolve("T-1")).state == "pending"
            world.node.mine()
            again = await bank.balances.transfer(payee, cny("1.00"), reference="T-1")
            assert again.repeated
            assert (await bank.resolve("T-1")).state == "settled"

    run(main)
    assert world.client("outsider").balances.available("CNY", payee).amount_minor == (
        OPENING_MINOR + 100
    )


def test_a_write_goes_on_when_it_was_cancelled_before_it_had_a_thread(
    paused: World, tmp_path: Path
) -> None:
    world, payee = paused, paused.address("acquirer")

    async def main() -> None:
        async with client_of(world, "issuer", tmp_path, threads=1) as bank:
            tasks = [
                asyncio.create_task(bank.balances.transfer(payee, cny("1.00"), reference=f"T-{n}"))
                for n in range(2)
            ]
            await asyncio.sleep(0.2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            world.node.rpc("evm_setAutomine", True)
            world.node.mine()
            # There is one thread: what is asked now is answered after the two.
            assert (await bank.resolve("T-1")).state == "settled"
            assert (await bank.resolve("T-0")).state == "settled"

    run(main)


def test_a_timeout_leaves_the_write_pending(paused: World, bank: AsyncClient) -> None:
    world, payee = paused, paused.address("acquirer")

    async def main() -> None:
        async with bank:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await bank.balances.transfer(payee, cny("1.00"), reference="T-1")
            await until(lambda: len(world.node.rpc("txpool_content")["pending"]) > 0)
            world.node.mine()
            await bank.resume()
            assert (await bank.resolve("T-1")).state == "settled"

    run(main)


def test_whoever_waits_is_told_when_the_client_closes(
    paused: World, bank: AsyncClient, tmp_path: Path
) -> None:
    world, payee = paused, paused.address("acquirer")
    submitted = threading.Event()

    async def main() -> None:
        async with bank:
            await bank.listen(lambda change: submitted.set())
            task = asyncio.create_task(bank.balances.transfer(payee, cny("1.00"), reference="T-1"))
            await until(submitted.is_set)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await task
        assert unknown.value.reference == "T-1"
        assert unknown.value.transaction_hash
        world.node.mine()
        async with client_of(world, "issuer", tmp_path) as next_one:
            assert [each.state for each in await next_one.resume()] in ([], ["settled"])
            assert (await next_one.resolve("T-1")).state == "settled"

    run(main)


def test_a_stream_is_told_when_the_client_closes(paused: World, bank: AsyncClient) -> None:
    world = paused
    payments = (world.sign(f"P-{n}", cny("1.00")) for n in range(3))
    before = set(threading.enumerate())

    async def main() -> None:
        async with bank:
            task = asyncio.create_task(anext(bank.payments.authorize_each(payments)))
            await until(lambda: len(world.node.rpc("txpool_content")["pending"]) > 0)
        with pytest.raises(OutcomeUnknownError):
            await task
        world.node.rpc("evm_setAutomine", True)
        world.node.mine()

    run(main)
    names = [each.name for each in set(threading.enumerate()) - before]
    assert not [each for each in names if each.startswith("tael-send")]


def test_leaving_an_iteration_ends_its_thread(world: World, bank: AsyncClient) -> None:
    payments = (world.sign(f"P-{n}", cny("1.00")) for n in range(1_000))

    async def main() -> None:
        async with bank:
            async with aclosing(bank.payments.authorize_each(payments)) as outcomes:
                async for each in outcomes:
                    assert each.refusal is None
                    break
            await until(lambda: "tael-async-each" not in [t.name for t in threading.enumerate()])
            # What was handed over by then is made all the same.
            assert (await bank.resolve("P-150")).state != "absent"

    run(main)


def test_an_iteration_is_left_while_its_source_keeps_it_waiting(bank: AsyncClient) -> None:
    async def never() -> AsyncIterator[SignedPayment]:
        await asyncio.Event().wait()
        yield None  # type: ignore[misc]

    async def main() -> None:
        async with bank:
            task = asyncio.create_task(anext(bank.payments.authorize_each(never())))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: "tael-async-each" not in [t.name for t in threading.enumerate()])

    run(main)


def test_a_reader_may_call_between_two_items_when_there_is_one_thread(
    world: World, tmp_path: Path
) -> None:
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(6)]

    async def main() -> None:
        async with client_of(world, "issuer", tmp_path, threads=1) as bank:
            async for each in bank.payments.authorize_each(payments):
                assert (await bank.payments.status(each.payment_id)).held == cny("1.00")

    run(main)


def test_a_slow_reader_holds_the_iteration_up() -> None:
    made = []

    def numbers(_iteration: Iteration[int]) -> Iterator[int]:
        for n in range(10 * BUFFERED):
            made.append(n)
            yield n

    async def main() -> None:
        items = Iteration(numbers).items()
        assert await anext(items) == 0
        await asyncio.sleep(0.3)
        assert len(made) <= 2 * BUFFERED + 2
        assert [each async for each in items] == list(range(1, 10 * BUFFERED))

    run(main)


# Listening


def test_a_listener_is_called_in_the_loop(world: World, bank: AsyncClient) -> None:
    heard: list[tuple[str, int]] = []

    def listener(change: Change) -> None:
        heard.append((change.status, threading.get_ident()))

    async def main() -> None:
        async with bank:
            stop = await bank.listen(listener)
            payee = world.address("acquirer")
            await bank.balances.transfer(payee, cny("1.00"), reference="T-1")
            await until(lambda: len(heard) == 2)
            stop()
            await bank.balances.transfer(payee, cny("1.00"), reference="T-2")
            await asyncio.sleep(0.1)

    run(main)
    assert heard == [(each, threading.get_ident()) for each in ("submitted", "final")]
