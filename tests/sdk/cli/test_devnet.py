"""`tael devnet` lives and ends with its node."""

import json
import os
import signal
import subprocess
import time

import pytest

from tael.chain import Chain
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("on_chain")


@pytest.mark.slow
def test_devnet_ends_with_its_chain_when_interrupted(tael):
    process = tael.start("devnet", "--port", "0", "--json")
    document = json.loads(process.stdout.readline())
    tael.set(TAEL_RPC_URL=document["rpc_url"], TAEL_MANIFEST=document["manifest"])
    tael.set(TAEL_KEY=document["accounts"]["amber"]["key"])
    first, _ = tael("balance", "--json").documents
    assert (first["currency"], first["available_minor"]) == ("CNY", 1_000_000_000)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert tael("balance", "--rpc-url", document["rpc_url"]).code in (2, 3)


def test_devnet_keeps_its_clock_going_when_nobody_sends(tael):
    process = tael.start("devnet", "--port", "0", "--idle-block", "1", "--json")
    try:
        document = json.loads(process.stdout.readline())
        chain = Chain.connect(document["rpc_url"])
        first = chain.block_number()
        wait_until(lambda: chain.block_number() >= first + 3)
        assert abs(chain.now() - time.time()) <= 4
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_devnet_ends_with_3_when_its_node_is_gone(tael):
    process = tael.start("devnet", "--port", "0", "--json")
    json.loads(process.stdout.readline())
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    os.killpg(int(listed.stdout.split()[0]), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert json.loads(out)["error"]["code"] == "node_error"
    assert err == ""


def test_devnet_is_refused_when_the_program_is_missing(tael):
    tael.set(TAEL_ANVIL=str(tael.folder / "none"))
    error = tael.json("devnet", code=3)["error"]
    assert error["code"] == "node_start"
    assert tael("devnet", "--node", "geth").code == 2
