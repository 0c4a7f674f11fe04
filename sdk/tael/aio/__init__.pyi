"""Tael for asyncio. Written by scripts/async_stub.py; `make check` compares it."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from tael import qr
from tael.chain import Chain
from tael.client import Client
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
from tael.outbox.lane import Step
from tael.services.intents import Intent
from tael.services.payment_status import Payment
from tael.signers import Signer
from tael.store import Store
from tael.terms import Terms

__all__ = [
    "AsyncBalances",
    "AsyncClient",
    "AsyncDirectory",
    "AsyncHistory",
    "AsyncOperations",
    "AsyncParticipants",
    "AsyncPayments",
]

class AsyncBalances:
    """Tokenized balances of the participants, one token per currency."""

    async def of(self, currency: str | Currency, participant: str | None = None) -> Balance:
        """As `Balances.of`.

        A participant's balance: total, available and held.
        """
    async def available(self, currency: str | Currency, participant: str | None = None) -> Money:
        """As `Balances.available`.

        What a participant can spend.
        """
    async def held(self, currency: str | Currency, participant: str | None = None) -> Money:
        """As `Balances.held`.

        What is set aside of a participant's balance for open obligations.
        """
    async def supply(self, currency: str | Currency) -> Money:
        """As `Balances.supply`.

        What is issued in a currency: the sum of all balances.
        """
    async def reserve(self, currency: str | Currency) -> Reserve:
        """As `Balances.reserve`.

        The attested reserve that issues are measured against.
        """
    async def issue(self, to: str, amount: Money, *, reference: str) -> Written:
        """As `Balances.issue`.

        Issue money to a participant against the attested reserve. For the issuance desk.
        """
    async def redeem(self, amount: Money, *, reference: str) -> Written:
        """As `Balances.redeem`.

        Give money of the client's participant back for reserve money.
        """
    async def transfer(
        self, to: str, amount: Money, *, reference: str, valid_seconds: int = 3600
    ) -> Written:
        """As `Balances.transfer`.

        Pay another participant.
        """
    async def cancel_transfer(self, currency: str | Currency, *, reference: str) -> Written:
        """As `Balances.cancel_transfer`.

        Make a transfer that has not taken effect void for ever.
        """

class AsyncDirectory:
    """Who vouches for whom."""

    async def set_merchant(
        self, merchant: str, *, signer: str, name: str, category_code: int | str, reference: str
    ) -> Written:
        """As `Directory.set_merchant`.

        Register a merchant, or change its key, name or category.
        """
    async def accept(
        self, merchant_id: bytes, acceptances: Iterable[Acceptance], *, reference: str
    ) -> Written:
        """As `Directory.accept`.

        Open, limit or block a merchant per currency.
        """
    async def merchant(self, merchant_id: bytes) -> MerchantRecord | None:
        """As `Directory.merchant`.

        What the Directory says of a merchant; None if it knows none.
        """
    async def acceptance(self, merchant_id: bytes, currency: str | Currency) -> Acceptance:
        """As `Directory.acceptance`.

        On what terms a merchant takes a currency; status NONE if it does not.
        """
    async def verify_code(
        self,
        code: qr.MerchantCode | str,
        *,
        currency: str | Currency | None = None,
        known_names: Iterable[str] = ...,
    ) -> qr.VerifiedCode:
        """As `Directory.verify_code`.

        Read a code and check it against chain, escrow and Directory, as a payer must.
        """
    async def sign_code(
        self,
        code: qr.MerchantCode,
        signer: Signer,
        *,
        merchant_id: bytes,
        uetr: bytes | None = None,
        expires_at: int | None = None,
    ) -> qr.MerchantCode:
        """As `Directory.sign_code`.

        Sign a merchant's code for this deployment, ready for `qr.write`.
        """
    async def set_cards(self, cards: Iterable[CardEntry], *, reference: str) -> Written:
        """As `Directory.set_cards`.

        Open, limit or block cards of the client's participant; what was spent stays counted.
        """
    async def card(
        self, card: str, currency: str | Currency, *, issuer: str | None = None
    ) -> CardEntry:
        """As `Directory.card`.

        What an issuer lets a card spend, and what it spent in the chain's UTC day.
        """
    async def set_delegate(self, delegate: str, verbs: Verb, *, reference: str) -> Written:
        """As `Directory.set_delegate`.

        Let a key use these verbs for the client's participant and no other; none takes all
        back.
        """
    async def verbs(self, delegate: str, *, participant: str | None = None) -> Verb:
        """As `Directory.verbs`.

        What a key may do for a participant; None is the client's own.
        """

class AsyncOperations:
    """Calls that stand under a delay, in the AccessManager that governs the contracts."""

    async def delay_seconds(self, contract: Contract, name: str) -> int:
        """As `Operations.delay_seconds`.

        How long the signer has to wait for a function; zero if it may call it, or never may.
        """
    async def find(
        self, contract: Contract, name: str, *arguments: object
    ) -> ScheduledOperation | None:
        """As `Operations.find`.

        The signer's operation for this call, as it stands; None if it is not scheduled.
        """
    async def schedule(
        self, contract: Contract, name: str, *arguments: object, reference: str
    ) -> ScheduledOperation:
        """As `Operations.schedule`.

        Schedule a governance operation of any of the deployment's contracts.
        """
    async def execute(
        self, operation: ScheduledOperation, *, reference: str, intent: Intent | None = None
    ) -> Written:
        """As `Operations.execute`.

        Execute an operation that is ready.
        """
    async def cancel(self, operation: ScheduledOperation, *, reference: str) -> Written:
        """As `Operations.cancel`.

        Cancel an operation that waits. For its caller, the guardian of its role, or an admin.
        """

class AsyncParticipants:
    """Admission and standing of participants, per currency. For the operator."""

    async def status(
        self, currency: str | Currency, participant: str | None = None
    ) -> ParticipantStatus:
        """As `Participants.status`.

        Where a participant stands in a currency.
        """
    async def is_paused(self, currency: str | Currency) -> bool:
        """As `Participants.is_paused`.

        Whether new obligations in a currency are stopped.
        """
    async def admit(self, participant: str, currency: str | Currency, *, reference: str) -> Written:
        """As `Participants.admit`.

        Open an account in a currency. For the registrar.
        """
    async def suspend(
        self, participant: str, currency: str | Currency, *, document: bytes, reference: str
    ) -> Written:
        """As `Participants.suspend`.

        Stop an active participant: no new holds, no spending. For the guardian, at once.
        """
    async def attest(
        self, reserve: Money, *, document: bytes, valid_before: int, reference: str
    ) -> Written:
        """As `Participants.attest`.

        Replace the attested reserve of a currency. For the attestor.
        """
    async def pause(self, currency: str | Currency, *, reference: str) -> Written:
        """As `Participants.pause`.

        Stop new obligations in a currency. For the guardian, at once.
        """
    async def unpause(
        self, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """As `Participants.unpause`.

        Let new obligations in a currency begin again.
        """
    async def reinstate(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """As `Participants.reinstate`.

        Make a suspended participant active again.
        """
    async def close(
        self, participant: str, currency: str | Currency, *, reference: str
    ) -> Written | ScheduledOperation:
        """As `Participants.close`.

        Close an account for ever; nothing may be held of it.
        """
    async def force_transfer(
        self, payer: str, payee: str, amount: Money, *, document: bytes, reference: str
    ) -> Written | ScheduledOperation:
        """As `Participants.force_transfer`.

        Move available by order of law, or sweep what is left after a closure.
        """

class AsyncPayments:
    """Card and QR payments through the escrow."""

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
        authorize_seconds: int = 900,
        hold_seconds: int = 604800,
        refund_seconds: int = 15552000,
    ) -> PreparedPayment:
        """As `Payments.prepare`.

        Make the terms that a card signs, from a scanned code or from explicit values.
        """
    async def sign(self, prepared: PreparedPayment, card: Signer) -> SignedPayment:
        """As `Payments.sign`.

        Have the card sign the payment's id. The payer must have seen name and amount.
        """
    async def consent(
        self,
        payment: SignedPayment | PreparedPayment,
        *,
        verb: Literal["authorize", "charge"] = "authorize",
        valid_seconds: int = 900,
    ) -> Consent:
        """As `Payments.consent`.

        Sign, as the issuer or its delegate, that anyone may open this one payment.
        """
    async def authorize(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """As `Payments.authorize`.

        Set the amount aside for the acquirer.
        """
    def authorize_each(
        self, payments: Iterable[SignedPayment] | AsyncIterable[SignedPayment]
    ) -> AsyncIterator[BatchOutcome]:
        """As `Payments.authorize_each`.

        Authorize payments one by one, each in a transaction of its own, many in flight at
        once.
        """
    async def charge(
        self, payment: SignedPayment, *, reference: str, consent: Consent | None = None
    ) -> Written:
        """As `Payments.charge`.

        Pay at once, in full, without a hold. Arguments and errors as in `authorize`.
        """
    def charge_each(
        self, payments: Iterable[SignedPayment] | AsyncIterable[SignedPayment]
    ) -> AsyncIterator[BatchOutcome]:
        """As `Payments.charge_each`.

        Pay many at once, as `authorize_each` authorizes them.
        """
    async def authorize_many(
        self, payments: Iterable[SignedPayment], *, reference: str
    ) -> list[BatchOutcome]:
        """As `Payments.authorize_many`.

        Authorize many payments, at most 200 in one transaction.
        """
    async def capture(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """As `Payments.capture`.

        Pay out of the hold, up to a new total.
        """
    async def capture_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """As `Payments.capture_more`.

        Capture this much more than a status says.
        """
    async def capture_many(
        self, totals: Sequence[tuple[Payment, Money]], *, reference: str
    ) -> list[BatchOutcome]:
        """As `Payments.capture_many`.

        Capture many payments, at most 200 in one transaction.
        """
    async def void(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """As `Payments.void`.

        Give part or all of the hold back to the issuer, up to a new total.
        """
    async def void_rest(self, status: PaymentStatus, *, reference: str) -> Written:
        """As `Payments.void_rest`.

        Give back all that a status says is still held. Repeat it with the same status.
        """
    async def refund(self, payment: Payment, total: Money, *, reference: str) -> Written:
        """As `Payments.refund`.

        Pay back out of the acquirer's available, up to a new total for the cardholder.
        """
    async def refund_more(self, status: PaymentStatus, more: Money, *, reference: str) -> Written:
        """As `Payments.refund_more`.

        Refund this much more than a status says. Repeat it with the same status.
        """
    async def reclaim(self, payment: Payment, *, reference: str) -> Written:
        """As `Payments.reclaim`.

        Give back to the issuer what is still held after the time to capture. For anyone.
        """
    async def status(self, payment: Payment) -> PaymentStatus:
        """As `Payments.status`.

        How a payment stands, and what may be done with it until when.
        """
    async def terms(self, payment: Payment) -> Terms:
        """As `Payments.terms`.

        The terms of a payment; from an id alone they are read from the event that opened it.
        """
    async def id_of(self, payment: Payment) -> bytes:
        """As `Payments.id_of`.

        A payment's id, 32 bytes.
        """
    async def find(self, reference: str) -> PaymentStatus | None:
        """As `Payments.find`.

        The payment that the client's participant opened as issuer under a reference, or None.
        """
    async def opening(self, payment_id: bytes) -> PaymentOpened | None:
        """As `Payments.opening`.

        The event that opened a payment; None if none did.
        """
    async def find_opening(self, issuer: str, reference_hash: bytes) -> PaymentOpened | None:
        """As `Payments.find_opening`.

        The event that opened an issuer's payment under a reference; None if none did.
        """

class AsyncHistory:
    """The past of some contracts on one chain."""

    async def head(self) -> int:
        """As `History.head`.

        The latest block's number, as far as enough nodes are.
        """
    def events(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = ...,
        with_times: bool = True,
    ) -> AsyncIterator[Event]:
        """As `History.events`.

        Events in the order of the chain.
        """
    def logs(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        topics: Sequence[str | Sequence[str] | None] = ...,
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """As `History.logs`.

        The logs behind the events, as the node gives them, some blocks at a time.
        """
    async def find_last(self, *topics: str | Sequence[str] | None) -> Event | None:
        """As `History.find_last`.

        The latest event that fits, or None; looks back from the latest block.
        """

class AsyncClient:
    """`Client` for asyncio: the same services and methods under the same names, to be awaited."""

    balances: AsyncBalances
    directory: AsyncDirectory
    operations: AsyncOperations
    participants: AsyncParticipants
    payments: AsyncPayments
    def __init__(
        self,
        chain: Chain | str,
        manifest: Manifest | str | Path,
        signer: Signer | None = None,
        *,
        participant: str | None = None,
        reference_secret: bytes | None = None,
        store: Store | str | Path | None = None,
        wait_seconds: float = 120.0,
        fees: FeePolicy | None = None,
        finality: Finality | str | None = None,
        simulate: bool = True,
        on_step: Step | None = None,
        threads: int = 64,
    ) -> None:
        """What `Client` takes, and the number of threads."""
    @classmethod
    def of(cls, client: Client, *, threads: int = 64) -> AsyncClient:
        """An asynchronous way to a client that is there; closing it leaves the client open."""
    async def open(self) -> None:
        """Connect and check the contracts, as `Client` does when it is made; repeats do nothing."""
    @property
    def manifest(self) -> Manifest:
        """What is deployed."""
    @property
    def chain(self) -> Chain:
        """The chain."""
    @property
    def signer(self) -> Signer | None:
        """Who signs; None if this client can only read."""
    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
    def history(self) -> AsyncHistory:
        """The events of the deployment's tokens and escrow since it began."""
    async def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called, in this loop, whenever a write changes its status."""
    async def close(self, wait_seconds: float = 2.0) -> None:
        """End the threads and connections. What is in flight stays in the journal."""
    async def __aenter__(self) -> AsyncClient:
        """What `async with` calls."""
    async def __aexit__(self, *_error: object) -> None:
        """What `async with` calls."""
    async def resolve(self, reference: str) -> Resolution:
        """As `Client.resolve`.

        What became of a write: settled, pending or absent, with the evidence.
        """
    async def resume(self, wait_seconds: float | None = None) -> list[Resolution]:
        """As `Client.resume`.

        Finish everything that was in flight when a process ended, and say what became of it.
        """
    async def reference_of(self, change: Change) -> str:
        """As `Client.reference_of`.

        The reference of the write that a change is about.
        """
    async def now(self) -> int:
        """As `Client.now`.

        The chain's clock, Unix seconds: the only one that deadlines obey.
        """
    async def read_many(self, calls: Sequence[tuple[Contract, str, Sequence[object]]]) -> list[Any]:
        """As `Client.read_many`.

        Call view functions of the deployment's contracts, many in one request.
        """
    async def contract(self, kind: str, currency: str | Currency | None = None) -> Contract:
        """As `Client.contract`.

        One of the deployment's contracts, to schedule an operation for.
        """
    async def uetr(self, reference: str) -> bytes:
        """As `Client.uetr`.

        The UETR that this participant's reference gives, 16 bytes: for a dynamic code.
        """
    async def merchant_id(self, merchant: str) -> bytes:
        """As `Client.merchant_id`.

        The id of the merchant that this acquirer knows by `merchant`, 32 bytes.
        """
