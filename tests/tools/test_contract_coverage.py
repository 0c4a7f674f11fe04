"""Branch coverage of the contracts: it sees what ran, names what did not, and doubts itself."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scripts import artifacts, contract_coverage
from scripts.coverage_tools.instrument import InstrumentationError, instrument
from scripts.coverage_tools.recorder import recording
from tael.testing import start_node

# The umlaut makes the compiler's bytes and Python's characters differ before everything else.
TILL = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
// Kasse mit Rückgeld
library Halves {
    function half(uint256 x) internal pure returns (uint256) { return x % 2 == 0 ? x / 2 : 0; }
}
contract Till {
    error Empty();
    uint256 public total;
    bool public refused;
    function put(uint256 amount) external {
        if (amount == 0) revert Empty();
        total += amount;
    }
    function halves(uint256[] calldata parts) external pure returns (uint256 sum) {
        for (uint256 i; i < parts.length; ++i) sum += Halves.half(parts[i]);
    }
    function allowed(bool rich, bool known, bool old) external pure returns (bool) {
        return (rich && known) || old;
    }
    function check(uint256 amount) external view { require(amount <= total, "too much"); }
    function tryCheck(uint256 amount) external {
        try this.check(amount) { refused = false; } catch { refused = true; }
    }
}
"""

CONFTEST = """
import pytest
from scripts.brownie_session import attached, import_brownie
from tael.testing import start_node

brownie = import_brownie()

@pytest.fixture(scope="session")
def till():
    with start_node("anvil") as node, attached(node) as project:
        yield brownie.accounts[0].deploy(project.Till)
"""

FULL = """
import pytest
from brownie.exceptions import VirtualMachineError

def test_put(till):
    till.put(3)
    with pytest.raises(VirtualMachineError):  # mined, and reverted
        till.put(0, {"gas_limit": 100_000})
    assert till.total() == 3

def test_views(till):
    assert till.halves([2, 3, 8]) == 5
    assert till.halves([]) == 0
    rows = [(1, 1, 0), (1, 0, 0), (0, 1, 1)]
    assert [till.allowed(*map(bool, row)) for row in rows] == [True, False, True]
    till.check(3)
    with pytest.raises(VirtualMachineError):  # a call that reverts
        till.check(4)

def test_try(till):
    till.tryCheck(3)
    assert not till.refused()
    till.tryCheck(4)
    assert till.refused()
"""

PART = """
def test_put(till):
    till.put(3)
    assert till.halves([2, 8]) == 5
    assert till.allowed(True, True, False)
"""

