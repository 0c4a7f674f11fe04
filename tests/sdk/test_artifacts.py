"""What ships is what the sources compile to, and a difference is noticed."""

import hashlib
import json
import subprocess
import zipfile
from importlib import resources

import pytest
import solcx

from scripts import artifacts

COMPILER = artifacts.ROOT / "scripts" / "solc" / "solc-v0.8.30"

LIBRARY = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
library Doubling { function twice(uint256 x) internal pure returns (uint256) { return 2 * x; } }
"""
CONTRACT = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
import {Context} from "@openzeppelin/contracts/utils/Context.sol";
import "./libraries/Doubling.sol";
abstract contract Base is Context {
    address public immutable owner = _msgSender();
    uint256 public stored;
}
contract Till is Base {
    uint256 public immutable limit;
    error AmountTooLarge(uint256 amount, uint256 limit);
    constructor(uint256 limit_) { limit = limit_; }
    function put(uint256 amount) external {
        if (amount > limit) revert AmountTooLarge(amount, limit);
        stored = Doubling.twice(amount);
    }
}
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with two small contracts, and everything else as it is."""
    (tmp_path / "contracts" / "libraries").mkdir(parents=True)
    (tmp_path / "contracts" / "Till.sol").write_text(CONTRACT)
    (tmp_path / "contracts" / "libraries" / "Doubling.sol").write_text(LIBRARY)
    config = (
        (artifacts.ROOT / "brownie-config.yaml").read_text().replace("viaIR: true", "viaIR: false")
    )
    (tmp_path / "brownie-config.yaml").write_text(config)
    (tmp_path / "node_modules").symlink_to(artifacts.ROOT / "node_modules")
    return tmp_path


def shipped():
    folder = resources.files("tael") / "artifacts"
    files = [each for each in folder.iterdir() if each.name.endswith(".json")]
    return {each.name: json.loads(each.read_text()) for each in files}


@pytest.mark.threat("S34")
def test_shipped_artifacts_equal_a_fresh_compilation():
    assert artifacts.check_artifacts() == []


def test_shipped_artifacts_hold_what_a_deployment_needs():
    found = shipped()
    assert {"SettlementToken.json", "PaymentEscrow.json", "Governance.json"} <= found.keys()
    for name, artifact in found.items():
        assert name == f"{artifact['contractName']}.json"
        assert artifact["compiler"]["version"] == "0.8.30"
        assert artifact["compiler"]["settings"]["evmVersion"] == "shanghai"
        code = bytes.fromhex(artifact["deployedBytecode"][2:])
        assert 0 < len(code) < 24_576
        assert len(bytes.fromhex(artifact["bytecode"][2:])) < 49_152
        for ranges in artifact["immutableReferences"].values():
            for place in ranges:
                assert code[place["start"] : place["start"] + place["length"]] == bytes(32)


