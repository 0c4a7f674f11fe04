"""`tael capture`, `void`, `reclaim`, `refund`, `status`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import Needs, command, group
from tael.cli.failures import UsageError
from tael.cli.session import Session
from tael.cli.values import hexed, shown_time
from tael.errors import TaelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tael.models import PaymentStatus, Written
    from tael.money import Money

app = group("Payments.")

_Payment = Annotated[
    str, typer.Argument(metavar="PAYMENT", help="The payment's id, 0x and 64 digits.")
]
_Total = Annotated[
    str | None,
    typer.Argument(
        metavar="TOTAL",
        help="What it shall be in all after this, not how much more; everything if left out.",
    ),
]


class NothingLeftError(TaelError):
    """There is nothing left to do this with: look at the payment."""

    code = "nothing_left"


@command(app, "capture", needs=Needs.REFERENCE)
def capture(session: Session, payment: _Payment, total: _Total = None) -> None:
    """Pay the acquirer out of the hold. For the acquirer, until `capture_before`."""
    status_ = _status(session, payment)
    _raise(
        session,
        "capture",
        "captured",
        status_,
        _wanted(status_, total, status_.captured + status_.held),
        lambda money, reference: session.client.payments.capture(
            status_, money, reference=reference
        ),
    )


@command(app, "void", needs=Needs.REFERENCE)
def void(session: Session, payment: _Payment, total: _Total = None) -> None:
    """Give the hold back to the issuer. For the acquirer, at any time."""
    status_ = _status(session, payment)
    _raise(
        session,
        "void",
        "voided",
        status_,
        _wanted(status_, total, status_.voided + status_.held),
        lambda money, reference: session.client.payments.void(status_, money, reference=reference),
    )


@command(app, "refund", needs=Needs.REFERENCE)
def refund(session: Session, payment: _Payment, total: _Total = None) -> None:
    """Pay back what was captured. For the acquirer, until `refund_before`."""
    status_ = _status(session, payment)
    _raise(
        session,
        "refund",
        "refunded",
        status_,
        _wanted(status_, total, status_.captured),
        lambda money, reference: session.client.payments.refund(
            status_, money, reference=reference
        ),
    )


@command(app, "reclaim", needs=Needs.REFERENCE)
def reclaim(session: Session, payment: _Payment) -> None:
    """Give back to the issuer what was not captured in time. For anyone."""
    before = _status(session, payment)
    reference = session.reference(f"reclaim-{payment[2:14]}")
    with session.writing("reclaiming"):
        done = session.client.payments.reclaim(before, reference=reference)
    after = session.client.payments.status(before)
    given_back = before.held
    said = f"reclaimed {given_back}" if given_back.amount_minor else "reclaimed"
    session.wrote(done, f"{said} for {before.terms.issuer}", document(after))


@command(app, "status", needs=Needs.REFERENCE)
def status(
    session: Session,
    payment: Annotated[
        str | None,
        typer.Argument(
            metavar="PAYMENT", help="Its id; or name --reference, with the issuer's key set."
        ),
    ] = None,
) -> None:
    """Show a payment: totals, deadlines, what may be done."""
    reference = session.options.reference
    if (payment is None) == (reference is None):
        raise UsageError("Name the payment by its id, or by the issuer's --reference.")
    with session.output.working("reading the payment"):
        if payment is not None:
            found = session.reader.payments.status(payment)
        else:
            by_reference = session.client.payments.find(reference or "")
            if by_reference is None:
                raise NothingLeftError(
                    f"{session.client.participant} opened no payment under {reference!r}."
                )
            found = by_reference
    session.output.result(document(found), _shown(session, found), bare=_state(found))


def document(status_: PaymentStatus) -> dict[str, Any]:
    """A payment's state, for programs."""
    terms = status_.terms
    return {
        "payment_id": hexed(status_.payment_id),
        "state": _state(status_),
        "currency": status_.amount.currency.alpha,
        "amount_minor": status_.amount.amount_minor,
        "captured_minor": status_.captured.amount_minor,
        "voided_minor": status_.voided.amount_minor,
        "refunded_minor": status_.refunded.amount_minor,
        "held_minor": status_.held.amount_minor,
        "issuer": terms.issuer,
        "acquirer": terms.acquirer,
        "card": terms.card,
        "merchant_id": hexed(terms.merchant),
        "uetr": str(uuid.UUID(bytes=terms.uetr)),
        "interchange_bps": terms.interchange_bps,
        "authorize_before": terms.authorize_before,
        "capture_before": terms.capture_before,
        "refund_before": terms.refund_before,
        "chain_time": status_.chain_time,
        "verbs": list(status_.verbs),
        "may_capture_before": status_.may_capture_before,
        "may_void": status_.may_void,
        "may_reclaim_from": status_.may_reclaim_from,
        "may_refund_before": status_.may_refund_before,
    }


