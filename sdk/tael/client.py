"""The client: one participant's way to one deployment, with a service for each kind of work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael.chain import Chain, require_address
from tael.contracts.calls import Contract
from tael.journal import Journal
from tael.manifest import Manifest
from tael.outbox import FeePolicy, Finality, Outbox
from tael.outbox.outbox import WAIT_SECONDS
from tael.services.balances import Balances
from tael.services.directory import Directory
from tael.services.gateway import Gateway
from tael.services.identity import Identity
from tael.services.operations import Operations
from tael.services.outcomes import Outcomes
from tael.services.participants import Participants
from tael.services.payments import Payments
from tael.services.writer import Writer
from tael.signers import require_usable
from tael.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tael.history import History
    from tael.models import Resolution
    from tael.money import Currency
    from tael.outbox import Change
    from tael.outbox.environment import SendingStep
    from tael.signers import Signer

__all__ = ["Client"]


class Client:
    """One participant's way to one deployment.

    Nothing is signed before the chain's id, its genesis block and the code of every contract were
    compared with the manifest.

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

    Raises:
        NetworkMismatchError: Another chain than the manifest's.
        CodeMismatchError: Another code than the manifest's at one of the addresses.
        SigningKeyError: A well-known test key on a chain that is not local.
        NodeUnavailableError: The node did not answer properly.

    Attributes:
        balances: Reading balances; issue, redeem, transfer.
        participants: Admission, standing, reserve; what the operator's roles may do.
        operations: What governance announces first: schedule, execute, cancel.
        directory: Merchants, cards, delegates; checking scanned codes.
        payments: Prepare, sign, authorize, charge, capture, void, refund, reclaim, status.

    Example:
        >>> client = Client("http://127.0.0.1:8545", "deployments/1337.json")  # doctest: +SKIP
        >>> str(client.balances.supply("CNY"))  # doctest: +SKIP
        '1000000.00 CNY'
    """

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
    ) -> None:
        self.manifest = manifest if isinstance(manifest, Manifest) else Manifest.load(manifest)
        self.chain = (
            Chain.connect(chain, self.manifest.chain_id, self.manifest.genesis_hash)
            if isinstance(chain, str)
            else chain
        )
        self.manifest.check(self.chain)
        if participant is not None:
            require_address(participant, name="participant", other_than=self.manifest.addresses)
        if signer is not None:
            require_usable(signer, self.chain)
        self.signer = signer
        self._store = store
        self._owns_store = not isinstance(store, Store)
        self._sending: dict[str, Any] = {
            "wait_seconds": wait_seconds,
            "fees": fees,
            "finality": Finality.parse(finality) if isinstance(finality, str) else finality,
            "on_step": on_step,
        }
        self._identity = Identity(signer, participant, reference_secret)
        self._gateway = gateway = Gateway(self.chain, self.manifest)
        self._writer = writer = Writer(
            self.chain, self._identity, self._open_outbox, simulate=simulate
        )
        self.balances = Balances(gateway, writer)
        self.operations = Operations(gateway, writer)
        self.participants = Participants(gateway, writer, self.balances, self.operations)
        self.directory = Directory(gateway, writer)
        self.payments = Payments(gateway, writer, self.directory)
        self._outcomes = Outcomes(gateway, writer, self.payments)

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are.

        Raises:
            ConfigurationError: This client can only read and names no participant.
        """
        return self._identity.participant

    # Outcomes

    def resolve(self, reference: str) -> Resolution:
        """What became of a write: settled, pending or absent, with the evidence.

        `absent` is a promise: nothing that was signed for the reference can take effect any more.
        It may be asked at any time, by any process on the participant's store.

        Raises:
            NodeUnavailableError: What is not final yet cannot be told without a node.
        """
        return self._outcomes.resolve(reference)

    def resume(self, wait_seconds: float | None = None) -> list[Resolution]:
        """Finish everything that was in flight when a process ended, and say what became of it.

        Args:
            wait_seconds: How long to wait for inclusion; None is the client's own time.

        Returns:
            One resolution for each reference that was open, oldest first.
        """
        return self._outcomes.resume(wait_seconds)

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called whenever a write changes its status.

        It is called from a thread of the client's; what it raises is logged and goes no further.

        Returns:
            A function that ends it.
        """
        return self._writer.outbox.listen(listener)

    def reference_of(self, change: Change) -> str:
        """The reference of the write that a change is about."""
        return self._writer.journal.record(change.write).reference

    def close(self, wait_seconds: float = 2.0) -> None:
        """End the client's threads and connections. What is in flight stays in the journal.

        Args:
            wait_seconds: How long to wait for a thread that is talking to a node.
        """
        if self._writer.is_open:
            self._writer.outbox.close(wait_seconds)
            if self._owns_store:
                self._writer.journal.store.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _open_outbox(self) -> Outbox:
        store = self._store if isinstance(self._store, Store) else Store.open(self._store)
        journal = Journal(store, self.chain.chain_id, self.chain.genesis_hash)
        return Outbox(self.chain, journal, **self._sending)

    def now(self) -> int:
        """The chain's clock, Unix seconds: the only one that deadlines obey."""
        return self._gateway.now()

    def history(self) -> History:
        """The events of the deployment's tokens and escrow since it began."""
        return self._gateway.history()

    def read_many(self, calls: Sequence[tuple[Contract, str, Sequence[object]]]) -> list[Any]:
        """Call view functions of the deployment's contracts, many in one request.

        Args:
            calls: Contract, function and arguments of each.

        Returns:
            Their results in the same order, decoded.
        """
        return self._gateway.read_many(calls)

    def contract(self, kind: str, currency: str | Currency | None = None) -> Contract:
        """One of the deployment's contracts, to schedule an operation for.

        Args:
            kind: Its Solidity name, as ``PaymentEscrow``.
            currency: Of a token.

        Raises:
            InvalidInputError: There is no such kind of contract, none stands in this deployment,
                or a currency is missing, or named for a kind that has none.
        """
        return self._gateway.contract(kind, currency)

    def uetr(self, reference: str) -> bytes:
        """The UETR that this participant's reference gives, 16 bytes: for a dynamic code."""
        return self._identity.identifiers.uetr(reference)

    def merchant_id(self, merchant: str) -> bytes:
        """The id of the merchant that this acquirer knows by `merchant`, 32 bytes."""
        return self._identity.identifiers.merchant_id(merchant)

    def __repr__(self) -> str:
        who = "read only" if self.signer is None else self.participant
        return f"Client({who} on chain {self.chain.chain_id})"
