"""One seed: a node, proxies before it, client processes, and what happens to all of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from tael.testing import LocalNode
from tests.chaos import proxy
from tests.chaos.child import settle_in
from tests.chaos.ground import Ground, Stage, lines, make_sheet
from tests.chaos.heads import Heads
from tests.chaos.plan import Event, Plan, WorkerPlan
from tests.chaos.stores import Stores
from tests.chaos.verdict import Finding, Remains, judge
from tests.chaos.worker import Life, live

LONGEST_STORM_SECONDS = {"anvil": 8.0, "ganache": 20.0}
CALM_SECONDS = 120.0
"""How long the clients have to finish once nothing goes wrong any more."""
ENCORES = 2
_TICK_SECONDS = 0.01

_fork = multiprocessing.get_context("fork")

Judge = Callable[[Remains, LocalNode], list[Finding]]


@dataclass
class Report:
    """What came of a seed.

    Args:
        line: The command that runs it again.
        findings: What was wrong; nothing if all is well.
        seconds: How long it took.
        counts: What happened how often, for the summary.
        folder: Where everything about it was kept.
    """

    line: str
    findings: list[Finding]
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    folder: str = ""


class Proxies:
    """The process with the ways to the node."""

    def __init__(self, plan: Plan, url: str) -> None:
        self._pipe, theirs = _fork.Pipe()
        self._process = _fork.Process(target=_serve, args=(plan, url, theirs))
        self._process.start()
        theirs.close()
        self.ports: list[int] = self._pipe.recv()

    def tell(self, word: str, value: Any = None) -> Any:
        """Give an order and wait until it is carried out."""
        self._pipe.send((word, value))
        done, result = self._pipe.recv()
        return result if done else None

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(plan: Plan, url: str, pipe: Any) -> None:
    settle_in(keep=(pipe.fileno(),))
    proxy.serve(plan, url, pipe)


def _live(life: Life) -> None:
    settle_in()
    live(life)


class Client:
    """One client through all its lives."""

    def __init__(self, plan: WorkerPlan) -> None:
        self.plan = plan
        self.life = 0
        self.deaths = 0
        self.encores = 0
        self.process: ForkProcess | None = None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.is_alive()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None and self.process.is_alive():
            self.process.kill()
            self.deaths += 1
        self.join()

    def join(self) -> int:
        """Take in how it ended."""
        assert self.process is not None
        self.process.join()
        return self.process.exitcode or 0


class Storm:
    """Runs one seed.

    Args:
        plan: What the seed stands for.
        ground: The chain it begins on.
        folder: The seed's own; emptied.
        postgresql: URL of a server, if there is one.
    """

    def __init__(self, plan: Plan, ground: Ground, folder: Path, postgresql: str | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "opened").mkdir(parents=True)
        self.plan = plan
        self.ground = ground
        self.folder = folder
        self.sheet = make_sheet(ground, plan.payments)
        self.clients = [Client(worker) for worker in plan.workers]
        self.stores = Stores(plan, folder, postgresql)
        self.counts: Counter[str] = Counter()
        self.heads = Heads()
        self._ends: list[tuple[float, Event]] = []

    def run(self, judge: Judge = judge) -> list[Finding]:
        """Let it rage, calm down, and judge."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.stores)
            self.stage = Stage(self.ground, self.folder, self.plan.block_seconds)
            stack.callback(lambda: self.stage.close())
            self.proxies = Proxies(self.plan, self.stage.node.url)
            stack.callback(self.proxies.close)
            stack.callback(self._end_clients)
            self._rage()
            self._calm_down()
            late = self._finish()
            self._count("faults", self.proxies.tell("happened") or {})
            self._end_clients()
            # What they were told last is held against this, and not against the blocks on top.
            self.heads.note(self.stage.node)
            self._settle()
            remains = Remains(
                self.plan, self.ground, self.sheet, self.folder, self.stores, self.heads
            )
            return late + judge(remains, self.stage.node)

    # The storm

    def _rage(self) -> None:
        for client in self.clients:
            self._start(client, is_last=False)
        deadline = time.monotonic() + LONGEST_STORM_SECONDS[self.plan.node]
        events = list(self.plan.events)
        while (now := time.monotonic()) < deadline:
            seen = self.proxies.tell("seen")
            while events and events[0].at_request <= seen:
                self._begin(events.pop(0), now)
            for at, event in [each for each in self._ends if each[0] <= now]:
                self._ends.remove((at, event))
                self._end(event)
            self._bury()
            self.heads.look(self.stage.node)
            if not any(client.is_running for client in self.clients):
                break
            if seen >= self.plan.storm_requests and not self._ends:
                break
            time.sleep(_TICK_SECONDS)
        for _, event in self._ends:
            self._end(event)
        self._ends.clear()

    def _bury(self) -> None:
        """Start anew whoever was killed, and a few times whoever was done too soon."""
        for client in self.clients:
            if client.is_running or client.process is None:
                continue
            was_killed = client.join() == -signal.SIGKILL
            if not was_killed and (client.process.exitcode or client.encores >= ENCORES):
                continue
            client.deaths += was_killed
            client.encores += not was_killed
            client.life += 1
            if client.plan.restores and client.life == 1:
                self.stores.restore(client.plan.store)
            self._start(client, is_last=False)

    def _start(self, client: Client, *, is_last: bool) -> None:
        kills = client.plan.kills
        kill = kills[client.life] if client.life < len(kills) and not is_last else None
        life = Life(
            plan=self.plan,
            worker=client.plan,
            number=client.life,
            kill=kill,
            is_last=is_last,
            ground=self.ground,
            sheet=self.sheet,
            urls=tuple(
                f"http://127.0.0.1:{port}/{client.plan.name}" for port in self.proxies.ports
            ),
            store=self.stores.url(client.plan.store),
            folder=self.folder,
        )
        client.process = _fork.Process(target=_live, args=(life,))
        client.process.start()

    def _begin(self, event: Event, now: float) -> None:
        self._count("events", {event.kind: 1})
        node = self.stage.node
        if event.kind == "kill_node":
            self._kill_node(event)
        elif event.kind == "outage":
            self.proxies.tell("down")
        elif event.kind == "reorg":
            self.stage.reorganise(event.amount)
        elif event.kind == "clock":
            node.rpc("evm_increaseTime", event.amount)
        elif event.kind == "stall":
            self.stage.stall()
        elif event.kind == "lock":
            self.stores.lock(event.target, event.seconds)
        elif event.kind == "kick":
            self.stores.kick(event.target)
        elif event.kind == "copy":
            self.stores.copy(event.target)
        elif event.kind == "stale":
            self.proxies.tell("stale", (int(event.target), event.amount))
        elif event.kind == "liar":
            self.proxies.tell("liar", int(event.target))
        if event.seconds:
            self._ends.append((now + event.seconds, event))

    def _end(self, event: Event) -> None:
        if event.kind == "outage":
            self.proxies.tell("up")
        elif event.kind == "stall":
            self.stage.go_on()
        elif event.kind == "stale":
            self.proxies.tell("stale", (int(event.target), None))
        elif event.kind == "liar":
            self.proxies.tell("liar")

    def _kill_node(self, event: Event) -> None:
        self.proxies.tell("down")
        self.proxies.tell("drained")
        self.stage.kill()
        time.sleep(event.seconds)
        self.stage.restart()
        self.proxies.tell("up", self.stage.node.url)

    # After it

    def _calm_down(self) -> None:
        self.proxies.tell("calm")
        self.stores.unlock()
        for client in self.clients:
            if client.is_running and not client.plan.survives:
                client.kill()

    def _finish(self) -> list[Finding]:
        """Let everybody do everything once more, the survivors after they have ended."""
        deadline = time.monotonic() + CALM_SECONDS
        findings: list[Finding] = []
        last: set[str] = set()
        while time.monotonic() < deadline:
            for client in self.clients:
                if client.is_running or client.plan.name in last:
                    continue
                findings += self._ending(client)
                last.add(client.plan.name)
                client.life += 1
                self._start(client, is_last=True)
            self.heads.look(self.stage.node)
            if len(last) == len(self.clients) and not any(each.is_running for each in self.clients):
                break
            time.sleep(_TICK_SECONDS)
        for client in self.clients:
            findings += self._ending(client)
        return findings

    def _ending(self, client: Client) -> list[Finding]:
        """How a life ended, if not as it should."""
        assert client.process is not None
        who = f"{client.plan.name} in life {client.life}"
        if client.is_running:
            # What it is doing goes to its log.
            os.kill(client.process.pid or 0, signal.SIGUSR1)
            time.sleep(0.2)
            return [Finding("stuck", f"{who} does not finish")]
        code = client.join()
        return (
            [] if code in (0, -signal.SIGKILL) else [Finding("broken", f"{who} ended with {code}")]
        )

    def _settle(self) -> None:
        """Blocks on top until everything is final."""
        for _ in range(self.plan.confirmations + 1):
            self.stage.node.rpc("evm_mine")

    def _end_clients(self) -> None:
        for client in self.clients:
            if client.process is not None:
                client.kill()

    def _count(self, prefix: str, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self.counts[f"{prefix}: {name or 'none'}"] += count


def run_plan(plan: Plan, ground: Ground, folder: Path, postgresql: str | None) -> Report:
    """Run one seed and say what came of it; what it left behind is kept if something was wrong."""
    started = time.monotonic()
    storm = Storm(plan, ground, folder, postgresql)
    findings = storm.run()
    counts = storm.counts + _told(plan, folder)
    counts["seeds: all"] += 1
    counts["references: all"] += sum(len(worker.orders) for worker in plan.workers)
    counts["kills: of clients"] += sum(client.deaths for client in storm.clients)
    if findings:
        text = "\n".join([plan.line, *map(str, findings)])
        (folder / "findings.txt").write_text(text + "\n")
    elif not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    return Report(plan.line, findings, time.monotonic() - started, dict(counts), str(folder))


def _told(plan: Plan, folder: Path) -> Counter[str]:
    """What the clients were told, counted."""
    counts: Counter[str] = Counter()
    for worker in plan.workers:
        for line in lines(folder / f"{worker.name}.jsonl"):
            told = line["told"]
            if told == "error":
                counts[f"errors: {line['error']}"] += 1
            elif told == "resolved":
                counts[f"resolved: {line['state']}"] += 1
            elif told == "change":
                counts[f"heard: {line['status']}"] += 1
            elif told == "written":
                counts["written: " + ("again" if line["repeated"] else "first")] += 1
    return counts
