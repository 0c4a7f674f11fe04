"""Connecting, checking who answers, and reading from nodes that stumble: S11, S13, S21, S25."""

import socket
import subprocess
import sys
import time

import pytest
from eth_utils import to_checksum_address

from tael.chain import Chain, load, require_address
from tael.chain.connection import shown_url
from tael.contracts.calls import Contract
from tael.deployment import DeploymentPlan, deploy
from tael.errors import (
    AddressError,
    ConfigurationError,
    InvalidInputError,
    NetworkMismatchError,
    NodeUnavailableError,
)
from tael.history import History
from tael.rpc import call, request
from tael.testing import start_node
from tests.support.faulty_proxy import FaultyProxy
from tests.support.raw_contracts import ECHO, creation, signer
from tests.support.sending import order, outbox_on


@pytest.fixture(scope="module")
def node():
    with start_node("anvil", chain_id=31337) as running:
        yield running


@pytest.fixture(scope="module")
def running_proxy(node):
    with FaultyProxy(node.url).serving() as serving:
        yield serving


@pytest.fixture
def proxy(running_proxy):
    yield running_proxy
    running_proxy.calm()


@pytest.fixture
def chain(proxy):
    return Chain.connect(proxy.url, timeout_seconds=1.0, retry_seconds=5.0)


@pytest.fixture(scope="module")
def manifest(node):
    chain = Chain.connect(node.url)
    return deploy(chain, signer(0), DeploymentPlan.development(signer(1).address))


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Who answers


@pytest.mark.threat("S11")
def test_connect_refuses_when_another_chain_answers(node):
    with pytest.raises(NetworkMismatchError, match="serves chain 31337, not chain 11155111"):
        Chain.connect(node.url, 11155111)
    with pytest.raises(NetworkMismatchError, match="another chain of the same number"):
        Chain.connect(node.url, 31337, "0x" + "00" * 32)
    chain = Chain.connect(node.url, 31337)
    assert Chain.connect(node.url, 31337, chain.genesis_hash.upper().replace("X", "x"))


@pytest.mark.threat("S11")
def test_connect_is_deceived_by_no_node_when_the_chain_id_is_a_lie(proxy):
    proxy.arm("eth_chainId", lie="0xaa36a7")
    with pytest.raises(NetworkMismatchError):
        Chain.connect(proxy.url, 31337)


@pytest.mark.threat("S11")
@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_chainId", "0x1"),
        ("eth_getBlockByNumber", lambda block: {**block, "hash": "0x" + "ee" * 32}),
    ],
)
def test_require_same_chain_refuses_when_the_node_changes(proxy, chain, method, lie):
    chain.require_same_chain()
    proxy.arm(method, lie=lie)
    with pytest.raises(NetworkMismatchError, match="nothing was signed"):
        chain.require_same_chain()


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8545", "ws://127.0.0.1:1", "file:///etc/passwd", "http://", "http://h:99999"],
)
def test_connect_refuses_when_the_url_is_not_http(url):
    with pytest.raises(ConfigurationError, match="http"):
        Chain.connect(url)


def test_connect_says_so_when_nothing_listens():
    started = time.monotonic()
    with pytest.raises(NodeUnavailableError, match="could not be reached"):
        Chain.connect(f"http://127.0.0.1:{closed_port()}", retry_seconds=0.5)
    assert time.monotonic() - started < 5


@pytest.mark.threat("S23")
def test_is_local_only_when_on_loopback_and_for_development(proxy, node):
    assert Chain.connect(node.url).is_local
    with start_node("anvil", chain_id=11155111) as posing:
        assert Chain.connect(posing.url).is_local
        with FaultyProxy(posing.url).serving() as disguised:
            disguised.arm("web3_clientVersion", lie="Geth/v1.15.0/linux-amd64")
            # A real node on this machine is a real network.
            assert not Chain.connect(disguised.url).is_local
    chain = Chain.connect(node.url)
    chain.url = "https://rpc.example.org"
    assert not chain.is_local
    chain.url = "http://127.0.0.1.example.org:8545"
    assert not chain.is_local


