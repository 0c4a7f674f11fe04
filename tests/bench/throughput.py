"""Measure transfers per second of several clients on Anvil and on Ganache, all in one run.

`make bench-throughput` writes `build/bench/throughput.json` and prints the table. Every client
makes plain transfers of a deployed SettlementToken between two banks; its clock runs until the last
one is in a block, and the recipient's balance proves that all of them were made. Clients that wait
for each transfer meet an Anvil that makes a block at once, those that pipeline one that does so ten
times a second; Ganache always makes one at once.

Numbers compare within one run only: node and client share the machine. Each client has a node of
its own, since a node slows down with what it already has. One that fails is told as failed, and the
others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.clients import bare, brownie_py, tael_py, viem_js, web3_py  # noqa: E402
from tests.bench.clients.stage import (  # noqa: E402
    Client,
    ClientFailed,
    Row,
    measure,
    staged,
)

RESULT = ROOT / "build" / "bench" / "throughput.json"
Kind = Literal["anvil", "ganache"]
KINDS: tuple[Kind, ...] = ("anvil", "ganache")
CLIENTS: tuple[Client, ...] = (
    *brownie_py.CLIENTS,
    *web3_py.CLIENTS,
    *viem_js.CLIENTS,
    *bare.CLIENTS,
    *tael_py.CLIENTS,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A client that did not make its transfers.

    Attributes:
        node: `anvil` or `ganache`.
        client: Which client.
        why: What it said.
    """

    node: str
    client: str
    why: str


def measure_all(
    kinds: Sequence[Kind] = KINDS,
    clients: Sequence[Client] = CLIENTS,
    *,
    share: float = 1.0,
    report: Callable[[str], None] = lambda step: None,
) -> Iterator[Row | Failure]:
    """Run every client on every kind of node.

    Args:
        kinds: Which kinds of node.
        clients: Which clients.
        share: How much of the usual number of transfers; a small one for a quick look.
        report: Told what is being measured.

    Yields:
        A row per client and node as soon as it is measured, or who failed and why.
    """
    for kind in kinds:
        for client in clients:
            report(f"{kind}: deploying")
            # Ganache makes blocks in one way only.
            with staged(kind, client.mining if kind == "anvil" else "at_once") as stage:
                count = max(10, int(client.counts[kind] * share))
                report(f"{kind}: {client.name}, {count} transfers")
                try:
                    yield measure(stage, client, count)
                except ClientFailed as error:
                    yield Failure(kind, client.name, str(error))


def document(results: Sequence[Row | Failure]) -> dict[str, Any]:
    """What `throughput.json` holds."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "rows": [each.as_json() for each in results if isinstance(each, Row)],
        "failures": [asdict(each) for each in results if isinstance(each, Failure)],
    }


def table_of(results: Sequence[Row | Failure]) -> Table:
    """The results for a person."""
    table = Table(title="Transfers of a settlement token")
    table.add_column("node")
    table.add_column("client")
    for column in ("transfers", "seconds", "per second", "client CPU ms each", "node CPU ms each"):
        table.add_column(column, justify="right")
    for row in results:
        if isinstance(row, Failure):
            table.add_row(row.node, row.client, "[red]failed[/red]")
            continue
        node_cpu = row.node_cpu_seconds
        table.add_row(
            row.node,
            row.client,
            f"{row.count:,}",
            f"{row.seconds:.1f}",
            f"{row.per_second:,.0f}",
            f"{1000 * row.cpu_seconds / row.count:.2f}",
            "" if node_cpu is None else f"{1000 * node_cpu / row.count:.2f}",
        )
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--node", choices=KINDS, action="append", help="only this kind of node")
    parser.add_argument("--client", action="append", help="only clients whose name begins so")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual transfers")
    options = parser.parse_args()
    wanted = [
        client
        for client in CLIENTS
        if not options.client or client.name.startswith(tuple(options.client))
    ]
    console = Console(width=110)
    with console.status("") as status:
        results = list(
            measure_all(
                options.node or KINDS,
                wanted,
                share=options.share,
                report=lambda step: status.update(f"throughput: {step}"),
            )
        )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document(results), indent=2) + "\n")
    console.print(table_of(results))
    for failure in (each for each in results if isinstance(each, Failure)):
        console.print(f"{failure.node}, {failure.client}: {failure.why}", markup=False)
    console.print(f"written to {RESULT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
