"""Receipts as the node gives them, and what they say of each payment of a batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tael.addresses import checksummed
from tael.chain.jsonrpc import is_busy, quantity
from tael.chain.node_errors import refusal_in
from tael.chain.reverts import decode_revert
from tael.chain.transactions import Receipt
from tael.errors import (
    ContractRevertedError,
    NodeUnavailableError,
    TaelError,
    UnknownRevertError,
)
from tael.events import PaymentSkipped, decode, topic_of
from tael.journal import Outcome, State
from tael.raw_transaction import read_plain
from tael.rpc import exchange

if TYPE_CHECKING:
    from tael.chain import Chain
    from tael.journal import Record, SignedTransaction

OUT_OF_GAS = b"OutOfGas"
"""Stands in the journal for a refusal without data where all gas was used."""


_HASH = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SKIPPED = topic_of(PaymentSkipped)


def receipt_in(raw: Any, hash_: str) -> Any:
    """What a node gives for a transaction's receipt, once it is known to be one.

    Args:
        raw: What the node gave.
        hash_: Of the transaction it was asked for.

    Returns:
        The receipt, its hashes in lower case; None if the transaction is in no block.

    Raises:
        NodeUnavailableError: It is no receipt, or another transaction's.
    """
    try:
        if not raw or not raw.get("blockNumber"):
            return None
        if raw["transactionHash"].lower() != hash_:
            raise ValueError("it is another transaction's")
        if not _HASH.fullmatch(raw["blockHash"]):
            raise ValueError("it names no block")
        for name in ("blockNumber", "gasUsed"):
            quantity(raw[name])
        quantity(raw.get("effectiveGasPrice") or "0x0", bits=256)
        quantity(raw["status"], bits=1)
        address = raw.get("contractAddress")
        if address and not _ADDRESS.fullmatch(address):
            raise ValueError("it names no contract")
        for log in raw["logs"]:
            _require_log(log)
    except (AttributeError, KeyError, TypeError, ValueError, TaelError) as error:
        what = error.message if isinstance(error, TaelError) else str(error)
        raise NodeUnavailableError(
            f"the node gives no valid receipt of {hash_}: {what}; try again later"
        ) from error
    return {**raw, "transactionHash": hash_, "blockHash": raw["blockHash"].lower()}


def _require_log(log: Any) -> None:
    # Its form only, for a batch has hundreds of them: what is read of it is read with care.
    topics = log["topics"]
    if len(log["address"]) != 42 or len("".join(topics)) != 66 * len(topics):
        raise ValueError("one of its logs is not valid")
    if type(log["data"]) is not str or not 0 <= int(log["logIndex"], 16) < 2**31:
        raise ValueError("one of its logs is not valid")
    if topics and topics[0] == _SKIPPED:
        decode(log)


def receipt_of(raw: Any, reference: str, *, repeated: bool = False) -> Receipt:
    """A receipt as the SDK gives it."""
    address = raw.get("contractAddress")
    return Receipt(
        transaction_hash=raw["transactionHash"],
        block_number=int(raw["blockNumber"], 16),
        block_hash=raw["blockHash"],
        gas_used=int(raw["gasUsed"], 16),
        effective_gas_price_wei=int(raw.get("effectiveGasPrice") or "0x0", 16),
        contract_address=checksummed(address) if address else None,
        logs=tuple(raw["logs"]),
        reference=reference,
        repeated=repeated,
    )


def refusal_data(chain: Chain, signed: SignedTransaction, receipt: Any) -> bytes:
    """Why an included transaction failed: a receipt does not say, so it is run again.

    Args:
        chain: Where.
        signed: The transaction; what is run is read from its own bytes.
        receipt: Its receipt.

    Raises:
        NodeUnavailableError: The node does not answer now. The reason is written down for good, so
            it is better asked for again than left out.
    """
    transaction = read_plain(signed.raw)
    if transaction is None:
        return b""
    call = {
        "from": signed.sender,
        "data": "0x" + transaction["data"].hex(),
        "value": hex(transaction["value"]),
        "gas": hex(transaction["gas"]),
        "to": transaction.get("to"),
    }
    number = int(receipt["blockNumber"], 16)
    # At its own block first, whose time and other transactions it met; then at the one before, in
    # case something later in its block mended the cause.
    runs = [("eth_call", [call, hex(block)]) for block in (number, max(0, number - 1))]
    *answers, block = exchange(chain, [*runs, ("eth_getBlockByNumber", [hex(number), False])])
    for answer in answers:
        if answer.error is not None:
            refusal = refusal_in(answer.error)
            if refusal is None and is_busy(answer.error):
                raise NodeUnavailableError(
                    f"the node answered: {answer.error.message}; try again later"
                )
            if refusal is not None and refusal.data:
                return refusal.data
    if int(receipt["gasUsed"], 16) >= transaction["gas"]:
        return OUT_OF_GAS
    if not isinstance(block.result, dict) or block.result.get("hash") != receipt["blockHash"]:
        # In the blocks that took its place, it may be right.
        raise NodeUnavailableError(f"block {number} was replaced meanwhile; try again later")
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

    Raises:
        NodeUnavailableError: The transaction worked, and the receipt says nothing of one of them.
    """
    if not items:
        return []
    skipped: dict[bytes, bytes] = {}
    first_log: dict[str, int] = {}
    contract = items[0].contract.lower()
    for log in receipt["logs"]:
        topics = log["topics"]
        if log["address"].lower() != contract:
            continue
        if len(topics) > 1:
            first_log.setdefault(topics[1], int(log["logIndex"], 16))
        if topics and topics[0] == _SKIPPED:
            event = decode(log)
            if isinstance(event, PaymentSkipped):
                skipped[event.id] = event.refusal
    outcomes = []
    for item in items:
        subject = item.subject or b""
        why = skipped.get(subject, refusal)
        if why is None and "0x" + subject.hex() not in first_log:
            # Accepted is what the escrow has said so of, never what it is silent about.
            raise NodeUnavailableError(
                f"the node's receipt of {receipt['transactionHash']} says nothing of payment "
                f"0x{subject.hex()}; try again later"
            )
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
