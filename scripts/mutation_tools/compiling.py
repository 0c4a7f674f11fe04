"""Compiling mutants: a compiler process that stays, and settings that are quick."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.mutation_tools.making import MutationError

ROOT = Path(__file__).resolve().parents[2]

QUICK: Mapping[str, Any] = {"viaIR": False, "optimizer": {"enabled": False}}
"""Through the legacy pipeline and without the optimizer: half a second instead of twenty. What a
source means is the same; only code and gas differ."""

COMPILATIONS_PER_PROCESS = 150
"""The compiler's memory only grows; a new process now and then keeps it small."""

_COMPILER = r"""
const path = require("path");
const solc = require(require.resolve("solc", { paths: [process.argv[1]] }));
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(JSON.parse(solc.compile(line))) + "\n");
});
"""


class Compiler:
    """A compiler process that stays: starting it costs as much as compiling a contract."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._count = 0

    def compile(
        self, sources: Mapping[str, str], contract: str, settings: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return ABI and creation code of a contract, or nothing if it does not compile.

        Raises:
            MutationError: The compiler died.
        """
        unit = f"contracts/{contract}.sol"
        selection = {unit: {contract: ["abi", "evm.bytecode.object"]}}
        document = {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sources.items()},
            "settings": {**settings, "outputSelection": selection},
        }
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(document) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise MutationError("the compiler died")
        output = json.loads(line)
        if any(each["severity"] == "error" for each in output.get("errors", [])):
            return None
        found = output["contracts"][unit][contract]
        return {"abi": found["abi"], "bytecode": "0x" + found["evm"]["bytecode"]["object"]}

    def _running(self) -> subprocess.Popen[str]:
        self._count += 1
        if self._process is not None and self._count % COMPILATIONS_PER_PROCESS == 0:
            self.stop()
        if self._process is None:
            self._process = subprocess.Popen(
                [os.environ.get("NODE", "node"), "-e", _COMPILER, str(ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
