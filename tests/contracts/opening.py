"""What opening a payment refuses, whichever verb opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eth_utils import keccak

from tael.typed_data import Domain, authorize_consent_digest
from tests.contracts.chain import Refusal, refused
from tests.contracts.keys import Key, Signature
from tests.contracts.world import (
    AMOUNT,
    DAY,
    DAY_LIMIT,
    ENTRY_BLOCKED,
    ENTRY_NONE,
    INTERCHANGE_CAP_BPS,
    MAX_HOLD_SECONDS,
    MAX_REFUND_SECONDS,
    PAYMENT_LIMIT,
    STATIC_LIMIT,
    Payment,
    World,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TIME = 2**40 - 1

Case = tuple[Payment, Refusal]
REFUSALS: dict[str, Callable[[World], Case]] = {}


def case(build: Callable[[World], Case]) -> Callable[[World], Case]:
    REFUSALS[build.__name__] = build
    return build


@case
def same_terms_authorized_before(w: World) -> Case:
    payment = w.new_payment()
    w.authorize(payment)
    return payment, refused("PaymentExists", payment.id)


@case
def same_terms_voided_before(w: World) -> Case:
    payment = w.new_payment()
    w.authorize(payment)
    w.void(payment, payment.amount)
    return payment, refused("PaymentExists", payment.id)


@case
def same_terms_reclaimed_before(w: World) -> Case:
    payment = w.new_payment()
    w.authorize(payment)
    w.at(payment.terms.capture_before)
    w.reclaim(payment)
    return payment, refused("PaymentExists", payment.id)


@case
def same_terms_charged_and_refunded_before(w: World) -> Case:
    payment = w.new_payment()
    w.charge(payment)
    w.refund(payment, payment.amount)
    return payment, refused("PaymentExists", payment.id)


@case
def amount_zero(w: World) -> Case:
    payment = w.new_payment_of_zero()
    return payment, refused("AmountZero", payment.id)


@case
def interchange_one_above_the_cap(w: World) -> Case:
    payment = w.new_payment(interchange_bps=INTERCHANGE_CAP_BPS + 1)
    expected = refused(
        "InterchangeTooHigh", payment.id, INTERCHANGE_CAP_BPS + 1, INTERCHANGE_CAP_BPS
    )
    return payment, expected


@case
def interchange_as_high_as_it_goes(w: World) -> Case:
    payment = w.new_payment(interchange_bps=2**16 - 1)
    return payment, refused("InterchangeTooHigh", payment.id, 2**16 - 1, INTERCHANGE_CAP_BPS)


@case
def authorize_before_is_now(w: World) -> Case:
    payment = w.new_payment()
    w.at(payment.terms.authorize_before)
    return payment, refused("AuthorizeTooLate", payment.id, w.now, payment.terms.authorize_before)


@case
def authorize_before_was_a_second_ago(w: World) -> Case:
    payment = w.new_payment()
    w.at(payment.terms.authorize_before + 1)
    return payment, refused("AuthorizeTooLate", payment.id, w.now, payment.terms.authorize_before)


@case
def all_deadlines_zero(w: World) -> Case:
    payment = w.new_payment(authorize_before=0, capture_before=0, refund_before=0)
    return payment, refused("AuthorizeTooLate", payment.id, w.now, 0)


def _deadlines(name: str, deadlines: Callable[[int], tuple[int, int, int]]) -> None:
    def build(w: World) -> Case:
        authorize_before, capture_before, refund_before = deadlines(w.now)
        payment = w.new_payment(
            authorize_before=authorize_before,
            capture_before=capture_before,
            refund_before=refund_before,
        )
        return payment, refused("DeadlinesInvalid", payment.id, *deadlines(w.now))

    REFUSALS[name] = build


_deadlines("capture_ends_before_authorize", lambda now: (now + 101, now + 100, now + 200))
_deadlines("refund_ends_before_capture", lambda now: (now + 100, now + 201, now + 200))
_deadlines("capture_and_refund_zero", lambda now: (now + 100, 0, 0))
_deadlines(
    "hold_one_second_too_long",
    lambda now: (now + 1, now + MAX_HOLD_SECONDS + 1, now + MAX_HOLD_SECONDS + 1),
)
_deadlines(
    "refund_one_second_too_long",
    lambda now: (now + 1, now + DAY, now + DAY + MAX_REFUND_SECONDS + 1),
)
_deadlines("all_deadlines_as_late_as_they_go", lambda now: (MAX_TIME, MAX_TIME, MAX_TIME))
_deadlines("refund_as_late_as_it_goes", lambda now: (now + 1, now + 2, MAX_TIME))


@case
def card_unknown(w: World) -> Case:
    stranger = Key("stranger")
    payment = w.new_payment(card=stranger)
    return payment, refused("CardNotActive", payment.id, stranger, ENTRY_NONE)


@case
def card_of_another_issuer(w: World) -> Case:
    payment = w.new_payment(card=w.other_card)
    return payment, refused("CardNotActive", payment.id, w.other_card, ENTRY_NONE)


@case
def card_without_an_entry_in_this_currency(w: World) -> Case:
    card = Key("CNY only")
    entry = (card, w.cny, PAYMENT_LIMIT, DAY_LIMIT, 1)
    w.escrow.setCards(w.issuer, [entry], by=w.issuer)
    payment = w.new_payment(card=card, token=w.hkd)
    return payment, refused("CardNotActive", payment.id, card, ENTRY_NONE)


@case
def card_blocked(w: World) -> Case:
    w.set_card(w.issuer, w.card, status=ENTRY_BLOCKED)
    payment = w.new_payment()
    return payment, refused("CardNotActive", payment.id, w.card, ENTRY_BLOCKED)


@case
def amount_one_above_the_payment_limit(w: World) -> Case:
    payment = w.new_payment(amount=PAYMENT_LIMIT + 1)
    return payment, refused(
        "CardPaymentLimitExceeded", payment.id, PAYMENT_LIMIT + 1, PAYMENT_LIMIT
    )


@case
def amount_as_high_as_it_goes(w: World) -> Case:
    payment = w.new_payment(amount=2**64 - 1)
    return payment, refused("CardPaymentLimitExceeded", payment.id, 2**64 - 1, PAYMENT_LIMIT)


@case
def day_limit_passed_by_one(w: World) -> Case:
    w.set_card(w.issuer, w.card, day_limit=w.sibling.amount + AMOUNT - 1)
    payment = w.new_payment()
    spent = w.sibling.amount + AMOUNT
    return payment, refused("CardDayLimitExceeded", payment.id, spent, spent - 1)


@case
def day_limit_as_high_as_it_goes_and_passed(w: World) -> Case:
    most = 2**64 - 1
    w.set_card(w.issuer, w.card, payment_limit=most, day_limit=most)
    payment = w.new_payment(amount=most)
    spent = w.sibling.amount + most
    return payment, refused("CardDayLimitExceeded", payment.id, spent, most)


@case
def merchant_of_another_acquirer(w: World) -> Case:
    payment = w.new_payment(merchant=w.other_shop)
    return payment, refused("MerchantNotOfAcquirer", payment.id, w.other_shop.id, w.acquirer)


@case
def merchant_unknown(w: World) -> Case:
    unknown = keccak(text="no such merchant")
    payment = w.new_payment(merchant=unknown)
    return payment, refused("MerchantNotOfAcquirer", payment.id, unknown, w.acquirer)


@case
def merchant_that_does_not_take_this_currency(w: World) -> Case:
    commitment = keccak(text="kiosk")
    signer = Key("kiosk till")
    w.escrow.setMerchant(w.acquirer, commitment, signer, 5994, bytes(32), by=w.acquirer)
    kiosk = w.escrow.merchantId(w.acquirer, commitment)
    w.escrow.setAcceptances(kiosk, [(w.hkd, STATIC_LIMIT, 1)], by=w.acquirer)
    payment = w.new_payment(merchant=kiosk)
    return payment, refused("MerchantNotOfAcquirer", payment.id, kiosk, w.acquirer)


@case
def merchant_blocked(w: World) -> Case:
    entry = (w.cny, STATIC_LIMIT, ENTRY_BLOCKED)
    w.escrow.setAcceptances(w.shop.id, [entry], by=w.acquirer)
    payment = w.new_payment()
    return payment, refused("MerchantNotActive", payment.id, w.shop.id, ENTRY_BLOCKED)


@case
def no_code_one_above_the_static_limit(w: World) -> Case:
    payment = w.new_payment(amount=STATIC_LIMIT + 1)
    return payment, refused("DynamicCodeMissing", payment.id, STATIC_LIMIT + 1, STATIC_LIMIT)


@case
def no_code_and_a_static_limit_of_zero(w: World) -> Case:
    w.escrow.setAcceptances(w.shop.id, [(w.cny, 0, 1)], by=w.acquirer)
    payment = w.new_payment(amount=1)
    return payment, refused("DynamicCodeMissing", payment.id, 1, 0)


@case
def signed_by_another_card(w: World) -> Case:
    payment = w.new_payment()
    expected = refused("CardSignatureInvalid", payment.id, w.card)
    payment.card = w.second_card
    return payment, expected


@case
def signed_for_another_deployment(w: World) -> Case:
    payment = w.new_payment()
    elsewhere = w.new_payment("elsewhere", domain=w.token_domain(w.cny))
    payment.card = _Forger(w.card, elsewhere.terms.payment_id(elsewhere.domain))
    return payment, refused("CardSignatureInvalid", payment.id, w.card)


class _Forger:
    """Presents one message's signature for whatever it is asked to sign."""

    def __init__(self, key: Key, digest: bytes) -> None:
        self.address = key.address
        self._signature = key.sign(digest)

    def sign(self, _digest: bytes) -> Signature:
        return self._signature