def _state(status_: PaymentStatus) -> str:
    """One word for people and `--quiet`; programs decide by the totals and `verbs`."""
    if status_.held.amount_minor:
        return "overdue" if "reclaim" in status_.verbs else "open"
    if not status_.captured.amount_minor:
        return "voided"
    if status_.refunded == status_.captured:
        return "refunded"
    return "captured"


def _shown(session: Session, status_: PaymentStatus) -> list[Any]:
    output, terms, now = session.output, status_.terms, status_.chain_time
    state = _state(status_)
    style = {"overdue": "yellow", "voided": "dim", "refunded": "dim"}.get(state, "green")
    amounts = output.facts(
        [
            ("amount", status_.amount),
            ("captured", status_.captured),
            ("voided", status_.voided),
            ("refunded", status_.refunded),
            ("held", status_.held),
        ]
    )
    who = output.facts(
        [
            ("payment", hexed(status_.payment_id)),
            ("uetr", uuid.UUID(bytes=terms.uetr)),
            ("issuer", terms.issuer),
            ("acquirer", terms.acquirer),
            ("card", terms.card),
            ("merchant", hexed(terms.merchant)),
        ]
    )
    captures, refunds = "capture" in status_.verbs, "refund" in status_.verbs
    rows = [
        ("capture", "acquirer", captures, f"before {shown_time(terms.capture_before, now=now)}"),
        ("void", "acquirer", "void" in status_.verbs, "no deadline"),
        (
            "reclaim",
            "anyone",
            "reclaim" in status_.verbs,
            f"from {shown_time(terms.capture_before, now=now)}",
        ),
        ("refund", "acquirer", refunds, f"before {shown_time(terms.refund_before, now=now)}"),
    ]
    table = output.table(
        ["VERB", "WHO", "NOW", "WHEN"],
        [
            [verb, by, output.styled("yes", "green") if may else output.styled("no", "dim"), at]
            for verb, by, may, at in rows
        ],
    )
    clock = f"judged by the chain's clock, {shown_time(now)}"
    return [
        output.styled(f"{state}: {status_.amount}", f"bold {style}"),
        "",
        amounts,
        "",
        who,
        "",
        table,
        output.styled(clock, "dim"),
    ]


def _status(session: Session, payment: str) -> PaymentStatus:
    client = session.client
    with session.output.working("reading the payment"):
        return client.payments.status(payment)


def _wanted(status_: PaymentStatus, total: str | None, everything: Money) -> Money:
    from tael.money import Money

    if total is not None:
        return Money.parse(total, status_.amount.currency)
    if not everything.amount_minor:
        raise NothingLeftError(
            f"Payment {hexed(status_.payment_id)} has nothing left for it: see `tael status`."
        )
    return everything


def _raise(
    session: Session,
    verb: str,
    done_word: str,
    status_: PaymentStatus,
    total: Money,
    act: Callable[[Money, str], Written],
) -> None:
    short = status_.payment_id.hex()[:10]
    reference = session.reference(f"{verb}-{short}-{total.amount_minor}"[:35])
    with session.writing(f"{verb}: {total} in all"):
        done = act(total, reference)
    after = session.client.payments.status(status_)
    session.wrote(
        done, f"{done_word} {total} in all of {status_.amount}; {after.held} held", document(after)
    )
