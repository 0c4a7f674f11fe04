"""What must not be in the contracts at all."""

import re
from pathlib import Path

import pytest
from eth_utils import keccak

from tests.contracts.chain import signature_of

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for path in (ROOT / "contracts").rglob("*.sol") if "mocks" not in path.parts)
CODE_SIZE_LIMIT = 24_576
BY_NAME = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)


def code_of(path):
    """A source without its comments."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.threat("C52")
@BY_NAME
def test_source_has_none_of_these_when_searched(path):
    code = code_of(path)
    for word in (
        r"tx\.origin",
        r"\bdelegatecall\b",
        r"\bselfdestruct\b",
        r"\bcallcode\b",
        r"\bcreate2?\(",
        r"\bpayable\b",
        r"msg\.value",
        r"\bmulticall\b",
        r"\bfallback\b",
        r"\breceive\(\)",
        r"\.call\{",
        r"\.call\(",
        r"\.send\(",
        r"block\.(number|prevrandao|coinbase|basefee)",
        r"blockhash",
    ):
        assert not re.search(word, code), word


@pytest.mark.threat("C52")
@BY_NAME
def test_source_is_plain_ascii_with_one_exact_pragma_when_read(path):
    text = path.read_text(encoding="utf-8")
    assert text.isascii()
    assert re.findall(r"^pragma [^;]*;", text, flags=re.MULTILINE) == ["pragma solidity 0.8.30;"]


@pytest.mark.threat("C52")
@BY_NAME
def test_source_never_hashes_packed_values_when_two_could_blur(path):
    assert not re.search(r"keccak256\(\s*abi\.encodePacked", code_of(path))


@pytest.mark.threat("C48")
@BY_NAME
def test_source_never_asks_whether_two_times_are_equal(path):
    assert not re.search(r"block\.timestamp\s*[!=]=|[!=]=\s*block\.timestamp", code_of(path))


@pytest.mark.threat("C52")
@pytest.mark.parametrize("name", ["SettlementToken", "PaymentEscrow", "Governance"])
def test_selectors_are_all_different_and_code_fits_when_compiled(project, name):
    built = getattr(project, name)
    signatures = [signature_of(e) for e in built.abi if e["type"] == "function"]
    selectors = {keccak(text=signature)[:4] for signature in signatures}
    assert len(selectors) == len(set(signatures))
    # Every function of a contract is in its ABI once; overloads only where a standard has them.
    names = [signature.partition("(")[0] for signature in signatures]
    twice = {each for each in names if names.count(each) > 1}
    standard = {
        "transferWithAuthorization",
        "receiveWithAuthorization",
        "cancelAuthorization",
    }
    assert twice == (standard if name == "SettlementToken" else set())


@pytest.mark.parametrize("label", ["cny", "escrow", "governance"])
def test_deployed_code_stays_under_the_limit_when_measured(w, label):
    code = w.node.rpc("eth_getCode", getattr(w, label).address, "latest")
    assert 0 < len(code) // 2 - 1 < CODE_SIZE_LIMIT
