"""The asynchronous client: `Client` and its services, with methods to be awaited.

Written by scripts/async_client.py: change `tael.client` and `tael.services`, and run
`make artifacts`. Threads and tasks meet in `connection.py` and `iteration.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tael.aio.connection import THREADS, Connection
from tael.client import Client
from tael.outbox.outbox import WAIT_SECONDS
from tael.services.balances import DEFAULT_VALID_SECONDS
from tael.services.preparation import AUTHORIZE_SECONDS, HOLD_SECONDS, REFUND_SECONDS

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Callable,
        Iterable,
        Sequence,
    )
    from pathlib import Path
    from typing import Any, Literal

    from tael import qr
    from tael.chain import Chain
    from tael.contracts.calls import Contract
    from tael.events import Event, PaymentOpened
    from tael.manifest import Manifest
    from tael.models import (
        Acceptance,
        Balance,
        BatchOutcome,
        CardEntry,
        Consent,
        MerchantRecord,
        ParticipantStatus,
        PaymentStatus,
        PreparedPayment,
        Reserve,
        Resolution,
        ScheduledOperation,
        SignedPayment,
        Verb,
        Written,
    )
    from tael.money import Currency, Money
    from tael.outbox import Change, FeePolicy, Finality
    from tael.outbox.environment import SendingStep
    from tael.services.intents import Intent
    from tael.services.payment_status import Payment
    from tael.signers import Signer
    from tael.store import Store
    from tael.terms import Terms


class AsyncBalances:
    """Tokenized balances of the participants, one token per currency.

    Every amount is :class:`tael.Money`; every write takes the caller's reference, and the same
    reference again gives the first result instead of paying twice.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of(self, currency: str | Currency, participant: str | None = None) -> Balance:
        """A participant's balance: total, available and held.

        Args:
            currency: ISO 4217 letters.
            participant: An address; None is the client's own.
        """
        return await self._connection.run(lambda client: client.balances.of(currency, participant))

    async def available(self, currency: str | Currency, participant: str | None = None) -> Money:
        """What a participant can spend."""
        return await self._connection.run(
            lambda client: client.balances.available(currency, participant)
        )

    async def held(self, currency: str | Currency, participant: str | None = None) -> Money:
        """What is set aside of a participant's balance for open obligations."""
        return await self._connection.run(
            lambda client: client.balances.held(currency, participant)
        )

    async def supply(self, currency: str | Currency) -> Money:
        """What is issued in a currency: the sum of all balances."""
        return await self._connection.run(lambda client: client.balances.supply(currency))

    async def reserve(self, currency: str | Currency) -> Reserve:
        """The attested reserve that issues are measured against."""
        return await self._connection.run(lambda client: client.balances.reserve(currency))

    async def issue(self, to: str, amount: Money, *, reference: str) -> Written:
        """Issue money to a participant against the attested reserve. For the issuance desk.

        Args:
            to: An active participant.
            amount: How much.
            reference: The desk's reference; its salted hash is the bank reference on the chain.

        Returns:
            The write; `subject` is the bank reference.

        Raises:
            IdempotencyConflictError: The reference was used for another participant or amount.
            LimitExceededError: More than the reserve.
            WrongStateError, WrongTimeError: Paused, not active, or the attestation is stale.

        Source: `SettlementToken.issue`.
        """
        return await self._connection.run(
            lambda client: client.balances.issue(to, amount, reference=reference)
        )

    async def redeem(self, amount: Money, *, reference: str) -> Written:
        """Give money of the client's participant back for reserve money.

        Args:
            amount: How much.
            reference: The participant's reference.

        Returns:
            The write; `subject` is the bank reference.

        Raises:
            IdempotencyConflictError: The reference was used for another amount.
            InsufficientFundsError: More than is available.

        Source: `SettlementToken.redeem`.
        """
        return await self._connection.run(
            lambda client: client.balances.redeem(amount, reference=reference)
        )

    async def transfer(
        self, to: str, amount: Money, *, reference: str, valid_seconds: int = DEFAULT_VALID_SECONDS
    ) -> Written:
        """Pay another participant.

        Sent as a signed ERC-3009 authorization whose nonce derives from the reference, so the
        chain itself refuses the same reference a second time, whatever became of the first answer.

        Args:
            to: A participant that may receive.
            amount: How much.
            reference: The participant's reference.
            valid_seconds: How long, by the chain's clock, the signed message can take effect.

        Returns:
            The write; `subject` is the nonce.

        Raises:
            IdempotencyConflictError: The reference was used for another payee or amount, or was
                cancelled.
            InsufficientFundsError: More than is available.

        Source: ERC-3009; `SettlementToken.transferWithAuthorization`.
        """
        return await self._connection.run(
            lambda client: client.balances.transfer(
                to, amount, reference=reference, valid_seconds=valid_seconds
            )
        )

    async def cancel_transfer(self, currency: str | Currency, *, reference: str) -> Written:
        """Make a transfer that has not taken effect void for ever.

        For a transfer whose outcome is unknown and that must not happen any more.

        Args:
            currency: ISO 4217 letters.
            reference: The reference of the transfer.

        Raises:
            AlreadyDoneError: The transfer has taken effect.

        Source: `SettlementToken.cancelAuthorization`.
        """
        return await self._connection.run(
            lambda client: client.balances.cancel_transfer(currency, reference=reference)
        )


