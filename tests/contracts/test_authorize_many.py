"""authorizeMany: up to 200 payments with one hold; one bad item is reported and left out."""

import pytest

from tests.contracts import opening
from tests.contracts.chain import refused
from tests.contracts.keys import Key
from tests.contracts.villains import owned_wallet, villain_wallet
from tests.contracts.world import (
    ALL_VERBS,
    AMOUNT,
    AUTHORIZE,
    DAY_LIMIT,
    PAYMENT_LIMIT,
    STATIC_LIMIT,
    SUSPENDED,
    Payment,
)

MOST = 200
HALF_A_BLOCK = 15_000_000
BIG = STATIC_LIMIT + 1


def batch(payment, *items, codes=()):
    """The arguments for items between the parties of one payment."""
    return (
        payment.parties,
        [e.item() if isinstance(e, Payment) else e for e in items],
        list(codes),
    )


def skipped(w, event):
    """The id and the refusal of a PaymentSkipped."""
    assert (event.contract, event.name) == ("escrow", "PaymentSkipped")
    assert set(event.fields) == {"id", "refusal"}
    return event.fields["id"], w.chain.decode_refusal(event.fields["refusal"])


@pytest.mark.threat("C04")
@pytest.mark.threat("C21")
@pytest.mark.parametrize("case", opening.REFUSALS)
def test_authorize_many_skips_one_and_takes_the_others_when(w, case):
    bad, expected = opening.REFUSALS[case](w)
    good = {"card": w.second_card, "merchant": w.stall, "token": bad.terms.token}
    first, last = w.new_payment("first", **good), w.new_payment("last", **good)
    before = w.books()
    receipt = w.escrow.authorizeMany(*batch(bad, first, bad, last), by=w.issuer)
    symbol = "CNY" if bad.terms.token == w.cny.address else "HKD"
    assert w.changes(before) == {
        f"{symbol}.issuer.available": -2 * AMOUNT,
        f"{symbol}.issuer.escrowed": 2 * AMOUNT,
        f"{symbol}.second_card.spent": 2 * AMOUNT,
        "first.exists": 1,
        "last.exists": 1,
    }
    assert receipt.events[0] == w.opened("PaymentAuthorized", first)
    assert skipped(w, receipt.events[1]) == (bad.id, expected)
    assert receipt.events[2:] == [w.opened("PaymentAuthorized", last)]


@pytest.mark.threat("C29")
@pytest.mark.parametrize("caller", ["outsider", "acquirer", "other_issuer", "delegate"])
def test_authorize_many_is_refused_when_the_caller_may_not_act_for_the_issuer(w, caller):
    payment = w.new_payment()
    by = w.actors[caller]
    expected = refused("NotPermitted", by, w.issuer, AUTHORIZE)
    assert w.escrow.authorizeMany.refusal(*batch(payment, payment), by=by) == expected


def test_authorize_many_is_refused_when_the_delegate_has_every_other_verb(w):
    w.escrow.setDelegate(w.delegate, ALL_VERBS - AUTHORIZE, by=w.issuer)
    payment = w.new_payment()
    expected = refused("NotPermitted", w.delegate, w.issuer, AUTHORIZE)
    assert w.escrow.authorizeMany.refusal(*batch(payment, payment), by=w.delegate) == expected


@pytest.mark.threat("C33")
@pytest.mark.parametrize("count", [0, MOST + 1])
def test_authorize_many_is_refused_when_there_are_none_or_more_than_200(w, count):
    payment = w.new_payment()
    items = [payment.item()] * count
    expected = refused("BatchSizeInvalid", count, MOST)
    assert w.escrow.authorizeMany.refusal(*batch(payment, *items), by=w.issuer) == expected


