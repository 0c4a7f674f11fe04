"""Sending once, whatever happens to the answers: S02, S03, S11, S13, S23, S26, S27."""

import threading
import time

import pytest
from eth_utils import keccak

from tael.chain import Chain, Sender
from tael.errors import (
    ContractRevertedError,
    NetworkMismatchError,
    NodeUnavailableError,
    OutcomeUnknownError,
    SigningKeyError,
    TransactionRefusedError,
    UnknownRevertError,
    WrongStateError,
)
from tael.signers import PrivateKeySigner
from tael.testing import start_node
from tests.sdk.faulty_proxy import FaultyProxy
from tests.sdk.raw_contracts import ECHO, ONCE_THEN_FOREVER, creation, once, signer

PAUSED = keccak(text="TokenPaused()")[:4]
OWN_KEY = "5eed" * 16
PAYEE = "0x" + "Aa" * 20
TRANSFER = b""


class CountingSigner:
    """Fits the `Signer` protocol and counts what it was asked to sign."""

    def __init__(self, inner):
        self.inner = inner
        self.address = inner.address
        self.signed = 0

    def sign_digest(self, digest):
        self.signed += 1
        return self.inner.sign_digest(digest)

    def sign_transaction(self, transaction):
        self.signed += 1
        return self.inner.sign_transaction(transaction)


@pytest.fixture(scope="module", params=["anvil", "ganache"])
def node(request):
    with start_node(request.param) as running:
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
    return Chain.connect(proxy.url, timeout_seconds=1.0, retry_seconds=3.0)


@pytest.fixture
def sender(chain):
    return Sender(chain, wait_seconds=10)


def count(node, who):
    return int(node.rpc("eth_getTransactionCount", who.address, "latest"), 16)


def deploy(sender, runtime, who=None):
    return sender.send(
        who or signer(0), None, creation(runtime), reference="deploy"
    ).contract_address


def send(sender, who, to, data=b"", **options):
    return sender.send(who, to, data, reference="INV-1", **options)


# Success


def test_send_gives_the_receipt_when_included(node, sender):
    before = count(node, signer(0))
    receipt = send(sender, signer(0), None, creation(ECHO))
    real = node.rpc("eth_getTransactionReceipt", receipt.transaction_hash)
    assert receipt.block_number == int(real["blockNumber"], 16)
    assert receipt.block_hash == real["blockHash"]
    assert receipt.gas_used == int(real["gasUsed"], 16)
    assert receipt.effective_gas_price_wei == int(real["effectiveGasPrice"], 16) > 0
    assert receipt.contract_address.lower() == real["contractAddress"]
    assert (receipt.reference, receipt.status, receipt.logs) == ("INV-1", "included", ())
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S26")
def test_send_offers_what_was_estimated_and_a_margin_when_gas_is_needed(node, sender):
    receipt = send(sender, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    gas = int(transaction["gas"], 16)
    assert receipt.gas_used < gas < receipt.gas_used * 1.2 + 6_000
    assert int(transaction["type"], 16) == 2
    assert int(transaction["chainId"], 16) == 1337


def test_send_pays_legacy_fees_when_blocks_have_no_base_fee(node, proxy, sender):
    def without(block):
        return {key: value for key, value in block.items() if key != "baseFeePerGas"}

    proxy.arm("eth_getBlockByNumber", lie=without, times=50)
    receipt = send(sender, signer(0), None, creation(ECHO))
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 0


def test_send_refuses_before_signing_when_gas_is_too_dear(proxy, chain):
    who = CountingSigner(signer(0))

    def dear(block):
        return {**block, "baseFeePerGas": hex(10**13)}

    proxy.arm("eth_getBlockByNumber", lie=dear, times=50)
    with pytest.raises(TransactionRefusedError, match="more than the"):
        send(Sender(chain), who, PAYEE)
    assert who.signed == 0


def test_send_keeps_nonces_contiguous_when_threads_share_a_key(node, sender):
    before = count(node, signer(3))
    receipts, failures = [], []

    def work():
        try:
            for _ in range(5):
                receipts.append(send(sender, signer(3), PAYEE, value=1))
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({each.transaction_hash for each in receipts}) == 15
    assert count(node, signer(3)) == before + 15


def test_send_takes_the_next_nonce_when_the_node_is_behind(node, proxy, sender):
    before = count(node, signer(4))
    send(sender, signer(4), PAYEE)
    proxy.arm("eth_getTransactionCount", lie=hex(before))
    send(sender, signer(4), PAYEE)
    assert count(node, signer(4)) == before + 2


def test_send_starts_over_when_the_chain_went_back(node, sender):
    snapshot = node.snapshot()
    before = count(node, signer(5))
    send(sender, signer(5), PAYEE)
    node.revert(snapshot)
    assert count(node, signer(5)) == before
    send(sender, signer(5), PAYEE)
    assert count(node, signer(5)) == before + 1


# Refused before anything is sent


@pytest.mark.threat("S11")
@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_chainId", "0xaa36a7"),
        ("eth_getBlockByNumber", lambda block: {**block, "hash": "0x" + "ee" * 32}),
    ],
)
def test_send_signs_nothing_when_the_node_serves_another_chain(proxy, sender, method, lie):
    who = CountingSigner(signer(0))
    proxy.arm(method, lie=lie)
    with pytest.raises(NetworkMismatchError):
        send(sender, who, PAYEE)
    assert who.signed == 0


