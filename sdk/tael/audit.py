"""Compares the reference ledger with what the contracts say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address

from tael.ledger import SECONDS_PER_DAY, Ledger, LedgerToken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tael.client import Client
    from tael.contracts.calls import Contract

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
    """Compare every balance, hold, status, payment, card, merchant and delegate.

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
    checks = list(_checks(ledger, client, today))
    answers = client.read_many([(contract, name, key) for contract, name, key, _ in checks])
    return [
        Difference(contract.address, name, key, expected, actual)
        for (contract, name, key, expected), answer in zip(checks, answers, strict=True)
        if (actual := _plain(answer)) != expected
    ]


def _checks(
    ledger: Ledger, client: Client, today: int
) -> Iterator[tuple[Contract, str, tuple[object, ...], object]]:
    for alpha in client.manifest.tokens:
        token = client.contract("SettlementToken", alpha)
        books = ledger.tokens.get(token.address, LedgerToken())
        yield from _token_checks(token, books)
    escrow = client.contract("PaymentEscrow")
    for payment_id, payment in ledger.payments.items():
        totals = (payment.captured_minor, payment.voided_minor, payment.refunded_minor)
        yield escrow, "paymentOf", (payment_id,), (True, *totals, payment.authorized_day)
    for (_, issuer, card, token_), entry in ledger.cards.items():
        key = (issuer, card, token_)
        limits = (entry.payment_limit_minor, entry.day_limit_minor, int(entry.status))
        yield escrow, "cardOf", key, (card, token_, *limits)
        yield escrow, "spentToday", key, entry.spent_on(today)
    for (_, merchant_id), merchant in ledger.merchants.items():
        values = (merchant.acquirer, merchant.category_code, merchant.signer, merchant.name_hash)
        yield escrow, "merchantOf", (merchant_id,), values
    for (_, merchant_id, token_), (limit, status) in ledger.acceptances.items():
        yield escrow, "acceptanceOf", (merchant_id, token_), (token_, limit, int(status))
    for (_, participant, delegate), verbs in ledger.delegates.items():
        yield escrow, "verbsOf", (participant, delegate), verbs
    for _, token_ in ledger.admitted_tokens:
        yield escrow, "isTokenAdmitted", (token_,), True


def _token_checks(
    token: Contract, books: LedgerToken
) -> Iterator[tuple[Contract, str, tuple[object, ...], object]]:
    yield token, "totalSupply", (), books.supply_minor
    yield token, "paused", (), books.paused
    yield token, "escrow", (), books.escrow or _ZERO_ADDRESS
    yield token, "attestation", (), books.attestation
    for participant in sorted(books.balances.keys() | books.statuses.keys()):
        key = (participant,)
        yield token, "balanceOf", key, books.balances.get(participant, 0)
        yield token, "availableOf", key, books.available_of(participant)
        yield token, "heldOf", key, books.held_of(participant)
        yield token, "statusOf", key, int(books.statuses.get(participant, 0))
        if books.escrow is not None:
            held = books.escrowed.get(participant, 0)
            yield token, "heldFor", (books.escrow, participant), held
    for reserved, amount in books.reserved.items():
        yield token, "heldFor", reserved, amount
    for module in books.modules:
        yield token, "isModule", (module,), True
    for bank_reference in books.issued:
        yield token, "isIssued", (bank_reference,), True
    for used in books.redeemed:
        yield token, "isRedeemed", used, True
    for consumed in books.consumed:
        yield token, "authorizationState", consumed, True


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_plain(each) for each in value)
    return to_checksum_address(value) if isinstance(value, str) else value
