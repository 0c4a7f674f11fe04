"""What all services share: reading the contracts, writing to them, and finding what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eth_abi.exceptions import DecodingError

from tael.chain import require_address
from tael.contracts.calls import Contract, Function
from tael.errors import (
    AmountTypeError,
    ConfigurationError,
    CurrencyUnknownError,
    InvalidInputError,
    NodeUnavailableError,
)
from tael.events import topic_of
from tael.history import History
from tael.identifiers import MIN_SECRET_BYTES, Identifiers
from tael.money import Currency, Money
from tael.rpc import request_many
from tael.secrets import Secret
from tael.services.writing import Writing
from tael.typed_data import Domain, escrow_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.chain import Chain
    from tael.events import Event
    from tael.manifest import Manifest
    from tael.outbox import Outbox
    from tael.signers import Signer

MAX_CALLS_PER_REQUEST = 200
MAX_PAYMENT_MINOR = 2**64 - 1


class Gateway(Writing):
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
        super().__init__(chain, outbox, simulate=simulate)
        self.manifest = manifest
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
                _decoded(function, answer)
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


def _decoded(function: Function, answer: Any) -> Any:
    try:
        return function.decode(bytes.fromhex(answer[2:]))
    except (TypeError, ValueError, DecodingError) as error:
        raise NodeUnavailableError(
            f"the node answers {function.name} with something else than its result; try again later"
        ) from error


def _topic(value: bytes | str) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return "0x" + value[2:].lower().rjust(64, "0")


def _hide(secret: bytes) -> Secret:
    if not isinstance(secret, bytes) or len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The reference secret has at least {MIN_SECRET_BYTES} bytes.")
    return Secret(secret.hex())