@pytest.mark.threat("S23")
def test_send_refuses_a_known_key_when_the_chain_is_not_local(node, proxy):
    proxy.arm("web3_clientVersion", lie="Geth/v1.15.0")
    proxy.arm("eth_chainId", lie="0xaa36a7", times=100)
    chain = Chain.connect(proxy.url)
    assert not chain.is_local
    who = CountingSigner(signer(0))
    with pytest.raises(SigningKeyError, match="well-known test account"):
        send(Sender(chain), who, PAYEE)
    small = PrivateKeySigner.from_key("0" * 63 + "1")
    with pytest.raises(SigningKeyError, match="well-known test account"):
        send(Sender(chain), small, PAYEE)
    assert who.signed == 0
    assert proxy.requests["eth_sendRawTransaction"] == proxy.forwarded["eth_sendRawTransaction"]


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
        assert send(Sender(chain), own, PAYEE, value=5).status == "included"


@pytest.mark.threat("S27")
def test_send_refuses_before_sending_when_the_contract_would(node, sender):
    address = deploy(sender, once(PAUSED))
    send(sender, signer(0), address)
    before = count(node, signer(0))
    with pytest.raises(WrongStateError) as refused:
        send(sender, signer(0), address)
    assert (refused.value.name, refused.value.transaction_hash) == ("TokenPaused", None)
    assert count(node, signer(0)) == before


def test_send_is_refused_when_there_is_no_ether(node, sender):
    poor = PrivateKeySigner.from_key("b00b" * 16)
    with pytest.raises(TransactionRefusedError, match=r"(?i)fund|enough|balance") as refused:
        send(sender, poor, PAYEE, value=1)
    assert count(node, poor) == 0
    assert isinstance(refused.value.transaction_hash, str)


def test_send_leaves_nothing_when_writing_down_fails(node, proxy, sender):
    before = proxy.requests["eth_sendRawTransaction"]
    seen = []

    def fail(prepared):
        seen.append(prepared)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        send(sender, signer(6), PAYEE, before_broadcast=fail)
    assert proxy.requests["eth_sendRawTransaction"] == before
    assert seen[0].transaction_hash == "0x" + keccak(seen[0].raw).hex()
    send(sender, signer(6), PAYEE)


@pytest.mark.threat("S13")
def test_send_sends_nothing_when_the_node_fails_beforehand(node, proxy, chain):
    chain.retry_seconds = 0.3
    who = CountingSigner(signer(0))
    proxy.arm("eth_estimateGas", "503", times=1000)
    with pytest.raises(NodeUnavailableError):
        send(Sender(chain), who, PAYEE)
    assert who.signed == 0


# Included and refused


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


# Answers that get lost


