"""Making one key's transactions: what they offer, which nonce they get, their bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tael.addresses import checksummed
from tael.errors import NodeUnavailableError
from tael.hashing import keccak
from tael.outbox.view import View, look

if TYPE_CHECKING:
    from tael.journal import Decision, Order
    from tael.outbox.environment import Environment
    from tael.signers import Signer

MAX_PENDING = 10_000
"""How many transactions of the key a pool may have that the journal knows nothing of: a node that
claims more would have nonces skipped, and each of them has to be filled before anything goes on."""


class TransactionSigner:
    """Makes one key's transactions. Nothing in it changes: the lane and the watch both use it.

    What keeps two of them from the same nonce is the journal's lock on the key, under which both
    sign, in this process and in others.

    Args:
        environment: Of the outbox.
        signer: The key.
    """

    def __init__(self, environment: Environment, signer: Signer) -> None:
        self._environment = environment
        self._signer = signer
        self.address = checksummed(signer.address)

    def look(self, orders: Sequence[Order]) -> View:
        """What the node says before orders are signed; raises as `tael.outbox.view.look`."""
        return look(self._environment.chain, self._environment.fees, self.address, orders)

    def fees(self) -> dict[str, int]:
        """What a transaction offers at present."""
        return self.look([]).fees

    def sign(self, fields: Mapping[str, Any], nonce: int) -> tuple[str, bytes]:
        """Sign a transaction with these fields; returns its hash and bytes."""
        chain_id = self._environment.chain.chain_id
        raw = bytes(self._signer.sign_transaction({**fields, "chainId": chain_id, "nonce": nonce}))
        return "0x" + keccak(raw).hex(), raw

    def sign_orders(self, orders: Sequence[Order], view: View) -> list[Decision]:
        """Have the journal write down orders and what is signed for them; see `Journal.sign`."""

        def sign(order: Order, nonce: int) -> tuple[str, bytes]:
            return self.sign(
                {
                    **({} if order.to is None else {"to": order.to}),
                    "data": order.data,
                    "value": order.value,
                    "gas": view.gas_of(order),
                    **view.fees,
                },
                nonce,
            )

        journal = self._environment.journal
        return journal.sign(self.address, orders, self._remote_nonce(view), sign)

    def _remote_nonce(self, view: View) -> int:
        """The next nonce as the chain has it: where it is above the journal's, as enough nodes say.

        Raises:
            NodeUnavailableError: The node claims more than can be.
        """
        chain = self._environment.chain
        if chain.agreement == 1 and view.nonce - view.mined <= MAX_PENDING:
            return view.nonce
        own = self._environment.journal.reader.next_nonce(self.address)
        if view.nonce <= own:
            return view.nonce
        if chain.agreement > 1:
            return chain.transaction_count(self.address)
        if view.nonce > max(own, view.mined) + MAX_PENDING:
            raise NodeUnavailableError(
                f"the node claims {view.nonce - view.mined} transactions of {self.address} that "
                "are in no block, and the journal has signed no such number; nothing was signed"
            )
        return view.nonce
