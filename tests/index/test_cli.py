"""`tael index`, `tael statement`, `tael reconcile`: what they print, write and exit with."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tael.cli.failures import ExitCode
from tael.store import Store
from tael.store.tables import balances, deployments, payments
from tests.support.activity import have_a_busy_day
from tests.support.cli_runner import CommandLine, key_of
from tests.support.world import World, cny


@pytest.fixture
def tael(tael: CommandLine, world: World, database: str) -> CommandLine:
    return tael.on(world).set(TAEL_STORE=database)


def change(database: str, statement: sa.Executable) -> None:
    store = Store.open(database)
    with store.write() as connection:
        connection.execute(statement)
    store.close()


def test_index_is_made_and_shown(tael: CommandLine, world: World) -> None:
    before = tael("index", "status")
    assert before.code == ExitCode.INVALID
    assert "tael index run" in before.err
    have_a_busy_day(world, 1, 10)
    done = tael.json("index", "run", "--once")
    assert done["block_number"] == done["head_number"] == world.node.block_number()
    assert done["events"] > 50
    status = tael.json("index", "status")
    assert status["block_number"] == world.node.block_number()
    assert status["final_number"] == status["block_number"]
    assert status["movements"] > 10
    human = tael("index", "status")
    assert "transactions" in human.out
    assert tael("index", "status", "-q").out == f"{world.node.block_number()}\n"
    again = tael("index", "run", "--once")
    assert again.code == 0
    assert "indexed up to block" in again.out


def test_verify_says_ok_when_the_index_is_right(tael: CommandLine, world: World) -> None:
    have_a_busy_day(world, 2, 20)
    result = tael("index", "verify")
    assert result.code == 0
    assert "the index is right" in result.out
    document = tael.json("index", "verify")
    assert (document["faults"], document["differences"]) == (0, [])
    assert document["block_number"] == world.node.block_number()
    assert tael("index", "verify", "-q").out == "ok\n"


@pytest.mark.threat("O13")
@pytest.mark.parametrize(
    ("statement", "whats"),
    [
        (
            lambda: sa.update(balances).where(balances.c.account == 1).values(available=12_345),
            {"the last movement", "balanceOf", "availableOf", "totalSupply"},
        ),
        (
            lambda: sa.update(payments).where(payments.c.number == 1).values(captured=1),
            {"paymentOf"},
        ),
        (
            lambda: sa.update(payments).where(payments.c.number == 1).values(terms=bytes(128)),
            None,
        ),
    ],
)
def test_verify_fails_when_one_value_is_wrong(
    tael: CommandLine,
    world: World,
    database: str,
    statement: Callable[[], sa.Executable],
    whats: set[str] | None,
) -> None:
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    change(database, statement())
    if whats is None:
        # Not even an address any more: the terms themselves do not add up.
        assert tael("index", "verify").code != 0
        return
    document = tael.json("index", "verify", code=ExitCode.REFUSED)
    assert {each["what"] for each in document["differences"]} == whats
    assert document["faults"] == len(whats)
    shown = tael("index", "verify")
    assert shown.code == ExitCode.REFUSED
    assert "differ" in shown.out
    assert tael("index", "rebuild", "--yes").code == 0
    assert tael("index", "verify").code == 0


def test_verify_as_is_asks_for_the_state_of_that_block(tael: CommandLine, world: World) -> None:
    tael("index", "run", "--once")
    block = world.node.block_number()
    world.authorize("P-1", cny("5.00"))
    assert tael.json("index", "verify", "--as-is")["block_number"] == block
    assert tael.json("index", "verify")["block_number"] == block + 1


def test_rebuild_asks_first(tael: CommandLine) -> None:
    tael("index", "run", "--once")
    refused = tael("index", "rebuild")
    assert refused.code == ExitCode.INVALID
    assert "--yes" in refused.err
    assert tael.json("index", "rebuild", "--yes")["step"] == "current"


def test_index_of_another_layout_asks_for_a_rebuild(tael: CommandLine, database: str) -> None:
    tael("index", "run", "--once")
    change(database, sa.update(deployments).values(layout=99))
    result = tael("index", "run", "--once")
    assert result.code == ExitCode.INVALID
    assert "index_unusable" in result.err
    assert tael("index", "rebuild", "-y").code == 0
    assert tael("index", "verify").code == 0


def test_password_is_not_taken_from_the_words(tael: CommandLine) -> None:
    result = tael("index", "status", "--store", "postgresql://me:hunter2@127.0.0.1/x")
    assert result.code == ExitCode.INVALID
    assert "TAEL_STORE" in result.err
    assert "hunter2" not in result.err + result.out


def test_running_index_follows_and_ends_when_it_is_told_to(tael: CommandLine, world: World) -> None:
    process = tael.start("index", "run", "--json", "--poll", "1s")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["events"] > 0
    world.authorize("P-1", cny("5.00"))
    found = json.loads(process.stdout.readline())
    while found["block_number"] < world.node.block_number():
        found = json.loads(process.stdout.readline())
    assert found["events"] >= 1
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert process.wait(20) == 0
    assert time.monotonic() - started < 10
    assert tael("index", "verify").code == 0


def test_statement_is_written_in_each_form(tael: CommandLine, world: World, tmp_path: Path) -> None:
    world.authorize("P-1", cny("5.00"))
    tael("index", "run", "--once")
    who = world.address("issuer")
    printed = tael("statement", "--participant", who, "-c", "CNY")
    assert printed.code == 0
    rows = list(csv.DictReader(io.StringIO(printed.out, newline="")))
    assert [row["kind"] for row in rows] == ["issue", "authorize"]
    document = json.loads(tael("statement", "--participant", who, "-c", "CNY", "--json").out)
    assert document["movements"] == 2
    page = tmp_path / "page.html"
    done = tael("statement", "--participant", who, "-c", "CNY", "-f", "html", "-o", str(page))
    assert (done.code, done.out) == (0, "")
    assert page.read_text().startswith("<!doctype html>")
    assert [each.name for each in tmp_path.iterdir() if ".html" in each.name] == ["page.html"]


def test_statement_calls_banks_as_a_file_says(
    tael: CommandLine, world: World, tmp_path: Path
) -> None:
    who, other = world.address("issuer"), world.address("acquirer")
    world.client("issuer").balances.transfer(other, cny("1.00"), reference="T-1")
    tael("index", "run", "--once")
    names = tmp_path / "names.csv"
    names.write_text(f"address,name\n{other},Lion Rock Bank\n")
    options = ("statement", "--participant", who, "-c", "CNY", "--names")
    done = tael(*options, str(names))
    assert done.code == 0
    *_, row = csv.DictReader(io.StringIO(done.out, newline=""))
    assert (row["counterparty"], row["counterparty_name"]) == (other, "Lion Rock Bank")
    names.write_text(f"address,name\n{other},\n")
    refused = tael(*options, str(names))
    assert (refused.code, refused.out) == (ExitCode.INVALID, "")
    assert "line 2" in refused.err


def test_statement_is_of_the_signer_when_nobody_is_named(tael: CommandLine, world: World) -> None:
    tael("index", "run", "--once")
    tael.set(TAEL_KEY=key_of(world, "issuer"))
    document = json.loads(tael("statement", "-c", "HKD", "-f", "json").out)
    assert document["participant"] == world.address("issuer")


def test_statement_of_a_period_of_days(tael: CommandLine, world: World) -> None:
    tael("index", "run", "--once")
    who = world.address("issuer")
    options = ("--participant", who, "-c", "CNY", "-f", "json")
    none = json.loads(tael("statement", *options, "--to", "2001-01-01").out)
    assert (none["to"], none["movements"], none["is_complete"]) == (978_307_200, 0, True)
    some = json.loads(
        tael("statement", *options, "--from", "2001-01-01", "--to", "2001-01-01T08:00:00+08:00").out
    )
    assert (some["from"], some["to"]) == (978_307_200, 978_307_200)
    later = tael("statement", *options, "--to", "2999-12-31")
    assert "not over yet" in later.err
    for wrong in ("2001-13-01", "yesterday", "2001-01-01T08:00:00"):
        assert tael("statement", *options, "--from", wrong).code == ExitCode.INVALID


def test_statement_that_cannot_be_written_leaves_nothing(
    tael: CommandLine, world: World, tmp_path: Path
) -> None:
    tael("index", "run", "--once")
    who = world.address("issuer")
    result = tael(
        "statement", "--participant", who, "-c", "CNY", "-o", str(tmp_path / "no" / "x.csv")
    )
    assert result.code == ExitCode.INVALID
    assert "No such file" in result.err
    full = tael.process("statement", "--participant", who, "-c", "CNY", "-o", "/dev/full/x")
    assert full.code == ExitCode.INVALID


def test_reconcile_tells_breaks_by_its_exit_code(
    tael: CommandLine, world: World, tmp_path: Path
) -> None:
    world.authorize("P-1", cny("5.00"))
    world.authorize("P-2", cny("6.00"))
    tael("index", "run", "--once")
    tael.set(TAEL_KEY=key_of(world, "issuer"))
    file = tmp_path / "list.csv"
    file.write_text("reference,amount,currency,state\nP-1,5.00,CNY,open\nP-2,6.00,CNY,open\n")
    clean = tael("reconcile", str(file))
    assert clean.code == 0
    assert "2 of 2 rows match" in clean.out
    assert tael("reconcile", str(file), "-q").out == "0\n"
    file.write_text(
        "reference,amount,currency,state\nP-1,5.01,CNY,open\nP-3,1.00,CNY,open\nP-4,x\n"
    )
    broken = tael("reconcile", str(file))
    assert broken.code == ExitCode.REFUSED
    for word in ("missing here", "missing there", "differing", "bad rows", "5.01 CNY open", "P-3"):
        assert word in broken.out
    document = tael.json("reconcile", str(file), code=ExitCode.REFUSED)
    assert (document["rows"], document["matched"], document["breaks"]) == (3, 0, 4)
    assert document["missing_there"]["first"][0]["reference"] == "P-3"
    assert document["bad"]["first"][0]["line"] == 4
    assert document["differing"]["first"][0]["chain"]["amount_minor"] == 500


def test_reconcile_works_with_a_reference_secret_alone(
    tael: CommandLine, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("reference,amount,currency,state\nP-1,5.00,CNY,open\n")
    tael("index", "run", "--once")
    assert tael("reconcile", str(file)).code == ExitCode.INVALID
    tael.set(TAEL_PARTICIPANT=world.address("issuer"), TAEL_REFERENCE_SECRET="00" * 32)
    document = tael.json("reconcile", str(file), code=ExitCode.REFUSED)
    assert document["missing_there"]["count"] == 1
    tael.set(TAEL_REFERENCE_SECRET="", TAEL_KEY=key_of(world, "delegate"))
    refused = tael("reconcile", str(file))
    assert refused.code == ExitCode.INVALID
    assert "delegate" in refused.err


def test_reconcile_refuses_what_is_no_list(tael: CommandLine, world: World, tmp_path: Path) -> None:
    tael("index", "run", "--once")
    tael.set(TAEL_KEY=key_of(world, "issuer"))
    file = tmp_path / "list.csv"
    file.write_text("a,b,c\n")
    assert tael("reconcile", str(file)).code == ExitCode.INVALID
    assert tael("reconcile", str(tmp_path / "none.csv")).code == ExitCode.INVALID