def allowed(w: World) -> dict[str, Payment]:
    """Payments at the very edge of what is accepted."""
    now = w.now
    return {
        "smallest amount": w.new_payment("smallest", amount=1),
        "static limit": w.new_payment("static limit", amount=STATIC_LIMIT),
        "no interchange": w.new_payment("no interchange", interchange_bps=0),
        "most interchange": w.new_payment(
            "most interchange", amount=10, interchange_bps=INTERCHANGE_CAP_BPS
        ),
        "all deadlines in one second": w.new_payment(
            "one second",
            amount=11,
            authorize_before=now + 1,
            capture_before=now + 1,
            refund_before=now + 1,
        ),
        "longest deadlines": w.new_payment(
            "longest",
            amount=12,
            authorize_before=now + MAX_HOLD_SECONDS,
            capture_before=now + MAX_HOLD_SECONDS,
            refund_before=now + MAX_HOLD_SECONDS + MAX_REFUND_SECONDS,
        ),
    }


def consent(
    w: World,
    payment: Payment,
    *,
    signer: Key | None = None,
    valid_before: int | None = None,
    digest: Callable[[Domain, bytes, int], bytes] = authorize_consent_digest,
) -> tuple[Key, int, bytes]:
    """The issuer's consent, or another signer's, as the contract takes it."""
    by = signer or w.issuer
    until = w.now + 60 if valid_before is None else valid_before
    return (by, until, by.sign(digest(w.domain, payment.id, until)).bytes65)
