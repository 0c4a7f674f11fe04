"""The mutation tests' own machinery: what it makes, what it runs, and in which order."""

from __future__ import annotations

import json

import pytest

from scripts.mutation_tools import making, report
from scripts.mutation_tools.making import Mutant
from scripts.mutation_tools.suite import Order, SuiteProcess

SUITE = """
import json, os, signal, time
import pytest

@pytest.fixture(scope="session")
def code():
    with open(os.environ["TAEL_MUTANT"], encoding="utf-8") as file:
        return json.load(file)

def test_first(code):
    assert code["first"]

def test_second(code):
    assert code["second"]

def test_patience(code):
    if code.get("hangs"):
        time.sleep(60)
    if code.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
"""
FINE = {"first": 1, "second": 1}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(SUITE)
    with SuiteProcess(folder) as process:
        yield process


def test_suite_is_collected_once_when_started(suite):
    names = ("test_first", "test_second", "test_patience")
    assert suite.tests == tuple(f"test_it.py::{name}" for name in names)


@pytest.mark.parametrize(
    ("changed", "order", "passed", "by"),
    [
        ({}, [], True, ""),
        ({"first": 0}, [], False, "test_it.py::test_first"),
        ({"second": 0}, [], False, "test_it.py::test_second"),
        ({"first": 0, "second": 0}, [], False, "test_it.py::test_first"),
        (
            {"first": 0, "second": 0},
            ["test_it.py::test_second"],
            False,
            "test_it.py::test_second",
        ),
        ({"dies": 1}, [], False, ""),
        ({"hangs": 1}, [], False, ""),
    ],
)
def test_run_says_who_failed_first_when_code_is_faulty(
    suite, monkeypatch, changed, order, passed, by
):
    monkeypatch.setattr("scripts.mutation_tools.suite.TEST_SECONDS", 2)
    ran = suite.run(FINE | changed, "machinery", order)
    assert (ran.passed, ran.by) == (passed, by)
    # Nothing of a run is left for the next one.
    assert suite.run(FINE, "machinery").passed


def test_order_puts_the_nearest_killer_first_and_random_lives_last_when_known():
    names = ("test_token_transfers.py::a", "test_escrow_terms.py::b", "test_stateful.py::c")
    order = Order(names)
    assert order.of("x.sol", 7, "PaymentEscrow") == [names[1], names[0], names[2]]
    order.learn("x.sol", 9, "where_it_was_before.py::a")
    order.learn("x.sol", 8, names[2])
    order.learn("y.sol", 7, names[1])
    assert order.of("x.sol", 7, "PaymentEscrow") == [names[0], names[1], names[2]]


def test_own_mutants_change_numbers_and_assembly_when_made():
    found = {(each.before, each.after) for each in making.own("contracts/TypedData.sol")}
    assert found
    for before, after in found:
        assert before != after
    file = "contracts/libraries/SignatureLib.sol"
    changes = {(each.before, each.after) for each in making.own(file)}
    assert ("mstore(add(input, 32), v)", "mstore(sub(input, 32), v)") in changes
    assert ("mstore(add(input, 32), v)", "mstore(add(input, 33), v)") in changes


def test_targets_are_everything_but_interfaces_when_looked_for():
    targets = making.targets()
    assert targets["contracts/libraries/AccountLib.sol"] == ("SettlementToken",)
    assert targets["contracts/TypedData.sol"] == ("PaymentEscrow", "SettlementToken")
    assert not any("interfaces" in file or "mocks" in file for file in targets)


def test_page_counts_verdicts_and_names_survivors_when_written():
    file = "contracts/SettlementToken.sol"
    mutants = [Mutant(file, "Literal", line, f"a{line}", f"b{line}", "") for line in range(4)]
    mutants = [
        Mutant(each.file, each.operator, each.line, each.before, each.after, str(index))
        for index, each in enumerate(mutants)
    ]
    judged = ("killed", "killed", "survived", "invalid")
    verdicts = dict(zip((each.key for each in mutants), judged, strict=True))
    text, score = report.page(mutants, verdicts, {file: 4}, "How.")
    assert round(score, 1) == 66.7
    assert "| SettlementToken.sol | 4 | 4 | 1 | 0 | 0 | 2 | 1 | 66.7 % |" in text
    assert "- SettlementToken.sol:2 (Literal): `a2` became `b2`." in text


def test_reviewed_survivors_each_fit_the_source_when_read():
    for file, before, after in report.reviewed():
        lines = (making.ROOT / file).read_text().splitlines()
        text = " ".join(line.strip() for line in lines)
        assert before in text, json.dumps([file, before, after])