class AsyncOperations:
    """Calls that stand under a delay, in the AccessManager that governs the contracts.

    The signer schedules, waits, and executes; a guardian may cancel meanwhile. An operation is
    known by its caller, target and data, so one that is scheduled already is found again.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def delay_seconds(self, contract: Contract, name: str) -> int:
        """How long the signer has to wait for a function; zero if it may call it, or never may."""
        return await self._connection.run(
            lambda client: client.operations.delay_seconds(contract, name)
        )

    async def find(
        self, contract: Contract, name: str, *arguments: object
    ) -> ScheduledOperation | None:
        """The signer's operation for this call, as it stands; None if it is not scheduled."""
        return await self._connection.run(
            lambda client: client.operations.find(contract, name, *arguments)
        )

    async def scheduled(self) -> list[ScheduledOperation]:
        """Everything that anybody scheduled and that is not expired, the earliest first.

        Raises:
            NodeUnavailableError: The node did not answer properly.
        """
        return await self._connection.run(lambda client: client.operations.scheduled())

    async def schedule(
        self, contract: Contract, name: str, *arguments: object, reference: str
    ) -> ScheduledOperation:
        """Schedule a governance operation of any of the deployment's contracts.

        Args:
            contract: The target, for example `client.contract("SettlementToken", "CNY")`.
            name: Its function.
            arguments: The function's arguments.
            reference: The operator's reference.

        Returns:
            The operation; scheduled before, it is returned as it stands.

        Source: OpenZeppelin `AccessManager.schedule`.
        """
        return await self._connection.run(
            lambda client: client.operations.schedule(
                contract, name, *arguments, reference=reference
            )
        )

    async def execute(
        self, operation: ScheduledOperation, *, reference: str, intent: Intent | None = None
    ) -> Written:
        """Execute an operation that is ready.

        Args:
            operation: Which.
            reference: The operator's reference.
            intent: What it is to do, for a service that knows; None is the call as it is.

        Raises:
            WrongTimeError: It is not ready yet, or has expired.
            WrongStateError: It is not scheduled, or was executed or cancelled.

        Source: OpenZeppelin `AccessManager.execute`.
        """
        return await self._connection.run(
            lambda client: client.operations.execute(operation, reference=reference, intent=intent)
        )

    async def cancel(self, operation: ScheduledOperation, *, reference: str) -> Written:
        """Cancel an operation that waits. For its caller, the guardian of its role, or an admin.

        Source: OpenZeppelin `AccessManager.cancel`.
        """
        return await self._connection.run(
            lambda client: client.operations.cancel(operation, reference=reference)
        )


