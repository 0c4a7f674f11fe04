"""The stage: a local chain with everything deployed, and a client for each who acts on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from scripts.main_job.cast import (
    ACCOUNTS,
    BANK_NAMES,
    CODES,
    Bank,
    Card,
    Shop,
    role_signers,
)
from scripts.main_job.record import Record, Refusal, Scene, Step
from scripts.main_job.show import Show
from tael import Chain, Client, Manifest, Money, TaelError, Written
from tael.deployment import DeploymentPlan, deploy
from tael.errors import ContractRevertedError
from tael.store import Store
from tael.testing import LocalNode, NodeKind, start_node

SCHEME_BPS = 20
INTERCHANGE_CAP_BPS = 150
INTERCHANGE_BPS = 60
GOVERNANCE_DELAY_SECONDS = 3_600
CURRENCIES = ("CNY", "HKD")
# A local node answers or is gone; nobody waits half a minute for one that was stopped.
RETRY_SECONDS = 2.0
_JOIN_SECONDS = 0.2

_Result = TypeVar("_Result")


class DemoError(TaelError):
    """The main job did not go as it must: something was accepted, refused or counted wrongly."""

    code = "demo"


@dataclass
class Stage:
    """Who and what there is while the job runs.

    Args:
        node: The local chain.
        chain: The operator's connection to it.
        manifest: What is deployed.
        folder: Where everything is written.
        show: Who watches.
        operator: Runs the scheme, earns its fee.
        guardian: Stops what looks wrong.
        auditor: Vouches for the reserves.
        stranger: Anyone with a little ether.
        reader: Reads the chain and signs nothing: what a payer's phone has.
        banks: Four of them.
    """

    node: LocalNode
    chain: Chain
    manifest: Manifest
    folder: Path
    show: Show
    operator: Client
    guardian: Client
    auditor: Client
    stranger: Client
    reader: Client
    banks: list[Bank]
    shops: list[Shop] = field(default_factory=list)
    day_cards: list[Card] = field(default_factory=list)
    people: dict[str, Card] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    def bank_at(self, address: str) -> Bank:
        """The bank with this account."""
        return next(bank for bank in self.banks if bank.address == address)

    @property
    def names(self) -> dict[str, str]:
        """What participants are called, by address."""
        names = {bank.address: bank.name for bank in self.banks}
        return {**names, self.operator.participant: "Operator"}

    def name_of(self, address: str) -> str:
        """Whose account it is, for people."""
        return self.names.get(address, address)

    def step(
        self, who: str, what: str, written: Written | None = None, scene: Scene | None = None
    ) -> None:
        """Write down what happened, by the chain's clock."""
        transaction = None if written is None else written.transaction_hash
        step = Step(self.reader.now(), who, what, transaction)
        self.record.timeline.append(step)
        if scene is not None:
            scene.steps.append(step)

    def refuse(
        self,
        title: str,
        by: str,
        name: str,
        attempt: Callable[[], object],
        *,
        picture: str | None = None,
    ) -> None:
        """Try what must be refused by this name.

        Raises:
            DemoError: It was accepted, or refused for another reason.
        """
        try:
            result = attempt()
        except TaelError as error:
            self.refused(title, by, name, error, picture=picture)
            return
        raise DemoError(f"{title} had to be refused with {name}, and it went through: {result}")

    def refused(
        self, title: str, by: str, name: str, error: TaelError, *, picture: str | None = None
    ) -> None:
        """Write down a refusal, if it is the one that was expected."""
        actual = error.name if isinstance(error, ContractRevertedError) else error.code
        if actual != name:
            raise DemoError(f"{title} had to be refused with {name}, not {actual}: {error}")
        message = error.message
        if isinstance(error, ContractRevertedError):
            message = f"{error.meaning} {error.what_now}"
        kind = type(error).__name__
        self.record.refusals.append(Refusal(title, by, kind, actual, message, picture))
        self.show.refused(title, actual)

    def advance(self, seconds: int, why: str) -> None:
        """Move the chain's clock."""
        self.node.advance_time(seconds)
        self.step("Clock", why)

    def for_each_bank(self, work: Callable[[Bank], _Result]) -> list[_Result]:
        """Let the four banks work at the same time, each over its own connection.

        Raises:
            BaseException: What one of them raised.
        """
        results: dict[int, _Result] = {}
        failures: list[BaseException] = []

        def run(bank: Bank) -> None:
            try:
                results[bank.index] = work(bank)
            except BaseException as error:  # noqa: BLE001 - raised again where it belongs
                failures.append(error)

        # Daemons, and joined in short steps: Ctrl-C is heard at once and nobody is waited for.
        threads = [threading.Thread(target=run, args=(bank,), daemon=True) for bank in self.banks]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_JOIN_SECONDS)
        if failures:
            raise failures[0]
        return [results[bank.index] for bank in self.banks]