@pytest.mark.threat("S02")
@pytest.mark.threat("S13")
@pytest.mark.parametrize(
    "fault", ["drop_after", "html", "truncate", "503", "429", "drop_before", "slow"]
)
def test_send_happens_once_when_the_answer_is_lost(node, proxy, sender, fault):
    before = count(node, signer(0))
    proxy.arm("eth_sendRawTransaction", fault, times=2)
    receipt = send(sender, signer(0), PAYEE, value=1)
    assert receipt.status == "included"
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_resends_the_same_bytes_when_the_lookup_is_lost_too(node, proxy, sender):
    before = count(node, signer(0))
    proxy.bodies.clear()
    proxy.arm("eth_sendRawTransaction", "drop_after")
    # It was mined, but the node does not say so yet: the same bytes meet `nonce too low`.
    proxy.arm("eth_getTransactionByHash", lie=None)
    receipt = send(sender, signer(0), PAYEE, value=1)
    raws = {
        body["params"][0] for body in proxy.bodies if body["method"] == "eth_sendRawTransaction"
    }
    assert len(raws) == 1
    assert "0x" + keccak(bytes.fromhex(raws.pop()[2:])).hex() == receipt.transaction_hash
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_happens_once_when_the_first_transaction_of_a_key_is_resent(node, proxy, sender):
    # Ganache runs a transaction with nonce 0 again when it gets the same bytes twice.
    assert count(node, signer(8)) == 0
    balance = int(node.rpc("eth_getBalance", PAYEE, "latest"), 16)
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_getTransactionByHash", lie=None, times=3)
    prepared = []
    send(sender, signer(8), PAYEE, value=1, before_broadcast=prepared.append)
    sender.broadcast(prepared[0])
    assert count(node, signer(8)) == 1
    assert int(node.rpc("eth_getBalance", PAYEE, "latest"), 16) == balance + 1


@pytest.mark.threat("S13")
@pytest.mark.parametrize("fault", ["html", "429", "drop_before", "truncate"])
def test_send_waits_when_the_node_stumbles_over_the_receipt(node, proxy, sender, fault):
    proxy.arm("eth_getTransactionReceipt", fault, times=3)
    assert send(sender, signer(0), PAYEE).status == "included"


@pytest.mark.threat("S03")
def test_send_gives_the_hash_when_the_outcome_is_unknown(node, proxy, chain):
    before = count(node, signer(0))
    sender = Sender(chain, wait_seconds=1.0)
    proxy.arm("eth_sendRawTransaction", "drop_after")
    proxy.arm("eth_sendRawTransaction", "503", times=1000)
    proxy.arm("eth_getTransactionByHash", "503", times=1000)
    proxy.arm("eth_getTransactionReceipt", "503", times=1000)
    prepared = []
    with pytest.raises(OutcomeUnknownError, match="do not send the write again") as unknown:
        send(sender, signer(0), PAYEE, before_broadcast=prepared.append)
    assert unknown.value.reference == "INV-1"
    assert unknown.value.transaction_hash == prepared[0].transaction_hash
    # In truth it went through, and can be looked up or broadcast again any number of times.
    proxy.calm()
    assert sender.lookup(prepared[0]).transaction_hash == prepared[0].transaction_hash
    assert sender.broadcast(prepared[0]).transaction_hash == prepared[0].transaction_hash
    assert count(node, signer(0)) == before + 1


@pytest.mark.threat("S02")
def test_send_waits_when_the_node_has_the_bytes_already():
    with (
        start_node("anvil", mine_automatically=False) as manual,
        FaultyProxy(manual.url).serving() as proxy,
    ):
        proxy.arm("eth_sendRawTransaction", "drop_after")
        proxy.arm("eth_getTransactionByHash", lie=None)
        chain = Chain.connect(proxy.url)

        def mine_when_resent():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and proxy.forwarded["eth_sendRawTransaction"] < 2:
                time.sleep(0.02)
            manual.mine()

        thread = threading.Thread(target=mine_when_resent)
        thread.start()
        assert send(Sender(chain, wait_seconds=30), signer(0), PAYEE).block_number == 1
        thread.join()
        assert proxy.forwarded["eth_sendRawTransaction"] == 2
        assert count(manual, signer(0)) == 1


@pytest.mark.threat("S03")
def test_send_is_an_unknown_outcome_when_an_answer_is_lost_and_then_refused(node, proxy, sender):
    proxy.arm("eth_sendRawTransaction", "drop_before")
    proxy.arm("eth_sendRawTransaction", "refuse")
    # The first attempt may have arrived, so the refusal of the second proves nothing.
    with pytest.raises(OutcomeUnknownError, match="then the node said"):
        send(sender, signer(9), PAYEE)