# Nodes that stumble


@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    "fault", ["html", "truncate", "429", "503", "drop_before", "drop_after", "busy", "slow"]
)
def test_read_succeeds_when_the_node_stumbles_twice(proxy, chain, fault):
    expected = chain.block_number()
    before = proxy.requests["eth_blockNumber"]
    proxy.arm("eth_blockNumber", fault, times=2)
    assert chain.block_number() == expected
    assert proxy.requests["eth_blockNumber"] - before == 3


@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("html", "not JSON-RPC"),
        ("truncate", "not JSON-RPC"),
        ("429", "HTTP 429"),
        ("503", "HTTP 503"),
        ("drop_before", "hung up"),
        ("busy", "limit exceeded"),
        ("slow", "in time"),
    ],
)
def test_read_gives_up_when_the_node_never_recovers(proxy, chain, fault, words):
    chain.retry_seconds = 0.4
    proxy.arm("eth_blockNumber", fault, times=1000)
    started = time.monotonic()
    with pytest.raises(NodeUnavailableError, match=words):
        chain.block_number()
    assert time.monotonic() - started < 4


@pytest.mark.threat("S13")
def test_read_is_not_repeated_when_the_question_is_wrong(proxy, chain):
    before = proxy.requests["eth_getBlockByNumber"]
    with pytest.raises(Exception, match="not found"):
        chain.w3.eth.get_block(10**9)
    with pytest.raises(NodeUnavailableError, match="refuses to answer"):
        request(chain, "eth_getBlockByNumber", "latest", [])
    assert proxy.requests["eth_getBlockByNumber"] - before == 2
    with pytest.raises(ZeroDivisionError):
        chain.read(lambda: 1 // 0)


@pytest.mark.threat("S22")
def test_errors_and_repr_keep_the_urls_secrets_when_the_node_is_gone():
    url = f"http://user:word@127.0.0.1:{closed_port()}/v3/apikey?token=x"
    with pytest.raises(NodeUnavailableError) as failed:
        Chain.connect(url, retry_seconds=0.1)
    for secret in ("word", "apikey", "token"):
        assert secret not in str(failed.value)
    assert shown_url("https://[::1]:8545/x") == "https://[::1]:8545"


# Reading


@pytest.mark.threat("S25")
def test_now_is_the_chains_time_when_the_host_clock_is_off(node):
    chain = Chain.connect(node.url)
    before = node.snapshot()
    moved = node.advance_time(3600)
    assert chain.now() == moved
    assert moved - time.time() > 3000
    node.revert(before)
    assert abs(chain.now() - time.time()) < 60


def test_call_gives_what_the_contract_says(chain, manifest):
    token = Contract("SettlementToken", manifest.token("HKD"))
    assert call(chain, token, "currencyCode") == 344
    assert call(chain, token, "symbol", block=hex(chain.block_number())) == "tHKD"


@pytest.mark.threat("S16")
def test_call_says_so_when_no_contract_is_there(chain):
    with pytest.raises(NodeUnavailableError, match="not a valid result of symbol"):
        call(chain, Contract("SettlementToken", signer(5).address), "symbol")


def test_logs_are_complete_when_the_node_limits_ranges(proxy, node, manifest):
    node.mine(40)
    history = History(Chain.connect(proxy.url, retry_seconds=1.0), [manifest.governance])
    everything = [log for logs in history.logs() for log in logs]
    assert len(everything) > 20
    proxy.limit_log_blocks = 7
    try:
        asked = proxy.requests["eth_getLogs"]
        assert [log for logs in history.logs() for log in logs] == everything
        assert proxy.requests["eth_getLogs"] - asked > 40 // 7
        proxy.limit_log_blocks = 0
        with pytest.raises(NodeUnavailableError, match="block range is too wide"):
            list(history.logs())
    finally:
        proxy.limit_log_blocks = None


@pytest.mark.parametrize("words", ["no", "", "computer says no", "-32601"])
def test_logs_are_asked_for_in_smaller_ranges_whatever_the_node_says(proxy, manifest, words):
    history = History(Chain.connect(proxy.url, retry_seconds=1.0), [manifest.governance])
    everything = [log for logs in history.logs() for log in logs]
    refusal = {"code": -32000, "message": words}
    proxy.arm("eth_getLogs", "say", times=2, lie=lambda said: {"id": said["id"], "error": refusal})
    assert [log for logs in history.logs() for log in logs] == everything


def test_what_an_address_has_is_read_when_asked(proxy, chain, node):
    assert chain.wei(signer(0).address) == chain.w3.eth.get_balance(signer(0).address)
    with pytest.raises(AddressError):
        chain.code("0x12")


def test_web3_is_loaded_when_somebody_asks_for_it(node):
    code = (
        "import sys; from tael import Chain, Client, AsyncClient, Keeper, devnet, qr; "
        "import tael.cli, tael.index, tael.reporting, tael.deployment; "
        f"chain = Chain.connect({node.url!r}); chain.head(); "
        "heavy = {'web3', 'eth_utils', 'eth_abi', 'eth_account', 'eth_keys'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "assert chain.w3.eth.chain_id == chain.chain_id; assert 'web3' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_storage_and_code_are_read_when_asked(chain, manifest):
    assert load("PaymentEscrow").is_code(chain.code(manifest.escrow))
    assert chain.code(signer(7).address) == b""
    assert chain.storage(manifest.governance, 4) == 1  # adminCount


def test_code_is_told_apart_when_one_byte_differs(chain, manifest):
    code = chain.code(manifest.token("CNY"))
    artifact = load("SettlementToken")
    assert artifact.is_code(code)
    assert not artifact.is_code(code[:-1])
    assert not artifact.is_code(code + b"\0")
    assert not artifact.is_code(b"")
    assert not artifact.is_code(bytes([code[0] ^ 1]) + code[1:])
    assert not load("PaymentEscrow").is_code(code)
    # What the immutables hold is not the compiler's business.
    start, length = artifact.immutables["SettlementToken.decimals"][0]
    assert artifact.is_code(code[:start] + b"\x07" * length + code[start + length :])


def test_load_refuses_when_there_is_no_such_contract():
    with pytest.raises(ConfigurationError, match="no contract Nonsense"):
        load("Nonsense")
    with pytest.raises(KeyError):
        load("SettlementToken").function("transferWithAuthorization")


def test_reconnects_when_ganache_closed_the_connection():
    with start_node("ganache") as ganache:
        chain = Chain.connect(ganache.url)
        # Ganache closes what is idle for five seconds.
        time.sleep(6)
        receipt = outbox_on(chain).send(signer(0), order(signer(0), None, creation(ECHO)))
        assert chain.block_number() == receipt.block_number == 1


# Addresses

GOOD = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.mark.threat("S21")
@pytest.mark.parametrize(
    "value",
    [
        GOOD.lower(),
        "0x" + GOOD[2:].upper(),
        GOOD[:-1] + "c",
        GOOD[:-1],
        GOOD + "0",
        GOOD[2:],
        "0x" + "0" * 40,
        "vitalik.eth",
        "",
        None,
        5,
        bytes(20),
        " " + GOOD,
        GOOD + "\n",
        "0x" + "٢" * 40,
    ],
)
def test_require_address_refuses_when_it_is_none_to_trust(value):
    with pytest.raises(AddressError) as refused:
        require_address(value, name="payee")
    assert isinstance(refused.value, InvalidInputError)
    assert "payee" in str(refused.value)


@pytest.mark.threat("S21")
def test_require_address_refuses_when_it_is_a_contract_of_ours(manifest):
    with pytest.raises(AddressError, match="own contracts"):
        require_address(manifest.escrow, other_than=manifest.addresses)
    assert require_address(GOOD, other_than=manifest.addresses) == to_checksum_address(GOOD)
