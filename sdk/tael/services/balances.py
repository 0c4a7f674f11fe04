"""Balances: reading, issuing, redeeming, transferring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tael.errors import ConfigurationError, IdempotencyConflictError
from tael.events import (
    AuthorizationCanceled,
    AuthorizationUsed,
    Issued,
    Redeemed,
    Transfer,
    decode_all,
)
from tael.models import Balance, Reserve, Written
from tael.services.gateway import require_money
from tael.services.intents import Intent
from tael.typed_data import Domain, cancel_digest, transfer_digest

if TYPE_CHECKING:
    from tael.money import Currency, Money
    from tael.services.gateway import Gateway
    from tael.services.writer import Writer

DEFAULT_VALID_SECONDS = 3_600
TRANSFER = "transferWithAuthorization"
CANCEL = "cancelAuthorization"
CANCEL_PART = 1


class Balances:
    """Tokenized balances of the participants, one token per currency.

    Every amount is :class:`tael.Money`; every write takes the caller's reference, and the same
    reference again gives the first result instead of paying twice.
    """

    def __init__(self, gateway: Gateway, writer: Writer) -> None:
        self._gateway = gateway
        self._writer = writer

    # Reading

    def of(self, currency: str | Currency, participant: str | None = None) -> Balance:
        """A participant's balance: total, available and held.

        Args:
            currency: ISO 4217 letters.
            participant: An address; None is the client's own.
        """
        who = self._who(participant)
        token = self._gateway.token(currency)
        total, available, held = self._gateway.read_many(
            [(token, name, (who,)) for name in ("balanceOf", "availableOf", "heldOf")]
        )
        money = self._gateway.money
        return Balance(
            who,
            money(token.address, total),
            money(token.address, available),
            money(token.address, held),
        )

    def available(self, currency: str | Currency, participant: str | None = None) -> Money:
        """What a participant can spend."""
        return self.of(currency, participant).available

    def held(self, currency: str | Currency, participant: str | None = None) -> Money:
        """What is set aside of a participant's balance for open obligations."""
        return self.of(currency, participant).held

    def supply(self, currency: str | Currency) -> Money:
        """What is issued in a currency: the sum of all balances."""
        token = self._gateway.token(currency)
        return self._gateway.money(token.address, self._gateway.read(token, "totalSupply"))

    def reserve(self, currency: str | Currency) -> Reserve:
        """The attested reserve that issues are measured against."""
        token = self._gateway.token(currency)
        (amount, valid_before, document_hash), supply = self._gateway.read_many(
            [(token, "attestation", ()), (token, "totalSupply", ())]
        )
        return Reserve(
            amount=self._gateway.money(token.address, amount),
            supply=self._gateway.money(token.address, supply),
            valid_before=valid_before,
            document_hash=document_hash,
            is_stale=self._gateway.now() >= valid_before,
        )

    # Writing

    def issue(self, to: str, amount: Money, *, reference: str) -> Written:
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
        require_money(amount)
        participant = self._gateway.address(to, "participant")
        token = self._gateway.token(amount.currency)
        key = self._writer.identity.identifiers.bank_reference(reference)
        body = (participant, amount.amount_minor, key)

        def find_first() -> Issued | None:
            first: Issued | None = self._gateway.find_last(token, Issued, key)
            if first is not None:
                _require_same(
                    (first.participant, first.amount_minor),
                    (participant, amount.amount_minor),
                    reference,
                )
            return first

        return self._writer.write_once(
            token,
            "issue",
            *body,
            reference=reference,
            intent=Intent("issue", body, key),
            find_first=find_first,
        )

    def redeem(self, amount: Money, *, reference: str) -> Written:
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
        require_money(amount)
        self._require_own_key("redeem")
        token = self._gateway.token(amount.currency)
        key = self._writer.identity.identifiers.bank_reference(reference)
        body = (amount.amount_minor, key)

        def find_first() -> Redeemed | None:
            first: Redeemed | None = self._gateway.find_last(
                token, Redeemed, key, self._writer.participant
            )
            if first is not None:
                _require_same((first.amount_minor,), (amount.amount_minor,), reference)
            return first

        return self._writer.write_once(
            token,
            "redeem",
            *body,
            reference=reference,
            intent=Intent("redeem", body, key),
            find_first=find_first,
        )

    def transfer(
        self,
        to: str,
        amount: Money,
        *,
        reference: str,
        valid_seconds: int = DEFAULT_VALID_SECONDS,
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
        require_money(amount)
        self._require_own_key("transfer")
        payer = self._writer.participant
        payee = self._gateway.address(to, "payee")
        token = self._gateway.token(amount.currency)
        nonce = self._writer.identity.identifiers.transfer_nonce(reference)
        intent = Intent(TRANSFER, (payer, payee, amount.amount_minor), nonce)
        first = self._writer.recall(token, intent, reference)
        if first is not None:
            return first
        valid_before = self._gateway.now() + valid_seconds
        message = (payer, payee, amount.amount_minor, 0, valid_before, nonce)
        digest = transfer_digest(self._domain(token.address), *message)

        def find_first() -> Transfer | None:
            first = self._find_transfer(token.address, nonce, reference)
            if first is not None:
                _require_same(
                    (first.recipient, first.amount_minor), (payee, amount.amount_minor), reference
                )
            return first

        return self._writer.write_once(
            token,
            TRANSFER,
            *message,
            self._writer.identity.signer.sign_digest(digest),
            reference=reference,
            intent=replace(intent, valid_before=valid_before),
            find_first=find_first,
            is_new=True,
        )

    def cancel_transfer(self, currency: str | Currency, *, reference: str) -> Written:
        """Make a transfer that has not taken effect void for ever.

        For a transfer whose outcome is unknown and that must not happen any more.

        Args:
            currency: ISO 4217 letters.
            reference: The reference of the transfer.

        Raises:
            AlreadyDoneError: The transfer has taken effect.

        Source: `SettlementToken.cancelAuthorization`.
        """
        self._require_own_key("cancel a transfer")
        token = self._gateway.token(currency)
        payer = self._writer.participant
        nonce = self._writer.identity.identifiers.transfer_nonce(reference)
        signature = self._writer.identity.signer.sign_digest(
            cancel_digest(self._domain(token.address), payer, nonce)
        )
        return self._writer.write_once(
            token,
            CANCEL,
            payer,
            nonce,
            signature,
            # It is about the transfer of this reference, and so stands beside it in the journal.
            reference=reference,
            part=CANCEL_PART,
            intent=Intent(CANCEL, (payer, nonce), nonce),
            find_first=lambda: self._gateway.find_last(token, AuthorizationCanceled, payer, nonce),
        )

    # Internals

    def _who(self, participant: str | None) -> str:
        if participant is None:
            return self._writer.participant
        return self._gateway.address(participant, "participant")

    def _require_own_key(self, what: str) -> None:
        signer, participant = self._writer.identity.signer.address, self._writer.participant
        if signer != participant:
            raise ConfigurationError(
                f"Only {participant}'s own key can {what}; delegates have other verbs."
            )

    def _domain(self, token: str) -> Domain:
        manifest_name = self._gateway.token_name(token)
        return Domain(manifest_name, self._gateway.chain.chain_id, token)

    def _find_transfer(self, token: str, nonce: bytes, reference: str) -> Transfer | None:
        gateway = self._gateway
        contract = gateway.contract_of(token)
        used = gateway.find_last(contract, AuthorizationUsed, self._writer.participant, nonce)
        if used is None:
            if gateway.find_last(contract, AuthorizationCanceled, self._writer.participant, nonce):
                raise IdempotencyConflictError(
                    f"The transfer {reference!r} was cancelled and can never happen; use a new "
                    "reference."
                )
            return None
        receipt = self._writer.receipt_with(used)
        # The token emits the transfer right after the authorization is marked as used.
        for event in decode_all(receipt["logs"]):
            place = (event.at.contract, event.at.log_index)
            if isinstance(event, Transfer) and place == (token, used.at.log_index + 1):
                return event
        return None


def _require_same(first: tuple[object, ...], now: tuple[object, ...], reference: str) -> None:
    if first != now:
        raise IdempotencyConflictError(
            f"The reference {reference!r} was used before with another body: {first} instead of "
            f"{now}. Nothing was sent; use a new reference for a new order."
        )
