"""What the events of Earmark change in the ledger: nothing that the token does not say as well."""

from __future__ import annotations

from tael.ledger import Ledger, no_effect
from tests.support.earmark.events import Earmarked, EarmarkSpent, PurposeNoted


def _earmarked(ledger: Ledger, event: Earmarked) -> None:
    ledger.explain_hold(event, event.token, event.participant, event.amount_minor)


def _spent(ledger: Ledger, event: EarmarkSpent) -> None:
    ledger.explain_hold(event, event.token, event.participant, -event.amount_minor)


EFFECTS = {Earmarked: _earmarked, EarmarkSpent: _spent, PurposeNoted: no_effect}
