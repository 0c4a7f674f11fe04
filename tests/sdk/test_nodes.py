"""Local chains: they start beside others, obey their clock and leave nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tael.testing import NodeError, NodeStartError, find_program, programs, start_node

# TIMESTAMP, stored and returned: what `block.timestamp` is for a call.
RETURN_TIMESTAMP = "0x4260005260206000f3"


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def group_members(group):
    listing = subprocess.run(
        ["ps", "-A", "-o", "pgid=,pid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [
        int(pid) for pgid, pid, state in rows if int(pgid) == group and not state.startswith("Z")
    ]


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def send(node):
    payer, payee = node.accounts()[:2]
    sent = node.rpc("eth_sendTransaction", {"from": payer, "to": payee, "value": "0x1"})
    assert wait_until(lambda: node.rpc("eth_getTransactionReceipt", sent) is not None)
    return node.rpc("eth_getTransactionReceipt", sent)


def block_of(node, receipt):
    block = node.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
    return int(block["timestamp"], 16)


@pytest.fixture(scope="module", params=["anvil", "ganache"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def frozen(kind):
    with start_node(kind, chain_id=31337, frozen_clock=True, accounts=3) as node:
        yield node


def test_start_reports_what_was_asked_when_given_chain_and_accounts(frozen):
    assert int(frozen.rpc("eth_chainId"), 16) == 31337
    assert len(frozen.accounts()) == 3
    assert frozen.accounts()[0].lower() == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    latest = frozen.rpc("eth_getBlockByNumber", "latest", False)
    assert int(latest["gasLimit"], 16) == 30_000_000
    assert frozen.log_file.read_text()


def test_evm_follows_shanghai_when_started_by_default(frozen):
    # PUSH0 is shanghai's, TLOAD is cancun's.
    assert frozen.rpc("eth_call", {"data": "0x5f5ff3"}, "latest") == "0x"
    with pytest.raises(NodeError):
        frozen.rpc("eth_call", {"data": "0x5f5c5f5ff3"}, "latest")


def test_clock_stands_still_when_frozen(frozen):
    before = frozen.timestamp()
    time.sleep(1.1)
    assert block_of(frozen, send(frozen)) == before


def test_next_block_has_the_exact_timestamp_when_set(frozen):
    wanted = frozen.timestamp() + 4321
    frozen.set_next_timestamp(wanted)
    assert block_of(frozen, send(frozen)) == wanted
    assert block_of(frozen, send(frozen)) == wanted
    assert int(frozen.rpc("eth_call", {"data": RETURN_TIMESTAMP}, "latest"), 16) == wanted


def test_advance_time_moves_blocks_and_calls_when_asked(frozen):
    before, number = frozen.timestamp(), frozen.block_number()
    assert frozen.advance_time(3600) == before + 3600
    assert frozen.block_number() == number + 1
    assert block_of(frozen, send(frozen)) == before + 3600
    assert int(frozen.rpc("eth_call", {"data": RETURN_TIMESTAMP}, "latest"), 16) == before + 3600


def test_mine_adds_blocks_when_given_a_number(frozen):
    number, before = frozen.block_number(), frozen.timestamp()
    assert frozen.mine(3, timestamp=before + 7) == before + 7
    assert frozen.block_number() == number + 3


def test_mine_is_refused_when_the_timestamp_is_not_later(frozen):
    number = frozen.block_number()
    with pytest.raises(NodeError, match="not later"):
        frozen.mine(timestamp=frozen.timestamp())
    assert frozen.block_number() == number


def test_revert_restores_state_and_clock_when_given_a_snapshot(frozen):
    payee = frozen.accounts()[1]
    before = (
        frozen.timestamp(),
        frozen.block_number(),
        frozen.rpc("eth_getBalance", payee, "latest"),
    )
    snapshot = frozen.snapshot()
    frozen.advance_time(1000)
    send(frozen)
    frozen.revert(snapshot)
    after = (
        frozen.timestamp(),
        frozen.block_number(),
        frozen.rpc("eth_getBalance", payee, "latest"),
    )
    assert after == before
    with pytest.raises(NodeError, match="snapshot"):
        frozen.revert(snapshot)


def test_rpc_gives_the_nodes_words_when_refused(frozen):
    with pytest.raises(NodeError) as refused:
        frozen.rpc("tael_unknown")
    assert refused.value.method == "tael_unknown"
    assert "tael_unknown" in refused.value.message or "not" in refused.value.message.lower()


def test_clock_follows_the_wall_when_not_frozen(kind):
    with start_node(kind) as node:
        assert abs(node.timestamp() - time.time()) < 5
        assert node.advance_time(600) == pytest.approx(time.time() + 600, abs=5)


def test_blocks_arrive_when_given_a_block_time(kind):
    with start_node(kind, block_time_seconds=1) as node:
        assert wait_until(lambda: node.block_number() >= 2)


def test_blocks_arrive_only_when_the_chain_stands_idle(kind):
    with start_node(kind) as node:
        first = node.block_number()
        time.sleep(1.2)
        assert node.block_number() == first
        with node.mining_when_idle(0.5):
            assert wait_until(lambda: node.block_number() >= first + 3)
            assert abs(node.timestamp() - time.time()) <= 2
        stopped_at = node.block_number()
        time.sleep(1.2)
        assert node.block_number() == stopped_at


def test_no_block_is_added_while_transactions_make_them(kind):
    with start_node(kind) as node, node.mining_when_idle(1):
        first, sent = node.block_number(), 0
        began = time.monotonic()
        while time.monotonic() - began < 3:
            send(node)
            sent += 1
        assert node.block_number() - first == sent


def test_mining_when_idle_ends_quietly_when_the_node_is_gone(kind):
    with start_node(kind) as node, node.mining_when_idle(0.1):
        os.killpg(node.pid, signal.SIGKILL)
        time.sleep(0.5)
    assert not [each for each in threading.enumerate() if each.name == "mining-when-idle"]


def test_nothing_is_mined_when_mining_is_off():
    with start_node("anvil", mine_automatically=False) as node:
        payer, payee = node.accounts()[:2]
        sent = node.rpc("eth_sendTransaction", {"from": payer, "to": payee, "value": "0x1"})
        assert node.block_number() == 0
        node.mine()
        assert node.rpc("eth_getTransactionReceipt", sent)["blockNumber"] == "0x1"
    with (
        pytest.raises(NodeStartError, match="Anvil"),
        start_node("ganache", mine_automatically=False),
    ):
        pytest.fail("Ganache started")


def test_start_takes_another_port_when_8545_is_occupied(kind):
    with contextlib.ExitStack() as stack:
        occupant = stack.enter_context(socket.socket())
        with contextlib.suppress(OSError):  # occupied by somebody else serves as well
            occupant.bind(("127.0.0.1", 8545))
            occupant.listen()
        first = stack.enter_context(start_node(kind))
        second = stack.enter_context(start_node(kind))
        assert len({first.url, second.url, "http://127.0.0.1:8545"}) == 3


def test_start_names_the_port_when_the_wanted_one_is_taken(kind):
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        with (
            pytest.raises(NodeStartError, match=f"port {port} is in use"),
            start_node(kind, port=port),
        ):
            pytest.fail("started on an occupied port")


def test_start_says_what_to_run_when_the_program_is_missing(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "folders_above", lambda: iter([tmp_path]))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeStartError, match="make setup"), start_node(kind, log_folder=tmp_path):
        pytest.fail("started a program that is not there")


def test_program_is_the_named_one_when_it_can_be_run(kind, tmp_path, monkeypatch):
    named = tmp_path / "my-node"
    named.touch(mode=0o700)
    monkeypatch.setenv(f"TAEL_{kind.upper()}", str(named))
    assert find_program(kind) == [str(named)]


@pytest.mark.parametrize("name", ["absent", ""])
def test_start_names_the_variable_when_it_points_nowhere(kind, name, tmp_path, monkeypatch):
    variable = f"TAEL_{kind.upper()}"
    monkeypatch.setenv(variable, f"{tmp_path}/{name}")
    with pytest.raises(NodeStartError, match=variable), start_node(kind, log_folder=tmp_path):
        pytest.fail("started a program that is not there")


def test_start_shows_the_last_words_when_the_node_ends_early(kind, tmp_path):
    with (
        pytest.raises(NodeStartError, match="last words"),
        start_node(kind, arguments=["--no-such-option", "1"], log_folder=tmp_path),
    ):
        pytest.fail("started with an unknown option")


def test_stop_leaves_no_process_when_the_block_ends(kind):
    with start_node(kind) as node:
        assert len(group_members(node.pid)) >= 2
    assert wait_until(lambda: not group_members(node.pid))
    with pytest.raises(NodeError, match="did not answer"):
        node.rpc("eth_chainId")


def test_stop_leaves_no_file_when_the_block_ends(kind, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with start_node(kind, log_folder=tmp_path) as node:
        send(node)
        (own,) = scratch.iterdir()
        # Ganache keeps its database where temporary files go; Anvil's is in memory.
        assert bool(list(own.rglob("*"))) is (kind == "ganache")
    assert wait_until(lambda: not list(scratch.iterdir()))


def test_stop_leaves_no_process_when_the_block_raises(kind):
    with pytest.raises(ZeroDivisionError), start_node(kind) as node:
        raise ZeroDivisionError
    assert wait_until(lambda: not group_members(node.pid))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_node_ends_when_its_parent_is_ended(kind, ending, tmp_path):
    program = (
        "import sys, time\n"
        "from tael.testing import start_node\n"
        f"with start_node({kind!r}) as node:\n"
        "    print(node.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with parent:
        group = int(parent.stdout.readline())
        assert len(group_members(group)) >= 2
        assert list(tmp_path.glob("tael-node-*"))
        parent.send_signal(ending)
        parent.wait(10)
    assert wait_until(lambda: not group_members(group))
    assert wait_until(lambda: not list(tmp_path.glob("tael-node-*")))
