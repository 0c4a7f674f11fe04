"""The asynchronous client as it is written from the other one, and as type checkers see it."""

from __future__ import annotations

import importlib.util
import json
import linecache
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import async_client

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


TOY = """
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

SPAN_SECONDS = 90


class Reader:
    def pages(self, *, first: int = 1) -> Iterator[str]:
        yield "a page"


class Common:
    def base(self) -> int:
        '''In the base class.'''
        return 1


class Novelties(Common):
    '''What no other client has.

    Args:
        gateway: Not of the asynchronous one.
    '''

    def fetch(self, name: str, *rest: Decimal, span: int = SPAN_SECONDS) -> list[Decimal]:
        '''Fetch.

        Args:
            name: Whose.
        '''
        return []

    def each(self, names: Iterable[str], /) -> Iterator[Decimal]:
        yield from ()

    def _hidden(self) -> int:
        return 1


class Client:
    '''A client.

    Args:
        chain: Which.
    '''

    def __init__(self, chain: str, *, span: int = SPAN_SECONDS) -> None:
        self.chain = chain
        self._kept = Common()
        self.novelties = Novelties()

    def close(self) -> None:
        '''End.'''

    def now(self) -> int:
        return 1

    def reader(self) -> Reader:
        return Reader()
"""

WANTED = [
    "from toy_client import SPAN_SECONDS",
    "    from decimal import Decimal",
    """
class AsyncNovelties:
    \"\"\"What no other client has.\"\"\"
""",
    """
    async def base(self) -> int:
        \"\"\"In the base class.\"\"\"
        return await self._connection.run(lambda client: client.novelties.base())
""",
    """
    async def fetch(
        self, name: str, *rest: Decimal, span: int = SPAN_SECONDS
    ) -> list[Decimal]:
        \"\"\"Fetch.

        Args:
            name: Whose.
        \"\"\"
        return await self._connection.run(
            lambda client: client.novelties.fetch(name, *rest, span=span)
        )
""",
    """
    def each(
        self, names: Iterable[str] | AsyncIterable[str], /
    ) -> AsyncGenerator[Decimal, None]:
""",
    "lambda client, iteration: client.novelties.each(iteration.over(names))",
    "    def pages(self, *, first: int = 1) -> AsyncGenerator[str, None]:",
    "return self._connection.each(lambda client, _: client.reader().pages(first=first))",
    "        self.novelties = AsyncNovelties(connection)",
    """
    Args:
        chain: Which.
        threads: How many calls""",
    "Connection(lambda: Client(chain, span=span), threads)",
    "        return await self._connection.run(lambda client: client.now())",
    """
    def reader(self) -> AsyncReader:
""",
]


def toy(folder: Path, *, instead_of_hidden: str = "") -> type:
    """A client with a service that no other has."""
    path = folder / "toy_client.py"
    hidden = "def _hidden(self) -> int:"
    assert hidden in TOY
    path.write_text(TOY.replace(hidden, f"{instead_of_hidden}\n\n    {hidden}"))
    spec = importlib.util.spec_from_file_location("toy_client", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["toy_client"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type = module.Client
    return found


def without_space(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("toy_client", None)
    linecache.clearcache()
    async_client._imported.cache_clear()


def test_module_is_up_to_date() -> None:
    assert async_client.main(["--check"]) == 0


def test_a_new_service_and_its_methods_appear_by_themselves(tmp_path: Path) -> None:
    text = async_client.generated(toy(tmp_path))
    for part in WANTED:
        assert without_space(part) in without_space(text), part
    assert "hidden" not in text
    assert "gateway" not in text
    assert text.count("async def close(") == 1


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("@property\n    def total(self) -> int: return 1", "total is a property"),
        ("def each(self) -> list[int]: yield 1", "each yields"),
        ("def each(self): return 1", "each does not say what it returns"),
    ],
)
def test_what_cannot_be_awaited_is_refused_by_name(
    tmp_path: Path, method: str, reason: str
) -> None:
    client = toy(tmp_path, instead_of_hidden=method)
    with pytest.raises(SystemExit, match=reason):
        async_client.generated(client)


def test_check_fails_when_a_method_was_renamed_and_nobody_wrote_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = async_client.TARGET.read_text()
    old = tmp_path / "client.py"
    old.write_text(wanted.replace("async def refund(", "async def pay_back("))
    monkeypatch.setattr(async_client, "ROOT", tmp_path)
    monkeypatch.setattr(async_client, "TARGET", old)
    monkeypatch.setattr(async_client, "generated", lambda: wanted)
    assert async_client.main(["--check"]) == 1
    assert "make artifacts" in capsys.readouterr().err
    assert async_client.main([]) == 0
    assert async_client.main(["--check"]) == 0
    assert old.read_text() == wanted


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