@pytest.mark.parametrize(("word", "bit"), [(2, 240), (2, 255), (3, 248), (3, 255)])
def test_authorize_many_is_refused_whole_when_terms_are_not_canonical(w, word, bit):
    good, bad = w.new_payment("good"), w.new_payment("bad")
    words = [bytearray(each) for each in bad.packed]
    words[word][bit // 8] |= 1 << (7 - bit % 8)
    item = (tuple(bytes(each) for each in words), bad.signed.compact, 0)
    form = batch(good, good, item)
    assert w.escrow.authorizeMany.refusal(*form, by=w.issuer) == refused("TermsNotCanonical")


@pytest.mark.parametrize("party", [0, 1, 2])
def test_authorize_many_is_refused_whole_when_a_party_is_not_canonical(w, party):
    payment = w.new_payment()
    data = bytearray.fromhex(w.escrow.authorizeMany.encode(*batch(payment, payment))[2:])
    data[4 + 32 * party] |= 0x80
    found = w.chain.refusal(w.escrow.address, data.hex(), w.issuer)
    assert found == refused("TermsNotCanonical")


def test_authorize_many_is_refused_whole_when_the_issuer_is_suspended(w):
    payment = w.new_payment()
    w.cny.suspend(w.issuer, bytes(32), by=w.operator)
    expected = refused("AccountNotActive", w.issuer, SUSPENDED)
    assert w.escrow.authorizeMany.refusal(*batch(payment, payment), by=w.issuer) == expected


def test_authorize_many_is_refused_whole_when_the_currency_is_paused(w):
    payment = w.new_payment()
    w.cny.pause(by=w.operator)
    found = w.escrow.authorizeMany.refusal(*batch(payment, payment), by=w.issuer)
    assert found == refused("TokenPaused")


def test_authorize_many_is_refused_whole_when_the_escrow_is_cut_off(w):
    payment = w.new_payment()
    w.cny.cutOffModule(w.escrow, by=w.operator)
    found = w.escrow.authorizeMany.refusal(*batch(payment, payment), by=w.issuer)
    assert found == refused("ModuleNotAdmitted", w.escrow)


def test_authorize_many_skips_when_available_runs_out_and_takes_what_still_fits(w):
    w.set_card(w.issuer, w.card, payment_limit=2**64 - 1, day_limit=2**64 - 1)
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 2**64 - 1, 1)], by=w.acquirer)
    available = w.cny.availableOf(w.issuer)
    first = w.new_payment("first", amount=available - 100)
    too_much = w.new_payment("too much", amount=101)
    last = w.new_payment("last", amount=100)
    one_more = w.new_payment("one more", amount=1)
    form = batch(first, first, too_much, last, one_more)
    receipt = w.escrow.authorizeMany(*form, by=w.issuer)
    assert w.cny.availableOf(w.issuer) == 0
    assert receipt.events[0] == w.opened("PaymentAuthorized", first)
    assert skipped(w, receipt.events[1]) == (
        too_much.id,
        refused("AvailableTooLow", too_much.id, 100, 101),
    )
    assert receipt.events[2] == w.opened("PaymentAuthorized", last)
    assert skipped(w, receipt.events[3]) == (
        one_more.id,
        refused("AvailableTooLow", one_more.id, 0, 1),
    )


def test_authorize_many_skips_the_second_when_a_payment_is_in_it_twice(w):
    payment = w.new_payment()
    before = w.books()
    receipt = w.escrow.authorizeMany(*batch(payment, payment, payment), by=w.issuer)
    assert w.changes(before)["CNY.issuer.escrowed"] == AMOUNT
    assert skipped(w, receipt.events[1]) == (payment.id, refused("PaymentExists", payment.id))
    assert len(receipt.events) == 2


def test_authorize_many_skips_what_passes_the_day_limit_when_one_card_pays_often(w):
    w.escrow.setAcceptances(w.shop.id, [(w.cny, PAYMENT_LIMIT, 1)], by=w.acquirer)
    payments = [w.new_payment(f"payment {i}", amount=PAYMENT_LIMIT) for i in range(3)]
    receipt = w.escrow.authorizeMany(*batch(payments[0], *payments), by=w.issuer)
    spent = w.sibling.amount + 3 * PAYMENT_LIMIT
    assert skipped(w, receipt.events[2]) == (
        payments[2].id,
        refused("CardDayLimitExceeded", payments[2].id, spent, DAY_LIMIT),
    )
    assert w.escrow.spentToday(w.issuer, w.card, w.cny) == w.sibling.amount + 2 * PAYMENT_LIMIT


# Dynamic codes in a batch


