"""How payments stand: their state, their terms, and what may be done now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.chain import decode_revert
from tael.errors import ContractRevertedError, InvalidInputError
from tael.hashing import keccak
from tael.models import PaymentStatus
from tael.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.models import PreparedPayment, SignedPayment
    from tael.money import Money
    from tael.services.gateway import Gateway
    from tael.services.identity import Identity
    from tael.services.opened_payments import OpenedPayments

    Payment = Terms | PreparedPayment | SignedPayment | PaymentStatus | bytes | str


class PaymentReader:
    """Reads payments: `Payments` documents what it does."""

    def __init__(self, gateway: Gateway, identity: Identity, opened: OpenedPayments) -> None:
        self._gateway = gateway
        self._identity = identity
        self._opened = opened

    def status(self, payment: Payment) -> PaymentStatus:
        """See `Payments.status`."""
        gateway = self._gateway
        payment_id = self.id_of(payment)
        exists, captured, voided, refunded, day = gateway.read(
            gateway.escrow, "paymentOf", payment_id
        )
        if not exists:
            raise _unknown(payment_id)
        terms = self.terms(payment)
        now = gateway.now()
        held = terms.amount_minor - captured - voided
        can_capture = held > 0 and now < terms.capture_before
        can_refund = refunded < captured and now < terms.refund_before
        verbs = {
            "capture": can_capture,
            "void": held > 0,
            "reclaim": held > 0 and now >= terms.capture_before,
            "refund": can_refund,
        }

        def money(amount_minor: int) -> Money:
            return gateway.money(terms.token, amount_minor)

        return PaymentStatus(
            payment_id=payment_id,
            terms=terms,
            amount=money(terms.amount_minor),
            captured=money(captured),
            voided=money(voided),
            refunded=money(refunded),
            held=money(held),
            authorized_day=day,
            chain_time=now,
            may_capture_before=terms.capture_before if can_capture else None,
            may_void=held > 0,
            may_reclaim_from=terms.capture_before if held > 0 else None,
            may_refund_before=terms.refund_before if can_refund else None,
            verbs=tuple(verb for verb, possible in verbs.items() if possible),
        )

    def terms(self, payment: Payment) -> Terms:
        """See `Payments.terms`."""
        if isinstance(payment, Terms):
            return payment
        if not isinstance(payment, (bytes, str)):
            return payment.terms
        payment_id = self.id_of(payment)
        opened = self._opened.find(payment_id)
        if opened is None:
            raise _unknown(payment_id)
        return opened.terms

    def id_of(self, payment: Payment) -> bytes:
        """See `Payments.id_of`."""
        if isinstance(payment, Terms):
            return payment.payment_id(self._gateway.domain)
        if not isinstance(payment, (bytes, str)):
            return payment.payment_id
        try:
            value = payment if isinstance(payment, bytes) else bytes.fromhex(payment[2:])
        except ValueError as error:
            raise InvalidInputError("A payment id is 0x and 64 hexadecimal digits.") from error
        if len(value) != 32 or (isinstance(payment, str) and payment[:2] != "0x"):
            raise InvalidInputError("A payment id is 32 bytes, or 0x and 64 hexadecimal digits.")
        return value

    def find(self, reference: str) -> PaymentStatus | None:
        """See `Payments.find`."""
        who = self._identity
        payment_id = self._opened.find_by_reference(
            who.participant, who.identifiers.reference_hash(reference)
        )
        return None if payment_id is None else self.status(payment_id)

    def terms_of_many(self, payments: Sequence[Payment]) -> list[Terms]:
        """The terms of each, those named by an id alone read together.

        Raises:
            WrongStateError: One was never opened.
        """
        unread = [self.id_of(each) for each in payments if isinstance(each, (bytes, str))]
        found = self._opened.find_many(unread) if unread else {}
        terms = []
        for payment in payments:
            if isinstance(payment, (bytes, str)):
                payment_id = self.id_of(payment)
                if payment_id not in found:
                    raise _unknown(payment_id)
                terms.append(found[payment_id].terms)
            else:
                terms.append(self.terms(payment))
        return terms


def _unknown(payment_id: bytes) -> ContractRevertedError:
    # What the escrow itself answers to every verb but the opening ones.
    return decode_revert(keccak(b"PaymentUnknown(bytes32)")[:4] + payment_id)
