"""What all services read: the contracts of one deployment, and what became of their verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain import require_address
from tael.contracts.calls import Contract
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.governance import GOVERNANCE
from tael.contracts.registry import REGISTRY
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.contracts.verbs import KeyEvent
from tael.errors import (
    AmountTypeError,
    CurrencyUnknownError,
    InvalidInputError,
)
from tael.events import topic_of
from tael.history import History
from tael.money import Currency, Money
from tael.rpc import call_many
from tael.typed_data import Domain, escrow_domain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tael.chain import Chain
    from tael.contracts.verbs import VerbRow
    from tael.events import Event
    from tael.manifest import Manifest

MAX_PAYMENT_MINOR = 2**64 - 1


class Gateway:
    """Reading one deployment: its contracts, their views and their past.

    Args:
        chain: The chain, checked against the manifest.
        manifest: What is deployed there.
    """

    def __init__(self, chain: Chain, manifest: Manifest) -> None:
        self.chain = chain
        self.manifest = manifest
        self.escrow = PAYMENT_ESCROW.at(manifest.escrow)
        self.governance = GOVERNANCE.at(manifest.governance)
        self._tokens = {
            alpha: SETTLEMENT_TOKEN.at(address) for alpha, address in manifest.tokens.items()
        }
        self._currencies = {
            contract.address: Currency.of(alpha) for alpha, contract in self._tokens.items()
        }
        self._names: dict[str, str] = {}

    # What

    @property
    def contracts(self) -> list[str]:
        """The addresses whose events count: of all contracts but Governance."""
        return [
            each.address
            for each in self.manifest.contracts.values()
            if each.contract != GOVERNANCE.name
        ]

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

    def contract(self, kind: str, currency: str | Currency | None = None) -> Contract:
        """One of the deployment's contracts; of several of a kind, the one in office.

        Raises:
            InvalidInputError: There is no such kind of contract, none stands here, or a currency
                is missing, or named for a kind that has none.
            CurrencyUnknownError: It has no token of that currency.
        """
        try:
            found = REGISTRY.kind(kind)
        except KeyError as error:
            raise InvalidInputError(str(error.args[0])) from error
        if found.is_per_currency != (currency is not None):
            needed = "one for each currency" if found.is_per_currency else "one for all currencies"
            raise InvalidInputError(f"There is {needed} of {kind}: name the currency accordingly.")
        if currency is not None:
            self.token(currency)
        key = found.key_for(None if currency is None else Currency.of(currency).alpha)
        if key not in self.manifest.contracts:
            raise InvalidInputError(
                f"{kind} is not deployed on chain {self.chain.chain_id} under {key!r}."
            )
        return found.at(self.manifest.contracts[key].address)

    def all_contracts(self) -> list[Contract]:
        """Every contract of the deployment, in the order of the manifest."""
        return [
            REGISTRY.kind(each.contract).at(each.address)
            for each in self.manifest.contracts.values()
        ]

    def contract_at(self, address: str) -> Contract | None:
        """The contract of this deployment at an address."""
        return next((each for each in self.all_contracts() if each.address == address), None)

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
            raise CurrencyUnknownError(f"{token} is not a settlement token of this deployment.")
        return Money(currency, amount_minor)

    def address(self, value: str, name: str) -> str:
        """Check somebody's address; the deployment's own contracts are nobody's.

        Raises:
            AddressError: Mistyped, zero, or one of the contracts.
        """
        return require_address(value, name=name, other_than=self.manifest.addresses)

    # Reading

    def now(self) -> int:
        """The chain's clock, Unix seconds; deadlines are never judged by this machine's."""
        return self.chain.now()

    def read(self, contract: Contract, name: str, *arguments: object) -> Any:
        """Call a view function at the latest block."""
        return self.read_many([(contract, name, arguments)])[0]

    def read_many(self, calls: Sequence[tuple[Contract, str, Sequence[object]]]) -> list[Any]:
        """Call view functions, many at a time."""
        return call_many(self.chain, calls)

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

    def effect(
        self,
        contract: Contract,
        row: VerbRow,
        subject: bytes,
        participant: str,
        total_minor: int | None = None,
    ) -> Any | None:
        """The event that shows that a verb took effect under a key, whoever sent it; None if none.

        Args:
            contract: Where it took effect.
            row: The verb.
            subject: The key, 32 bytes.
            participant: Whom it was for.
            total_minor: For a verb that says a new total: which.
        """
        effect = row.effect
        if not isinstance(effect, KeyEvent):
            return None
        values: dict[str, bytes | str] = {"subject": subject, "participant": participant}
        topics: list[Any] = [
            [topic_of(event) for event in effect.events],
            *(_topic(values[each]) for each in effect.topics),
        ]
        history = self.history(contract)
        if effect.total is None:
            return history.find_last(*topics)
        events = history.events(topics=topics, with_times=False)
        return next((each for each in events if getattr(each, effect.total) == total_minor), None)

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


def _topic(value: bytes | str) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return "0x" + value[2:].lower().rjust(64, "0")
