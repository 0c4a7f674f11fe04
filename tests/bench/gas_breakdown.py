"""Say where the gas of each verb goes, from opcode traces: the table of docs/performance.md.

`python tests/bench/gas_breakdown.py` prints it as Markdown.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tael.testing.nodes import LocalNode, start_node
from tests.bench.gas import BATCH, LIMITS, START, Bench, Scheme, measure_verbs

INTRINSIC = 21_000
COLUMNS = ("start", "calldata", "storage", "events", "calls and signatures", "computing")
STORAGE = {"SLOAD", "SSTORE"}
CALLS = {"CALL", "STATICCALL", "EXTCODESIZE"}


def breakdown(node: LocalNode, receipt: dict[str, Any]) -> dict[str, int]:
    """The gas of one transaction by what it was spent on.

    Args:
        node: An Anvil that keeps its steps.
        receipt: Of the transaction.

    Returns:
        Gas per column. Calls include the 2,600 of a cold address and the 3,000 of a recovery; the
        gas of what is called is in its own columns.
    """
    digest = receipt["transactionHash"]
    data = bytes.fromhex(node.rpc("eth_getTransactionByHash", digest)["input"][2:])
    options = {"disableStorage": True, "disableMemory": True, "disableStack": True}
    steps = node.rpc("debug_traceTransaction", digest, options)["structLogs"]
    spent = dict.fromkeys(COLUMNS, 0)
    spent["start"] = INTRINSIC
    spent["calldata"] = sum(16 if byte else 4 for byte in data)
    for step in steps:
        name = step["op"]
        if name in STORAGE:
            spent["storage"] += step["gasCost"]
        elif name.startswith("LOG"):
            spent["events"] += step["gasCost"]
        elif name not in CALLS:
            spent["computing"] += step["gasCost"]
    # A call's own cost in a trace contains the gas it hands on, so it is what is left.
    spent["calls and signatures"] = int(receipt["gasUsed"], 16) - sum(spent.values())
    return spent


def main() -> None:
    with start_node("anvil", frozen_clock=True, arguments=["--steps-tracing"]) as node:
        node.mine(timestamp=START)
        bench = Bench(node)
        verbs = measure_verbs(Scheme(bench))
        print("| verb | gas | " + " | ".join(COLUMNS) + " |")
        print("| --- |" + " ---: |" * (len(COLUMNS) + 1))
        for verb in LIMITS:
            share = BATCH if verb.endswith("Many") else 1
            spent = breakdown(node, bench.latest[verb])
            cells = [f"{round(gas / share):,}" for gas in spent.values()]
            print(f"| `{verb}` | {verbs[verb]:,} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
