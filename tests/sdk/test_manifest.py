"""The manifest: right chain, right code, right addresses, or nothing is signed: S16, S17."""

import json
import os
import threading
import time

import pytest
from eth_utils import keccak

from tael import Client
from tael import manifest as manifest_module
from tael.chain import Chain
from tael.deployment import DeploymentPlan, deploy, verify
from tael.errors import (
    CodeMismatchError,
    ConfigurationError,
    GenerationMismatchError,
    NetworkMismatchError,
)
from tael.manifest import Manifest
from tael.testing import start_node
from tests.support.raw_contracts import creation, signer
from tests.support.sending import create


@pytest.fixture(scope="module")
def node():
    with start_node("anvil") as running:
        yield running


@pytest.fixture(scope="module")
def chain(node):
    return Chain.connect(node.url)


@pytest.fixture(scope="module")
def manifest(chain):
    return deploy(chain, signer(0), DeploymentPlan.development(signer(1).address))


@pytest.fixture
def isolated(node):
    snapshot = node.snapshot()
    yield
    node.revert(snapshot)


def test_save_reads_back_when_loaded(manifest, tmp_path):
    path = tmp_path / "new" / "1337.json"
    manifest.save(path)
    assert Manifest.load(path) == manifest
    assert set(manifest.tokens) == {"CNY", "HKD"}
    assert manifest.token("CNY") == manifest.tokens["CNY"]
    assert len(set(manifest.addresses)) == 4
    assert manifest.first_block == 1
    assert [each.name for each in path.parent.iterdir()] == ["1337.json"]


def test_save_leaves_no_half_file_when_read_meanwhile(manifest, tmp_path):
    path = tmp_path / "1337.json"
    manifest.save(path)
    stop = threading.Event()
    failures = []

    def read():
        while not stop.is_set():
            try:
                assert Manifest.load(path) == manifest
            except Exception as error:  # noqa: BLE001 - reported below
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        manifest.save(path)
    stop.set()
    reader.join()
    assert failures == []


