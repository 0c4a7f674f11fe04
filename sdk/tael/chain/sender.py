"""The one place that sends transactions.

A transaction is prepared and signed, its hash is known, and only then it is broadcast. When the
answer to the broadcast is lost, the same hash is looked up and the same bytes are sent again: never
a second transaction. What stays open after the time given is an `OutcomeUnknownError` with the hash
to look up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from eth_utils import to_checksum_address
from web3.exceptions import BlockNotFound, MethodUnavailable, TransactionNotFound, Web3RPCError

from tael.addresses import created_address
from tael.chain.connection import Chain, pauses
from tael.chain.reverts import decode_revert, revert_from
from tael.chain.transactions import PreparedTransaction, Receipt
from tael.chain.web3_reads import is_node_failure, read, unavailable
from tael.errors import (
    ContractRevertedError,
    NodeUnavailableError,
    OutcomeUnknownError,
    TransactionRefusedError,
    UnknownRevertError,
)
from tael.hashing import keccak
from tael.signers import Signer, require_usable

WAIT_SECONDS = 120.0
GAS_MARGIN_PERCENT = 15
"""Added to a gas estimate: state may change a little between estimate and inclusion."""
GAS_MARGIN = 5_000
MAX_FEE_PER_GAS_WEI = 10**12
"""1,000 gwei. A node that asks for more is lying or mistaken, and would burn the sender's ether."""

_POLL_SECONDS = 0.02
_LONGEST_POLL_SECONDS = 1.0
_REBROADCAST_SECONDS = 5.0

_KNOWN_WORDS = ("already known", "known transaction", "already imported", "alreadyknown")
_NONCE_WORDS = ("nonce too low", "nonce is too low", "correct nonce", "nonce has already been used")