class AsyncParticipants:
    """Admission and standing of participants, per currency. For the operator.

    What can hurt (reinstate, close, forced transfer, unpause) may stand under a delay. The
    first call then schedules it and returns a :class:`~tael.models.ScheduledOperation`; the
    same call again, with the same arguments and reference, executes it once it is ready and
    returns a :class:`~tael.models.Written`.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def status(
        self, currency: str | Currency, participant: str | None = None
    ) -> ParticipantStatus:
        """Where a participant stands in a currency.

        Args:
            currency: ISO 4217 letters.
            participant: An address; None is the client's own.
        """
        return await self._connection.run(
            lambda client: client.participants.status(currency, participant)
        )

    async def is_paused(self, currency: str | Currency) -> bool:
        """Whether new obligations in a currency are stopped."""
        return await self._connection.run(lambda client: client.participants.is_paused(currency))

    async def admit(self, participant: str, currency: str | Currency, *, reference: str) -> Written:
        """Open an account in a currency. For the registrar.

        Raises:
            WrongStateError: It was admitted before and does not stand as active any more.

        Source: `SettlementToken.admit`.
        """
        return await self._connection.run(
            lambda client: client.participants.admit(participant, currency, reference=reference)
        )

    async def suspend(
        self, participant: str, currency: str | Currency, *, document: bytes, reference: str
    ) -> Written:
        """Stop an active participant: no new holds, no spending. For the guardian, at once.

        Args:
            participant: Whom.
            currency: ISO 4217 letters.
            document: Says why; only a salted hash of it goes on the chain.
            reference: The guardian's reference.

        Source: `SettlementToken.suspend`.
        """
        return await self._connection.run(
            lambda client: client.participants.suspend(
                participant, currency, document=document, reference=reference
            )
        )

    async def attest(
        self, reserve: Money, *, document: bytes, valid_before: int, reference: str
    ) -> Written:
        """Replace the attested reserve of a currency. For the attestor.

        Args:
            reserve: The supply may not be raised above it.
            document: The attestation; only a salted hash of it goes on the chain.
            valid_before: Unix seconds by the chain's clock, at most 35 days ahead.
            reference: The attestor's reference.

        Source: `SettlementToken.attest`.
        """
        return await self._connection.run(
            lambda client: client.participants.attest(
                reserve, document=document, valid_before=valid_before, reference=reference
            )
        )

    async def pause(self, currency: str | Currency, *, reference: str) -> Written:
        """Stop new obligations in a currency. For the guardian, at once.

        Source: `SettlementToken.pause`.
        """
        return await self._connection.run(
            lambda client: client.participants.pause(currency, reference=reference)
        )

    async def unpause(
        self, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """Let new obligations in a currency begin again."""
        return await self._connection.run(
            lambda client: client.participants.unpause(currency, reference=reference)
        )

    async def reinstate(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """Make a suspended participant active again.

        Source: `SettlementToken.reinstate`.
        """
        return await self._connection.run(
            lambda client: client.participants.reinstate(participant, currency, reference=reference)
        )

    async def close(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """Close an account for ever; nothing may be held of it.

        Source: `SettlementToken.close`.
        """
        return await self._connection.run(
            lambda client: client.participants.close(participant, currency, reference=reference)
        )

    async def force_transfer(
        self, payer: str, payee: str, amount: Money, *, document: bytes, reference: str
    ) -> Written | ScheduledOperation:
        """Move available by order of law, or sweep what is left after a closure.

        The order's hash on the chain is bound to the reference, so the same reference never moves
        money twice.

        Args:
            payer: Whose available.
            payee: Who receives it.
            amount: How much.
            document: The order; only a salted hash of it goes on the chain.
            reference: The operator's reference.

        Raises:
            IdempotencyConflictError: The reference moved another amount already.

        Source: `SettlementToken.forceTransfer`.
        """
        return await self._connection.run(
            lambda client: client.participants.force_transfer(
                payer, payee, amount, document=document, reference=reference
            )
        )


class AsyncDirectory:
    """Who vouches for whom.

    Only the participant that vouches for an entry, or its delegate for that verb, may change it.
    A write that would change nothing is not sent; the result is that of the write that made it so.

    Warning:
        An entry is a state, not a payment, and has no key on the chain: without its journal, an old
        write repeated after a newer one sets the old state again.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set_merchant(
        self, merchant: str, *, signer: str, name: str, category_code: int | str, reference: str
    ) -> Written:
        """Register a merchant, or change its key, name or category.

        Args:
            merchant: The acquirer's own reference for the merchant; only a salted hash goes on
                the chain.
            signer: Address of the key (or contract account) that signs the merchant's codes.
            name: As its codes spell it; only a hash goes on the chain.
            category_code: ISO 18245, 0 to 9999.
            reference: The caller's reference for this write.

        Returns:
            The write; `subject` is the merchant id that terms and codes carry.

        Raises:
            InvalidInputError: A name that hides characters, or no category.
            NotPermittedError: Neither the acquirer nor its delegate for MERCHANTS.

        Source: `Directory.setMerchant`.
        """
        return await self._connection.run(
            lambda client: client.directory.set_merchant(
                merchant, signer=signer, name=name, category_code=category_code, reference=reference
            )
        )

    async def accept(
        self, merchant_id: bytes, acceptances: Iterable[Acceptance], *, reference: str
    ) -> Written:
        """Open, limit or block a merchant per currency.

        Args:
            merchant_id: 32 bytes.
            acceptances: One per currency, at most 256.
            reference: The caller's reference.

        Source: `Directory.setAcceptances`.
        """
        return await self._connection.run(
            lambda client: client.directory.accept(merchant_id, acceptances, reference=reference)
        )

    async def merchant(self, merchant_id: bytes) -> MerchantRecord | None:
        """What the Directory says of a merchant; None if it knows none."""
        return await self._connection.run(lambda client: client.directory.merchant(merchant_id))

    async def acceptance(self, merchant_id: bytes, currency: str | Currency) -> Acceptance:
        """On what terms a merchant takes a currency; status NONE if it does not."""
        return await self._connection.run(
            lambda client: client.directory.acceptance(merchant_id, currency)
        )

    async def verify_code(
        self,
        code: qr.MerchantCode | str,
        *,
        currency: str | Currency | None = None,
        known_names: Iterable[str] = (),
    ) -> qr.VerifiedCode:
        """Read a code and check it against chain, escrow and Directory, as a payer must.

        Args:
            code: The scanned text, or the code as read.
            currency: What the payer pays in, for a static code that names none.
            known_names: Names of other merchants that this one must not be taken for.

        Returns:
            What to show and to pay.

        Raises:
            QrError: What is wrong with it; do not pay.
        """
        return await self._connection.run(
            lambda client: client.directory.verify_code(
                code, currency=currency, known_names=known_names
            )
        )

    async def sign_code(
        self,
        code: qr.MerchantCode,
        signer: Signer,
        *,
        merchant_id: bytes,
        uetr: bytes | None = None,
        expires_at: int | None = None,
    ) -> qr.MerchantCode:
        """Sign a merchant's code for this deployment, ready for `qr.write`.

        Args:
            code: What the code shall say, without Tael's templates.
            signer: The merchant's key, as the Directory has it.
            merchant_id: 32 bytes.
            uetr: 16 bytes for a dynamic code, `client.uetr(reference)` for example; None for a
                static one.
            expires_at: Unix seconds by the chain's clock; with a UETR only.

        Raises:
            InvalidInputError: A value is missing, out of range, or has no place in such a code.

        Source: `IPaymentEscrow.DynamicCode`; `docs/qr.md`.
        """
        return await self._connection.run(
            lambda client: client.directory.sign_code(
                code, signer, merchant_id=merchant_id, uetr=uetr, expires_at=expires_at
            )
        )

    async def set_cards(self, cards: Iterable[CardEntry], *, reference: str) -> Written:
        """Open, limit or block cards of the client's participant; what was spent stays counted.

        Args:
            cards: One per card and currency, at most 256.
            reference: The caller's reference.

        Raises:
            InvalidInputError: Limits of two currencies in one entry, or too many entries.
            NotPermittedError: Neither the issuer nor its delegate for CARDS.

        Source: `Directory.setCards`.
        """
        return await self._connection.run(
            lambda client: client.directory.set_cards(cards, reference=reference)
        )

    async def card(
        self, card: str, currency: str | Currency, *, issuer: str | None = None
    ) -> CardEntry:
        """What an issuer lets a card spend, and what it spent in the chain's UTC day.

        Args:
            card: The card's address.
            currency: ISO 4217 letters.
            issuer: An address; None is the client's participant.
        """
        return await self._connection.run(
            lambda client: client.directory.card(card, currency, issuer=issuer)
        )

    async def set_delegate(self, delegate: str, verbs: Verb, *, reference: str) -> Written:
        """Let a key use these verbs for the client's participant and no other; none takes all back.

        Args:
            delegate: Address of the hot key.
            verbs: As in `Verb.AUTHORIZE | Verb.CHARGE`.
            reference: The caller's reference.

        Source: `Directory.setDelegate`.
        """
        return await self._connection.run(
            lambda client: client.directory.set_delegate(delegate, verbs, reference=reference)
        )

    async def verbs(self, delegate: str, *, participant: str | None = None) -> Verb:
        """What a key may do for a participant; None is the client's own."""
        return await self._connection.run(
            lambda client: client.directory.verbs(delegate, participant=participant)
        )


