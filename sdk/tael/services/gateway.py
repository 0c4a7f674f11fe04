"""What all services share: reading the contracts, writing to them, and finding what was written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from tael.chain import require_address
from tael.errors import (
    AmountTypeError,
    ConfigurationError,
    ContractRevertedError,
    CurrencyUnknownError,
    InvalidInputError,
    TransactionRefusedError,
)
from tael.events import topic_of
from tael.history import History
from tael.identifiers import MIN_SECRET_BYTES, Identifiers, check_reference
from tael.journal import Order, Outcome, State
from tael.journal.journal import conflict
from tael.models import Written
from tael.money import Currency, Money
from tael.rpc import request, request_many
from tael.secrets import Secret
from tael.services.acts import GAS_BOUNDS, Act
from tael.services.contracts import Contract
from tael.typed_data import Domain, escrow_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.chain import Chain, Receipt
    from tael.events import Event
    from tael.journal import Item, Journal, Record
    from tael.manifest import Manifest
    from tael.outbox import Outbox, Ticket
    from tael.signers import Signer

MAX_CALLS_PER_REQUEST = 200
MAX_PAYMENT_MINOR = 2**64 - 1


class Gateway:
    """One participant's way to one deployment.

    Args:
        chain: The chain, checked against the manifest.
        manifest: What is deployed there.
        outbox: Makes the outbox when it is first needed; a client that only reads has no store.
        signer: Signs them; None if nothing shall be written.
        participant: Whose references these are and whose money moves; differs from the signer's
            address if that is a delegate.
        reference_secret: The participant's secret for identifiers; None takes it from the signer.
        simulate: Whether each write is tried on the node first, so that a refusal costs nothing.
    """

    def __init__(
        self,
        chain: Chain,
        manifest: Manifest,
        outbox: Callable[[], Outbox],
        signer: Signer | None,
        participant: str | None,
        reference_secret: bytes | None,
        *,
        simulate: bool = True,
    ) -> None:
        self.simulate = simulate
        self.chain = chain
        self.manifest = manifest
        self._make_outbox = outbox
        self._outbox: Outbox | None = None
        self._signer = signer
        self._participant = participant
        self._reference_secret = None if reference_secret is None else _hide(reference_secret)
        self._identifiers: Identifiers | None = None
        self.escrow = Contract("PaymentEscrow", manifest.escrow)
        self.governance = Contract("Governance", manifest.governance)
        self._tokens = {
            alpha: Contract("SettlementToken", address)
            for alpha, address in manifest.tokens.items()
        }
        self._currencies = {
            contract.address: Currency.of(alpha) for alpha, contract in self._tokens.items()
        }
        self._names: dict[str, str] = {}

    # Who

    @property
    def signer(self) -> Signer:
        """Who signs.

        Raises:
            ConfigurationError: This client can only read.
        """
        if self._signer is None:
            raise ConfigurationError("This client has no signer and can only read; pass one.")
        return self._signer

    @property
    def can_sign(self) -> bool:
        """Whether there is a signer."""
        return self._signer is not None

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
        return self._participant if self._participant is not None else self.signer.address

    @property
    def identifiers(self) -> Identifiers:
        """Derives the participant's identifiers.

        Raises:
            ConfigurationError: A delegate signs and there is no reference secret: taken from the
                delegate's key, the identifiers would change with it.
        """
        if self._identifiers is None:
            if self._reference_secret is not None:
                secret = bytes.fromhex(self._reference_secret.reveal())
                self._identifiers = Identifiers(self.participant, secret)
            elif self.signer.address != self.participant:
                raise ConfigurationError(
                    f"{self.signer.address} signs for {self.participant}: pass the participant's "
                    "reference_secret, so that identifiers do not depend on the delegate's key."
                )
            else:
                self._identifiers = Identifiers.from_signer(
                    self.participant, self.signer.sign_digest
                )
        return self._identifiers

    @property
    def outbox(self) -> Outbox:
        """Sends what is journaled."""
        if self._outbox is None:
            self._outbox = self._make_outbox()
        return self._outbox

    @property
    def journal(self) -> Journal:
        """What this participant ordered, and what became of it."""
        return self.outbox.journal

    @property
    def is_open(self) -> bool:
        """Whether there is an outbox that must be closed."""
        return self._outbox is not None

    # What

    @property
    def contracts(self) -> list[str]:
        """The addresses whose events count."""
        return [self.escrow.address, *self._currencies]

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of the escrow."""
        return escrow_domain(self.chain.chain_id, self.escrow.address)

    def currencies(self) -> list[Currency]:
        """The currencies of the deployment."""
        return list(self._currencies.values())

    def token(self, currency: str | Currency) -> Contract:
        """The token of a currency.

        Raises:
            CurrencyUnknownError: There is none in this deployment.
        """
        alpha = Currency.of(currency).alpha
        if alpha not in self._tokens:
            raise CurrencyUnknownError(
                f"No settlement token stands for {alpha} on chain {self.chain.chain_id}; there are "
                f"{', '.join(self._tokens)}."
            )
        return self._tokens[alpha]

    def contract_at(self, address: str) -> Contract | None:
        """The contract of this deployment at an address."""
        own = (self.escrow, self.governance, *self._tokens.values())
        return next((contract for contract in own if contract.address == address), None)

    def contract_of(self, token: str) -> Contract:
        """The token at an address of this deployment."""
        return self.token(self.money(token, 0).currency)

    def token_name(self, token: str) -> str:
        """The name in a token's EIP-712 domain, which never changes."""
        if token not in self._names:
            self._names[token] = self.read(self.contract_of(token), "name")
        return self._names[token]

    def money(self, token: str, amount_minor: int) -> Money:
        """An amount of a token's currency."""
        currency = self._currencies.get(token)
        if currency is None:
            raise CurrencyUnknownError(f"{token} is no settlement token of this deployment.")
        return Money(currency, amount_minor)

    def address(self, value: str, name: str) -> str:
        """Check somebody's address; the deployment's own contracts are nobody's.

        Raises:
            AddressError: Mistyped, zero, or one of the contracts.
        """
        own = (*self.contracts, self.governance.address)
        return require_address(value, name=name, other_than=own)

    # Reading

    def now(self) -> int:
        """The chain's clock, Unix seconds; deadlines are never judged by this machine's."""
        return self.chain.now()

    def read(self, contract: Contract, name: str, *arguments: object) -> Any:
        """Call a view function at the latest block."""
        return self.read_many([(contract, name, arguments)])[0]

    def read_many(self, calls: Sequence[tuple[Contract, str, Sequence[object]]]) -> list[Any]:
        """Call view functions, many at a time."""
        values: list[Any] = []
        for start in range(0, len(calls), MAX_CALLS_PER_REQUEST):
            chunk = calls[start : start + MAX_CALLS_PER_REQUEST]
            functions = [
                contract.function(name, len(arguments)) for contract, name, arguments in chunk
            ]
            answers = request_many(
                self.chain,
                [
                    (
                        "eth_call",
                        [
                            {
                                "to": contract.address,
                                "data": "0x" + function.encode(*arguments).hex(),
                            },
                            "latest",
                        ],
                    )
                    for function, (contract, _, arguments) in zip(functions, chunk, strict=True)
                ],
            )
            values += [
                function.decode(bytes.fromhex(answer[2:]))
                for function, answer in zip(functions, answers, strict=True)
            ]
        return values

    def history(self, *contracts: Contract) -> History:
        """The past of some contracts, of all that count if none is named."""
        addresses = [contract.address for contract in contracts] or self.contracts
        return History(self.chain, addresses, first_block=self.manifest.first_block)

    def find_last(
        self, contract: Contract, kind: type[Event], *topics: bytes | str | None
    ) -> Any | None:
        """The latest event of a kind whose indexed fields have these values; None is any.

        Args:
            contract: Who emitted it.
            kind: The event's class.
            topics: Values of the indexed fields: 32 bytes or an address.
        """
        return self.history(contract).find_last(*self.topics(kind, *topics))

    def topics(self, kind: type[Event], *values: bytes | str | None) -> list[str | None]:
        """A filter for an event's logs by the values of its indexed fields; None is any."""
        return [topic_of(kind), *(None if value is None else _topic(value) for value in values)]

    # Writing

    def order(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        act: Act | None = None,
        part: int = 0,
        gas: int | None = None,
        items: Sequence[Item] = (),
    ) -> Order:
        """A call as the journal keeps it.

        Args:
            contract: Which contract.
            name: The function's name.
            arguments: Its arguments.
            reference: The caller's reference for this write.
            act: What the call is to do, where that is more or less than its arguments say.
            part: Where one reference stands for several transactions: which of them.
            gas: A limit that is known to suffice; None estimates.
            items: The payments of a batch.
        """
        what = Act(name, arguments) if act is None else act
        return Order(
            participant=self.participant,
            reference=check_reference(reference),
            verb=what.verb,
            body_hash=what.body_hash(contract),
            to=contract.address,
            data=contract.function(name, len(arguments)).encode(*arguments),
            part=part,
            gas=gas if gas is not None or self.simulate else GAS_BOUNDS.get(name),
            subject=what.subject,
            total_minor=what.total_minor,
            valid_before=what.valid_before,
            items=tuple(items),
        )

    def submit(self, orders: Sequence[Order]) -> list[Ticket]:
        """Hand orders to the outbox without waiting."""
        return self.outbox.submit(self.signer, orders)

    def wait(self, ticket: Ticket) -> Receipt:
        """Wait until an order's transaction is in a block."""
        return ticket.result(self.outbox.wait_seconds)

    def write(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        act: Act | None = None,
        part: int = 0,
        gas: int | None = None,
    ) -> Receipt:
        """Send a call and wait until it is in a block; arguments as in `order`.

        Raises:
            ContractRevertedError: The contract refused.
            IdempotencyConflictError: The reference stands for something else.
            OutcomeUnknownError: Nobody knows whether it is in a block.
        """
        order = self.order(
            contract, name, *arguments, reference=reference, act=act, part=part, gas=gas
        )
        return self.outbox.send(self.signer, order)

    def recall(
        self, contract: Contract, act: Act, reference: str, *, part: int = 0
    ) -> Written | None:
        """The first result of a reference whose write is done; no node is asked.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        record = self.journal.find(self.participant, check_reference(reference), part)
        if record is None:
            return None
        if not record.stands_for(act.body_hash(contract)):
            raise conflict(reference, record)
        return self.written_down(record, reference) if record.is_done else None

    def written_down(self, record: Record, reference: str) -> Written:
        """What the journal says of a write that is done."""
        return Written(
            reference=reference,
            transaction_hash=record.transaction_hash or "",
            block_number=record.block_number or 0,
            gas_used=record.gas_used or 0,
            repeated=True,
            subject=record.subject,
            status="final" if record.state is State.FINAL else "included",
        )

    def await_open(self, record: Record) -> Record:
        """Wait for a write that is in flight; returns it as it stands then.

        Raises:
            OutcomeUnknownError: It is still open.
        """
        if record.state is not State.SIGNED:
            return record
        with contextlib.suppress(ContractRevertedError, TransactionRefusedError):
            self.wait(self.outbox.rejoin(self.signer, record))
        return self.journal.record(record.id)

    def written(self, receipt: Receipt, reference: str, subject: bytes | None = None) -> Written:
        """What a receipt says."""
        return Written(
            reference=reference,
            transaction_hash=receipt.transaction_hash,
            block_number=receipt.block_number,
            gas_used=receipt.gas_used,
            repeated=receipt.repeated,
            subject=subject,
            status="final" if self.outbox.finality.is_immediate else "included",
        )

    def written_before(self, event: Event, reference: str, subject: bytes | None = None) -> Written:
        """What an event of the past says: the first result of a write that was repeated."""
        receipt = request(self.chain, "eth_getTransactionReceipt", event.at.transaction_hash)
        return Written(
            reference=reference,
            transaction_hash=event.at.transaction_hash,
            block_number=event.at.block_number,
            gas_used=int(receipt["gasUsed"], 16),
            repeated=True,
            subject=subject,
        )

    def accept(self, contract: Contract, act: Act, reference: str, *, part: int = 0) -> Record:
        """Write down what a reference stands for, before anything for it is signed.

        Raises:
            IdempotencyConflictError: It stands for something else.
        """
        return self.journal.accept(
            Order(
                participant=self.participant,
                reference=check_reference(reference),
                verb=act.verb,
                body_hash=act.body_hash(contract),
                to=contract.address,
                data=b"",
                part=part,
                subject=act.subject,
                total_minor=act.total_minor,
                valid_before=act.valid_before,
            )
        )

    def rejoin(self, reference: str) -> int:
        """Wait for what was sent for a batch before; returns how many transactions that were.

        Raises:
            OutcomeUnknownError: One of them is still open.
        """
        parts = self.journal.parts(self.participant, reference)
        for record in parts:
            self.await_open(record)
        return max((record.part for record in parts), default=0)

    def note(
        self, contract: Contract, act: Act, event: Event, reference: str, *, part: int = 0
    ) -> Written:
        """Write down that the chain has this write already, and give its first result.

        Raises:
            IdempotencyConflictError: The reference stands for something else.
        """
        written = self.written_before(event, reference, act.subject)
        record = self.accept(contract, act, reference, part=part)
        if not record.is_done:
            outcome = Outcome(
                record.id,
                State.INCLUDED,
                transaction_hash=event.at.transaction_hash,
                block_number=event.at.block_number,
                block_hash=event.at.block_hash,
                log_index=event.at.log_index,
                gas_used=written.gas_used,
                repeated=True,
            )
            self.journal.settle([outcome])
        return written

    def write_once(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        reference: str,
        act: Act,
        find_first: Callable[[], Event | None],
        part: int = 0,
        gas: int | None = None,
    ) -> Written:
        """Send a call that the chain takes once; if it is there already, give the first result.

        Whatever the refusal says, the chain is asked whether this very write is there: a repeat
        may be refused for another reason that is checked first, a pause or a deadline.

        Args:
            contract: Where to.
            name: Function.
            arguments: Its arguments.
            reference: The caller's reference.
            act: What it is to do.
            find_first: Looks for the event of the same write; it raises `IdempotencyConflictError`
                if it finds one with another body.
            part: Where one reference stands for several transactions: which of them.
            gas: A limit that is known to suffice; None estimates.
        """
        first = self.recall(contract, act, reference, part=part)
        if first is not None:
            return first
        try:
            receipt = self.write(
                contract, name, *arguments, reference=reference, act=act, part=part, gas=gas
            )
        except ContractRevertedError:
            event = find_first()
            if event is None:
                raise
            return self.note(contract, act, event, reference, part=part)
        return self.written(receipt, reference, act.subject)


def require_money(amount: object, *, most_minor: int | None = None) -> Money:
    """Refuse what is no amount of money, or nothing, before anything is signed.

    Raises:
        AmountTypeError: A float, text, or an integer without a currency.
        InvalidInputError: Zero, or more than fits.
    """
    if not isinstance(amount, Money):
        raise AmountTypeError(
            f"An amount is Money, for example Money.parse('12.34', 'CNY'), not "
            f"{type(amount).__name__}."
        )
    if amount.amount_minor == 0:
        raise InvalidInputError("The amount is zero; there is nothing to do.")
    if most_minor is not None and amount.amount_minor > most_minor:
        raise InvalidInputError(f"{amount} is more than one payment can carry.")
    return amount


def _topic(value: bytes | str) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return "0x" + value[2:].lower().rjust(64, "0")


def _hide(secret: bytes) -> Secret:
    if not isinstance(secret, bytes) or len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The reference secret has at least {MIN_SECRET_BYTES} bytes.")
    return Secret(secret.hex())