def test_wheel_carries_artifacts_and_type_marker_when_built(tmp_path):
    build = [artifacts.ROOT / ".venv/bin/python", "-m", "build", "--no-isolation", "--wheel"]
    subprocess.run(
        [*build, "--outdir", tmp_path, artifacts.ROOT], check=True, capture_output=True, text=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert "tael/py.typed" in names
        for name, artifact in shipped().items():
            assert json.loads(archive.read(f"tael/artifacts/{name}")) == artifact
        assert not [name for name in names if name.startswith(("scripts/", "tests/", "contracts/"))]


def test_write_makes_one_file_per_deployable_contract_when_first_run(checkout):
    assert artifacts.write_artifacts(checkout) == ["Till.json"]
    artifact = json.loads((checkout / artifacts.ARTIFACTS / "Till.json").read_text())
    assert artifact["contractName"] == "Till"
    assert artifact["sourceName"] == "contracts/Till.sol"
    assert set(artifact["immutableReferences"]) == {"Base.owner", "Till.limit"}
    assert "AmountTooLarge" in {entry.get("name") for entry in artifact["abi"]}
    assert artifacts.check_artifacts(checkout) == []
    assert artifacts.write_artifacts(checkout) == []


def test_bytecode_stays_but_source_hash_changes_when_a_comment_changes(checkout):
    artifacts.write_artifacts(checkout)
    path = checkout / artifacts.ARTIFACTS / "Till.json"
    before = json.loads(path.read_text())
    library = checkout / "contracts" / "libraries" / "Doubling.sol"
    library.write_text(LIBRARY + "// a remark\n")
    assert artifacts.check_artifacts(checkout) == ["Till.json"]
    artifacts.write_artifacts(checkout)
    after = json.loads(path.read_text())
    assert after["bytecode"] == before["bytecode"]
    assert after["sourceHash"] != before["sourceHash"]


def test_check_names_the_file_when_code_is_tampered_with(checkout):
    artifacts.write_artifacts(checkout)
    path = checkout / artifacts.ARTIFACTS / "Till.json"
    path.write_text(path.read_text().replace('"0x60', '"0x61', 1))
    assert artifacts.check_artifacts(checkout) == ["Till.json"]


def test_check_names_the_file_when_a_stray_one_lies_there(checkout):
    artifacts.write_artifacts(checkout)
    (checkout / artifacts.ARTIFACTS / "Stray.json").write_text("{}\n")
    assert artifacts.check_artifacts(checkout) == ["Stray.json"]
    assert artifacts.write_artifacts(checkout) == ["Stray.json"]
    assert not (checkout / artifacts.ARTIFACTS / "Stray.json").exists()


def test_mocks_are_compiled_but_not_shipped(checkout):
    mocks = checkout / "contracts" / "mocks"
    mocks.mkdir()
    (mocks / "Villain.sol").write_text("pragma solidity 0.8.30; contract Villain {}\n")
    assert "Villain" in artifacts.compile_contracts(root=checkout)["contracts"]
    assert list(artifacts.artifacts(checkout)) == ["Till.json"]


def test_extra_source_replaces_the_one_on_disk_when_it_has_its_name(checkout):
    plain = artifacts.compile_contracts(root=checkout)["contracts"]["Till"]
    mutant = {"contracts/Till.sol": CONTRACT.replace("amount > limit", "amount >= limit")}
    changed = artifacts.compile_contracts(extra_sources=mutant, root=checkout)["contracts"]["Till"]
    assert changed["deployedBytecode"] != plain["deployedBytecode"]
    assert (checkout / "contracts" / "Till.sol").read_text() == CONTRACT


def test_compilation_gives_maps_layout_and_syntax_trees_when_asked(checkout):
    result = artifacts.compile_contracts(ast=True, root=checkout)
    till = result["contracts"]["Till"]
    assert till["sourceMap"]
    assert till["deployedSourceMap"]
    assert [each["label"] for each in till["storageLayout"]["storage"]][-1] == "stored"
    assert till["methodIdentifiers"]["put(uint256)"]
    assert result["contracts"]["Base"]["kind"] == "abstract"
    tree = result["sources"]["contracts/Till.sol"]["ast"]
    assert tree is not None
    assert tree["nodeType"] == "SourceUnit"
    assert (
        artifacts.compile_contracts(root=checkout)["sources"]["contracts/Till.sol"]["ast"] is None
    )


def test_compiler_does_not_run_again_when_nothing_changed(checkout, monkeypatch):
    first = artifacts.compile_contracts(root=checkout)

    def refuse(*_arguments):
        raise AssertionError("compiled again")

    monkeypatch.setattr(artifacts, "_run_compiler", refuse)
    assert artifacts.compile_contracts(root=checkout) == first
    (checkout / "contracts" / "Till.sol").write_text(CONTRACT + "\n")
    with pytest.raises(AssertionError, match="compiled again"):
        artifacts.compile_contracts(root=checkout)


def test_cache_keeps_its_bound_when_many_versions_are_compiled(checkout, monkeypatch):
    monkeypatch.setattr(artifacts, "CACHE_ENTRIES", 2)
    monkeypatch.setattr(
        artifacts, "_run_compiler", lambda *_: {"sources": {}, "contracts": {}, "errors": []}
    )
    for number in range(4):
        (checkout / "contracts" / "Till.sol").write_text(CONTRACT + f"// {number}\n")
        artifacts.compile_contracts(root=checkout)
    assert len(list((checkout / "build" / "compile").glob("*.json"))) == 2


def test_compilation_is_refused_with_the_compilers_words_when_a_source_is_wrong(checkout):
    wrong = {"contracts/Till.sol": CONTRACT.replace("Doubling.twice", "Doubling.thrice")}
    with pytest.raises(artifacts.CompilationError, match="thrice"):
        artifacts.compile_contracts(extra_sources=wrong, root=checkout)


def test_compilation_names_the_file_when_an_import_is_missing(checkout):
    wrong = {"contracts/Till.sol": CONTRACT.replace("Context.sol", "Absent.sol")}
    with pytest.raises(artifacts.CompilationError, match=r"Absent\.sol; run: make setup"):
        artifacts.compile_contracts(extra_sources=wrong, root=checkout)


def test_compilation_is_refused_when_two_contracts_have_one_name(checkout):
    extra = {"contracts/Other.sol": "pragma solidity 0.8.30; contract Till {}"}
    with pytest.raises(artifacts.CompilationError, match="Till is declared in"):
        artifacts.compile_contracts(extra_sources=extra, root=checkout)


def test_command_line_says_what_differs_when_checking(checkout, monkeypatch, capsys):
    monkeypatch.setattr(artifacts, "ROOT", checkout)
    monkeypatch.setattr(artifacts, "check_artifacts", lambda: ["Till.json"])
    assert artifacts.main(["--check"]) == 1
    assert "make artifacts" in capsys.readouterr().err


def test_standard_json_gives_the_same_code_when_py_solc_x_compiles(checkout, monkeypatch):
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(COMPILER.parent))
    monkeypatch.chdir(checkout)
    solcx.set_solc_version("0.8.30", silent=True)
    settings = artifacts.compiler_settings(checkout)
    output = solcx.compile_standard(
        {
            "language": "Solidity",
            "sources": {"contracts/Till.sol": {"content": CONTRACT}},
            "settings": {
                **settings,
                "remappings": [f"@openzeppelin={artifacts.ROOT}/node_modules/@openzeppelin"],
                "outputSelection": {"*": {"*": ["evm.bytecode.object"]}},
            },
        },
        allow_paths=f"{artifacts.ROOT}/node_modules",
    )
    code = output["contracts"]["contracts/Till.sol"]["Till"]["evm"]["bytecode"]["object"]
    assert (
        f"0x{code}" == artifacts.compile_contracts(root=checkout)["contracts"]["Till"]["bytecode"]
    )