def test_save_says_so_when_it_cannot_write(manifest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        manifest.save(tmp_path / "file" / "1337.json")


@pytest.mark.threat("S16")
def test_check_passes_when_everything_is_as_deployed(manifest, chain, monkeypatch):
    looked_at, code = [], chain.code
    monkeypatch.setattr(chain, "code", lambda address: looked_at.append(address) or code(address))
    manifest.check(chain)
    assert sorted(looked_at) == sorted(manifest.addresses)
    assert len(looked_at) == 4


@pytest.mark.threat("S17")
def test_check_refuses_when_the_chain_id_differs(manifest):
    with start_node("anvil", chain_id=11155111) as other:
        other_chain = Chain.connect(other.url)
        with pytest.raises(NetworkMismatchError, match="manifest is of chain 1337"):
            manifest.check(other_chain)


@pytest.mark.threat("S17")
def test_check_refuses_when_another_chain_has_the_same_id(manifest):
    # Chains begun in the same second have the same first block, so they are one and the same.
    time.sleep(1)
    with start_node("anvil") as other:
        other_chain = Chain.connect(other.url)
        # Even with the very same contracts at the very same addresses.
        again = deploy(other_chain, signer(0), DeploymentPlan.development(signer(1).address))
        assert again.addresses == manifest.addresses
        with pytest.raises(NetworkMismatchError, match="another chain with id 1337"):
            manifest.check(other_chain)


@pytest.mark.threat("S16")
def test_check_refuses_when_the_code_was_replaced(manifest, chain, node, isolated):
    code = chain.code(manifest.escrow)
    node.rpc("anvil_setCode", manifest.escrow, "0x" + code[:-1].hex() + "00")
    with pytest.raises(CodeMismatchError, match="not the code that was deployed"):
        manifest.check(chain)


@pytest.mark.threat("S16")
def test_check_refuses_when_an_immutable_was_replaced(manifest, chain, node, isolated):
    address = bytes.fromhex(manifest.escrow[2:])
    code = chain.code(manifest.escrow)
    assert address in code, "the escrow keeps its own address as an immutable"
    replaced = code.replace(address, bytes.fromhex(signer(9).address[2:]))
    node.rpc("anvil_setCode", manifest.escrow, "0x" + replaced.hex())
    with pytest.raises(CodeMismatchError, match="not the code that was deployed"):
        manifest.check(chain)


@pytest.mark.threat("S16")
def test_check_refuses_when_there_is_no_code(manifest, chain, node, isolated):
    node.rpc("anvil_setCode", manifest.token("HKD"), "0x")
    with pytest.raises(CodeMismatchError, match="there is no code of SettlementToken"):
        manifest.check(chain)


@pytest.mark.threat("S16")
def test_check_refuses_when_the_package_ships_another_version(manifest, chain, isolated):
    address = create(chain, signer(0), creation(b"\x00" * 8))
    code = chain.code(address)
    document = manifest.to_dict()
    document["contracts"]["escrow"]["address"] = address
    document["contracts"]["escrow"]["code_hash"] = "0x" + keccak(code).hex()
    with pytest.raises(CodeMismatchError, match="another version"):
        Manifest.from_dict(document).check(chain)


@pytest.mark.threat("S16")
def test_check_refuses_when_addresses_are_swapped(manifest, chain):
    document = manifest.to_dict()
    cny, hkd = (document["contracts"][f"token:{each}"] for each in ("CNY", "HKD"))
    cny["address"], hkd["address"] = hkd["address"], cny["address"]
    with pytest.raises(CodeMismatchError):
        Manifest.from_dict(document).check(chain)


def test_check_refuses_when_the_deployment_is_not_finished(manifest, chain):
    with pytest.raises(ConfigurationError, match="not finished"):
        manifest.having(complete=False).check(chain)


def test_load_takes_manifests_from_before_generations(manifest, tmp_path):
    document = manifest.to_dict()
    assert document.pop("generation") == 1
    path = tmp_path / "1337.json"
    path.write_text(json.dumps({**document, "pending": None}))
    assert Manifest.load(path) == manifest


@pytest.mark.parametrize(
    ("generation", "version"), [(1, "install tael 0.1,"), (3, "install a newer version of tael")]
)
def test_another_generation_is_refused_with_the_version_that_speaks_it(
    manifest, chain, tmp_path, monkeypatch, generation, version
):
    path = tmp_path / "1337.json"
    manifest.having(generation=generation).save(path)
    monkeypatch.setattr(manifest_module, "GENERATION", 2)
    words = rf"generation {generation}, and this package speaks generation 2: {version}"
    with pytest.raises(GenerationMismatchError, match=r"1337\.json: .*" + words):
        Manifest.load(path)
    other = manifest.having(generation=generation)
    for refuse in (
        lambda: other.check(chain),
        lambda: verify(chain, other),
        lambda: Client(chain, other),
    ):
        with pytest.raises(GenerationMismatchError, match=words):
            refuse()


def test_a_transaction_that_waits_in_an_old_manifest_is_refused_by_name(manifest, tmp_path):
    pending = {"step": "token:HKD", "transaction_hash": "0x" + "11" * 32, "raw": "0x"}
    path = tmp_path / "1337.json"
    path.write_text(json.dumps({**manifest.to_dict(), "pending": pending}))
    with pytest.raises(ConfigurationError, match=r"waits for token:HKD, transaction 0x11.* null"):
        Manifest.load(path)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("vault", "vault is not the key of a contract"),
        ("token:JPY", "token:JPY is a SettlementToken, not a PaymentEscrow"),
    ],
)
def test_a_key_that_is_not_its_contracts_is_refused(manifest, key, words):
    document = manifest.to_dict()
    document["contracts"][key] = document["contracts"]["escrow"]
    with pytest.raises(ConfigurationError, match=words):
        Manifest.from_dict(document)


def test_load_says_so_when_there_is_none(tmp_path):
    with pytest.raises(ConfigurationError, match="deploy first"):
        Manifest.load(tmp_path / "absent.json")
    with pytest.raises(ConfigurationError):
        Manifest.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: "",
        lambda document: "[]",
        lambda document: "null",
        lambda document: "[" * 100_000,
        lambda document: json.dumps(document)[:-20],
        lambda document: json.dumps({**document, "format": 2}),
        lambda document: json.dumps({**document, "contracts": {"escrow": {"address": "0x1"}}}),
        lambda document: json.dumps({**document, "deployer": document["deployer"].lower()}),
        lambda document: json.dumps({key: document[key] for key in document if key != "plan"}),
        lambda document: " " * 2_000_000,
    ],
)
def test_load_refuses_when_the_file_is_damaged(manifest, tmp_path, damage):
    path = tmp_path / "1337.json"
    path.write_text(damage(manifest.to_dict()))
    with pytest.raises(ConfigurationError, match=r"1337\.json"):
        Manifest.load(path)


@pytest.mark.threat("S21")
def test_load_refuses_when_an_address_has_a_wrong_checksum(manifest, tmp_path):
    document = manifest.to_dict()
    document["contracts"]["escrow"]["address"] = manifest.escrow.swapcase().replace("X", "x")
    path = tmp_path / "1337.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="checksum"):
        Manifest.load(path)


def test_token_says_what_there_is_when_the_currency_is_not_deployed(manifest):
    with pytest.raises(ConfigurationError, match="token:JPY is not deployed"):
        manifest.token("JPY")


