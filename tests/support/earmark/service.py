"""What a client would have as `client.earmarks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tael.contracts.registry import REGISTRY
from tael.errors import IdempotencyConflictError
from tael.services.gateway import require_money
from tael.services.intents import Intent
from tests.support.earmark.events import Earmarked, EarmarkSpent

if TYPE_CHECKING:
    from tael import Client, Money
    from tael.models import Written


class Earmarks:
    """Money set aside under a key, and paid from there."""

    def __init__(self, client: Client) -> None:
        self._gateway = client._gateway
        self._writer = client._writer
        self._contract = client.contract("Earmark")

    def set_aside(self, amount: Money, purpose: bytes, *, reference: str) -> Written:
        """Set money of the participant aside; `subject` is the key."""
        require_money(amount)
        token = self._gateway.token(amount.currency).address
        key = self._writer.identity.identifiers.bank_reference(reference)
        body = (token, key, amount.amount_minor, purpose)

        def is_this(event: Earmarked) -> bool:
            return (event.token, event.amount_minor) == (token, amount.amount_minor)

        return self._once("earmark", body, key, reference, is_this)

    def spend(
        self, participant: str, key: bytes, payee: str, currency: str, *, reference: str
    ) -> Written:
        """Have what a participant set aside paid. For the registrar."""
        token = self._gateway.token(currency).address

        def is_this(event: EarmarkSpent) -> bool:
            return (event.token, event.participant, event.payee) == (token, participant, payee)

        return self._once("spend", (token, participant, key, payee), key, reference, is_this)

    def _once(
        self,
        verb: str,
        body: tuple[object, ...],
        key: bytes,
        reference: str,
        is_this: Callable[[Any], bool],
    ) -> Written:
        def find_first() -> Any:
            """The key may have been used for something else: then it is no repeat."""
            event = self._gateway.effect(
                self._contract, REGISTRY.verb("Earmark", verb), key, self._writer.participant
            )
            if event is not None and not is_this(event):
                raise IdempotencyConflictError(
                    f"{reference!r} stands for another {verb} already; nothing was sent."
                )
            return event

        return self._writer.write_once(
            self._contract,
            verb,
            *body,
            reference=reference,
            intent=Intent(verb, body, key),
            find_first=find_first,
        )
