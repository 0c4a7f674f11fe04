"""Included and refused: the reason is told. S27."""

import pytest

from tael.chain import Sender
from tael.errors import ContractRevertedError, UnknownRevertError, WrongStateError
from tests.sdk.sender.sending import PAUSED, deploy, send
from tests.support.raw_contracts import ONCE_THEN_FOREVER, once, signer


@pytest.mark.threat("S27")
def test_send_raises_the_reason_when_included_with_status_0(node, sender):
    address = deploy(sender, once(PAUSED))
    # Between estimate and inclusion somebody else gets ahead.
    with pytest.raises(WrongStateError) as refused:
        send(
            sender,
            signer(0),
            address,
            before_broadcast=lambda _: send(Sender(sender.chain), signer(1), address),
        )
    error = refused.value
    assert error.name == "TokenPaused"
    assert error.data == PAUSED
    receipt = node.rpc("eth_getTransactionReceipt", error.transaction_hash)
    assert receipt["status"] == "0x0"
    assert error.transaction_hash in str(error)


@pytest.mark.threat("S27")
def test_send_says_out_of_gas_when_the_gas_was_gone(node, sender):
    address = deploy(sender, ONCE_THEN_FOREVER)
    with pytest.raises(UnknownRevertError) as refused:
        send(
            sender,
            signer(0),
            address,
            before_broadcast=lambda _: send(Sender(sender.chain), signer(1), address),
        )
    assert refused.value.name == "OutOfGas"
    assert refused.value.transaction_hash


@pytest.mark.threat("S27")
def test_send_raises_without_a_reason_when_the_node_cannot_run_it_again(node, proxy, chain):
    address = deploy(Sender(chain), once(PAUSED))
    chain.retry_seconds = 0.3
    proxy.arm("eth_call", "503", times=1000)
    with pytest.raises(ContractRevertedError) as refused:
        send(
            Sender(chain),
            signer(0),
            address,
            before_broadcast=lambda _: send(Sender(chain), signer(1), address),
        )
    assert refused.value.transaction_hash
    assert refused.value.name == ""
