"""What may change the chain goes to one node, once (S02, S12)."""

from __future__ import annotations

from typing import Any

import pytest

from tael.errors import NodeUnavailableError
from tael.rpc import exchange
from tael.testing import LocalNode
from tests.sdk.failover.connecting import connect
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import order, outbox_on, sign


@pytest.mark.threat("S02")
@pytest.mark.parametrize("way", ["w3", "exchange"])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "503", "truncate"])
def test_a_transaction_is_handed_to_one_node_when_that_fails(
    proxies: list[FaultyProxy], fault: str, way: str
) -> None:
    chain = connect(proxies)
    raw: Any = "0x" + sign(chain, signer(0), None, creation(ECHO)).hex()

    def send() -> None:
        if way == "w3":
            chain.w3.eth.send_raw_transaction(raw)
        else:
            exchange(chain, [("eth_chainId", []), ("eth_sendRawTransaction", [raw])])

    proxies[0].arm("eth_sendRawTransaction", fault)
    with pytest.raises((NodeUnavailableError, OSError)):
        send()
    assert [proxy.requests["eth_sendRawTransaction"] for proxy in proxies] == [1, 0, 0]
    # The next broadcast goes elsewhere.
    exchange(chain, [("eth_sendRawTransaction", [raw])])
    assert [proxy.requests["eth_sendRawTransaction"] for proxy in proxies] == [1, 1, 0]


@pytest.mark.threat("S12")
def test_send_succeeds_when_nodes_fail_in_turn(proxies: list[FaultyProxy], node: LocalNode) -> None:
    chain = connect(proxies, retry_seconds=5.0)
    outbox, who = outbox_on(chain, wait_seconds=20), signer(2)
    count = int(node.rpc("eth_getTransactionCount", signer(2).address, "latest"), 16)
    for turn in range(6):
        down = proxies[turn % 3]
        down.arm("eth_sendRawTransaction", "drop_after")
        down.arm("eth_getTransactionCount", "503")
        receipt = outbox.send(who, order(who, None, creation(ECHO)))
        assert receipt.contract_address
    after = int(node.rpc("eth_getTransactionCount", signer(2).address, "latest"), 16)
    assert after == count + 6