def test_send_is_refused_when_the_node_refuses_the_first_attempt(node, proxy, sender):
    before = count(node, signer(9))
    proxy.arm("eth_sendRawTransaction", "refuse")
    with pytest.raises(TransactionRefusedError, match="not available"):
        send(sender, signer(9), PAYEE)
    assert count(node, signer(9)) == before


def test_send_is_refused_when_the_nonce_given_is_used(node, sender):
    send(sender, signer(6), PAYEE)
    send(sender, signer(6), PAYEE)
    with pytest.raises(TransactionRefusedError, match="went to another"):
        send(sender, signer(6), PAYEE, value=3, nonce=count(node, signer(6)) - 1)


def test_send_derives_the_tip_when_the_node_suggests_none(node, proxy, sender):
    proxy.arm("eth_maxPriorityFeePerGas", "refuse", times=10)
    proxy.arm("eth_feeHistory", "refuse", times=10)
    receipt = send(sender, signer(0), PAYEE)
    transaction = node.rpc("eth_getTransactionByHash", receipt.transaction_hash)
    assert int(transaction["type"], 16) == 2
    assert int(transaction["maxPriorityFeePerGas"], 16) >= 0


def test_send_is_refused_when_the_node_cannot_estimate(proxy, sender):
    who = CountingSigner(signer(0))
    proxy.arm("eth_estimateGas", "refuse")
    with pytest.raises(TransactionRefusedError, match="refused to estimate"):
        send(sender, who, PAYEE)
    assert who.signed == 0


def test_broadcast_is_refused_when_the_nonce_went_to_another(node, sender):
    prepared = sender.prepare(signer(7), PAYEE, b"", reference="INV-2", value=1)
    send(sender, signer(7), PAYEE, value=2)
    with pytest.raises(TransactionRefusedError, match="went to another") as refused:
        sender.broadcast(prepared)
    assert refused.value.transaction_hash == prepared.transaction_hash
    assert sender.lookup(prepared) is None


def test_broadcast_is_an_unknown_outcome_when_not_included_in_time():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=1)
        prepared = []
        with pytest.raises(OutcomeUnknownError, match="not included after"):
            send(sender, signer(0), PAYEE, before_broadcast=prepared.append)
        assert sender.lookup(prepared[0]) is None
        manual.mine()
        assert sender.lookup(prepared[0]).block_number == 1


def test_send_rebroadcasts_when_the_node_lost_the_transaction():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=30)
        result = []

        def lose_then_mine():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not result:
                pool = manual.rpc("txpool_content")["pending"]
                if pool:
                    manual.rpc("anvil_dropAllTransactions")
                    break
                time.sleep(0.02)
            while time.monotonic() < deadline and not manual.rpc("txpool_content")["pending"]:
                time.sleep(0.05)
            manual.mine()

        thread = threading.Thread(target=lose_then_mine)
        thread.start()
        result.append(send(sender, signer(0), PAYEE))
        thread.join()
        assert result[0].block_number >= 1
        assert count(manual, signer(0)) == 1


def test_wait_ends_when_another_transaction_took_the_nonce():
    with start_node("anvil", mine_automatically=False) as manual:
        chain = Chain.connect(manual.url)
        sender = Sender(chain, wait_seconds=30)

        def replace():
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not manual.rpc("txpool_content")["pending"]:
                time.sleep(0.02)
            fee = hex(10**11)
            manual.rpc(
                "eth_sendTransaction",
                {
                    "from": signer(0).address,
                    "to": signer(1).address,
                    "nonce": "0x0",
                    "maxFeePerGas": fee,
                    "maxPriorityFeePerGas": fee,
                    "gas": "0x5208",
                },
            )
            manual.mine()

        thread = threading.Thread(target=replace)
        thread.start()
        with pytest.raises(TransactionRefusedError, match="went to another"):
            send(sender, signer(0), PAYEE)
        thread.join()


def test_send_splits_nothing_when_a_block_has_too_little_gas(node, proxy, chain):
    def small(block):
        return {**block, "gasLimit": hex(30_000)}

    who = CountingSigner(signer(0))
    proxy.arm("eth_getBlockByNumber", lie=small, times=50)
    with pytest.raises(TransactionRefusedError, match="split it"):
        send(Sender(chain), who, None, creation(ECHO))
    assert who.signed == 0
