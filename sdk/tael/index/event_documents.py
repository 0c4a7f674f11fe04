"""Events as JSON: for webhooks, and for whoever reads them from a pipe."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tael.events import PaymentOpened
from tael.identifiers import uetr_text

if TYPE_CHECKING:
    from tael.events import Event
    from tael.index.subscriptions import Delivery

__all__ = ["event_document"]


def event_document(delivery: Delivery, chain_id: int) -> dict[str, Any]:
    """An event with where it stands; amounts in minor units, times in Unix seconds, bytes as 0x.

    `id` is the same whenever the same event of the same block is delivered, and another one for the
    notice that it was taken back.
    """
    event = delivery.event
    at = event.at
    place = f"{chain_id} {at.block_hash} {at.log_index} {delivery.is_removed}"
    return {
        "id": "evt_" + hashlib.sha256(place.encode()).hexdigest()[:32],
        "type": type(event).__name__,
        "removed": delivery.is_removed,
        "chain_id": chain_id,
        "contract": at.contract,
        "block_number": at.block_number,
        "block_hash": at.block_hash,
        "block_time": at.timestamp,
        "transaction_hash": at.transaction_hash,
        "log_index": at.log_index,
        "data": _terms(event) if isinstance(event, PaymentOpened) else _values(event),
    }


def _values(event: Event) -> dict[str, Any]:
    return {
        each.name: _plain(getattr(event, each.name)) for each in fields(event) if each.name != "at"
    }


def _terms(event: PaymentOpened) -> dict[str, Any]:
    terms = event.terms
    return {
        "id": _plain(event.id),
        "issuer": terms.issuer,
        "acquirer": terms.acquirer,
        "token": terms.token,
        "merchant": _plain(terms.merchant),
        "card": terms.card,
        "amount_minor": terms.amount_minor,
        "interchange_bps": terms.interchange_bps,
        "uetr": uetr_text(terms.uetr),
        "reference_hash": _plain(terms.reference_hash),
        "authorize_before": terms.authorize_before,
        "capture_before": terms.capture_before,
        "refund_before": terms.refund_before,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return int(value) if is_number else value
