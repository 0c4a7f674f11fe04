"""Refused before anything is sent. S11, S13, S23, S27."""

import pytest

from tael.chain import Chain
from tael.errors import (
    NetworkMismatchError,
    NodeUnavailableError,
    SigningKeyError,
    TransactionRefusedError,
    WrongStateError,
)
from tael.signers import PrivateKeySigner
from tael.testing import start_node
from tests.journal.sending.sending import (
    OWN_KEY,
    PAUSED,
    PAYEE,
    CountingSigner,
    count,
    deploy,
    send,
)
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import once, signer
from tests.support.sending import outbox_on


@pytest.mark.threat("S11")
@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_chainId", "0xaa36a7"),
        ("eth_getBlockByNumber", lambda block: {**block, "hash": "0x" + "ee" * 32}),
    ],
)
def test_send_signs_nothing_when_the_node_serves_another_chain(proxy, outbox, method, lie):
    who = CountingSigner(signer(0))
    proxy.arm(method, lie=lie)
    with pytest.raises(NetworkMismatchError):
        send(outbox, who, PAYEE)
    assert who.signed == 0


@pytest.mark.threat("S23")
def test_send_refuses_a_known_key_when_the_chain_is_not_local(node, proxy):
    proxy.arm("web3_clientVersion", lie="Geth/v1.15.0")
    proxy.arm("eth_chainId", lie="0xaa36a7", times=100)
    chain = Chain.connect(proxy.url)
    assert not chain.is_local
    who, sent = CountingSigner(signer(0)), proxy.requests["eth_sendRawTransaction"]
    with pytest.raises(SigningKeyError, match="well-known test account"):
        send(outbox_on(chain), who, PAYEE)
    small = PrivateKeySigner.from_key("0" * 63 + "1")
    with pytest.raises(SigningKeyError, match="well-known test account"):
        send(outbox_on(chain), small, PAYEE)
    assert who.signed == 0
    assert proxy.requests["eth_sendRawTransaction"] == sent


@pytest.mark.threat("S23")
def test_send_takes_an_own_key_when_the_chain_is_not_local():
    with (
        start_node("anvil", chain_id=11155111) as posing,
        FaultyProxy(posing.url).serving() as disguised,
    ):
        disguised.arm("web3_clientVersion", lie="Geth/v1.15.0")
        own = PrivateKeySigner.from_key(OWN_KEY)
        posing.rpc("anvil_setBalance", own.address, hex(10**18))
        chain = Chain.connect(disguised.url, 11155111)
        assert not chain.is_local
        assert send(outbox_on(chain), own, PAYEE, value=5).status == "included"


@pytest.mark.threat("S27")
def test_send_refuses_before_sending_when_the_contract_would(node, chain, outbox):
    address = deploy(chain, once(PAUSED))
    send(outbox, signer(0), address)
    before = count(node, signer(0))
    with pytest.raises(WrongStateError) as refused:
        send(outbox, signer(0), address)
    assert (refused.value.name, refused.value.transaction_hash) == ("TokenPaused", None)
    assert count(node, signer(0)) == before


def test_send_is_refused_when_there_is_no_ether(node, outbox):
    poor = PrivateKeySigner.from_key("b00b" * 16)
    with pytest.raises(TransactionRefusedError, match=r"(?i)fund|enough|balance"):
        send(outbox, poor, PAYEE, value=1)
    assert count(node, poor) == 0


@pytest.mark.threat("S13")
def test_send_sends_nothing_when_the_node_fails_beforehand(node, proxy, chain):
    chain.retry_seconds = 0.3
    who = CountingSigner(signer(0))
    proxy.arm("eth_estimateGas", "503", times=1000)
    with pytest.raises(NodeUnavailableError):
        send(outbox_on(chain), who, PAYEE)
    assert who.signed == 0
