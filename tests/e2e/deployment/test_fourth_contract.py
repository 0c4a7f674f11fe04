"""A contract that the package does not know is deployed, governed and checked by its row alone."""

import contextlib

import pytest

from tael import Client, Money, audit
from tael.chain import Chain
from tael.contracts.calls import Contract
from tael.contracts.registry import REGISTRY
from tael.deployment import DeploymentPlan, deploy, verify
from tael.deployment.plan import ROLE_BY_NAME
from tael.errors import ConfigurationError, IdempotencyConflictError, NotPermittedError
from tael.index import Index, Indexer
from tael.index import verify as verify_index
from tael.ledger import Ledger
from tael.manifest import Manifest
from tael.reporting import statement
from tael.services.gateway import Gateway
from tael.store import Store
from tael.testing import start_node
from tests.e2e.deployment.commands import ROOT
from tests.e2e.deployment.plans import (
    BANK,
    DAY,
    DEPLOYER,
    GUARDIAN,
    OPERATOR,
    OUTSIDER,
    production_plan,
)
from tests.support.earmark.index import SET_ASIDE, SPENT, TAKEN
from tests.support.earmark.kind import EARMARK
from tests.support.earmark.known import known
from tests.support.earmark.service import Earmarks
from tests.support.sending import send


@pytest.fixture(scope="module", autouse=True)
def earmark(tmp_path_factory):
    with known(tmp_path_factory.mktemp("artifacts")):
        yield


@pytest.fixture
def chain():
    with start_node("anvil") as running_node:
        yield Chain.connect(running_node.url)


def test_a_fourth_contract_is_deployed_set_up_and_checked(chain, tmp_path):
    path = tmp_path / "1337.json"
    manifest = deploy(chain, DEPLOYER, production_plan(), manifest_path=path)
    assert list(manifest.contracts) == [
        "governance",
        "token:CNY",
        "token:HKD",
        "escrow",
        "earmark",
    ]
    assert chain.transaction_count(DEPLOYER.address) == 6
    assert Manifest.load(path) == manifest
    assert verify(chain, manifest) == []
    address = manifest.contracts["earmark"].address
    gateway = Gateway(chain, manifest)
    for token in manifest.tokens.values():
        assert gateway.read(gateway.contract_of(token), "isModule", address)
    spend = Contract("Earmark", address).function("spend").selector
    role = gateway.read(gateway.governance, "getTargetFunctionRole", address, spend)
    assert role == ROLE_BY_NAME["REGISTRAR"].id
    # What is not as planned any more is found as of any other contract.
    cut = Contract("SettlementToken", manifest.token("CNY")).function("cutOffModule")
    send(chain, GUARDIAN, manifest.token("CNY"), cut.encode(address))
    (finding,) = verify(chain, manifest)
    assert (finding.subject, finding.expected, finding.actual) == (
        "token:CNY modules",
        address,
        "none",
    )


def test_a_manifest_is_refused_when_the_package_does_not_know_a_contract(chain):
    document = deploy(chain, DEPLOYER, production_plan()).to_dict()
    kinds = REGISTRY._kinds
    kinds.remove(EARMARK)
    try:
        with pytest.raises(ConfigurationError, match="earmark is not the key of a contract"):
            Manifest.from_dict(document)
    finally:
        kinds.append(EARMARK)


def test_a_fourth_contract_is_sent_resolved_indexed_and_stated(chain, tmp_path):
    """All that the package does with its own contracts, it does with one that has a row."""
    manifest = deploy(chain, DEPLOYER, DeploymentPlan.development(OPERATOR.address))

    def client(signer):
        return clients.enter_context(Client(chain, manifest, signer, store=Store.temporary()))

    with contextlib.ExitStack() as clients:
        operator, bank, other = client(OPERATOR), client(BANK), client(OUTSIDER)
        for each in (bank, other):
            for currency in ("CNY", "HKD"):
                operator.participants.admit(
                    each.participant,
                    currency,
                    reference=f"ADMIT-{currency}-{each.participant[2:8]}",
                )
        for currency in ("CNY", "HKD"):
            operator.participants.attest(
                Money.parse("5000.00", currency),
                document=b"the bank's letter",
                valid_before=operator.now() + DAY,
                reference=f"ATTEST-{currency}",
            )
            for each in (bank, other):
                operator.balances.issue(
                    each.participant,
                    Money.parse("1000.00", currency),
                    reference=f"ISSUE-{currency}-{each.participant[2:8]}",
                )
        cny, hkd = Money.parse("30.00", "CNY"), Money.parse("40.00", "HKD")
        first = Earmarks(bank).set_aside(cny, b"t" * 32, reference="EAR-1")
        Earmarks(bank).set_aside(hkd, b"u" * 32, reference="EAR-2")
        Earmarks(other).set_aside(cny, b"v" * 32, reference="EAR-3")
        again = Earmarks(bank).set_aside(cny, b"t" * 32, reference="EAR-1")
        key = first.subject
        assert again.repeated
        assert again.transaction_hash == first.transaction_hash
        with pytest.raises(IdempotencyConflictError):
            Earmarks(bank).set_aside(hkd, b"t" * 32, reference="EAR-1")

        # The journal is lost: the chain shows what became of the reference, refuses the repeat and
        # shows whose it was. Another body under it is a conflict, whatever journal is asked.
        restored = client(BANK)
        assert restored.resolve("EAR-1").state == "settled"
        assert restored.resolve("EAR-9").state == "pending"
        with pytest.raises(IdempotencyConflictError):
            Earmarks(client(BANK)).set_aside(cny + cny, b"t" * 32, reference="EAR-1")
        found = Earmarks(restored).set_aside(cny, b"t" * 32, reference="EAR-1")
        assert found.repeated
        assert found.transaction_hash == first.transaction_hash
        for each in (bank, restored):
            told = each.resolve("EAR-1")
            assert (told.state, told.subject) == ("settled", key)
            assert first.transaction_hash in told.evidence.transaction_hashes

        with pytest.raises(NotPermittedError):
            Earmarks(other).spend(
                bank.participant, key, other.participant, "CNY", reference="SPEND-0"
            )
        Earmarks(operator).spend(
            bank.participant, key, other.participant, "CNY", reference="SPEND-1"
        )
        assert operator.resolve("SPEND-1").state == "settled"
        assert bank.balances.of("CNY").held.amount_minor == 0
        assert bank.balances.of("HKD").held == hkd

        store = Store.open(tmp_path / "index.sqlite")
        Indexer(store, bank).catch_up()
        index = Index(store, manifest)
        assert verify_index(index, bank).differences == []
        with statement(index, bank.participant, "CNY") as made:
            lines = [line.movement for line in made.lines][-3:]
        assert [each.kind for each in lines] == [SET_ASIDE, TAKEN, SPENT]
        assert [each.held_change_minor for each in lines] == [3_000, -3_000, 0]
        assert [each.change_minor for each in lines] == [0, 0, -3_000]
        assert {each.subject for each in lines} == {key}
        assert lines[2].counterparty == other.participant
        store.close()

        ledger = Ledger.replay(bank.history().events())
        assert audit.compare(ledger, bank) == []


def test_the_fourth_contract_touches_few_files():
    """The proof that the rows hold: what it takes to know a contract stays countable."""
    files = [each for each in (ROOT / "tests/support/earmark").iterdir() if each.is_file()]
    assert len(files) <= 15
