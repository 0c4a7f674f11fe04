"""Resolving: settled, pending or absent, and the truth of it. S01, S03, O03, O04, I-30."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tael import CardEntry, Client, Verb
from tael.errors import ContractRevertedError, InvalidInputError, OutcomeUnknownError
from tael.journal import WriteState
from tael.store import Store
from tests.support.bank import DEEP, SHORTLY, client, journal_of, record, transfer
from tests.support.waiting import wait_until
from tests.support.world import World, cny


def test_settled_names_block_transaction_and_log(world: World) -> None:
    bank = client(world)
    written = transfer(bank, world, "T-1")
    found = bank.resolve("T-1")
    receipt = world.node.rpc("eth_getTransactionReceipt", written.transaction_hash)
    evidence = found.evidence
    assert (found.state, found.status, found.subject) == ("settled", "final", written.subject)
    assert evidence.transaction_hashes == (written.transaction_hash,)
    assert (evidence.block_number, evidence.block_hash) == (
        written.block_number,
        receipt["blockHash"],
    )
    assert evidence.log_index == int(receipt["logs"][0]["logIndex"], 16)
    bank.close()


def test_pending_until_the_message_expires_then_absent(
    world: World, manual: Callable[[], None]
) -> None:
    bank = client(world, wait_seconds=SHORTLY)
    with pytest.raises(OutcomeUnknownError):
        transfer(bank, world, "T-1")
    found = bank.resolve("T-1")
    assert (found.state, found.status) == ("pending", "submitted")
    assert "nonce" in found.evidence.why
    # The block comes after the message's time: the contract refuses, and for ever.
    world.node.rpc("evm_increaseTime", 7_200)
    manual()
    wait_until(lambda: record(bank, "T-1").state is WriteState.REFUSED)
    found = bank.resolve("T-1")
    assert (found.state, found.status) == ("absent", "final")
    assert found.refusal is not None
    assert "expired" in found.evidence.why
    bank.close()


def test_refused_early_is_pending_while_the_cards_signature_counts(world: World) -> None:
    bank, guardian = client(world), world.client("guardian")
    payment = world.sign("P-1", cny("10.00"))
    guardian.participants.pause("CNY", reference="PAUSE")
    with pytest.raises(ContractRevertedError):
        bank.payments.authorize(payment, reference="P-1")
    found = bank.resolve("P-1")
    assert (found.state, found.status) == ("pending", None)
    assert found.evidence.valid_before == payment.terms.authorize_before
    assert found.refusal is not None
    world.node.advance_time(payment.terms.authorize_before - bank.now() + 1)
    assert bank.resolve("P-1").state == "absent"
    bank.close()


def test_a_consent_that_was_given_away_keeps_it_pending(world: World) -> None:
    bank = client(world)
    payment = world.sign("P-1", cny("10.00"))
    consent = bank.payments.consent(payment)
    assert bank.resolve("P-1").state == "pending"
    relay = client(world, "outsider")
    relay.payments.authorize(payment, reference="R-1", consent=consent)
    found = bank.resolve("P-1")
    assert (found.state, found.subject) == ("settled", payment.payment_id)
    assert relay.resolve("R-1").state == "settled"
    assert bank.payments.authorize(payment, reference="P-1").repeated
    for each in (bank, relay):
        each.close()


@pytest.mark.threat("O03")
@pytest.mark.threat("O04")
def test_a_lost_journal_is_replaced_by_the_chain(world: World) -> None:
    bank, desk = client(world), world.client("operator")
    payment = world.sign("P-1", cny("10.00"))
    done = {
        "P-1": bank.payments.authorize(payment, reference="P-1"),
        "T-1": transfer(bank, world, "T-1"),
        "R-1": bank.balances.redeem(cny("3.00"), reference="R-1"),
    }
    issued = desk.balances.issue(world.address("issuer"), cny("4.00"), reference="I-1")
    bank.close()
    amnesiac = client(world)
    for reference, written in done.items():
        found = amnesiac.resolve(reference)
        assert (found.state, found.evidence.transaction_hashes) == (
            "settled",
            (written.transaction_hash,),
        )
    assert amnesiac.resolve("NEVER").state == "pending"
    assert "make the call" in amnesiac.resolve("NEVER").evidence.why
    lost_desk = client(world, "operator")
    assert lost_desk.resolve("I-1").evidence.transaction_hashes == (issued.transaction_hash,)
    # And the chain refuses each of them a second time.
    before = world.balances()
    assert amnesiac.payments.authorize(payment, reference="P-1").repeated
    assert transfer(amnesiac, world, "T-1").repeated
    assert amnesiac.balances.redeem(cny("3.00"), reference="R-1").repeated
    assert world.balances() == before
    for each in (amnesiac, lost_desk):
        each.close()


@pytest.mark.threat("O03")
def test_a_state_another_journal_set_is_never_absent(world: World) -> None:
    entry = CardEntry(world.address("cardholder"), cny("20.00"), cny("40.00"))
    with client(world) as bank:
        done = bank.directory.set_cards([entry], reference="CARD-1")
    with client(world, finality=DEEP) as amnesiac:
        again = amnesiac.directory.set_cards([entry], reference="CARD-1")
        assert (again.repeated, again.status) == (True, "included")
        assert again.transaction_hash == done.transaction_hash
        # A block that can be undone is not written down, and the chain has no key for a state.
        found = amnesiac.resolve("CARD-1")
        assert found.state == "pending"
        assert "make the call" in found.evidence.why
        world.node.mine(int(DEEP) + 1)
        assert amnesiac.directory.set_cards([entry], reference="CARD-1").status == "final"
        found = amnesiac.resolve("CARD-1")
        assert (found.state, found.evidence.transaction_hashes) == (
            "settled",
            (done.transaction_hash,),
        )


def test_totals_are_found_when_another_sent_them(world: World) -> None:
    world.authorize("P-1", cny("80.00"))
    payment = world.client("issuer").payments.find("P-1")
    bank = client(world, "acquirer")
    for verb, total in (("capture", "30.00"), ("void", "10.00"), ("refund", "5.00")):
        act = getattr(bank.payments, verb)
        act(payment, cny(total), reference=verb)
        found = bank.resolve(verb)
        assert (found.state, found.subject) == ("settled", payment.payment_id)
        # Another journal meets the refusal of the repeat, and knows it for what it is.
        with client(world, "acquirer") as amnesiac:
            again = getattr(amnesiac.payments, verb)(payment, cny(total), reference=verb)
            assert again.repeated
            assert amnesiac.resolve(verb).evidence.block_hash == found.evidence.block_hash
    bank.close()


def test_a_batch_resolves_with_its_payments(world: World) -> None:
    bank = client(world)
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(3)]
    payments[1] = world.sign("P-1", cny("100.01"))
    outcomes = bank.payments.authorize_many(payments, reference="B-1")
    assert [each.refusal is None for each in outcomes] == [True, False, True]
    found = bank.resolve("B-1")
    assert (found.state, found.status) == ("settled", "final")
    states = {each: bank.resolve(f"P-{each}") for each in range(3)}
    assert [states[each].state for each in range(3)] == ["settled", "pending", "settled"]
    assert states[1].refusal.name == "DynamicCodeMissing"
    assert states[0].evidence.log_index != states[2].evidence.log_index
    totals = [(payments[n], cny("1.00")) for n in (0, 2)]
    acquirer = client(world, "acquirer")
    acquirer.payments.capture_many(totals, reference="C-1")
    block = world.chain.block_number()
    again = acquirer.payments.capture_many(totals, reference="C-1")
    assert all(each.written.repeated for each in again)
    assert world.chain.block_number() == block
    assert acquirer.resolve("C-1").state == "settled"
    for each in (bank, acquirer):
        each.close()


def test_a_payment_of_a_batch_in_flight_is_not_signed_alone(
    world: World, manual: Callable[[], None]
) -> None:
    bank = client(world, wait_seconds=SHORTLY)
    payments = [world.sign(f"P-{n}", cny("1.00")) for n in range(2)]
    with pytest.raises(OutcomeUnknownError):
        bank.payments.authorize_many(payments, reference="B-1")
    with pytest.raises(OutcomeUnknownError):
        bank.payments.authorize(payments[0], reference="P-0")
    assert bank.resolve("B-1").state == "pending"
    assert bank.resolve("P-0").state == "pending"
    manual()
    wait_until(lambda: bank.resolve("P-0").state == "settled")
    assert bank.payments.authorize(payments[0], reference="P-0").repeated
    assert [each.written.repeated for each in bank.payments.authorize_many(
        payments, reference="B-1")] == [True, True]  # fmt: skip
    bank.close()


def test_resume_finishes_what_is_in_flight(world: World, manual: Callable[[], None]) -> None:
    store = Store.temporary()
    bank = client(world, store=store, wait_seconds=SHORTLY)
    for number in range(3):
        with pytest.raises(OutcomeUnknownError):
            transfer(bank, world, f"T-{number}")
    bank.close()
    manual()
    after = client(world, store=store)
    assert [(each.reference, each.state) for each in after.resume()] == [
        (f"T-{number}", "settled") for number in range(3)
    ]
    assert after.resume() == []
    after.close()


def test_a_directory_write_repeated_late_changes_nothing(world: World) -> None:
    bank = client(world)
    who = world.address("delegate")
    bank.directory.set_delegate(who, Verb.AUTHORIZE, reference="D-1")
    bank.directory.set_delegate(who, Verb(0), reference="D-2")
    # The state is another one by now, and the old order was carried out: nothing is sent.
    assert bank.directory.set_delegate(who, Verb.AUTHORIZE, reference="D-1").repeated
    assert bank.directory.verbs(who) == Verb(0)
    assert bank.resolve("D-1").state == "settled"
    bank.close()


def test_a_client_that_only_reads_resolves_too(world: World) -> None:
    store = Store.temporary()
    bank = client(world, store=store)
    transfer(bank, world, "T-1")
    reader = Client(world.chain, world.manifest, participant=world.address("issuer"), store=store)
    assert reader.resolve("T-1").state == "settled"
    assert reader.resolve("T-2").state == "pending"
    with pytest.raises(InvalidInputError):
        reader.resolve("")
    assert journal_of(bank).store is store
    bank.close()