@pytest.mark.parametrize("index", [0, 2, 2**256 - 1])
def test_authorize_many_skips_when_the_code_index_points_nowhere(w, index):
    payment = w.new_payment(amount=BIG)
    form = batch(payment, payment.item(index), codes=[w.code(payment)])
    receipt = w.escrow.authorizeMany(*form, by=w.issuer)
    expected = refused("DynamicCodeMissing", payment.id, BIG, STATIC_LIMIT)
    assert [skipped(w, each) for each in receipt.events] == [(payment.id, expected)]


@pytest.mark.threat("C31")
@pytest.mark.parametrize("what", ["expired", "amount", "signature"])
def test_authorize_many_skips_when_the_code_does_not_fit(w, what):
    payment = w.new_payment(amount=BIG)
    if what == "expired":
        code = w.code(payment, expires_at=w.now)
        expected = refused("DynamicCodeExpired", payment.id, w.now, w.now)
    elif what == "amount":
        code = w.code(payment, amount=BIG + 1)
        expected = refused("DynamicCodeAmountAbove", payment.id, BIG, BIG + 1)
    else:
        code = w.code(payment, signer=Key("another till"))
        expected = refused("DynamicCodeSignatureInvalid", payment.id, w.shop.id)
    before = w.books()
    receipt = w.escrow.authorizeMany(*batch(payment, payment.item(1), codes=[code]), by=w.issuer)
    assert w.changes(before) == {}
    assert [skipped(w, each) for each in receipt.events] == [(payment.id, expected)]


def test_authorize_many_takes_codes_in_any_order_when_each_item_names_its_own(w):
    payments = [w.new_payment(f"payment {i}", amount=BIG + i) for i in range(3)]
    codes = [w.code(payment) for payment in reversed(payments)]
    items = [payment.item(3 - index) for index, payment in enumerate(payments)]
    before = w.books()
    receipt = w.escrow.authorizeMany(*batch(payments[0], *items, codes=codes), by=w.issuer)
    assert receipt.events == [w.opened("PaymentAuthorized", payment) for payment in payments]
    assert w.changes(before)["CNY.issuer.escrowed"] == 3 * BIG + 3


def test_authorize_many_opens_both_when_two_items_share_a_code(w):
    first = w.new_payment("first", amount=BIG)
    second = w.new_payment("second", amount=BIG, card=w.second_card, uetr=first.terms.uetr)
    form = batch(first, first.item(1), second.item(1), codes=[w.code(first)])
    receipt = w.escrow.authorizeMany(*form, by=w.issuer)
    assert receipt.events == [w.opened("PaymentAuthorized", each) for each in (first, second)]


def test_authorize_many_skips_when_the_card_is_a_contract_account(w):
    owner = Key("card owner")
    card = owned_wallet(w, owner)
    w.set_card(w.issuer, card)
    payment = w.new_payment(card=card)
    item = payment.item(signature=owner.sign(payment.id))
    receipt = w.escrow.authorizeMany(*batch(payment, item), by=w.issuer)
    expected = refused("CardSignatureInvalid", payment.id, card)
    assert [skipped(w, each) for each in receipt.events] == [(payment.id, expected)]


# Success


def test_authorize_many_places_one_hold_when_all_are_good(w):
    payments = [
        w.new_payment(f"payment {i}", amount=100 + i, card=card, token=w.hkd)
        for i, card in enumerate((w.card, w.second_card, w.card))
    ]
    before = w.books()
    form = batch(payments[0], *payments)
    assert w.escrow.authorizeMany.read(*form, by=w.issuer) == 3
    receipt = w.escrow.authorizeMany(*form, by=w.issuer)
    assert w.changes(before) == {
        "HKD.issuer.available": -303,
        "HKD.issuer.escrowed": 303,
        "HKD.card.spent": 202,
        "HKD.second_card.spent": 101,
        **{f"{payment.name}.exists": 1 for payment in payments},
    }
    assert receipt.events == [w.opened("PaymentAuthorized", payment) for payment in payments]


def test_authorize_many_goes_through_when_a_delegate_has_the_verb(w):
    w.escrow.setDelegate(w.delegate, AUTHORIZE, by=w.issuer)
    payment = w.new_payment()
    receipt = w.escrow.authorizeMany(*batch(payment, payment), by=w.delegate)
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]


