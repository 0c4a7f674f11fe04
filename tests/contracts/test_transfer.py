"""transfer: a participant sends what it can spend."""

import pytest

from tests.contracts.chain import Refusal, refused
from tests.contracts.world import CLOSED, FUNDS, NONE, SUSPENDED


@pytest.mark.parametrize(("stop", "status"), [("suspend", SUSPENDED), ("close", CLOSED)])
def test_transfer_is_refused_when_the_sender_was_stopped(w, stop, status):
    arguments = (bytes(32),) if stop == "suspend" else ()
    getattr(w.cny, stop)(w.scheme, *arguments, by=w.operator)
    expected = refused("AccountNotActive", w.scheme, status)
    assert w.cny.transfer.refusal(w.acquirer, 1, by=w.scheme) == expected


def test_transfer_is_refused_when_the_sender_is_no_participant(w):
    expected = refused("AccountNotActive", w.outsider, NONE)
    assert w.cny.transfer.refusal(w.acquirer, 0, by=w.outsider) == expected


@pytest.mark.threat("C51")
@pytest.mark.parametrize("receiver", ["outsider", "zero", "the token", "the escrow"])
def test_transfer_is_refused_when_the_receiver_is_no_participant(w, receiver):
    to = {
        "outsider": w.outsider.address,
        "zero": "0x" + "00" * 20,
        "the token": w.cny.address,
        "the escrow": w.escrow.address,
    }[receiver]
    expected = refused("AccountCannotReceive", to, NONE)
    assert w.cny.transfer.refusal(to, 1, by=w.issuer) == expected


def test_transfer_is_refused_when_the_receiver_is_closed(w):
    w.cny.close(w.scheme, by=w.operator)
    expected = refused("AccountCannotReceive", w.scheme, CLOSED)
    assert w.cny.transfer.refusal(w.scheme, 1, by=w.issuer) == expected


def test_transfer_is_refused_when_the_currency_is_paused(w):
    w.cny.pause(by=w.operator)
    assert w.cny.transfer.refusal(w.acquirer, 1, by=w.issuer) == refused("TokenPaused")
    w.hkd.transfer(w.acquirer, 1, by=w.issuer)


@pytest.mark.threat("C27")
@pytest.mark.parametrize("value", ["one more", 2**80, 2**128, 2**160, 2**240, 2**256 - 1])
def test_transfer_is_refused_when_the_value_is_more_than_available(w, value):
    # Part of the issuer's balance is held: it is not available.
    available = w.cny.availableOf(w.issuer)
    assert available < w.cny.balanceOf(w.issuer)
    amount = available + 1 if value == "one more" else value
    expected = refused("InsufficientAvailable", w.issuer, available, amount)
    assert w.cny.transfer.refusal(w.acquirer, amount, by=w.issuer) == expected


def test_transfer_is_refused_when_the_address_has_stray_bits(w):
    data = bytearray.fromhex(w.cny.transfer.encode(w.acquirer, 1)[2:])
    data[4] = 1
    assert w.chain.refusal(w.cny.address, data.hex(), w.issuer) == Refusal("")


def test_transfer_moves_value_when_the_sender_has_it(w):
    before = w.books()
    assert w.cny.transfer.read(w.acquirer, 12_345, by=w.issuer) is True
    receipt = w.cny.transfer(w.acquirer, 12_345, by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -12_345,
        "CNY.acquirer.available": 12_345,
    }
    assert receipt.events == [w.moved(w.cny, w.issuer, w.acquirer, 12_345)]


def test_transfer_moves_everything_available_and_no_hold_when_asked(w):
    available = w.cny.availableOf(w.issuer)
    before = w.books()
    w.cny.transfer(w.acquirer, available, by=w.issuer)
    assert w.changes(before) == {
        "CNY.issuer.available": -available,
        "CNY.acquirer.available": available,
    }
    assert w.cny.balanceOf(w.issuer) == w.cny.heldOf(w.issuer) == w.sibling.amount


def test_transfer_changes_nothing_when_to_oneself_or_of_nothing(w):
    before = w.books()
    own = w.cny.transfer(w.issuer, FUNDS // 2, by=w.issuer)
    none = w.cny.transfer(w.acquirer, 0, by=w.issuer)
    assert w.changes(before) == {}
    # ERC-20: a transfer of zero is a transfer.
    assert own.events == [w.moved(w.cny, w.issuer, w.issuer, FUNDS // 2)]
    assert none.events == [w.moved(w.cny, w.issuer, w.acquirer, 0)]


@pytest.mark.threat("C18")
def test_transfer_arrives_when_the_receiver_is_suspended(w):
    w.cny.suspend(w.acquirer, bytes(32), by=w.operator)
    before = w.books()
    w.cny.transfer(w.acquirer, 7, by=w.issuer)
    assert w.changes(before)["CNY.acquirer.available"] == 7


def test_names_and_decimals_are_the_currencys_when_read(w):
    assert (w.cny.name(), w.cny.symbol()) == ("Tael CNY", "CNY")
    assert (w.cny.decimals(), w.cny.currencyCode()) == (2, 156)


@pytest.mark.threat("C26")
@pytest.mark.parametrize(("symbol", "code", "exponent"), [("JPY", 392, 0), ("KWD", 414, 3)])
def test_transfer_counts_minor_units_when_the_currency_has_other_decimals(
    w, symbol, code, exponent
):
    token = w.new_token(symbol, code, exponent)
    w.fund(token)
    assert (token.decimals(), token.currencyCode()) == (exponent, code)
    before = w.books()
    token.transfer(w.acquirer, 1, by=w.issuer)
    assert token.balanceOf(w.acquirer) == FUNDS + 1
    assert token.balanceOf(w.issuer) == FUNDS - 1
    assert w.changes(before) == {}
