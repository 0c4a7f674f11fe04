"""The asynchronous client as type checkers see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import async_stub

ROOT = Path(__file__).parents[2]

RIGHT = """
from tael import AsyncClient, Money, SignedPayment
from tael.aio import AsyncPayments
from tael.models import BatchOutcome, Written

async def pay(bank: AsyncClient, to: str, payments: list[SignedPayment]) -> int:
    async with bank:
        done: Written = await bank.balances.transfer(to, Money("CNY", 1), reference="T-1")
        service: AsyncPayments = bank.payments
        outcomes: list[BatchOutcome] = [each async for each in service.authorize_each(payments)]
        async for event in bank.history().events(first=1):
            print(event.at.block_number)
        print((await bank.resolve("T-1")).evidence.why, bank.participant.lower(), outcomes)
    return done.block_number
"""

WRONG = """
from tael import AsyncClient, Money

async def pay(bank: AsyncClient, to: str) -> None:
    await bank.balances.transfer(to, 5, reference="T-1")
    await bank.balances.transfer(to, Money("CNY", 1))
    done: int = await bank.balances.transfer(to, Money("CNY", 1), reference="T-1")
    bank.payments.settle()
    for each in bank.payments.authorize_each([]):
        pass
"""


def errors_of(program: str, folder: Path) -> list[tuple[int, str]]:
    path = folder / "program.py"
    path.write_text(program)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--output=json", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not found.stderr
    return [
        (document["line"], document["code"])
        for document in map(json.loads, found.stdout.splitlines())
        if document["severity"] == "error"
    ]


def test_stub_is_up_to_date() -> None:
    assert async_stub.main(["--check"]) == 0


@pytest.mark.slow
def test_callers_are_checked_against_real_signatures(tmp_path: Path) -> None:
    assert errors_of(RIGHT, tmp_path) == []
    assert errors_of(WRONG, tmp_path) == [
        (5, "arg-type"),
        (6, "call-arg"),
        (7, "assignment"),
        (8, "attr-defined"),
        (9, "attr-defined"),
    ]
