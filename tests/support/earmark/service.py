"""What a client would have as `client.earmarks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.contracts.registry import REGISTRY
from tael.hashing import keccak
from tael.services.gateway import require_money
from tael.services.intents import Intent

if TYPE_CHECKING:
    from tael import Client, Money
    from tael.models import Written


def key_of(reference: str) -> bytes:
    """The key of an earmark, 32 bytes."""
    return keccak(reference.encode())


class Earmarks:
    """Money set aside under a key, and paid from there."""

    def __init__(self, client: Client) -> None:
        self._gateway = client._gateway
        self._writer = client._writer
        self._contract = client.contract("Earmark")

    def set_aside(self, amount: Money, purpose: bytes, *, reference: str) -> Written:
        """Set money of the participant aside; `subject` is the key."""
        require_money(amount)
        token, key = self._gateway.token(amount.currency), key_of(reference)
        body = (token.address, key, amount.amount_minor, purpose)
        return self._once("earmark", body, key, reference)

    def spend(self, key: bytes, payee: str, currency: str, *, reference: str) -> Written:
        """Have what was set aside paid. For the registrar."""
        return self._once(
            "spend", (self._gateway.token(currency).address, key, payee), key, reference
        )

    def _once(self, verb: str, body: tuple[object, ...], key: bytes, reference: str) -> Written:
        return self._writer.write_once(
            self._contract,
            verb,
            *body,
            reference=reference,
            intent=Intent(verb, body, key),
            find_first=lambda: self._gateway.effect(
                self._contract,
                REGISTRY.verb("Earmark", verb),
                key,
                self._writer.participant,
            ),
        )
