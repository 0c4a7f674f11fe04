"""Authorize and charge: the right form is chosen, and a repeat never opens a second payment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tael import Client, EntryStatus, IdempotencyConflictError, SignedPayment, Verb
from tael.contracts.artifacts import load, signature_of
from tael.errors import (
    ConfigurationError,
    ContractRevertedError,
    InsufficientFundsError,
    InvalidInputError,
    LimitExceededError,
    NotPermittedError,
    TermsRefusedError,
    WrongTimeError,
)
from tael.events import PaymentAuthorized, PaymentCharged
from tael.hashing import keccak
from tael.models import AccountStatus, CardEntry
from tael.store import Store
from tests.support.sending import create
from tests.support.world import OPENING_MINOR, SCHEME_BPS, World, cny, hkd

# Answers the magic value of ERC-1271 to whatever it is asked.
YES_WALLET = bytes.fromhex("631626ba7e60e01b60005260206000f3")
DEPLOY_YES_WALLET = bytes.fromhex("6010600c60003960106000f3") + YES_WALLET


def openings(world: World) -> list[PaymentAuthorized | PaymentCharged]:
    events = world.client("outsider").history().events()
    return [e for e in events if isinstance(e, (PaymentAuthorized, PaymentCharged))]


def methods_called(world: World, transaction_hash: str) -> str:
    sent = world.node.rpc("eth_getTransactionByHash", transaction_hash)
    selector = bytes.fromhex(sent["input"][2:10])
    functions = load("PaymentEscrow").functions
    (name,) = (e["name"] for e in functions if keccak(signature_of(e).encode())[:4] == selector)
    return name


# Refusals


def test_authorize_is_refused_when_the_reference_is_not_the_one_signed(
    world: World, issuer: Client
) -> None:
    payment = world.sign("P-1", cny("10.00"))
    with pytest.raises(InvalidInputError, match="another reference"):
        issuer.payments.authorize(payment, reference="P-2")
    assert openings(world) == []


def test_authorize_is_refused_when_the_payment_id_is_not_of_its_terms(
    world: World, issuer: Client
) -> None:
    payment = world.sign("P-1", cny("10.00"))
    forged = replace(payment, prepared=replace(payment.prepared, payment_id=bytes(32)))
    with pytest.raises(InvalidInputError):
        issuer.payments.authorize(forged, reference="P-1")


@pytest.mark.threat("S29")
def test_authorize_conflicts_when_the_reference_has_other_terms(
    world: World, issuer: Client, other_issuer: Client
) -> None:
    world.authorize("P-1", cny("10.00"))
    world.node.advance_time(60)
    for amount, card in ((cny("10.00"), "cardholder"), (cny("11.00"), "other_cardholder")):
        payment = world.sign("P-1", amount, card=card)
        with pytest.raises(IdempotencyConflictError):
            issuer.payments.authorize(payment, reference="P-1")
        # Another process, which has seen nothing yet, finds out from the chain too.
        signer = world.signers["issuer"]
        fresh = Client(world.chain, world.manifest, signer, store=Store.temporary())
        with pytest.raises(IdempotencyConflictError):
            fresh.payments.charge(payment, reference="P-1")
    world.authorize("P-1", cny("10.00"), issuer="other_issuer")
    assert len(openings(world)) == 2


def test_authorize_is_refused_by_name_when_the_contract_objects(
    world: World, issuer: Client
) -> None:
    cases = [
        (world.sign("P-1", cny("100.01")), LimitExceededError, "DynamicCodeMissing"),
        (world.sign("P-2", hkd("100.00"), interchange_bps=151), None, "InterchangeTooHigh"),
        (world.sign("P-3", cny("1.00"), authorize_seconds=0), WrongTimeError, "AuthorizeTooLate"),
    ]
    forged = world.sign("P-4", cny("1.00"))
    other = world.signers["outsider"].sign_digest(forged.payment_id)
    cases.append((replace(forged, card_signature=other), TermsRefusedError, "CardSignatureInvalid"))
    for payment, kind, name in cases:
        with pytest.raises(kind or ContractRevertedError) as caught:
            issuer.payments.authorize(payment, reference=payment.prepared.reference)
        assert (caught.value.name, caught.value.transaction_hash) == (name, None)
    assert openings(world) == []


def test_authorize_is_refused_when_the_issuer_has_too_little(world: World, issuer: Client) -> None:
    issuer.balances.transfer(
        world.address("acquirer"), issuer.balances.available("CNY") - cny("5.00"), reference="T-1"
    )
    payment = world.sign("P-1", cny("5.01"))
    with pytest.raises(InsufficientFundsError):
        issuer.payments.authorize(payment, reference="P-1")


def test_authorize_is_refused_when_somebody_else_sends_it(world: World, outsider: Client) -> None:
    payment = world.sign("P-1", cny("5.00"))
    with pytest.raises(NotPermittedError):
        outsider.payments.authorize(payment, reference="R-1")


# Plain


def test_authorize_holds_once_when_repeated(any_world: World) -> None:
    issuer = any_world.client("issuer")
    before = any_world.balances()
    payment = any_world.sign("P-1", cny("80.00"))
    first = issuer.payments.authorize(payment, reference="P-1")
    again = issuer.payments.authorize(payment, reference="P-1")
    other = any_world.authorize("P-1", hkd("20.00"), issuer="other_issuer")
    assert methods_called(any_world, first.transaction_hash) == "authorize"
    assert (first.repeated, again.repeated) == (False, True)
    assert again.transaction_hash == first.transaction_hash
    assert first.subject == payment.payment_id
    expected = dict(before)
    expected["issuer", "CNY"] = (OPENING_MINOR - 80_00, 80_00)
    expected["other_issuer", "HKD"] = (OPENING_MINOR - 20_00, 20_00)
    assert any_world.balances() == expected
    opened = openings(any_world)
    assert [e.id for e in opened] == [payment.payment_id, other.payment_id]
    assert opened[0].terms == payment.terms


def test_authorize_gives_the_first_result_when_repeated_after_its_deadline(
    world: World, issuer: Client
) -> None:
    payment = world.sign("P-1", cny("80.00"))
    first = issuer.payments.authorize(payment, reference="P-1")
    world.node.advance_time(20 * 60)
    late = world.sign("P-2", cny("1.00"))
    world.node.advance_time(20 * 60)
    assert issuer.payments.authorize(payment, reference="P-1").transaction_hash == (
        first.transaction_hash
    )
    with pytest.raises(WrongTimeError):
        issuer.payments.authorize(late, reference="P-2")


def test_charge_pays_at_once_when_it_is_below_the_limit(any_world: World) -> None:
    issuer = any_world.client("issuer")
    before = any_world.balances()
    payment = any_world.sign("P-1", cny("80.01"), interchange_bps=100)
    first = issuer.payments.charge(payment, reference="P-1")
    assert issuer.payments.charge(payment, reference="P-1").repeated
    assert methods_called(any_world, first.transaction_hash) == "charge"
    scheme, interchange = 8001 * SCHEME_BPS // 10_000, 8001 * 100 // 10_000
    expected = dict(before)
    expected["issuer", "CNY"] = (OPENING_MINOR - 8001 + interchange, 0)
    expected["acquirer", "CNY"] = (OPENING_MINOR + 8001 - scheme - interchange, 0)
    expected["operator", "CNY"] = (scheme, 0)
    assert any_world.balances() == expected
    with pytest.raises(IdempotencyConflictError, match="another order, charge"):
        issuer.payments.authorize(payment, reference="P-1")


# Full


def test_authorize_brings_the_code_when_it_is_above_the_static_limit(
    any_world: World,
) -> None:
    issuer = any_world.client("issuer")
    above = any_world.sign("P-1", code=any_world.code(100_01, reference="INV-1"))
    below = any_world.sign("P-2", code=any_world.code(100_00, reference="INV-2"))
    for payment, reference, method in (
        (above, "P-1", "authorizeWith"),
        (below, "P-2", "authorize"),
    ):
        written = issuer.payments.authorize(payment, reference=reference)
        assert methods_called(any_world, written.transaction_hash) == method
    assert issuer.balances.held("CNY") == cny("200.01")


def test_authorize_goes_through_twice_when_two_cardholders_pay_one_code(
    world: World, issuer: Client
) -> None:
    code = world.code(120_00, reference="INV-1")
    one = world.authorize("P-1", None, code=code)
    two = world.authorize("P-2", None, code=code, card="other_cardholder")
    assert one.terms.uetr == two.terms.uetr
    assert issuer.balances.held("CNY") == cny("240.00")


@pytest.mark.parametrize("verb", ["authorize", "charge"])
def test_open_is_relayed_when_the_issuer_consents(
    world: World, issuer: Client, outsider: Client, verb: str
) -> None:
    payment = world.sign("P-1", cny("50.00"))
    consent = issuer.payments.consent(payment, verb=verb, valid_seconds=300)
    relay = getattr(outsider.payments, verb)
    written = relay(payment, reference="RELAY-1", consent=consent)
    assert methods_called(world, written.transaction_hash) == f"{verb}With"
    assert relay(payment, reference="RELAY-1", consent=consent).repeated
    other = world.sign("P-2", cny("50.00"))
    with pytest.raises(InvalidInputError):
        relay(other, reference="RELAY-2", consent=consent)
    wrong = "charge" if verb == "authorize" else "authorize"
    with pytest.raises(InvalidInputError):
        getattr(outsider.payments, wrong)(payment, reference="RELAY-3", consent=consent)
    late = issuer.payments.consent(other, verb=verb, valid_seconds=300)
    world.node.advance_time(300)
    with pytest.raises(WrongTimeError) as caught:
        relay(other, reference="RELAY-2", consent=late)
    assert caught.value.name == "ConsentExpired"


def test_authorize_takes_a_contract_card_when_it_signs_as_erc1271(
    world: World, issuer: Client
) -> None:
    card = create(world.chain, world.signers["outsider"], DEPLOY_YES_WALLET)
    issuer.directory.set_cards([CardEntry(card, cny("50.00"), cny("90.00"))], reference="C-1")
    prepared = issuer.payments.prepare(
        reference="P-1", card=card, amount=cny("50.00"), merchant_id=world.shops["acquirer"]
    )
    payment = SignedPayment(prepared, b"whatever the wallet takes")
    written = issuer.payments.authorize(payment, reference="P-1")
    assert methods_called(world, written.transaction_hash) == "authorizeWith"


# Delegates


def test_authorize_works_through_a_delegate_when_it_has_the_verb(
    world: World, issuer: Client
) -> None:
    def delegate(**options: object) -> Client:
        return Client(
            world.chain,
            world.manifest,
            world.signers["delegate"],
            participant=issuer.participant,
            store=Store.temporary(),
            **options,
        )

    secret = bytes(range(32))
    with pytest.raises(ConfigurationError, match="reference_secret"):
        delegate().uetr("P-1")
    client = delegate(reference_secret=secret)
    prepared = client.payments.prepare(
        reference="P-1",
        card=world.address("cardholder"),
        amount=cny("50.00"),
        merchant_id=world.shops["acquirer"],
    )
    assert prepared.terms.issuer == issuer.participant
    payment = client.payments.sign(prepared, world.signers["cardholder"])
    with pytest.raises(NotPermittedError):
        client.payments.authorize(payment, reference="P-1")
    issuer.directory.set_delegate(
        world.address("delegate"), Verb.AUTHORIZE | Verb.CARDS, reference="D-1"
    )
    assert client.directory.verbs(world.address("delegate")) == Verb.AUTHORIZE | Verb.CARDS
    client.payments.authorize(payment, reference="P-1")
    client.directory.set_cards(
        [CardEntry(prepared.terms.card, cny("1.00"), cny("1.00"), EntryStatus.BLOCKED)],
        reference="C-1",
    )
    issuer.directory.set_delegate(world.address("delegate"), Verb(0), reference="D-2")
    assert client.directory.verbs(world.address("delegate")) == Verb(0)
    with pytest.raises(NotPermittedError):
        client.directory.set_cards(
            [CardEntry(prepared.terms.card, cny("9.00"), cny("9.00"))], reference="C-2"
        )


# Races


@pytest.mark.threat("S27")
def test_authorize_is_no_success_when_it_is_included_and_reverts(
    world: World, guardian: Client
) -> None:
    def suspend_first(step, _count):
        """Suspends the issuer after the gas was estimated and before the broadcast."""
        if step == "journaled":
            guardian.participants.suspend(
                world.address("issuer"), "CNY", document=b"why", reference="S-1"
            )

    racing = Client(
        world.chain,
        world.manifest,
        world.signers["issuer"],
        store=Store.temporary(),
        on_step=suspend_first,
    )
    payment = world.sign("P-1", cny("50.00"))
    with pytest.raises(ContractRevertedError) as caught:
        racing.payments.authorize(payment, reference="P-1")
    assert caught.value.name == "AccountNotActive"
    assert caught.value.transaction_hash is not None
    receipt = world.node.rpc("eth_getTransactionReceipt", caught.value.transaction_hash)
    assert int(receipt["status"], 16) == 0
    assert openings(world) == []
    status = guardian.participants.status("CNY", world.address("issuer"))
    assert status.status is AccountStatus.SUSPENDED


@pytest.mark.threat("S27")
def test_authorize_gives_the_first_result_when_another_process_was_first(
    world: World, issuer: Client
) -> None:
    payment = world.sign("P-1", cny("50.00"))
    first = []

    def overtake(step, _count):
        if step == "journaled" and not first:
            relay = world.client("outsider").payments
            first.append(relay.authorize(payment, reference="R-1", consent=consent))

    consent = issuer.payments.consent(payment)
    racing = Client(
        world.chain,
        world.manifest,
        world.signers["issuer"],
        store=Store.temporary(),
        on_step=overtake,
    )
    written = racing.payments.authorize(payment, reference="P-1")
    assert written.repeated
    assert written.transaction_hash == first[0].transaction_hash
    assert issuer.balances.held("CNY") == cny("50.00")
