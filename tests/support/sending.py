"""Orders of a test's own for an outbox, and transactions past any journal: what others send."""

from __future__ import annotations

import itertools
from typing import Any

from eth_utils import keccak, to_checksum_address

from tael.chain import Chain
from tael.journal import Journal, Order, body_hash
from tael.outbox import Outbox
from tael.rpc import exchange, request, request_many
from tael.signers import Signer
from tael.store import Store
from tests.support.waiting import wait_until

_numbers = itertools.count(1)


def outbox_on(chain: Chain, **options: Any) -> Outbox:
    """An outbox with a journal of its own, in memory."""
    journal = Journal(Store.temporary(), chain.chain_id, chain.genesis_hash)
    return Outbox(chain, journal, **options)


def order(
    who: Signer, to: str | None, data: bytes = b"", *, value: int = 0, reference: str = ""
) -> Order:
    """An order for any call, or for a creation; without a reference it gets one of its own."""
    return Order(
        participant=who.address,
        reference=reference or f"ORDER-{next(_numbers)}",
        verb="call",
        body_hash=body_hash("call", [to, data, value]),
        to=to,
        data=data,
        value=value,
    )


def sign(chain: Chain, signer: Signer, to: str | None, data: bytes = b"", value: int = 0) -> bytes:
    """Sign a transaction with the key's next nonce; what a contract would refuse raises."""
    call = {"from": signer.address, "data": "0x" + data.hex(), "value": hex(value)}
    if to is not None:
        call["to"] = to
    gas, nonce, price = request_many(
        chain,
        [
            ("eth_estimateGas", [call]),
            ("eth_getTransactionCount", [signer.address, "pending"]),
            ("eth_gasPrice", []),
        ],
    )
    fields: dict[str, Any] = {
        "chainId": chain.chain_id,
        "nonce": int(nonce, 16),
        "gas": int(gas, 16) * 6 // 5,
        "gasPrice": 2 * int(price, 16),
        "value": value,
        "data": data,
    }
    return signer.sign_transaction(fields if to is None else {**fields, "to": to})


def send(
    chain: Chain, signer: Signer, to: str | None, data: bytes = b"", *, value: int = 0
) -> dict[str, Any]:
    """Send a transaction and give the node's receipt of it."""
    raw = sign(chain, signer, to, data, value)
    hash_ = "0x" + keccak(raw).hex()
    exchange(chain, [("eth_sendRawTransaction", ["0x" + raw.hex()])])
    wait_until(lambda: request(chain, "eth_getTransactionReceipt", hash_))
    receipt: dict[str, Any] = request(chain, "eth_getTransactionReceipt", hash_)
    assert receipt["status"] == "0x1"
    return receipt


def create(chain: Chain, signer: Signer, code: bytes) -> str:
    """Deploy a contract and give its address."""
    return to_checksum_address(send(chain, signer, None, code)["contractAddress"])