def test_default_path_is_per_chain_id():
    assert str(Manifest.default_path(11155111)) == os.path.join("deployments", "11155111.json")  # noqa: PTH118


# Plans

OPERATOR = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.fixture
def document():
    return DeploymentPlan.development(OPERATOR, delay_seconds=60, guardian=OTHER).to_dict()


def test_plan_reads_back_when_written(document):
    assert DeploymentPlan.from_dict(document).to_dict() == document
    assert json.loads(json.dumps(document)) == document


def test_plan_has_delays_when_none_are_given(document):
    del document["delays"]
    plan = DeploymentPlan.from_dict(document)
    assert plan.admin_delay_seconds == plan.controller_delay_seconds == 2 * 86_400
    assert plan.grant_delay_seconds == plan.target_admin_delay_seconds == 2 * 86_400


@pytest.mark.threat("O11")
@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("scheme", "account", "0x" + "0" * 40),
        ("scheme", "account", OPERATOR.lower()),
        ("scheme", "fee_bps", -1),
        ("scheme", "fee_bps", 10_000),
        ("scheme", "fee_bps", 0.5),
        ("scheme", "fee_bps", True),
        ("scheme", "interchange_cap_bps", 10_001),
        ("scheme", "color", "red"),
        ("delays", "admin_seconds", 2**32),
        ("delays", "admin_seconds", "2 days"),
        ("delays", "typo_seconds", 1),
        ("members", "ADMIN", []),
        ("members", "ADMIN", [OPERATOR, OPERATOR]),
        ("members", "ADMIN", [OPERATOR.lower()]),
        ("members", "GUARDIAN", [OPERATOR]),
        ("members", "ADMINISTRATION", [OPERATOR]),
        ("members", "OWNER", [OPERATOR]),
        ("currencies", "XAU", {"name": "Gold", "symbol": "G"}),
        ("currencies", "JPY", {"name": "x" * 32, "symbol": "J"}),
        ("currencies", "JPY", {"name": "", "symbol": "J"}),
        ("currencies", "JPY", {"symbol": "J"}),
        ("currencies", "jpy", {"name": "Yen", "symbol": "J"}),
    ],
)
def test_plan_refuses_when_a_value_is_wrong(document, table, key, value):
    document[table][key] = value
    with pytest.raises(ConfigurationError):
        DeploymentPlan.from_dict(document)


@pytest.mark.parametrize("table", ["scheme", "currencies", "members"])
def test_plan_refuses_when_a_table_is_missing(document, table):
    del document[table]
    with pytest.raises(ConfigurationError):
        DeploymentPlan.from_dict(document)


@pytest.mark.parametrize("role", ["ADMIN", "REGISTRAR", "GUARDIAN", "CONTROLLER"])
def test_plan_refuses_when_a_role_is_missing(document, role):
    del document["members"][role]
    with pytest.raises(ConfigurationError, match="exactly these roles"):
        DeploymentPlan.from_dict(document)


def test_plan_refuses_when_there_is_an_unknown_table(document):
    with pytest.raises(ConfigurationError, match="unknown extra"):
        DeploymentPlan.from_dict({**document, "extra": {}})


def test_plan_loads_when_it_is_toml(document, tmp_path):
    lines = []
    for table in ("scheme", "members", "delays"):
        lines += [f"[{table}]", *(f"{key} = {json.dumps(v)}" for key, v in document[table].items())]
    for alpha, entry in document["currencies"].items():
        lines += [
            f"[currencies.{alpha}]",
            *(f"{key} = {json.dumps(v)}" for key, v in entry.items()),
        ]
    path = tmp_path / "plan.toml"
    path.write_text("\n".join(lines))
    assert DeploymentPlan.load(path).to_dict() == document
    path.write_text("not = [toml")
    with pytest.raises(ConfigurationError, match="no TOML"):
        DeploymentPlan.load(path)
    with pytest.raises(ConfigurationError, match="absent"):
        DeploymentPlan.load(tmp_path / "absent.toml")
    path.write_text("[scheme]\n")
    with pytest.raises(ConfigurationError, match=r"plan\.toml"):
        DeploymentPlan.load(path)


@pytest.mark.threat("O12")
def test_plan_refuses_when_the_deployer_would_keep_a_role():
    plan = DeploymentPlan.development(OPERATOR)
    with pytest.raises(ConfigurationError, match="must keep no role"):
        plan.require_deployable(OPERATOR, is_local=True)


def test_plan_refuses_when_there_is_no_delay_on_a_real_chain():
    plan = DeploymentPlan.development(OPERATOR)
    plan.require_deployable(OTHER, is_local=True)
    with pytest.raises(ConfigurationError, match="local chains only"):
        plan.require_deployable(OTHER, is_local=False)