class AsyncPayments:
    """Card and QR payments through the escrow.

    A payment can be named by its id (32 bytes, or 0x and 64 digits), by its terms, or by what
    `prepare`, `sign` and `status` return. From an id alone, the terms are read from the event that
    opened the payment.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def prepare(
        self,
        *,
        reference: str,
        card: str,
        amount: Money | None = None,
        code: qr.VerifiedCode | qr.MerchantCode | str | None = None,
        merchant_id: bytes | None = None,
        acquirer: str | None = None,
        issuer: str | None = None,
        interchange_bps: int = 0,
        at: int | None = None,
        authorize_seconds: int = AUTHORIZE_SECONDS,
        hold_seconds: int = HOLD_SECONDS,
        refund_seconds: int = REFUND_SECONDS,
    ) -> PreparedPayment:
        """Make the terms that a card signs, from a scanned code or from explicit values.

        All deadlines are measured by the chain's clock. A dynamic code fixes the UETR and the last
        moment to authorize, so preparing the same code again with the same reference gives the
        same terms and the same payment.

        Args:
            reference: The issuer's reference; only its salted hash is in the terms.
            card: The payer's key, an address.
            amount: What is paid, tip included. May be left out if the code says it; more than
                the code says is a tip.
            code: A scanned code: its text, as read, or as verified by `directory.verify_code`.
            merchant_id: Without a code: the merchant's id.
            acquirer: Without a code: the merchant's bank; None asks the Directory.
            issuer: The payer's bank; None is the client's participant.
            interchange_bps: Share of each capture that stays with the issuer, in 1/10,000.
            at: The chain's time the deadlines are measured from, Unix seconds, where many payments
                are prepared at once; None asks the chain.
            authorize_seconds: Time to authorize, where no dynamic code sets it.
            hold_seconds: Time to capture after that, at most 31 days from now.
            refund_seconds: Time to refund after that, at most 540 days.

        Returns:
            The payment, ready to be shown to the payer and signed by the card.

        Raises:
            QrError: The code must not be paid.
            InvalidInputError: Values are missing or do not go together.
            AmountTypeError: The amount is no `Money`.

        Source: `IPaymentEscrow.Terms`.
        """
        return await self._connection.run(
            lambda client: client.payments.prepare(
                reference=reference,
                card=card,
                amount=amount,
                code=code,
                merchant_id=merchant_id,
                acquirer=acquirer,
                issuer=issuer,
                interchange_bps=interchange_bps,
                at=at,
                authorize_seconds=authorize_seconds,
                hold_seconds=hold_seconds,
                refund_seconds=refund_seconds,
            )
        )

    async def sign(self, prepared: PreparedPayment, card: Signer) -> SignedPayment:
        """Have the card sign the payment's id. The payer must have seen name and amount.

        Raises:
            InvalidInputError: Another key than the terms name.
        """
        return await self._connection.run(lambda client: client.payments.sign(prepared, card))

    async def consent(
        self,
        payment: SignedPayment | PreparedPayment,
        *,
        verb: Literal["authorize", "charge"] = "authorize",
        valid_seconds: int = AUTHORIZE_SECONDS,
    ) -> Consent:
        """Sign, as the issuer or its delegate, that anyone may open this one payment.

        Args:
            payment: Which.
            verb: The consent counts for this verb alone.
            valid_seconds: How long, by the chain's clock.
        """
        return await self._connection.run(
            lambda client: client.payments.consent(payment, verb=verb, valid_seconds=valid_seconds)
        )

    async def authorize(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """Set the amount aside for the acquirer.

        Sends the plain form where it suffices, and the full one with the merchant's dynamic code
        above its static limit, for a card that is a contract account, or with a consent.

        Args:
            payment: As signed by the card.
            reference: The issuer's reference that the terms commit to; a relayer's own.
            consent: The issuer's, if somebody else sends this.

        Returns:
            The write; `subject` is the payment id. The same payment again gives the first result.

        Raises:
            IdempotencyConflictError: The reference stands for another payment, or this one was
                opened by `charge`.
            TermsRefusedError, LimitExceededError, WrongStateError, WrongTimeError,
            InsufficientFundsError, NotPermittedError: The contract refuses, by name.

        Source: `PaymentEscrow.authorize`, `authorizeWith`.
        """
        return await self._connection.run(
            lambda client: client.payments.authorize(payment, reference=reference, consent=consent)
        )

    def authorize_each(
        self, payments: Iterable[SignedPayment] | AsyncIterable[SignedPayment]
    ) -> AsyncGenerator[BatchOutcome, None]:
        """Authorize payments one by one, each in a transaction of its own, many in flight at once.

        For a stream of payments that shall not wait for one another: what the first ones became is
        told while later ones are still taken. Memory stays the same however many there are.

        Args:
            payments: As signed by their cards; each counts under the reference it was prepared
                with.

        Yields:
            One outcome a payment, in the order given. The same payment again gives its first
            result.

        Raises:
            OutcomeUnknownError: Nobody knows whether a payment is in a block. Call again with the
                same payments: each is paid once.

        Source: `PaymentEscrow.authorize`, `authorizeWith`.
        """
        return self._connection.each(
            lambda client, iteration: client.payments.authorize_each(iteration.over(payments))
        )

    async def charge(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """Pay at once, in full, without a hold. Arguments and errors as in `authorize`.

        Source: `PaymentEscrow.charge`, `chargeWith`.
        """
        return await self._connection.run(
            lambda client: client.payments.charge(payment, reference=reference, consent=consent)
        )

    def charge_each(
        self, payments: Iterable[SignedPayment] | AsyncIterable[SignedPayment]
    ) -> AsyncGenerator[BatchOutcome, None]:
        """Pay many at once, as `authorize_each` authorizes them."""
        return self._connection.each(
            lambda client, iteration: client.payments.charge_each(iteration.over(payments))
        )

    async def authorize_many(
        self, payments: Iterable[SignedPayment], *, reference: str
    ) -> list[BatchOutcome]:
        """Authorize many payments, at most 200 in one transaction.

        Payments are grouped by issuer, acquirer and token. One that is refused is left out and the
        others go on; what the chain has already counts as accepted.

        Args:
            payments: Each once. Cards must be ordinary keys.
            reference: The batch's reference.

        Returns:
            One outcome a payment, in the order given.

        Raises:
            InvalidInputError: A payment stands there twice, or its signature has a wrong size.
            OutcomeUnknownError: Nobody knows whether a transaction is in a block. Call again with
                the same payments later: what went through counts as accepted.

        Source: `PaymentEscrow.authorizeMany`.
        """
        return await self._connection.run(
            lambda client: client.payments.authorize_many(payments, reference=reference)
        )

    async def capture(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Pay out of the hold, up to a new total.

        Args:
            payment: Which.
            total: How much shall be captured in all after this, not how much more: that is what
                makes a repeat harmless. `capture_more` computes it from a status.
            reference: The acquirer's reference.

        Returns:
            The write; the same total again gives the first result.

        Raises:
            AlreadyDoneError: As much or more is captured, and never stood at this total.
            WrongTimeError: Too late.
            LimitExceededError: More than is held.

        Source: `PaymentEscrow.capture`.
        """
        return await self._connection.run(
            lambda client: client.payments.capture(payment, total, reference=reference)
        )

    async def capture_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """Capture this much more than a status says.

        Warning:
            Repeat it with the same status. A status read anew after an unknown outcome may already
            contain the first capture.
        """
        return await self._connection.run(
            lambda client: client.payments.capture_more(status, more, reference=reference)
        )

    async def capture_many(
        self, totals: Sequence[tuple[Payment, Money]], *, reference: str
    ) -> list[BatchOutcome]:
        """Capture many payments, at most 200 in one transaction.

        Args:
            totals: Payment and new total of each, each payment once.
            reference: The batch's reference.

        Returns:
            One outcome a payment, in the order given.

        Source: `PaymentEscrow.captureMany`.
        """
        return await self._connection.run(
            lambda client: client.payments.capture_many(totals, reference=reference)
        )

    async def void(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Give part or all of the hold back to the issuer, up to a new total.

        Args:
            payment: Which.
            total: How much shall be voided in all after this.
            reference: The acquirer's reference.

        Source: `PaymentEscrow.void`.
        """
        return await self._connection.run(
            lambda client: client.payments.void(payment, total, reference=reference)
        )

    async def void_rest(self, status: PaymentStatus, *, reference: str) -> Written:
        """Give back all that a status says is still held. Repeat it with the same status."""
        return await self._connection.run(
            lambda client: client.payments.void_rest(status, reference=reference)
        )

    async def refund(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """Pay back out of the acquirer's available, up to a new total for the cardholder.

        Args:
            payment: Which.
            total: How much shall be refunded in all after this.
            reference: The acquirer's reference.

        Source: `PaymentEscrow.refund`.
        """
        return await self._connection.run(
            lambda client: client.payments.refund(payment, total, reference=reference)
        )

    async def refund_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """Refund this much more than a status says. Repeat it with the same status."""
        return await self._connection.run(
            lambda client: client.payments.refund_more(status, more, reference=reference)
        )

    async def reclaim(self, payment: Payment, *, reference: str) -> Written:
        """Give back to the issuer what is still held after the time to capture. For anyone.

        Source: `PaymentEscrow.reclaim`.
        """
        return await self._connection.run(
            lambda client: client.payments.reclaim(payment, reference=reference)
        )

    async def status(self, payment: Payment) -> PaymentStatus:
        """How a payment stands, and what may be done with it until when.

        Raises:
            WrongStateError: It was never opened.
        """
        return await self._connection.run(lambda client: client.payments.status(payment))

    async def terms(self, payment: Payment) -> Terms:
        """The terms of a payment; from an id alone they are read from the event that opened it.

        Raises:
            WrongStateError: It was never opened.
        """
        return await self._connection.run(lambda client: client.payments.terms(payment))

    async def id_of(self, payment: Payment) -> bytes:
        """A payment's id, 32 bytes.

        Raises:
            InvalidInputError: Neither an id nor a payment.
        """
        return await self._connection.run(lambda client: client.payments.id_of(payment))

    async def find(self, reference: str) -> PaymentStatus | None:
        """The payment that the client's participant opened as issuer under a reference, or None."""
        return await self._connection.run(lambda client: client.payments.find(reference))

    async def opening(self, payment_id: bytes) -> PaymentOpened | None:
        """The event that opened a payment; None if none did."""
        return await self._connection.run(lambda client: client.payments.opening(payment_id))

    async def find_opening(self, issuer: str, reference_hash: bytes) -> PaymentOpened | None:
        """The event that opened an issuer's payment under a reference; None if none did."""
        return await self._connection.run(
            lambda client: client.payments.find_opening(issuer, reference_hash)
        )


class AsyncHistory:
    """The past of some contracts on one chain."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def head(self) -> int:
        """The latest block's number, as far as enough nodes are."""
        return await self._connection.run(lambda client: client.history().head())

    def events(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = (),
        with_times: bool = True,
    ) -> AsyncGenerator[Event, None]:
        """Events in the order of the chain.

        Args:
            first: The first block; None is where the contracts begin.
            last: The last block; None is the latest when the reading begins.
            topics: As `eth_getLogs` filters them; empty is every event.
            with_times: Whether events for which the day counts carry their block's time.

        Raises:
            NodeUnavailableError: The node refuses even a single block.
        """
        return self._connection.each(
            lambda client, _: client.history().events(
                first=first, last=last, topics=topics, with_times=with_times
            )
        )

    def logs(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = (),
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The logs behind the events, as the node gives them, some blocks at a time.

        Arguments and errors as in `events`.
        """
        return self._connection.each(
            lambda client, _: client.history().logs(first=first, last=last, topics=topics)
        )

    async def find_last(self, *topics: str | Sequence[str] | None) -> Event | None:
        """The latest event that fits, or None; looks back from the latest block.

        Args:
            topics: As `eth_getLogs` filters them.
        """
        return await self._connection.run(lambda client: client.history().find_last(*topics))


class AsyncClient:
    """`Client` for asyncio: the same services, methods and names, to be awaited.

    Every call runs the very code of `Client` in a thread of this client's own, so many of them are
    in flight at once and share requests and commits. What yields one outcome after the other
    (`payments.authorize_each`, `charge_each`, `history().events`) is iterated with `async for`.

    Cancelling a task never cancels its write: what was asked for is journaled, signed and sent all
    the same. Ask with the same reference again, or `resolve` it. That also holds for a call that
    still waited for a thread, and for `asyncio.timeout`.

    Nothing happens before the first call, or before `async with`, which also ends the threads.

    Args:
        chain: A connected chain, or the HTTP(S) address of its node.
        manifest: What is deployed there: a manifest, or the path of its file.
        signer: Who signs; None makes a client that can only read.
        participant: The bank (or operator) acted for, if the signer is its delegate; None is the
            signer's own address.
        reference_secret: At least 32 bytes that the participant's identifiers derive from; None
            takes it from the signer, which then must be the participant's own key and sign
            deterministically. The same secret belongs into every process of the participant.
        store: The database of the journal: a path, a `sqlite:///` or `postgresql://` URL, or an
            open store; None is the user's own file. Everything that writes for the participant
            belongs on one store, whatever process or host it runs in. A client that only reads
            opens none.
        wait_seconds: How long a write waits for inclusion before it is an unknown outcome.
        fees: What is offered for gas, and when more; None is the default policy.
        finality: When included is final; None takes what fits the chain.
        simulate: Whether each write is tried on the node before it is signed, so that a refusal
            costs nothing. Without, gas limits come from measured bounds and a refusal is found in
            a block.
        threads: How many calls run at once; more wait their turn. Each has a write in flight, so
            this bounds what one request to the node and one commit of the journal serve.

    Raises:
        ConfigurationError: There is no thread.

    Example:
        >>> async def pay(bank: AsyncClient) -> None:
        ...     async with bank:
        ...         print(await bank.balances.of("CNY"))
    """

    __slots__ = ("_connection", "balances", "directory", "operations", "participants", "payments")

    def __init__(
        self,
        chain: Chain | str,
        manifest: Manifest | str | Path,
        signer: Signer | None = None,
        *,
        participant: str | None = None,
        reference_secret: bytes | None = None,
        store: Store | str | Path | None = None,
        wait_seconds: float = WAIT_SECONDS,
        fees: FeePolicy | None = None,
        finality: Finality | str | None = None,
        simulate: bool = True,
        on_step: SendingStep | None = None,
        threads: int = THREADS,
    ) -> None:
        self._connect(
            Connection(
                lambda: Client(
                    chain,
                    manifest,
                    signer,
                    participant=participant,
                    reference_secret=reference_secret,
                    store=store,
                    wait_seconds=wait_seconds,
                    fees=fees,
                    finality=finality,
                    simulate=simulate,
                    on_step=on_step,
                ),
                threads,
            )
        )

    @classmethod
    def of(cls, client: Client, *, threads: int = THREADS) -> AsyncClient:
        """An asynchronous way to a client that is there; closing it leaves the client open."""
        made = cls.__new__(cls)
        made._connect(Connection(client, threads))
        return made

    def _connect(self, connection: Connection) -> None:
        self._connection = connection
        self.balances = AsyncBalances(connection)
        self.operations = AsyncOperations(connection)
        self.participants = AsyncParticipants(connection)
        self.directory = AsyncDirectory(connection)
        self.payments = AsyncPayments(connection)

    async def open(self) -> None:
        """Connect and check the contracts, as `Client` does when it is made; repeats do nothing.

        Raises:
            TaelError: What `Client` raises.
        """
        await self._connection.open()

    async def close(self, wait_seconds: float = 2.0) -> None:
        """End the threads and connections. What is in flight stays in the journal.

        Calls that have not come back by then raise `OutcomeUnknownError`.

        Args:
            wait_seconds: How long to wait for a thread that is talking to a node.
        """
        await self._connection.close(wait_seconds)

    async def __aenter__(self) -> AsyncClient:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        # Cancelled or not, the threads end.
        await asyncio.shield(self.close())

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection})"

    @property
    def manifest(self) -> Manifest:
        """What is deployed."""
        return self._connection.client.manifest

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self._connection.client.chain

    @property
    def signer(self) -> Signer | None:
        """Who signs; None if this client can only read."""
        return self._connection.client.signer

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
        return self._connection.client.participant

    async def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called, in this loop, whenever a write changes its status.

        Returns:
            A function that ends it.
        """
        return await self._connection.listen(listener)

    async def resolve(self, reference: str) -> Resolution:
        """What became of a write: settled, pending or absent, with the evidence.

        `absent` is a promise: nothing that was signed for the reference can take effect any more.
        It may be asked at any time, by any process on the participant's store.

        Raises:
            NodeUnavailableError: What is not final yet cannot be told without a node.
        """
        return await self._connection.run(lambda client: client.resolve(reference))

    async def resume(self, wait_seconds: float | None = None) -> list[Resolution]:
        """Finish everything that was in flight when a process ended, and say what became of it.

        Args:
            wait_seconds: How long to wait for inclusion; None is the client's own time.

        Returns:
            One resolution for each reference that was open, oldest first.
        """
        return await self._connection.run(lambda client: client.resume(wait_seconds))

    async def reference_of(self, change: Change) -> str:
        """The reference of the write that a change is about."""
        return await self._connection.run(lambda client: client.reference_of(change))

    async def now(self) -> int:
        """The chain's clock, Unix seconds: the only one that deadlines obey."""
        return await self._connection.run(lambda client: client.now())

    def history(self) -> AsyncHistory:
        """The events of the deployment's tokens and escrow since it began."""
        return AsyncHistory(self._connection)

    async def read_many(self, calls: Sequence[tuple[Contract, str, Sequence[object]]]) -> list[Any]:
        """Call view functions of the deployment's contracts, many in one request.

        Args:
            calls: Contract, function and arguments of each.

        Returns:
            Their results in the same order, decoded.
        """
        return await self._connection.run(lambda client: client.read_many(calls))

    async def contract(self, kind: str, currency: str | Currency | None = None) -> Contract:
        """One of the deployment's contracts, to schedule an operation for.

        Args:
            kind: Its Solidity name, as ``PaymentEscrow``.
            currency: Of a token.

        Raises:
            InvalidInputError: There is no such kind of contract, none stands in this deployment,
                or a currency is missing, or named for a kind that has none.
        """
        return await self._connection.run(lambda client: client.contract(kind, currency))

    async def uetr(self, reference: str) -> bytes:
        """The UETR that this participant's reference gives, 16 bytes: for a dynamic code."""
        return await self._connection.run(lambda client: client.uetr(reference))

    async def merchant_id(self, merchant: str) -> bytes:
        """The id of the merchant that this acquirer knows by `merchant`, 32 bytes."""
        return await self._connection.run(lambda client: client.merchant_id(merchant))
