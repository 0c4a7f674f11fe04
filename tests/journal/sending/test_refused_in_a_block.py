"""Included and refused: the reason is told. S27."""

import pytest

from tael.errors import OutcomeUnknownError, UnknownRevertError, WrongStateError
from tael.journal import WriteState
from tests.journal.sending.sending import PAUSED, deploy, send
from tests.support.raw_contracts import ONCE_THEN_FOREVER, once, signer
from tests.support.sending import order, outbox_on
from tests.support.sending import send as send_past
from tests.support.waiting import wait_until


@pytest.fixture
def overtaken(chain):
    """An outbox whose next order somebody else gets ahead of, between estimate and inclusion."""
    addresses = []

    def overtake(step, _count):
        if step == "journaled" and addresses:
            send_past(chain, signer(1), addresses.pop())

    running = outbox_on(chain, wait_seconds=20, on_step=overtake)
    yield running, addresses
    running.close()


@pytest.mark.threat("S27")
def test_send_raises_the_reason_when_included_with_status_0(node, chain, overtaken):
    outbox, addresses = overtaken
    address = deploy(chain, once(PAUSED))
    addresses.append(address)
    with pytest.raises(WrongStateError) as refused:
        send(outbox, signer(0), address)
    error = refused.value
    assert error.name == "TokenPaused"
    assert error.data == PAUSED
    receipt = node.rpc("eth_getTransactionReceipt", error.transaction_hash)
    assert receipt["status"] == "0x0"
    assert error.transaction_hash in str(error)


@pytest.mark.threat("S27")
def test_send_says_out_of_gas_when_the_gas_was_gone(chain, overtaken):
    outbox, addresses = overtaken
    address = deploy(chain, ONCE_THEN_FOREVER)
    addresses.append(address)
    with pytest.raises(UnknownRevertError) as refused:
        send(outbox, signer(0), address)
    assert refused.value.name == "OutOfGas"
    assert refused.value.transaction_hash


@pytest.mark.threat("S27")
def test_the_reason_is_asked_for_until_a_node_tells_it(proxy, chain, overtaken):
    outbox, addresses = overtaken
    address = deploy(chain, once(PAUSED))
    addresses.append(address)
    proxy.arm("eth_call", "503", times=1000)
    outbox.wait_seconds = 2
    what = order(signer(0), address)
    with pytest.raises(OutcomeUnknownError) as unknown:
        outbox.send(signer(0), what)
    proxy.calm()

    def kept():
        return outbox.journal.find(what.participant, what.reference)

    wait_until(lambda: kept().state is WriteState.REFUSED)
    assert (kept().refusal, kept().transaction_hash) == (PAUSED, unknown.value.transaction_hash)
