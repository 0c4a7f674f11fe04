"""The Directory: merchants, what they accept, cards, delegates, and codes checked against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tael import qr
from tael.addresses import checksummed
from tael.contracts.registry import REGISTRY
from tael.errors import InvalidInputError
from tael.events import AcceptanceSet, CardSet, DelegateSet, MerchantSet
from tael.models import Acceptance, CardEntry, EntryStatus, MerchantRecord, Verb, Written
from tael.services.codes import sign_code, verify_code
from tael.services.gateway import MAX_PAYMENT_MINOR
from tael.services.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tael.contracts.calls import Contract
    from tael.money import Currency
    from tael.services.gateway import Gateway
    from tael.services.writer import Writer
    from tael.signers import Signer

MAX_ENTRIES = 256

ESTIMATED_ENTRIES = 8
"""Longer lists are sent without an estimate, which takes a node longer than the list itself."""

_Entry = TypeVar("_Entry")


class Directory:
    """Who vouches for whom.

    Only the participant that vouches for an entry, or its delegate for that verb, may change it.
    A write that would change nothing is not sent; the result is that of the write that made it so.

    Warning:
        An entry is a state, not a payment, and has no key on the chain: without its journal, an old
        write repeated after a newer one sets the old state again.
    """

    def __init__(self, gateway: Gateway, writer: Writer) -> None:
        self._gateway = gateway
        self._writer = writer

    # Merchants

    def set_merchant(
        self,
        merchant: str,
        *,
        signer: str,
        name: str,
        category_code: int | str,
        reference: str,
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
        gateway = self._gateway
        danger = qr.find_name_danger(name)
        if danger is not None or not name:
            raise InvalidInputError(f"The merchant's name has {danger or 'no character'}.")
        commitment = self._writer.identity.identifiers.merchant_commitment(merchant)
        merchant_id = self._writer.identity.identifiers.merchant_id(merchant)
        wanted = MerchantRecord(
            merchant_id,
            self._writer.participant,
            gateway.address(signer, "merchant's signer"),
            _category(category_code),
            qr.compute_name_hash(merchant_id, name),
        )
        words = (
            wanted.acquirer,
            commitment,
            wanted.signer,
            wanted.category_code,
            wanted.name_hash,
        )
        intent = Intent("setMerchant", words, merchant_id)
        return self._set(
            intent,
            words,
            reference,
            is_set=lambda: self.merchant(merchant_id) == wanted,
            made_by=(MerchantSet, merchant_id),
            gas=self._gas(intent.verb),
        )

    def accept(
        self, merchant_id: bytes, acceptances: Iterable[Acceptance], *, reference: str
    ) -> Written:
        """Open, limit or block a merchant per currency.

        Args:
            merchant_id: 32 bytes.
            acceptances: One per currency, at most 256.
            reference: The caller's reference.

        Source: `Directory.setAcceptances`.
        """
        entries = _bounded(acceptances)
        wanted = [
            (self._token(entry), entry.static_limit.amount_minor, int(entry.status))
            for entry in entries
        ]
        escrow = self._gateway.escrow
        intent = Intent("setAcceptances", (merchant_id, wanted), merchant_id)
        return self._set_list(
            intent,
            merchant_id,
            wanted,
            [(escrow, "acceptanceOf", (merchant_id, token)) for token, *_ in wanted],
            reference,
            made_by=(AcceptanceSet, merchant_id, wanted[-1][0]),
        )

    def merchant(self, merchant_id: bytes) -> MerchantRecord | None:
        """What the Directory says of a merchant; None if it knows none."""
        acquirer, category_code, signer, name_hash = self._gateway.read(
            self._gateway.escrow, "merchantOf", merchant_id
        )
        if int(acquirer, 16) == 0:
            return None
        return MerchantRecord(
            merchant_id,
            checksummed(acquirer),
            checksummed(signer),
            category_code,
            name_hash,
        )

    def acceptance(self, merchant_id: bytes, currency: str | Currency) -> Acceptance:
        """On what terms a merchant takes a currency; status NONE if it does not."""
        token = self._gateway.token(currency)
        _, limit, status = self._gateway.read(
            self._gateway.escrow, "acceptanceOf", merchant_id, token.address
        )
        return Acceptance(self._gateway.money(token.address, limit), EntryStatus(status))

    def verify_code(
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
        return verify_code(self._gateway, self, code, currency, known_names)

    def sign_code(
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
        return sign_code(self._gateway, code, signer, merchant_id, uetr, expires_at)

    # Cards

    def set_cards(self, cards: Iterable[CardEntry], *, reference: str) -> Written:
        """Open, limit or block cards of the client's participant; what was spent stays counted.

        Args:
            cards: One per card and currency, at most 256.
            reference: The caller's reference.

        Raises:
            InvalidInputError: Limits of two currencies in one entry, or too many entries.
            NotPermittedError: Neither the issuer nor its delegate for CARDS.

        Source: `Directory.setCards`.
        """
        entries = _bounded(cards)
        issuer = self._writer.participant
        wanted = [self._card_words(entry) for entry in entries]
        escrow = self._gateway.escrow
        return self._set_list(
            Intent("setCards", (issuer, wanted)),
            issuer,
            wanted,
            [(escrow, "cardOf", (issuer, card, token)) for card, token, *_ in wanted],
            reference,
            made_by=(CardSet, issuer, *wanted[-1][:2]),
        )

    def card(self, card: str, currency: str | Currency, *, issuer: str | None = None) -> CardEntry:
        """What an issuer lets a card spend, and what it spent in the chain's UTC day.

        Args:
            card: The card's address.
            currency: ISO 4217 letters.
            issuer: An address; None is the client's participant.
        """
        token = self._gateway.token(currency)
        key = (issuer or self._writer.participant, card, token.address)
        (_, _, payment_limit, day_limit, status), spent = self._gateway.read_many(
            [(self._gateway.escrow, name, key) for name in ("cardOf", "spentToday")]
        )
        money = self._gateway.money
        return CardEntry(
            card,
            money(token.address, payment_limit),
            money(token.address, day_limit),
            EntryStatus(status),
            money(token.address, spent),
        )

    # Delegates

    def set_delegate(self, delegate: str, verbs: Verb, *, reference: str) -> Written:
        """Let a key use these verbs for the client's participant and no other; none takes all back.

        Args:
            delegate: Address of the hot key.
            verbs: As in `Verb.AUTHORIZE | Verb.CHARGE`.
            reference: The caller's reference.

        Source: `Directory.setDelegate`.
        """
        gateway = self._gateway
        who = gateway.address(delegate, "delegate")
        words = (who, int(verbs))
        return self._set(
            Intent("setDelegate", words),
            words,
            reference,
            is_set=lambda: bool(verbs) and self.verbs(who) == verbs,
            made_by=(DelegateSet, self._writer.participant, who),
        )

    def verbs(self, delegate: str, *, participant: str | None = None) -> Verb:
        """What a key may do for a participant; None is the client's own."""
        who = participant or self._writer.participant
        return Verb(self._gateway.read(self._gateway.escrow, "verbsOf", who, delegate))

    # Internals

    def _token(self, entry: Acceptance) -> str:
        return self._gateway.token(entry.static_limit.currency).address

    def _card_words(self, entry: CardEntry) -> tuple[str, str, int, int, int]:
        payment_limit, day_limit = entry.payment_limit, entry.day_limit
        if payment_limit.currency != day_limit.currency:
            raise InvalidInputError(f"The limits of card {entry.card} are in two currencies.")
        if max(payment_limit.amount_minor, day_limit.amount_minor) > MAX_PAYMENT_MINOR:
            raise InvalidInputError(f"A limit of card {entry.card} is more than a payment can be.")
        return (
            self._gateway.address(entry.card, "card"),
            self._gateway.token(payment_limit.currency).address,
            payment_limit.amount_minor,
            day_limit.amount_minor,
            int(entry.status),
        )

    def _set_list(
        self,
        intent: Intent,
        owner: bytes | str,
        wanted: Sequence[tuple[object, ...]],
        reads: Sequence[tuple[Contract, str, Sequence[object]]],
        reference: str,
        *,
        made_by: tuple[Any, ...],
    ) -> Written:
        """Set the entries of a list that stand otherwise; `reads` says how they stand."""
        first = self._writer.recall(self._gateway.escrow, intent, reference)
        if first is not None:
            return first
        now = self._gateway.read_many(reads)
        changed = [entry for entry, old in zip(wanted, now, strict=True) if entry != _plain(old)]
        return self._set(
            intent,
            (owner, changed),
            reference,
            is_set=lambda: not changed,
            made_by=made_by,
            gas=self._gas(intent.verb, len(changed)),
        )

    def _gas(self, verb: str, entries: int = 0) -> int | None:
        """The bound for a write; None where the node shall try it first."""
        if self._writer.simulate and entries <= ESTIMATED_ENTRIES:
            return None
        bound = REGISTRY.verb(self._gateway.escrow.kind, verb).gas
        return None if bound is None else bound.limit(entries)

    def _set(
        self,
        intent: Intent,
        words: tuple[object, ...],
        reference: str,
        *,
        is_set: Callable[[], bool],
        made_by: tuple[Any, ...],
        gas: int | None = None,
    ) -> Written:
        """Write a state, unless it is there already: then the event that made it is the result."""
        gateway = self._gateway
        first = self._writer.recall(gateway.escrow, intent, reference)
        if first is not None:
            return first
        if is_set():
            event = gateway.find_last(gateway.escrow, *made_by)
            if event is None:
                raise InvalidInputError(
                    "The state is there without the event that made it; report it."
                )
            return self._writer.note(gateway.escrow, intent, event, reference)
        receipt = self._writer.write(
            gateway.escrow,
            intent.verb,
            *words,
            reference=reference,
            intent=intent,
            gas=gas,
        )
        return self._writer.written(receipt, reference, intent.subject)


def _bounded(entries: Iterable[_Entry]) -> list[_Entry]:
    listed = list(entries)
    if not 0 < len(listed) <= MAX_ENTRIES:
        raise InvalidInputError(f"Pass 1 to {MAX_ENTRIES} entries, not {len(listed)}.")
    return listed


def _category(code: int | str) -> int:
    text = str(code)
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise InvalidInputError("A category is the four digits of ISO 18245; correct it.")
    return int(text)


def _plain(values: Sequence[object]) -> tuple[object, ...]:
    return tuple(checksummed(value) if isinstance(value, str) else value for value in values)
