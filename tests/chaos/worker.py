"""One client process: works through its orders the way an integrator would, and is killed for it.

Everything it is told it writes down with the time before and after, in one `write` a line, so that
the checker can hold each answer against what the chain says in the end.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from tael import Chain, Client, Written
from tael.chain import connection, node, node_selection
from tael.errors import (
    ContractRevertedError,
    IdempotencyConflictError,
    NetworkMismatchError,
    OutcomeUnknownError,
    StoreError,
    TransactionRefusedError,
    TryAgainError,
    WrongTimeError,
)
from tael.models import BatchOutcome, Resolution
from tael.outbox import Change, FeePolicy, watch
from tael.services import opened_payments
from tael.store import Store, database, migrate
from tests.chaos.ground import Ground, secret_of, signers
from tests.chaos.plan import Kill, Plan, WorkerPlan
from tests.chaos.work import Order, Sheet, perform, references_of

TIMEOUT_SECONDS = 0.6
RETRY_SECONDS = 0.8
WAIT_SECONDS = 1.5
LAST_SECONDS = 30.0
PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.4
FOLLOWING = ("capture", "capture_many", "void", "refund")
FULL_TIMES = 4
"""How often a full disk is met before somebody makes room."""

# Imported before the processes part, or each of them would spend its first life importing it.
_ = (migrate, structlog)

MENDED = (TransactionRefusedError, NetworkMismatchError)
"""After these somebody must mend something first. Here it mends itself: a nonce that went elsewhere
is signed anew, and the node that lied about its chain is found out and left alone."""

GOES_ON = (TryAgainError, *MENDED)

_HASTE: Sequence[tuple[Any, str, float]] = (
    (watch, "CONFIRM_SECONDS", 0.05),
    (watch, "GAP_SECONDS", 0.2),
    (watch, "OVERTAKEN_SECONDS", 0.2),
    (watch, "_LONGEST_POLL_SECONDS", 0.05),
    (watch, "_LONGEST_RESEND_SECONDS", 0.5),
    (node, "FIRST_REST_SECONDS", 0.05),
    (node, "LONGEST_REST_SECONDS", 0.3),
    (node, "OTHER_CHAIN_REST_SECONDS", 0.3),
    (node_selection, "SURVEY_SECONDS", 0.2),
    (connection, "CONNECT_RETRY_SECONDS", 0.8),
    (connection, "AGREE_RETRY_SECONDS", 0.5),
    (connection, "_LONGEST_PAUSE_SECONDS", 0.2),
    (opened_payments, "CATCH_UP_SECONDS", 0.2),
)
"""A storm of a second must not be sat out: what waits for seconds waits for tenths of them here.
Nothing that is safe may rest on a span of time, so this changes what is met, not what is right."""


@dataclass(frozen=True)
class Life:
    """One life of a client process.

    Args:
        plan: The seed's.
        worker: Whose life.
        number: Which, from 0 on.
        kill: How it ends; None lets it finish.
        is_last: Whether the storm is over: every order is repeated and confirmed.
        ground: The chain's deployment.
        sheet: What the orders refer to.
        urls: The ways to the node.
        store: Path or URL of the store.
        folder: Where it writes.
    """

    plan: Plan
    worker: WorkerPlan
    number: int
    kill: Kill | None
    is_last: bool
    ground: Ground
    sheet: Sheet
    urls: tuple[str, ...]
    store: str
    folder: Path


class Diary:
    """What a client was told, one JSON object a line."""

    def __init__(self, path: Path, life: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._life = life

    def note(self, told: str, since: float, **what: Any) -> None:
        """Write one line; a process killed meanwhile has written all of it or nothing."""
        line = {"told": told, "life": self._life, "since": since, "at": time.time(), **what}
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Worker:
    """A client at work.

    Args:
        life: Which life of which client.
    """

    def __init__(self, life: Life) -> None:
        self.life = life
        self.diary = Diary(life.folder / f"{life.worker.name}.jsonl", life.number)
        self._opened = life.folder / "opened"
        self._steps: Counter[str] = Counter()
        self._full_times = 0
        self._is_full = bool(life.worker.spare_pages) and life.number == 0
        self._limited: Store | None = None
        self._store = self._open_store()
        self.client = self._connect()

    # Getting ready

    def _open_store(self) -> Store:
        while True:
            try:
                store = Store.open(self.life.store)
            except StoreError as error:
                self._note_error("open", time.time(), error)
                time.sleep(PAUSE_SECONDS)
                continue
            if self._is_full:
                self._limit(store)
            return store

    def _limit(self, store: Store) -> None:
        """Let the database grow by a few pages and no more, on every connection of this process."""
        with store.read() as connection_:
            pages = connection_.execute(sa.text("PRAGMA page_count")).scalar_one()
        most = pages + self.life.worker.spare_pages

        def limit(connection_: Any, _record: Any) -> None:
            if self._is_full:
                connection_.execute(f"PRAGMA max_page_count = {most}")

        self._limited = store
        sa.event.listen(store.engine, "connect", limit)
        store.engine.dispose()

    def _make_room(self) -> None:
        self._full_times += self._is_full
        if self._limited is not None and self._full_times >= FULL_TIMES:
            self._is_full = False
            self._limited.engine.dispose()

    def _connect(self) -> Client:
        life, plan = self.life, self.life.plan
        manifest = life.ground.deployed
        while True:
            since = time.time()
            try:
                chain = Chain.connect(
                    life.urls,
                    manifest.chain_id,
                    manifest.genesis_hash,
                    timeout_seconds=TIMEOUT_SECONDS,
                    retry_seconds=RETRY_SECONDS,
                    agreement=plan.agreement,
                )
                client = Client(
                    chain,
                    manifest,
                    signers()[life.worker.role],
                    reference_secret=secret_of(life.worker.role),
                    store=self._store,
                    wait_seconds=WAIT_SECONDS,
                    finality=plan.finality,
                    simulate=life.worker.simulate,
                    fees=FeePolicy(bump_after_seconds=plan.bump_seconds),
                    on_step=self._step,
                )
                client.listen(partial(self._note_change, client))
                return client
            except GOES_ON as error:
                self._note_error("connect", since, error)
                time.sleep(PAUSE_SECONDS)

    def _step(self, name: str, _count: int) -> None:
        self._steps[name] += 1
        kill = self.life.kill
        if kill is not None and kill.step == name and self._steps[name] >= kill.count:
            os.kill(os.getpid(), signal.SIGKILL)

    # Working

    def run(self) -> None:
        """Resume, carry out every order, and see each of them settled or refused for good."""
        orders = self.life.worker.orders
        with self._calling_again("resume"):
            since = time.time()
            for resolution in self.client.resume(wait_seconds=0.3):
                self._note_resolution(resolution, since)
        with ThreadPoolExecutor(self.life.worker.threads) as pool:
            for _ in pool.map(self._begin, orders):
                pass
            for _ in pool.map(self.confirm, orders):
                pass
        if self.life.is_last:
            # What others had in flight with the same key is written down before the last one ends.
            with self._calling_again("resume"):
                self.client.resume(wait_seconds=LAST_SECONDS)
        self.diary.note("finished", time.time())

    def _begin(self, order: Order) -> None:
        if not self.life.is_last:
            time.sleep(self.life.worker.pace_seconds)
        self.carry_out(order)

    def carry_out(self, order: Order) -> None:
        """The loop an integrator writes: the same call, until it says what became of it."""
        self._await_opening(order)
        pause = PAUSE_SECONDS
        while True:
            since = time.time()
            try:
                results = perform(self.client, order, self.life.sheet)
            except GOES_ON as error:
                self._note_error(order.reference, since, error)
            except IdempotencyConflictError as error:
                self._note_error(order.reference, since, error)
                return
            except ContractRevertedError as error:
                self._note_error(order.reference, since, error)
                if order.fails or (order.lapses and isinstance(error, WrongTimeError)):
                    return
            else:
                self._note_results(order, results, since)
                if all(isinstance(each, Written) or each.accepted for each in results):
                    self._spread(order)
                    return
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _await_opening(self, order: Order) -> None:
        """What follows an opening waits for word of it, unless the seed makes it impatient."""
        if order.verb in FOLLOWING and not self.life.worker.is_impatient:
            while not all((self._opened / _file_name(name)).exists() for name in order.payments):
                time.sleep(PAUSE_SECONDS / 2)

    def _spread(self, order: Order) -> None:
        """Give word to other clients that payments were opened."""
        if order.verb not in FOLLOWING:
            for name in order.payments:
                (self._opened / _file_name(name)).touch()

    def confirm(self, order: Order) -> None:
        """Ask what became of an order until that is final; call again where it says so."""
        if order.conflicts:
            return
        for reference in references_of(order):
            while True:
                since = time.time()
                try:
                    resolution = self.client.resolve(reference)
                except GOES_ON as error:
                    self._note_error(reference, since, error)
                    time.sleep(PAUSE_SECONDS)
                    continue
                self._note_resolution(resolution, since)
                if resolution.state == "settled" and resolution.status == "final":
                    break
                if (order.fails or order.lapses) and resolution.state == "absent":
                    break
                if order.fails and resolution.status is None:
                    self._give_up(order)
                elif resolution.state == "absent" or resolution.status is None:
                    self.carry_out(order)
                time.sleep(PAUSE_SECONDS)

    def _give_up(self, order: Order) -> None:
        """Make sure that what was refused can never take effect."""
        since = time.time()
        try:
            written = self.client.balances.cancel_transfer(
                order.currency, reference=order.reference
            )
        except (*GOES_ON, ContractRevertedError) as error:
            self._note_error(order.reference, since, error)
        else:
            self.diary.note("cancelled", since, reference=order.reference, status=written.status)

    @contextlib.contextmanager
    def _calling_again(self, what: str) -> Iterator[None]:
        since = time.time()
        try:
            yield
        except GOES_ON as error:
            self._note_error(what, since, error)

    # Writing down

    def _note_results(
        self, order: Order, results: Sequence[Written | BatchOutcome], since: float
    ) -> None:
        for index, result in enumerate(results):
            written = result if isinstance(result, Written) else result.written
            payment = None if isinstance(result, Written) else order.payments[index]
            if written is None:
                refusal = None if isinstance(result, Written) else result.refusal
                name = getattr(refusal, "name", type(refusal).__name__)
                self.diary.note(
                    "left_out", since, reference=order.reference, payment=payment, name=name
                )
                continue
            self.diary.note(
                "written",
                since,
                reference=order.reference,
                payment=payment,
                status=written.status,
                transaction=written.transaction_hash,
                block=written.block_number,
                repeated=written.repeated,
            )

    def _note_resolution(self, resolution: Resolution, since: float) -> None:
        evidence = resolution.evidence
        self.diary.note(
            "resolved",
            since,
            reference=resolution.reference,
            state=resolution.state,
            status=resolution.status,
            why=evidence.why,
            transactions=list(evidence.transaction_hashes),
            block=evidence.block_number,
        )

    def _note_change(self, client: Client, change: Change) -> None:
        self.diary.note(
            "change",
            time.time(),
            reference=client.reference_of(change),
            status=change.status,
            transaction=change.transaction_hash,
            block=change.block_number,
        )

    def _note_error(self, reference: str, since: float, error: Exception) -> None:
        # With a full disk it may be only the outcome that cannot be written down any more.
        if isinstance(error, (StoreError, OutcomeUnknownError)):
            self._make_room()
        what = {"name": error.name} if isinstance(error, ContractRevertedError) else {}
        transaction = getattr(error, "transaction_hash", None)
        self.diary.note(
            "error",
            since,
            reference=reference,
            error=type(error).__name__,
            message=str(error)[:400],
            transaction=transaction,
            **what,
        )


def live(life: Life) -> None:
    """The life of one process."""
    _hasten(life.worker)
    _log_to(life.folder / f"{life.worker.name}.log")
    if life.kill is not None and life.kill.after_seconds:
        _die_after(life.kill.after_seconds)
    try:
        Worker(life).run()
    except BaseException:
        text = traceback.format_exc()
        Diary(life.folder / f"{life.worker.name}.jsonl", life.number).note(
            "broken", time.time(), reference="", traceback=text
        )
        raise


def _hasten(worker: WorkerPlan) -> None:
    for module, name, seconds in (*_HASTE, (database, "BUSY_SECONDS", worker.busy_seconds)):
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, seconds)


def _log_to(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.DEBUG, force=True)
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def _die_after(seconds: float) -> None:
    def die() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die, daemon=True).start()


def _file_name(reference: str) -> str:
    return reference.replace("/", "_")