class Sender:
    """Sends transactions for any number of signers, one after the other per signer.

    Use one sender per process and chain. Two processes must not send with the same key.

    Args:
        chain: Where to send.
        wait_seconds: How long to wait for a transaction to be included.
        max_fee_per_gas_wei: More than this is never offered.
    """

    def __init__(
        self,
        chain: Chain,
        *,
        wait_seconds: float = WAIT_SECONDS,
        max_fee_per_gas_wei: int = MAX_FEE_PER_GAS_WEI,
    ) -> None:
        self.chain = chain
        self.wait_seconds = wait_seconds
        self.max_fee_per_gas_wei = max_fee_per_gas_wei
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._last: dict[str, PreparedTransaction] = {}

    def send(
        self,
        signer: Signer,
        to: str | None,
        data: bytes,
        *,
        reference: str,
        value: int = 0,
        nonce: int | None = None,
        gas: int | None = None,
        before_broadcast: Callable[[PreparedTransaction], None] | None = None,
    ) -> Receipt:
        """Estimate, sign, broadcast and wait until it is included.

        Args:
            signer: Who signs and pays.
            to: The contract to call; None deploys `data`.
            data: Call data, or creation code with its arguments.
            reference: The caller's reference for this write; errors carry it.
            value: Wei to send along.
            nonce: The exact nonce to use, to finish what was begun before; None is the next one.
            gas: A limit that is known to suffice; None, or more than a block has, estimates. With
                one, a refusal is found out in a block instead of before.
            before_broadcast: Called with what was signed before anything leaves this process; what
                it raises stops the send.

        Returns:
            The receipt of a transaction that succeeded.

        Raises:
            ContractRevertedError: The contract refuses. Without `transaction_hash` nothing was
                sent; with it the refusal was included.
            SigningKeyError: A well-known test key on a chain that is not local; nothing was signed.
            NetworkMismatchError: The node serves another chain by now; nothing was signed.
            NodeUnavailableError: The node failed before anything was sent.
            TransactionRefusedError: The node refused it for good, or its nonce went to another.
            OutcomeUnknownError: It was sent and its fate is open: look the hash up, do not resend.
        """
        with self._lock_of(signer.address):
            prepared = self.prepare(
                signer, to, data, reference=reference, value=value, nonce=nonce, gas=gas
            )
            if before_broadcast is not None:
                before_broadcast(prepared)
            return self._deliver(prepared, sent_before=False)

    def prepare(
        self,
        signer: Signer,
        to: str | None,
        data: bytes,
        *,
        reference: str,
        value: int = 0,
        nonce: int | None = None,
        gas: int | None = None,
    ) -> PreparedTransaction:
        """Estimate and sign, without sending; `send` says the arguments and what is raised."""
        chain = self.chain
        require_usable(signer, chain)
        chain.require_same_chain()
        sender = to_checksum_address(signer.address)
        call: dict[str, Any] = {"from": sender, "data": "0x" + data.hex(), "value": value}
        if to is not None:
            call["to"] = to_checksum_address(to)
        limit = self._gas_limit(call, gas)
        fields = {
            **{key: call[key] for key in ("to", "data", "value") if key in call},
            "chainId": chain.chain_id,
            "nonce": self._next_nonce(sender) if nonce is None else nonce,
            "gas": limit,
            **self._fees(),
        }
        raw = bytes(signer.sign_transaction(fields))
        return PreparedTransaction(
            transaction_hash="0x" + keccak(raw).hex(),
            raw=raw,
            sender=sender,
            nonce=int(fields["nonce"]),
            to=call.get("to"),
            data=data,
            value=value,
            gas=limit,
            reference=reference,
        )

    def broadcast(self, prepared: PreparedTransaction) -> Receipt:
        """Hand a signed transaction to the network and wait until it is included.

        May be called with the same transaction at any time, after a crash for example.

        Raises:
            ContractRevertedError: It was included and the contract refused.
            NodeUnavailableError: Nothing was sent by this call.
            TransactionRefusedError: The node refused it for good, or its nonce went to another.
            OutcomeUnknownError: Its fate is open: look the hash up, do not resend.
        """
        with self._lock_of(prepared.sender):
            found = self.lookup(prepared)
            if found is not None:
                return found
            if read(self.chain, lambda: self._is_passed(prepared)):
                raise self._overtaken(prepared)
            return self._deliver(prepared, sent_before=True)

    def _deliver(self, prepared: PreparedTransaction, *, sent_before: bool) -> Receipt:
        deadline = time.monotonic() + self.wait_seconds
        self._last[prepared.sender] = prepared
        self._submit(prepared, deadline, sent_before=sent_before)
        return self._wait(prepared, deadline)

    def lookup(self, prepared: PreparedTransaction) -> Receipt | None:
        """The receipt of a transaction that may have been broadcast before; None if not included.

        Raises:
            ContractRevertedError: It was included and the contract refused.
            NodeUnavailableError: The node did not answer properly.
        """
        receipt = read(self.chain, lambda: self._receipt(prepared.transaction_hash))
        return None if receipt is None else self._result(prepared, receipt)

    # Before signing

    def _gas_limit(self, call: dict[str, Any], known: int | None) -> int:
        limit = read(self.chain, lambda: int(self.chain.w3.eth.get_block("latest")["gasLimit"]))
        return self._estimate(call, limit) if known is None or known > limit else known

    def _estimate(self, call: dict[str, Any], limit: int) -> int:
        transaction: Any = call
        estimate = read(
            self.chain,
            lambda: _refuse_for_good(lambda: int(self.chain.w3.eth.estimate_gas(transaction))),
        )
        if estimate > limit:
            raise TransactionRefusedError(
                f"it would take {estimate} gas, and a block has {limit}: split it"
            )
        return min(limit, estimate + estimate * GAS_MARGIN_PERCENT // 100 + GAS_MARGIN)

    def _fees(self) -> dict[str, int]:
        eth = self.chain.w3.eth
        base = read(self.chain, lambda: eth.get_block("latest").get("baseFeePerGas"))
        if base is None:
            price = read(self.chain, lambda: int(eth.gas_price))
            self._require_fee(price)
            return {"gasPrice": price}
        try:
            tip = read(self.chain, lambda: int(eth.max_priority_fee))
        except (Web3RPCError, MethodUnavailable):
            tip = max(0, read(self.chain, lambda: int(eth.gas_price)) - int(base))
        self._require_fee(int(base) + tip)
        # Twice the base fee outlasts five full blocks in a row, each raising it by an eighth.
        most = min(2 * int(base) + tip, self.max_fee_per_gas_wei)
        return {"maxFeePerGas": most, "maxPriorityFeePerGas": tip}

    def _require_fee(self, price: int) -> None:
        if price > self.max_fee_per_gas_wei:
            raise TransactionRefusedError(
                f"gas costs {price} wei, more than the {self.max_fee_per_gas_wei} allowed: "
                "wait, or raise the limit knowingly"
            )

    def _next_nonce(self, sender: str) -> int:
        checked = to_checksum_address(sender)
        count = read(
            self.chain, lambda: int(self.chain.w3.eth.get_transaction_count(checked, "pending"))
        )
        last = self._last.get(sender)
        if last is None or last.nonce < count:
            return count
        # The node is behind what was sent through here, unless the chain itself went back.
        known = read(self.chain, lambda: self._is_known(last.transaction_hash))
        return last.nonce + 1 if known else count

    # After signing

    def _submit(self, prepared: PreparedTransaction, deadline: float, *, sent_before: bool) -> None:
        raw = prepared.raw
        for pause in pauses(max(0.0, deadline - time.monotonic())):
            try:
                self.chain.w3.eth.send_raw_transaction(raw)
                return
            except Exception as error:
                if isinstance(error, Web3RPCError) or revert_from(error) is not None:
                    if self._is_taken(prepared, error, sent_before=sent_before):
                        return
                elif not is_node_failure(error):
                    raise self._unknown(prepared, "the answer could not be understood") from error
                # The answer is lost, and the transaction perhaps is not: the same bytes again.
                sent_before = True
                if pause is None:
                    raise self._unknown(prepared, str(unavailable(error))) from error
                time.sleep(pause)
                if self._need_not_resend(prepared):
                    return

    def _is_taken(
        self, prepared: PreparedTransaction, error: Exception, *, sent_before: bool
    ) -> bool:
        """The node answered with an error: True if it has the transaction all the same."""
        words = str(error).lower()
        if any(each in words for each in _KNOWN_WORDS):
            return True
        # Ganache can report the failure of a transaction that it has mined.
        try:
            if read(self.chain, lambda: self._is_known(prepared.transaction_hash)):
                return True
        except NodeUnavailableError:
            if sent_before:
                return False
        if is_node_failure(error):
            return False
        if any(each in words for each in _NONCE_WORDS):
            # Its own perhaps, if it was sent before: the wait finds out.
            if sent_before:
                return True
            raise self._overtaken(prepared) from error
        if sent_before:
            raise self._unknown(prepared, f"then the node said: {_short(error)}") from error
        raise TransactionRefusedError(
            f"the node refused it: {_short(error)}", transaction_hash=prepared.transaction_hash
        ) from error

    def _wait(self, prepared: PreparedTransaction, deadline: float) -> Receipt:
        poll = _POLL_SECONDS
        next_look = time.monotonic() + _REBROADCAST_SECONDS
        while True:
            receipt = self._receipt_now(prepared.transaction_hash)
            if receipt is not None:
                return self._result(prepared, receipt)
            now = time.monotonic()
            if now >= deadline:
                raise self._unknown(prepared, f"not included after {self.wait_seconds:.0f} s")
            if now >= next_look:
                next_look = now + _REBROADCAST_SECONDS
                self._look_after(prepared, deadline)
            time.sleep(min(poll, max(0.0, deadline - now)))
            poll = min(poll * 1.5, _LONGEST_POLL_SECONDS)

    def _look_after(self, prepared: PreparedTransaction, deadline: float) -> None:
        """Send the same bytes again if the node lost them; notice when another took the nonce."""
        try:
            passed = self._is_passed(prepared)
            known = self._is_known(prepared.transaction_hash)
            included = self._receipt(prepared.transaction_hash) is not None
        except Exception as error:
            if is_node_failure(error):
                return
            raise self._unknown(prepared, _short(error)) from error
        if included or known:
            return
        if passed:
            raise self._overtaken(prepared)
        self._submit(prepared, deadline, sent_before=True)

    def _result(self, prepared: PreparedTransaction, receipt: Any) -> Receipt:
        if int(receipt["status"]) != 1:
            raise self._refusal(prepared, receipt)
        # Whatever the node says: it follows from who created a contract, and with which nonce.
        address = created_address(prepared.sender, prepared.nonce)
        return Receipt(
            transaction_hash=prepared.transaction_hash,
            block_number=int(receipt["blockNumber"]),
            block_hash="0x" + bytes(receipt["blockHash"]).hex(),
            gas_used=int(receipt["gasUsed"]),
            effective_gas_price_wei=int(receipt.get("effectiveGasPrice", 0)),
            contract_address=address if prepared.to is None else None,
            logs=tuple(receipt["logs"]),
            reference=prepared.reference,
        )

    def _refusal(self, prepared: PreparedTransaction, receipt: Any) -> ContractRevertedError:
        """Why an included transaction failed: a receipt does not say, so it is run again."""
        transaction_hash = prepared.transaction_hash
        call: dict[str, Any] = {
            "from": prepared.sender,
            "data": "0x" + prepared.data.hex(),
            "value": prepared.value,
            "gas": prepared.gas,
        }
        if prepared.to is not None:
            call["to"] = prepared.to
        number = int(receipt["blockNumber"])
        # At its own block first, whose time and other transactions it met; then at the one before,
        # in case something later in its block mended the cause.
        for block in (number, number - 1):
            data = self._rerun(call, block)
            if data:
                return decode_revert(data, transaction_hash=transaction_hash)
        if int(receipt["gasUsed"]) >= prepared.gas:
            return UnknownRevertError(
                "OutOfGas",
                {"gas": prepared.gas},
                meaning="It needed more gas than was estimated.",
                what_now="Call again: the estimate is made anew.",
                transaction_hash=transaction_hash,
            )
        return decode_revert(b"", transaction_hash=transaction_hash)

    def _rerun(self, call: dict[str, Any], block: int) -> bytes:
        transaction: Any = call
        try:
            read(self.chain, lambda: self.chain.w3.eth.call(transaction, block))
        except ContractRevertedError as refusal:
            return refusal.data
        except (NodeUnavailableError, Web3RPCError, BlockNotFound):
            return b""
        return b""

    # What the node knows

    def _receipt(self, transaction_hash: str) -> Any:
        try:
            receipt = self.chain.w3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            return None
        if receipt.get("blockNumber") is None:
            return None
        if "0x" + bytes(receipt["transactionHash"]).hex() != transaction_hash:
            raise ValueError("the node gives another transaction's receipt")
        return receipt

    def _receipt_now(self, transaction_hash: str) -> Any:
        try:
            return self._receipt(transaction_hash)
        except Exception as error:
            if is_node_failure(error):
                return None
            raise

    def _is_known(self, transaction_hash: str) -> bool:
        try:
            self.chain.w3.eth.get_transaction(transaction_hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            return False
        return True

    def _is_passed(self, prepared: PreparedTransaction) -> bool:
        """Whether a transaction with this nonce is included, this one or another."""
        sender = to_checksum_address(prepared.sender)
        return int(self.chain.w3.eth.get_transaction_count(sender, "latest")) > prepared.nonce

    def _need_not_resend(self, prepared: PreparedTransaction) -> bool:
        # Never once the nonce is used: Ganache would run a sender's first transaction again.
        try:
            return self._is_known(prepared.transaction_hash) or self._is_passed(prepared)
        except Exception as error:
            if is_node_failure(error):
                return False
            raise

    def _overtaken(self, prepared: PreparedTransaction) -> TransactionRefusedError:
        return TransactionRefusedError(
            f"nonce {prepared.nonce} of {prepared.sender} went to another transaction, so this one "
            "can never be included; call again",
            transaction_hash=prepared.transaction_hash,
        )

    def _unknown(self, prepared: PreparedTransaction, why: str) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"the outcome of {prepared.transaction_hash} is unknown: {why}. Look it up until it is "
            "found; do not send the write again",
            transaction_hash=prepared.transaction_hash,
            reference=prepared.reference,
        )

    def _lock_of(self, address: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(to_checksum_address(address), threading.Lock())


def _refuse_for_good(request: Callable[[], int]) -> int:
    try:
        return request()
    except Web3RPCError as error:
        if revert_from(error) is not None or is_node_failure(error):
            raise
        raise TransactionRefusedError(
            f"the node refused to estimate it: {_short(error)}"
        ) from error


def _short(error: BaseException) -> str:
    response = getattr(error, "rpc_response", None)
    problem = response.get("error") if isinstance(response, dict) else None
    words = problem.get("message") if isinstance(problem, dict) else None
    return str(words if words is not None else error)[:300]
