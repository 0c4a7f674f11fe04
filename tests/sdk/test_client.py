"""The client: light to import, sure of its chain and contracts before anything is signed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tael
from tael import Chain, Client, PrivateKeySigner
from tael.errors import (
    AddressError,
    CodeMismatchError,
    ConfigurationError,
    ContractRevertedError,
    InvalidInputError,
    NetworkMismatchError,
    OutcomeUnknownError,
    SigningKeyError,
    TaelError,
)
from tael.manifest import DeployedContract, Manifest
from tael.store import Store
from tests.support.world import World, cny


def test_public_surface_exists_when_imported() -> None:
    assert len(set(tael.__all__)) == len(tael.__all__)
    for name in tael.__all__:
        assert getattr(tael, name) is not None
    assert dir(tael) == sorted(tael.__all__)
    with pytest.raises(AttributeError):
        tael.Nothing  # noqa: B018
    for name in tael.errors.__dict__.values():
        if isinstance(name, type) and issubclass(name, Exception):
            assert issubclass(name, TaelError)


def test_import_loads_nothing_of_the_chain_when_only_tael_is_imported() -> None:
    code = (
        "import sys, tael; print('eth_abi' in sys.modules, 'web3' in sys.modules);"
        "from tael import qr; print('web3' in sys.modules);"
        "from tael import Money; print('web3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False"] * 4


def move(manifest: Manifest, key: str, **changes: object) -> Manifest:
    contracts = dict(manifest.contracts)
    contracts[key] = replace(contracts[key], **changes)
    return manifest.having(contracts=contracts)


@pytest.mark.threat("S16")
def test_client_is_refused_when_another_contract_stands_at_an_address(world: World) -> None:
    manifest = world.manifest
    token: DeployedContract = manifest.contracts["token:CNY"]
    for wrong in (
        move(manifest, "escrow", address=token.address),
        move(manifest, "escrow", address=world.address("outsider")),
        move(manifest, "token:CNY", code_hash="0x" + "00" * 32),
    ):
        with pytest.raises(CodeMismatchError):
            Client(world.chain, wrong, world.signers["issuer"])


@pytest.mark.threat("S17")
def test_client_is_refused_when_the_manifest_is_of_another_chain(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    for wrong in (
        world.manifest.having(chain_id=1),
        world.manifest.having(genesis_hash="0x" + "11" * 32),
    ):
        wrong.save(path)
        with pytest.raises(NetworkMismatchError):
            Client(world.chain.url, path, world.signers["issuer"])
    world.manifest.save(path)
    assert Client(world.chain.url, str(path)).now() == world.chain.now()


@pytest.mark.threat("S23")
def test_client_is_refused_when_a_known_test_key_signs_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chain, "is_local", property(lambda _: False))
    with pytest.raises(SigningKeyError):
        Client(world.chain, world.manifest, world.signers["acquirer"])
    fresh = PrivateKeySigner.from_key("77" * 32)
    client = Client(world.chain, world.manifest, fresh)
    prepared = client.payments.prepare(
        reference="P-1",
        card=world.address("cardholder"),
        amount=cny("1.00"),
        merchant_id=world.shops["acquirer"],
    )
    with pytest.raises(SigningKeyError):
        client.payments.sign(prepared, world.signers["cardholder"])


@pytest.mark.threat("S21")
def test_client_is_refused_when_the_participant_is_mistyped(world: World) -> None:
    for participant in (world.address("issuer").lower(), world.manifest.escrow):
        with pytest.raises(AddressError):
            Client(world.chain, world.manifest, participant=participant)


def test_client_reads_only_when_it_has_no_signer(world: World) -> None:
    bank = world.address("issuer")
    client = Client(world.chain, world.manifest, participant=bank)
    assert client.balances.of("CNY").participant == bank
    assert repr(client) == "Client(read only on chain 1337)"
    with pytest.raises(ConfigurationError):
        client.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    nobody = Client(world.chain, world.manifest)
    with pytest.raises(ConfigurationError):
        nobody.balances.of("CNY")
    assert nobody.balances.of("CNY", bank).total == client.balances.of("CNY").total


@pytest.mark.threat("S22")
def test_client_shows_no_secret_when_printed(world: World) -> None:
    secret = bytes(range(32))
    client = Client(world.chain, world.manifest, world.signers["issuer"], reference_secret=secret)
    client.uetr("P-1")
    shown = [client, *(vars(each) for each in (client, client._identity, client._writer))]
    assert secret.hex() not in repr(shown)
    assert repr(secret) not in repr(shown)


@pytest.mark.parametrize("reference", ["", "A_B", "X" * 36, "/A", None])
def test_every_write_is_refused_when_the_reference_is_none_of_iso_20022(
    world: World, reference: str
) -> None:
    issuer, acquirer = world.client("issuer"), world.client("acquirer")
    operator = world.client("operator")
    payment = world.authorize("P-1", cny("5.00"))
    shop, bank = world.shops["acquirer"], world.address("outsider")
    before = world.chain.block_number()
    for write in (
        lambda: issuer.balances.transfer(acquirer.participant, cny("1.00"), reference=reference),
        lambda: issuer.balances.redeem(cny("1.00"), reference=reference),
        lambda: issuer.balances.cancel_transfer("CNY", reference=reference),
        lambda: operator.balances.issue(issuer.participant, cny("1.00"), reference=reference),
        lambda: operator.participants.admit(bank, "CNY", reference=reference),
        lambda: acquirer.directory.accept(
            shop, [tael.Acceptance(cny("1.00"))], reference=reference
        ),
        lambda: issuer.payments.authorize(payment, reference=reference),
        lambda: acquirer.payments.capture(payment, cny("5.00"), reference=reference),
        lambda: acquirer.payments.void(payment, cny("5.00"), reference=reference),
        lambda: issuer.payments.authorize_many([payment], reference=reference),
        lambda: acquirer.payments.capture_many([(payment, cny("5.00"))], reference=reference),
        lambda: issuer.directory.set_delegate(bank, tael.Verb.CARDS, reference=reference),
    ):
        with pytest.raises(InvalidInputError):
            write()
    assert world.chain.block_number() == before


def test_outcome_unknown_passes_through_when_nobody_mines(world: World) -> None:
    issuer = Client(
        world.chain,
        world.manifest,
        world.signers["issuer"],
        store=Store.temporary(),
        wait_seconds=1,
    )
    world.node.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(OutcomeUnknownError) as caught:
            issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
        assert caught.value.reference == "T-1"
    finally:
        world.node.rpc("evm_setAutomine", True)
        world.node.mine()
    # What was unknown has happened meanwhile; the same call again finds it and pays nothing.
    again = issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    assert again.repeated
    assert again.transaction_hash == caught.value.transaction_hash


@pytest.mark.threat("S26")
def test_write_uses_its_own_gas_estimate_when_sent(world: World, issuer: Client) -> None:
    written = issuer.balances.transfer(world.address("acquirer"), cny("1.00"), reference="T-1")
    sent = world.node.rpc("eth_getTransactionByHash", written.transaction_hash)
    assert written.gas_used < int(sent["gas"], 16) < 2 * written.gas_used
    with pytest.raises(ContractRevertedError) as caught:
        issuer.balances.redeem(cny("999999999.00"), reference="R-1")
    assert caught.value.name == "InsufficientAvailable"
    assert caught.value.arguments["participant"] == issuer.participant


@pytest.mark.parametrize(
    ("kind", "currency", "why"),
    [
        ("Vault", None, "not a contract of this package"),
        ("SettlementToken", None, "one for each currency"),
        ("PaymentEscrow", "CNY", "one for all currencies"),
    ],
)
def test_contract_is_refused_when_it_is_named_wrongly(
    world: World, kind: str, currency: str | None, why: str
) -> None:
    with pytest.raises(InvalidInputError, match=why):
        world.client("issuer").contract(kind, currency)
