"""Runs the command line in this process or in one of its own, away from the caller's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tael.cli import main
from tests.support.canary.plugin import WATCH
from tests.support.world import World
from tests.support.world import key_of as world_key_of

PROGRAM = [sys.executable, "-m", "tael.cli"]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class CommandLine:
    """Calls `tael` with an environment that holds only what a test puts there."""

    def __init__(self, monkeypatch: Any, capsys: Any, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.folder = folder
        for name in list(os.environ):
            if name.startswith("TAEL_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setenv("TAEL_STORE", str(folder / "store.db"))
        monkeypatch.chdir(folder)

    def set(self, **variables: str) -> CommandLine:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        return self

    def on(self, world: World, role: str | None = None) -> CommandLine:
        """Reach a deployment, and sign as one of its actors."""
        manifest = self.folder / "manifest.json"
        world.manifest.save(manifest)
        self.set(TAEL_RPC_URL=world.node.url, TAEL_MANIFEST=str(manifest))
        return self.set(TAEL_KEY=key_of(world, role)) if role else self

    def __call__(self, *words: str) -> Result:
        self._capsys.readouterr()
        code = main(list(words))
        captured = self._capsys.readouterr()
        WATCH.see("output of tael", captured.out + captured.err)
        return Result(code, captured.out, captured.err)

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        result = self(*words, "--json")
        assert result.code == code, result
        assert result.err == ""
        return result.document

    def process(self, *words: str, stdin: bytes | None = None) -> Result:
        done = subprocess.run([*PROGRAM, *words], input=stdin, capture_output=True, check=False)
        WATCH.see("output of tael", done.stdout + done.stderr)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def key_of(world: World, role: str) -> str:
    """A role's private key, as people write it."""
    return "0x" + world_key_of(world.node.mnemonic, role).hex()


@pytest.fixture
def tael(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    return CommandLine(monkeypatch, capsys, tmp_path)