def compiler(*arguments, cwd, text=None):
    return subprocess.run(
        [COMPILER, *arguments], cwd=cwd, input=text, capture_output=True, text=True, check=False
    )


def test_version_is_told_when_the_compiler_is_asked(tmp_path):
    answer = compiler("--version", cwd=tmp_path)
    assert answer.returncode == 0
    assert "Version: 0.8.30+commit.73712a01" in answer.stdout


def test_combined_json_resolves_imports_when_files_are_given(checkout):
    node_modules = artifacts.ROOT / "node_modules"
    answer = compiler(
        *("--combined-json", "abi,bin,srcmap-runtime", "--optimize", "contracts/Till.sol"),
        *("--include-path", str(node_modules), "--base-path", "."),
        cwd=checkout,
    )
    assert answer.returncode == 0, answer.stderr
    combined = json.loads(answer.stdout)
    assert combined["contracts"]["contracts/Till.sol:Till"]["bin"]
    assert "contracts/libraries/Doubling.sol" in combined["sourceList"]


def test_syntax_tree_is_written_when_an_output_folder_is_given(checkout):
    source = checkout / "contracts" / "libraries" / "Doubling.sol"
    arguments = ("--ast-compact-json", "--stop-after", "parsing", "-o", "out", str(source))
    answer = compiler(*arguments, cwd=checkout)
    assert answer.returncode == 0, answer.stderr
    tree = json.loads((checkout / "out" / "Doubling.sol_json.ast").read_text())
    assert tree["nodeType"] == "SourceUnit"
    again = compiler(*arguments, cwd=checkout)
    assert again.returncode == 1
    assert "overwrite" in again.stderr
    assert compiler(*arguments, "--overwrite", cwd=checkout).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--no-such-option",), "unrecognised option"),
        (("--combined-json",), "needs a value"),
        (("--combined-json", "abi,nonsense", "contracts/Till.sol"), "nonsense"),
        (("--combined-json", "abi", "contracts/Absent.sol"), "not found"),
        (("--bin",), "No input files"),
        (("--bin", "contracts/Till.sol"), "Context.sol"),
    ],
)
def test_compiler_refuses_and_says_why_when_called_wrongly(checkout, arguments, words):
    answer = compiler(*arguments, cwd=checkout)
    assert answer.returncode == 1
    assert words in answer.stderr


def test_compiler_reads_nothing_outside_when_a_path_is_not_allowed(checkout, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "Outside.sol"
    outside.write_text("contract Outside {}\n")
    (checkout / "Greedy.sol").write_text(f'import "{outside}"; contract Greedy is Outside {{}}\n')
    answer = compiler("--bin", "Greedy.sol", cwd=checkout)
    assert answer.returncode == 1
    assert "outside of allowed directories" in answer.stderr
    allowed = compiler("--bin", "Greedy.sol", "--allow-paths", str(outside.parent), cwd=checkout)
    assert allowed.returncode == 0, allowed.stderr


def test_source_hash_covers_imports_and_nothing_else():
    sources = {
        "contracts/A.sol": 'import "./b/B.sol";',
        "contracts/b/B.sol": 'import {C} from "../C.sol";',
        "contracts/C.sol": "",
        "contracts/D.sol": "",
    }
    whole = artifacts.source_hash(sources, "contracts/A.sol")
    assert len(whole) == hashlib.sha256().digest_size * 2
    assert artifacts.source_hash({**sources, "contracts/D.sol": "x"}, "contracts/A.sol") == whole
    for name in ("contracts/A.sol", "contracts/b/B.sol", "contracts/C.sol"):
        changed = {**sources, name: sources[name] + "// x"}
        assert artifacts.source_hash(changed, "contracts/A.sol") != whole
