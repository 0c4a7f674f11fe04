"""Receipts as the node gives them, and what they say of each payment of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address
from web3.exceptions import Web3RPCError

from tael.chain.connection import is_node_failure
from tael.chain.reverts import decode_revert, revert_from
from tael.chain.sender import Receipt
from tael.errors import ContractRevertedError, NodeUnavailableError, UnknownRevertError
from tael.events import PaymentSkipped, decode, topic_of
from tael.journal import Outcome, State
from tael.rpc import exchange, request

if TYPE_CHECKING:
    from web3.types import RPCError

    from tael.chain import Chain
    from tael.journal import Record
    from tael.rpc import Problem

OUT_OF_GAS = b"OutOfGas"
"""Stands in the journal for a refusal without data where all gas was used."""


def receipt_of(raw: Any, reference: str, *, repeated: bool = False) -> Receipt:
    """A receipt as the SDK gives it."""
    address = raw.get("contractAddress")
    return Receipt(
        transaction_hash=raw["transactionHash"],
        block_number=int(raw["blockNumber"], 16),
        block_hash=raw["blockHash"],
        gas_used=int(raw["gasUsed"], 16),
        effective_gas_price_wei=int(raw.get("effectiveGasPrice") or "0x0", 16),
        contract_address=to_checksum_address(address) if address else None,
        logs=tuple(raw["logs"]),
        reference=reference,
        repeated=repeated,
    )


def refusal_data(chain: Chain, receipt: Any) -> bytes:
    """Why an included transaction failed: a receipt does not say, so it is run again.

    Raises:
        NodeUnavailableError: The node does not answer now. The reason is written down for good, so
            it is better asked for again than left out.
    """
    transaction = request(chain, "eth_getTransactionByHash", receipt["transactionHash"])
    if not transaction:
        return b""
    call = {
        "from": transaction["from"],
        "data": transaction["input"],
        "value": transaction["value"],
        "gas": transaction["gas"],
        "to": transaction["to"],
    }
    number = int(receipt["blockNumber"], 16)
    # At its own block first, whose time and other transactions it met; then at the one before, in
    # case something later in its block mended the cause.
    answers = exchange(
        chain, [("eth_call", [call, hex(block)]) for block in (number, max(0, number - 1))]
    )
    for answer in answers:
        if answer.error is not None:
            error = as_exception(answer.error)
            refusal = revert_from(error)
            if refusal is None and is_node_failure(error):
                raise NodeUnavailableError(f"the node answered: {error}; try again later")
            if refusal is not None and refusal.data:
                return refusal.data
    if int(receipt["gasUsed"], 16) >= int(transaction["gas"], 16):
        return OUT_OF_GAS
    return b""


def refusal_of(data: bytes, receipt: Any) -> ContractRevertedError:
    """The typed error of an included refusal."""
    hash_ = receipt["transactionHash"]
    if data == OUT_OF_GAS:
        return UnknownRevertError(
            "OutOfGas",
            {"gas": int(receipt["gasUsed"], 16)},
            meaning="It needed more gas than was estimated.",
            what_now="Call again: the estimate is made anew.",
            transaction_hash=hash_,
        )
    return decode_revert(data, transaction_hash=hash_)


def item_outcomes(
    items: Sequence[Record], receipt: Any, state: State, refusal: bytes | None
) -> list[Outcome]:
    """What became of each payment of a batch.

    Args:
        items: Its payments.
        receipt: Of its transaction.
        state: What those have that took effect.
        refusal: Of the transaction as a whole, if it was refused.
    """
    if not items:
        return []
    skipped: dict[bytes, bytes] = {}
    first_log: dict[str, int] = {}
    topic = topic_of(PaymentSkipped)
    for log in receipt["logs"]:
        topics = log["topics"]
        if len(topics) > 1:
            first_log.setdefault(topics[1], int(log["logIndex"], 16))
        if topics and topics[0] == topic:
            event = decode(log)
            if isinstance(event, PaymentSkipped):
                skipped[event.id] = event.refusal
    outcomes = []
    for item in items:
        subject = item.subject or b""
        why = skipped.get(subject, refusal)
        outcomes.append(
            Outcome(
                item.id,
                state if why is None else State.REFUSED,
                transaction_hash=receipt["transactionHash"],
                block_number=int(receipt["blockNumber"], 16),
                block_hash=receipt["blockHash"],
                log_index=first_log.get("0x" + subject.hex()),
                gas_used=int(receipt["gasUsed"], 16),
                refusal=why,
            )
        )
    return outcomes


def as_exception(problem: Problem) -> Web3RPCError:
    """A node's error as web3 would raise it, which is what tells reverts apart."""
    error: RPCError = {"code": problem.code, "message": problem.message}
    if problem.data is not None:
        error["data"] = problem.data
    return Web3RPCError(problem.message, rpc_response={"jsonrpc": "2.0", "id": 1, "error": error})
