"""Participants: admission, standing, the reserve, and what governance must announce first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tael.errors import ContractRevertedError, IdempotencyConflictError, InvalidInputError
from tael.events import (
    AccountAdmitted,
    AccountClosed,
    AccountReinstated,
    AccountSuspended,
    Paused,
    ReserveAttested,
    TransferForced,
    Unpaused,
)
from tael.models import AccountStatus, ParticipantStatus, ScheduledOperation, Written
from tael.services.gateway import require_money
from tael.services.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tael.contracts.calls import Contract
    from tael.events import Event
    from tael.money import Currency, Money
    from tael.services.balances import Balances
    from tael.services.gateway import Gateway
    from tael.services.operations import Operations
    from tael.services.writer import Writer


class Participants:
    """Admission and standing of participants, per currency. For the operator.

    What can hurt (reinstate, close, forced transfer, unpause) may stand under a delay. The
    first call then schedules it and returns a :class:`~tael.models.ScheduledOperation`; the
    same call again, with the same arguments and reference, executes it once it is ready and
    returns a :class:`~tael.models.Written`.
    """

    def __init__(
        self, gateway: Gateway, writer: Writer, balances: Balances, operations: Operations
    ) -> None:
        self._gateway = gateway
        self._writer = writer
        self._balances = balances
        self._operations = operations

    # Reading

    def status(self, currency: str | Currency, participant: str | None = None) -> ParticipantStatus:
        """Where a participant stands in a currency.

        Args:
            currency: ISO 4217 letters.
            participant: An address; None is the client's own.
        """
        who = participant or self._writer.participant
        token = self._gateway.token(currency)
        status = AccountStatus(self._gateway.read(token, "statusOf", who))
        return ParticipantStatus(who, str(currency), status, self._balances.of(currency, who))

    def is_paused(self, currency: str | Currency) -> bool:
        """Whether new obligations in a currency are stopped."""
        return bool(self._gateway.read(self._gateway.token(currency), "paused"))

    # At once

    def admit(self, participant: str, currency: str | Currency, *, reference: str) -> Written:
        """Open an account in a currency. For the registrar.

        Raises:
            WrongStateError: It was admitted before and does not stand as active any more.

        Source: `SettlementToken.admit`.
        """
        who, token = self._who(participant), self._gateway.token(currency)

        def find_first() -> Event | None:
            if self.status(currency, who).status is not AccountStatus.ACTIVE:
                return None
            return self._find(token, AccountAdmitted, who)

        return self._once(token, "admit", (who,), reference, find_first)

    def suspend(
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
        who, token = self._who(participant), self._gateway.token(currency)
        reason = self._writer.identity.identifiers.document_hash(reference, document)

        def find_first() -> Event | None:
            event = self._find(token, AccountSuspended, who)
            same = isinstance(event, AccountSuspended) and event.reason_hash == reason
            return event if same else None

        return self._once(token, "suspend", (who, reason), reference, find_first)

    def attest(
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
        require_money(reserve)
        token = self._gateway.token(reserve.currency)
        document_hash = self._writer.identity.identifiers.document_hash(reference, document)
        arguments = (reserve.amount_minor, document_hash, valid_before)
        intent = Intent("attest", arguments)
        first = self._writer.recall(token, intent, reference)
        if first is not None:
            return first
        now = self._gateway.read(token, "attestation")
        if (now[0], now[2], now[1]) == arguments:
            event = self._find(token, ReserveAttested)
            if event is not None:
                return self._writer.note(token, intent, event, reference)
        receipt = self._writer.write(
            token, "attest", *arguments, reference=reference, intent=intent
        )
        return self._writer.written(receipt, reference)

    def pause(self, currency: str | Currency, *, reference: str) -> Written:
        """Stop new obligations in a currency. For the guardian, at once.

        Source: `SettlementToken.pause`.
        """
        token = self._gateway.token(currency)
        return self._once(token, "pause", (), reference, lambda: self._while_paused(token, True))

    # After a delay

    def unpause(self, currency: str | Currency, *, reference: str) -> Written | ScheduledOperation:
        """Let new obligations in a currency begin again."""
        token = self._gateway.token(currency)
        return self._delayed(
            token, "unpause", (), reference, lambda: self._while_paused(token, False)
        )

    def reinstate(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """Make a suspended participant active again.

        Source: `SettlementToken.reinstate`.
        """
        who, token = self._who(participant), self._gateway.token(currency)

        def find_first() -> Event | None:
            active = self.status(currency, who).status is AccountStatus.ACTIVE
            return self._find(token, AccountReinstated, who) if active else None

        return self._delayed(token, "reinstate", (who,), reference, find_first)

    def close(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """Close an account for ever; nothing may be held of it.

        Source: `SettlementToken.close`.
        """
        who, token = self._who(participant), self._gateway.token(currency)
        return self._delayed(
            token, "close", (who,), reference, lambda: self._find(token, AccountClosed, who)
        )

    def force_transfer(
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
        require_money(amount)
        token = self._gateway.token(amount.currency)
        reason = self._writer.identity.identifiers.document_hash(reference, document)
        call = (self._who(payer), self._who(payee), amount.amount_minor, reason)

        def find_first() -> Event | None:
            events = self._gateway.history(token).events(
                topics=self._gateway.topics(TransferForced), with_times=False
            )
            for event in events:
                if isinstance(event, TransferForced) and event.reason_hash == reason:
                    if (event.sender, event.recipient, event.amount_minor) != call[:3]:
                        raise IdempotencyConflictError(
                            f"The reference {reference!r} moved {event.amount_minor} minor units "
                            f"from {event.sender} to {event.recipient} already."
                        )
                    return event
            return None

        # The same data could be scheduled and executed a second time, so the past is asked first.
        intent = Intent("forceTransfer", call)
        first = self._writer.recall(token, intent, reference)
        if first is not None:
            return first
        event = find_first()
        if event is not None:
            return self._writer.note(token, intent, event, reference)
        return self._delayed(token, "forceTransfer", call, reference, find_first)

    # Internals

    def _who(self, participant: str) -> str:
        return self._gateway.address(participant, "participant")

    def _find(self, token: Contract, kind: type[Event], *topics: str) -> Event | None:
        event: Event | None = self._gateway.find_last(token, kind, *topics)
        return event

    def _while_paused(self, token: Contract, paused: bool) -> Event | None:
        if bool(self._gateway.read(token, "paused")) is not paused:
            return None
        return self._find(token, Paused if paused else Unpaused)

    def _once(
        self,
        token: Contract,
        name: str,
        arguments: tuple[object, ...],
        reference: str,
        find_first: Callable[[], Event | None],
    ) -> Written:
        return self._writer.write_once(
            token,
            name,
            *arguments,
            reference=reference,
            intent=Intent(name, arguments),
            find_first=find_first,
        )

    def _delayed(
        self,
        token: Contract,
        name: str,
        arguments: tuple[object, ...],
        reference: str,
        find_first: Callable[[], Event | None],
    ) -> Written | ScheduledOperation:
        if not self._operations.delay_seconds(token, name):
            return self._once(token, name, arguments, reference, find_first)
        intent = Intent(name, arguments, target=token)
        done = self._writer.recall(token, intent, reference)
        if done is not None:
            return done
        operation = self._operations.find(token, name, *arguments)
        if operation is None:
            # Done before, by this very call perhaps: nobody shall announce it a second time.
            first = find_first()
            if first is not None:
                return self._writer.note(token, intent, first, reference)
            self._require_possible(token, name, arguments)
            return self._operations.schedule(token, name, *arguments, reference=reference)
        if operation.state == "waiting":
            return operation
        try:
            return self._operations.execute(operation, reference=reference, intent=intent)
        except ContractRevertedError:
            first = find_first()
            if first is None:
                raise
            return self._writer.note(token, intent, first, reference)

    def _require_possible(self, token: Contract, name: str, arguments: tuple[object, ...]) -> None:
        """Refuse to schedule what the present status rules out: nobody shall wait for nothing."""
        if name == "unpause" and not self._gateway.read(token, "paused"):
            raise InvalidInputError("The currency is not paused, so there is nothing to unpause.")
        needed = {
            "reinstate": (AccountStatus.SUSPENDED,),
            "close": (AccountStatus.ACTIVE, AccountStatus.SUSPENDED),
        }.get(name)
        if needed is None:
            return
        status = AccountStatus(self._gateway.read(token, "statusOf", arguments[0]))
        if status not in needed:
            raise InvalidInputError(
                f"{arguments[0]} is {status.name.lower()} and cannot be moved by {name}."
            )
