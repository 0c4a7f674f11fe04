"""Compares the reference ledger with what the contracts say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tael.addresses import checksummed
from tael.contracts.calls import Contract
from tael.ledger import SECONDS_PER_DAY, Ledger
from tael.ledger_state import LedgerCard, LedgerToken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tael.client import Client

    _Check = tuple[Contract, str, tuple[object, ...], object]

__all__ = ["Difference", "compare"]

_ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class Difference:
    """Something the ledger and a contract do not agree on.

    Args:
        contract: Address of the contract.
        what: Its view function.
        key: The function's arguments.
        ledger: What follows from the events.
        chain: What the contract says.
    """

    contract: str
    what: str
    key: tuple[object, ...]
    ledger: object
    chain: object


def compare(ledger: Ledger, client: Client) -> list[Difference]:
    """Compare every balance, hold, status, payment, card, merchant and delegate of all contracts.

    The ledger must have been replayed up to the latest block, and nothing may be sent meanwhile.

    Args:
        ledger: Made from all events since the deployment.
        client: Asks the contracts.

    Returns:
        The differences; none means that the events are complete and the books are right.

    Raises:
        NodeUnavailableError: The node did not answer properly.

    Example:
        >>> ledger = Ledger.replay(client.history().events())  # doctest: +SKIP
        >>> compare(ledger, client)  # doctest: +SKIP
        []
    """
    today = client.now() // SECONDS_PER_DAY
    checks = [*_token_checks(ledger, client), *_escrow_checks(ledger, today)]
    answers = client.read_many([(contract, name, key) for contract, name, key, _ in checks])
    return [
        Difference(contract.address, name, key, expected, actual)
        for (contract, name, key, expected), answer in zip(checks, answers, strict=True)
        if (actual := _plain(answer)) != expected
    ]


def _token_checks(ledger: Ledger, client: Client) -> Iterator[_Check]:
    # Whoever is in one currency is asked for in all: only so a missing admission shows.
    participants = {
        participant
        for token in ledger.tokens.values()
        for participant in token.balances.keys() | token.statuses.keys()
    }
    for address in dict.fromkeys([*client.manifest.tokens.values(), *ledger.tokens]):
        found = ledger.tokens.get(address, LedgerToken())
        for name, key, expected in _views_of(found, sorted(participants)):
            yield Contract("SettlementToken", address), name, key, expected


def _views_of(
    token: LedgerToken, participants: Sequence[str]
) -> Iterator[tuple[str, tuple[object, ...], object]]:
    yield "totalSupply", (), token.supply_minor
    yield "paused", (), token.paused
    yield "escrow", (), token.escrow or _ZERO_ADDRESS
    yield "attestation", (), token.attestation
    for participant in participants:
        key = (participant,)
        yield "balanceOf", key, token.balances.get(participant, 0)
        yield "availableOf", key, token.available_of(participant)
        yield "heldOf", key, token.held_of(participant)
        yield "statusOf", key, int(token.statuses.get(participant, 0))
        if token.escrow is not None:
            own = (token.escrow, participant)
            yield "heldFor", own, token.held_for(*own)
    for module, participant in token.reserved:
        yield "heldFor", (module, participant), token.held_for(module, participant)
    for module in token.modules | {module for module, _ in token.reserved}:
        yield "isModule", (module,), token.is_module(module)
    for bank_reference in token.issued:
        yield "isIssued", (bank_reference,), True
    for used in token.redeemed:
        yield "isRedeemed", used, True
    for consumed in token.consumed:
        yield "authorizationState", consumed, True


def _escrow_checks(ledger: Ledger, today: int) -> Iterator[_Check]:
    """Each escrow is asked for what is its own."""

    def ask(escrow: str, name: str, key: tuple[object, ...], expected: object) -> _Check:
        return Contract("PaymentEscrow", escrow), name, key, expected

    for id_, payment in ledger.payments.items():
        totals = (payment.captured_minor, payment.voided_minor, payment.refunded_minor)
        yield ask(payment.escrow, "paymentOf", (id_,), (True, *totals, payment.authorized_day))
    tokens = sorted({token for _, token in ledger.admitted_tokens})
    for escrow, issuer, key in dict.fromkeys(known[:3] for known in ledger.cards):
        for token in tokens:
            card = ledger.cards.get((escrow, issuer, key, token), LedgerCard())
            limits = (card.payment_limit_minor, card.day_limit_minor, int(card.status))
            yield ask(escrow, "cardOf", (issuer, key, token), (key, token, *limits))
            yield ask(escrow, "spentToday", (issuer, key, token), card.spent_on(today))
    for (escrow, id_), merchant in ledger.merchants.items():
        values = (merchant.acquirer, merchant.category_code, merchant.signer, merchant.name_hash)
        yield ask(escrow, "merchantOf", (id_,), values)
        for token in tokens:
            limit, status = ledger.acceptances.get((escrow, id_, token), (0, 0))
            yield ask(escrow, "acceptanceOf", (id_, token), (token, limit, int(status)))
    for (escrow, *delegate_key), verbs in ledger.delegates.items():
        yield ask(escrow, "verbsOf", tuple(delegate_key), verbs)
    for escrow, token in ledger.admitted_tokens:
        yield ask(escrow, "isTokenAdmitted", (token,), True)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_plain(each) for each in value)
    return checksummed(value) if isinstance(value, str) else value
