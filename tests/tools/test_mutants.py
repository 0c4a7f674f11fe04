"""The mutation tests' own machinery: what it makes, what it runs, and in which order."""

from __future__ import annotations

import json

import pytest

from scripts import artifacts
from scripts.mutation_tools import making, report
from scripts.mutation_tools.branches import UnknownBranchError, branch_mutants
from scripts.mutation_tools.compiling import QUICK, Compiler
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


# The umlaut makes the compiler's bytes and Python's characters differ before everything else.
TILL = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
// Kasse mit Rückgeld
contract Till {
    error Empty();
    uint256 public total;
    address public immutable owner;
    constructor() { owner = msg.sender; }
    function put(uint256 amount) external {
        if (amount == 0) revert Empty();
        total += amount;
    }
    function halves(uint256[] calldata parts) external pure returns (uint256 sum) {
        for (uint256 i; i < parts.length; ++i) sum += parts[i] % 2 == 0 ? parts[i] / 2 : 0;
    }
    function allowed(bool rich, bool known, bool old) external pure returns (bool) {
        return (rich && known) || old;
    }
}
"""
PUT = "function put(uint256 amount) external {"
EMPTY = "if (amount == 0) revert Empty();"
HALVES = "function halves(uint256[] calldata parts) external pure returns (uint256 sum) {"
LOOP = "for (uint256 i; i < parts.length; ++i) sum += parts[i] % 2 == 0 ? parts[i] / 2 : 0;"
ALLOWED = "function allowed(bool rich, bool known, bool old) external pure returns (bool) {"
ANY_OF = "return (rich && known) || old;"
BRANCHES = [
    ("constructor() {", "{", "{ if (true) revert();"),
    (PUT, "{", "{ revert();"),
    (EMPTY, "amount == 0", "true"),
    (EMPTY, "amount == 0", "false"),
    (HALVES, "{", "{ revert();"),
    (LOOP, "i < parts.length", "false"),
    (LOOP, "i < parts.length", "i == 0 || i < parts.length"),
    (LOOP, "parts[i] % 2 == 0", "true"),
    (LOOP, "parts[i] % 2 == 0", "false"),
    (ALLOWED, "{", "{ revert();"),
    (ANY_OF, "old", "true"),
    (ANY_OF, "old", "false"),
    (ANY_OF, "rich", "true"),
    (ANY_OF, "rich", "false"),
    (ANY_OF, "known", "true"),
    (ANY_OF, "known", "false"),
]


def mutants_of(text: str) -> list[str]:
    compiled = artifacts.compile_contracts(
        only=[], extra_sources={"contracts/Till.sol": text}, ast=True
    )
    return list(branch_mutants(text, compiled["sources"]["contracts/Till.sol"]["ast"]))


def test_branch_mutants_stand_for_each_way_of_each_branch_when_made():
    expected = [TILL.replace(line, line.replace(old, new)) for line, old, new in BRANCHES]
    found = mutants_of(TILL)
    assert found == expected
    compiler = Compiler()
    # One that does not compile would stand for nothing.
    for text in found:
        assert compiler.compile({"contracts/Till.sol": text}, "Till", QUICK), text
    compiler.stop()


@pytest.mark.parametrize(
    "unknown",
    [
        "assembly { if amount { sstore(0, amount) } }",
        'require(amount > 1, "too little");',
        "while (amount > 9) amount /= 2;",
        "for (uint256 i = 1; i < amount; ++i) total += i;",
        "for (uint256 i; i < amount; i += 2) total += i;",
        "try this.halves(new uint256[](0)) { total = 1; } catch { total = 2; }",
    ],
)
def test_branch_mutants_are_refused_when_a_branch_is_of_no_known_kind(unknown):
    with pytest.raises(UnknownBranchError):
        mutants_of(TILL.replace("total += amount;", unknown))


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