def money(amount: str, currency: str) -> Money:
    """An amount as people write it."""
    return Money.parse(amount, currency)


def opening_of_day() -> datetime:
    """When the chain's day begins: 08:00 today in China and Hong Kong, 00:00 UTC.

    The day that limits count is the UTC day, so nothing here ever straddles two.
    """
    now = datetime.now(UTC)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def local_clock(timestamp: int) -> str:
    """A moment as clocks in China and Hong Kong show it."""
    return (datetime.fromtimestamp(timestamp, UTC) + timedelta(hours=8)).strftime("%H:%M:%S")


@contextmanager
def open_stage(kind: NodeKind, folder: Path, show: Show) -> Iterator[Stage]:
    """Start a chain on a free port, deploy, and stop the chain at the end.

    Args:
        kind: `ganache` or `anvil`.
        folder: Where everything is written.
        show: Who watches.
    """
    opening = opening_of_day()
    clock = (
        ("--chain.time", opening.isoformat())
        if kind == "ganache"
        else ("--timestamp", str(int(opening.timestamp())))
    )
    with start_node(kind, accounts=ACCOUNTS, arguments=clock) as node, ExitStack() as opened:
        show.line(f"{kind.capitalize()} on {node.url}, chain {node.chain_id}")
        roles = role_signers(node)
        chain = _connect(node)
        plan = DeploymentPlan.development(
            roles["operator"].address,
            currencies=CURRENCIES,
            scheme_bps=SCHEME_BPS,
            interchange_cap_bps=INTERCHANGE_CAP_BPS,
            delay_seconds=GOVERNANCE_DELAY_SECONDS,
            guardian=roles["guardian"].address,
        )
        plan = replace(plan, members={**plan.members, "ATTESTOR": (roles["auditor"].address,)})
        path = folder / "manifest.json"
        path.unlink(missing_ok=True)
        manifest = deploy(chain, roles["deployer"], plan, manifest_path=path)
        show.line(
            f"Deployed and verified: governance, escrow, {' and '.join(manifest.tokens)} tokens; "
            "the deployer keeps nothing"
        )

        def store_of(role: str) -> Store:
            store = Store.open(folder / "databases" / f"{role}.db")
            opened.callback(store.close)
            return store

        def client(
            role: str, chain: Chain = chain, store: Store | None = None, *, simulate: bool = True
        ) -> Client:
            return opened.enter_context(
                Client(
                    chain, manifest, roles[role], store=store or store_of(role), simulate=simulate
                )
            )

        banks = []
        for index, (name, code) in enumerate(zip(BANK_NAMES, CODES, strict=True)):
            # Each bank has a connection and a database of its own, as it would at home. Banks know
            # what their writes take and have none tried first: a refusal then stands in a block.
            store = store_of(code)
            own = client(code, _connect(node), store, simulate=False)
            banks.append(Bank(index, name, code, own, store))
        yield Stage(
            node=node,
            chain=chain,
            manifest=manifest,
            folder=folder,
            show=show,
            operator=client("operator"),
            guardian=client("guardian"),
            auditor=client("auditor"),
            stranger=client("stranger"),
            reader=Client(chain, manifest),
            banks=banks,
        )


def _connect(node: LocalNode) -> Chain:
    return Chain.connect(node.url, node.chain_id, retry_seconds=RETRY_SECONDS)