NEVER_WITH_PART = {
    ("ternary", "false", "x % 2 == 0", 5),
    ("if", "true", "amount == 0", 12),
    ("loop", "skipped", "i < parts.length", 16),
    ("operand", "false", "rich", 19),
    ("operand", "false", "known", 19),
    ("operand", "true", "old", 19),
    ("operand", "false", "old", 19),
    ("function", "entered", "check", 21),
    ("require", "true", "amount <= total", 21),
    ("require", "false", "amount <= total", 21),
    ("function", "entered", "tryCheck", 22),
    ("try", "entered", "success", 23),
    ("try", "entered", "catch", 23),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with a contract of its own and two suites; the second run finds it compiled."""
    root = tmp_path_factory.mktemp("checkout")
    files = {"contracts/Till.sol": TILL, "conftest.py": CONFTEST, "full/test_till.py": FULL}
    for name, text in (files | {"part/test_till.py": PART}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "brownie-config.yaml").write_text(
        (contract_coverage.ROOT / "brownie-config.yaml").read_text()
    )
    (root / "node_modules").symlink_to(contract_coverage.ROOT / "node_modules")
    return root


def never(root):
    document = json.loads((root / "build" / "coverage" / "contracts.json").read_text())
    return [(b["kind"], b["outcome"], b["text"], b["line"]) for b in document["missed"]]


def write_reviewed(root, entries):
    file = root / contract_coverage.REVIEWED
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(entries))


def instrumented(text):
    plain = artifacts.compile_contracts(
        only=[], extra_sources={"contracts/Till.sol": text}, ast=True
    )
    source = plain["sources"]["contracts/Till.sol"]
    return plain, instrument({"contracts/Till.sol": (source["content"], source["ast"])})


@pytest.mark.slow
def test_coverage_is_complete_when_the_suite_meets_every_branch(checkout, capfd):
    write_reviewed(checkout, [])
    assert contract_coverage.main(["full", "--root", str(checkout)]) == 0
    assert never(checkout) == []
    assert "100.00 %" in capfd.readouterr().out


@pytest.mark.slow
def test_coverage_names_every_branch_when_the_suite_misses_it(checkout, capfd):
    write_reviewed(checkout, [])
    assert contract_coverage.main(["part", "--root", str(checkout)]) == 1
    found = never(checkout)
    assert set(found) == NEVER_WITH_PART
    assert len(found) == len(NEVER_WITH_PART)
    output = capfd.readouterr()
    assert "contracts/Till.sol:12:13: if never true in Till.put: amount == 0" in output.out
    assert "is below 100 %" in output.err

    missed = json.loads((checkout / "build" / "coverage" / "contracts.json").read_text())["missed"]
    fields = ("file", "function", "text", "outcome")
    reviewed = [{key: each[key] for key in fields} | {"reason": "tested"} for each in missed]
    write_reviewed(checkout, reviewed[1:])
    assert contract_coverage.main(["part", "--root", str(checkout), "--fail-under", "90"]) == 0
    assert len(never(checkout)) == 1


@pytest.mark.slow
def test_coverage_fails_when_a_test_fails(checkout, capfd):
    write_reviewed(checkout, [])
    arguments = ["full", "--root", str(checkout), "--fail-under", "0", "--", "-k", "test_try"]
    # It relies on what another test put into the till.
    assert contract_coverage.main(arguments) == 1
    assert "tests failed" in capfd.readouterr().err


def test_report_refuses_the_reviewed_list_when_it_does_not_fit(tmp_path):
    _, result = instrumented(TILL)
    branch = next(each for each in result.branches if each.kind == "require")
    entry = {key: getattr(branch, key) for key in ("file", "function", "text", "outcome")}
    file = tmp_path / "unreachable.json"

    def report(**changes):
        file.write_text(json.dumps([entry | {"reason": "tested"} | changes]))
        return contract_coverage.report(result.branches, frozenset(met), file)

    met = set()
    assert report().excluded == {branch.id}
    with pytest.raises(contract_coverage.CoverageError, match="does not exist"):
        report(text="amount < total")
    with pytest.raises(contract_coverage.CoverageError, match="no reason"):
        report(reason=" ")
    met = {branch.id}
    with pytest.raises(contract_coverage.CoverageError, match="was met"):
        report()


def test_instrument_keeps_the_abi_when_it_adds_markers():
    plain, result = instrumented(TILL)
    marked = artifacts.compile_contracts(only=[], extra_sources=result.sources)
    for name in ("Till", "Halves"):
        assert marked["contracts"][name]["abi"] == plain["contracts"][name]["abi"]
    assert [each.id for each in result.branches] == list(range(len(result.branches)))


def test_instrument_refuses_a_branch_when_it_is_inside_assembly():
    text = TILL.replace("total += amount;", "assembly { if amount { sstore(0, amount) } }")
    with pytest.raises(InstrumentationError, match=r"contracts/Till.sol:13: .*assembly"):
        instrumented(text)


def test_recorder_reports_a_loss_when_a_transaction_cannot_be_traced():
    with start_node("anvil") as node, recording(node.url) as (url, recorder):
        proxied = dataclasses.replace(node, url=url)
        sender = proxied.accounts()[0]
        snapshot = proxied.snapshot()
        sent = proxied.rpc("eth_sendTransaction", {"from": sender, "to": sender})
        while node.rpc("eth_getTransactionReceipt", sent) is None:
            pass
        # Restored past the proxy: the node has forgotten the transaction when its trace is wanted.
        node.revert(snapshot)
        recorder.finish()
        assert len(recorder.lost) == 1
