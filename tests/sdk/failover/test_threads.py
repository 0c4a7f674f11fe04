"""Many threads and a forked process ask while nodes come and go (S13)."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tael.chain import node_selection as selection_module
from tael.rpc import request
from tests.sdk.failover.connecting import CHAIN_ID, connect
from tests.support.faulty_proxy import FaultyProxy


@pytest.mark.threat("S13")
def test_every_thread_gets_its_answer_when_nodes_come_and_go(
    proxies: list[FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection_module, "SURVEY_SECONDS", 0.05)
    chain = connect(proxies, retry_seconds=20.0)

    def ask(thread: int) -> int:
        for turn in range(40):
            data = "0x" + bytes([thread, turn]).hex()
            one = request(chain, "web3_sha3", data)
            two = chain.read(lambda d=data: chain.nodes.ask("web3_sha3", [d]))
            assert one == two["result"]
        return thread

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, thread) for thread in range(8)]
        for turn in range(6):
            proxies[turn % 3].down()
            time.sleep(0.1)
            proxies[turn % 3].up()
            proxies[(turn + 1) % 3].arm("web3_sha3", "alien")
            proxies[(turn + 2) % 3].arm("web3_sha3", "drop_after")
        assert sorted(each.result() for each in asked) == list(range(8))


def test_a_forked_process_is_answered_when_its_parent_was_just_asking(
    proxies: list[FaultyProxy],
) -> None:
    chain = connect(proxies)
    stopped = threading.Event()

    def keep_asking() -> None:
        while not stopped.is_set():
            request(chain, "eth_blockNumber")

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        for _ in range(5):
            time.sleep(0.05)
            child = os.fork()
            if child == 0:
                signal.alarm(10)  # it hangs rather than fails
                answered = request(chain, "eth_chainId") == hex(CHAIN_ID)
                os._exit(0 if answered else 1)
            assert os.waitpid(child, 0)[1] == 0
        stopped.set()
        for each in asking:
            each.result()