def test_authorize_many_reports_zero_when_every_item_is_refused_even_while_paused(w):
    payment = w.new_payment(amount=BIG)
    w.cny.pause(by=w.operator)
    assert w.escrow.authorizeMany.read(*batch(payment, payment), by=w.issuer) == 0


# The bound


@pytest.mark.threat("C33")
def test_authorize_many_fits_in_half_a_block_when_200_carry_their_own_code(w):
    w.set_card(w.issuer, w.card, payment_limit=PAYMENT_LIMIT, day_limit=2**64 - 1)
    payments = [
        w.new_payment(f"payment {i}", amount=STATIC_LIMIT + 1, card=w.card) for i in range(MOST)
    ]
    w.tracked = {}
    w.cny.issue(w.issuer, 20_000_000, b"top up".ljust(32), by=w.operator)
    codes = [w.code(payment) for payment in payments]
    items = [payment.item(i + 1) for i, payment in enumerate(payments)]
    held = w.cny.heldFor(w.escrow, w.issuer)
    receipt = w.escrow.authorizeMany(*batch(payments[0], *items, codes=codes), by=w.issuer)
    assert [each.name for each in receipt.events] == ["PaymentAuthorized"] * MOST
    assert w.cny.heldFor(w.escrow, w.issuer) == held + MOST * (STATIC_LIMIT + 1)
    assert receipt.gas_used < HALF_A_BLOCK


@pytest.mark.threat("C33")
@pytest.mark.threat("C07")
def test_authorize_many_fits_in_half_a_block_when_200_tills_eat_all_gas_they_get(w):
    till = villain_wallet(w, "EatsGas")
    shop = w.new_merchant(w.acquirer, "black hole", signer=till)
    payments = [
        w.new_payment(f"payment {i}", amount=STATIC_LIMIT + 1, merchant=shop) for i in range(MOST)
    ]
    w.tracked = {}
    codes = [w.code(payment, signer=Key("anyone")) for payment in payments]
    items = [payment.item(i + 1) for i, payment in enumerate(payments)]
    receipt = w.escrow.authorizeMany(*batch(payments[0], *items, codes=codes), by=w.issuer)
    assert [each.name for each in receipt.events] == ["PaymentSkipped"] * MOST
    assert receipt.gas_used < HALF_A_BLOCK


@pytest.mark.threat("C14")
@pytest.mark.threat("C15")
def test_authorize_many_is_refused_when_the_token_is_not_admitted(w):
    for token in (w.outsider, w.new_token("JPY", 392, 0)):
        payment = w.new_payment(token=token)
        found = w.escrow.authorizeMany.refusal(*batch(payment, payment), by=w.issuer)
        assert found == refused("TokenNotAdmitted", token)


@pytest.mark.threat("C11")
def test_authorize_many_skips_when_the_merchant_signs_as_a_contract_account(w):
    # A batch asks no contract: one could look at, or spoil, what the batch has done so far.
    owner = Key("till owner")
    shop = w.new_merchant(w.acquirer, "wallet shop", signer=owned_wallet(w, owner))
    payment = w.new_payment(amount=BIG, merchant=shop)
    code = w.code(payment, signer=owner)
    receipt = w.escrow.authorizeMany(*batch(payment, payment.item(1), codes=[code]), by=w.issuer)
    expected = refused("DynamicCodeSignatureInvalid", payment.id, shop.id)
    assert [skipped(w, each) for each in receipt.events] == [(payment.id, expected)]
    w.escrow.authorizeWith(*payment.full_form([code]), by=w.issuer)


def test_authorize_many_takes_a_code_of_64_bytes_when_the_merchant_is_a_key(w):
    payment = w.new_payment(amount=BIG)
    asked, expires_at, signature = w.code(payment)
    vs = int.from_bytes(signature[32:64], "big") | ((signature[64] - 27) << 255)
    code = (asked, expires_at, signature[:32] + vs.to_bytes(32, "big"))
    receipt = w.escrow.authorizeMany(*batch(payment, payment.item(1), codes=[code]), by=w.issuer)
    assert receipt.events == [w.opened("PaymentAuthorized", payment)]
