"""What became of a write: from the journal where that suffices, else from the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.chain.jsonrpc import quantity
from tael.chain.reverts import decode_revert
from tael.contracts.registry import REGISTRY
from tael.contracts.verbs import KeyEvent
from tael.errors import ConfigurationError, NodeUnavailableError
from tael.events import AuthorizationCanceled
from tael.identifiers import check_reference
from tael.journal import Fate, WriteState
from tael.models import Evidence, Resolution
from tael.outbox.receipts import receipt_in
from tael.services.writer import found_elsewhere

if TYPE_CHECKING:
    from tael.contracts.verbs import VerbRow
    from tael.events import Event
    from tael.journal import Record, SignedTransaction
    from tael.services.gateway import Gateway
    from tael.services.payments import Payments
    from tael.services.writer import Writer


class Outcomes:
    """Resolves references. What is final is told without a node.

    Args:
        gateway: The participant's.
        payments: Finds openings on the chain.
    """

    def __init__(self, gateway: Gateway, writer: Writer, payments: Payments) -> None:
        self._gateway = gateway
        self._writer = writer
        self._payments = payments

    def resolve(self, reference: str) -> Resolution:
        """See `Client.resolve`."""
        record = self._writer.journal.find(self._writer.participant, check_reference(reference))
        if record is None:
            return self._from_chain(reference)
        # A payment that travels in a batch has its verb, and a carrier.
        row = self._row(record)
        if row is not None and row.batch and record.carrier is None:
            return self._batch(record)
        return self._one(record)

    def resume(self, wait_seconds: float | None) -> list[Resolution]:
        """See `Client.resume`."""
        opened = [
            record.reference
            for record in self._writer.journal.open_writes(self._writer.participant)
        ]
        self._writer.outbox.resume(self._writer.identity.signer, wait_seconds)
        return [self.resolve(reference) for reference in dict.fromkeys(opened)]

    # From the journal

    def _one(self, record: Record) -> Resolution:
        if record.state is WriteState.FINAL:
            return _settled(record, "final", "the journal has it as final")
        if record.state in (WriteState.SIGNED, WriteState.INCLUDED):
            # What waits may be included by now, and what was included undone.
            self._look()
            record = self._writer.journal.record(record.id)
            if record.state is WriteState.FINAL:
                return _settled(record, "final", "the chain has it in a block that is final")
        if record.is_done:
            return self._done(record)
        if record.state is WriteState.SIGNED:
            carrier = record.id if record.carrier is None else record.carrier
            signed = self._writer.journal.transactions_of(carrier)
            newest = signed[-1]
            return _open(
                record,
                signed,
                f"transaction {newest.hash} with nonce {newest.nonce} of {newest.sender} may still "
                "be included",
                "submitted",
            )
        return self._without_effect(record)

    def _look(self) -> None:
        if self._writer.identity.can_sign:
            self._writer.outbox.look(self._writer.identity.signer)

    def _done(self, record: Record) -> Resolution:
        """Included as the journal has it: is it still, and is it final?"""
        gateway = self._gateway
        hash_ = record.transaction_hash or ""
        raw = receipt_in(gateway.chain.agree("eth_getTransactionReceipt", [hash_]), hash_)
        if raw is None or raw["blockHash"] != record.block_hash:
            return _open(
                record,
                [],
                f"a reorganisation undid block {record.block_number}; the same bytes are sent "
                "again",
                "submitted",
            )
        final = self._writer.outbox.finality.final_number(gateway.chain)
        if (record.block_number or 0) > final:
            return _settled(
                record, "included", f"in block {record.block_number}; blocks to {final} are final"
            )
        return _settled(record, "final", f"in block {record.block_number}, which is final")

    def _without_effect(self, record: Record) -> Resolution:
        """Nothing of it is in flight: has it taken effect some other way, or can it still?"""
        event = self._find_effect(record)
        if event is not None:
            found = self._elsewhere(record.reference, event, "another transaction than its own")
            if found.status == "final":
                self._writer.journal.settle([found_elsewhere(record, event)])
            return found
        carrier = record.id if record.carrier is None else record.carrier
        signed = self._writer.journal.transactions_of(carrier)
        alive = [each for each in signed if each.fate in (Fate.OPEN, Fate.INCLUDED)]
        if alive:
            return _open(
                record,
                alive,
                "the contract refused it in a block that can still be undone"
                if alive[-1].fate is Fate.INCLUDED
                else f"transaction {alive[-1].hash} may still be included",
                "submitted",
            )
        row = self._row(record)
        if record.state is WriteState.ACCEPTED and not (row and isinstance(row.effect, KeyEvent)):
            # It may stand already, by a transaction of a journal that was lost: nothing on the
            # chain tells whose order a state came from.
            return _open(
                record,
                signed,
                "nothing that this journal signed for it is alive, and what it sets has no key on "
                "the chain: make the call, which sends nothing where the state stands already",
                None,
            )
        cancelled = self._cancelled_in(record)
        final_time = self._final_time()
        if (
            cancelled is None
            and record.valid_before is not None
            and final_time < record.valid_before
        ):
            return _open(
                record,
                signed,
                f"a signed message for it counts until {record.valid_before} by the chain's clock, "
                f"which stands at {final_time} in the newest final block",
                None,
            )
        return Resolution(
            record.reference,
            "absent",
            "final",
            Evidence(
                _why_absent(signed, record, cancelled),
                tuple(each.hash for each in signed),
                valid_before=record.valid_before,
            ),
            record.subject,
            _refusal(record),
        )

    def _cancelled_in(self, record: Record) -> int | None:
        """The final block that cancelled a transfer's messages; None if they still count."""
        gateway = self._gateway
        contract = gateway.contract_at(record.contract)
        if record.verb != "transferWithAuthorization" or contract is None:
            return None
        event = gateway.find_last(
            contract, AuthorizationCanceled, record.participant, record.subject
        )
        final = self._writer.outbox.finality.final_number(gateway.chain)
        return event.at.block_number if event and event.at.block_number <= final else None

    def _batch(self, record: Record) -> Resolution:
        """A batch is settled when each of its transactions is; its payments have their own."""
        parts = [
            self._one(part)
            for part in self._writer.journal.parts(record.participant, record.reference)
        ]
        hashes = tuple(each for part in parts for each in part.evidence.transaction_hashes)
        if not parts:
            return _open(record, [], "it is written down, and nothing is signed for it yet", None)
        waiting = [part for part in parts if part.state == "pending"]
        if waiting:
            return Resolution(
                record.reference, "pending", "submitted", Evidence(waiting[0].evidence.why, hashes)
            )
        settled = [part for part in parts if part.state == "settled"]
        if not settled:
            return Resolution(
                record.reference,
                "absent",
                "final",
                Evidence("nothing that was signed for the batch can be included", hashes),
            )
        final = all(part.status == "final" for part in settled)
        return Resolution(
            record.reference,
            "settled",
            "final" if final else "included",
            Evidence(
                f"{len(settled)} of {len(parts)} transactions took effect; each payment resolves "
                "by its own reference",
                hashes,
            ),
        )

    # From the chain

    def _find_effect(self, record: Record) -> Event | None:
        """The event of a write, whoever sent it; None if there is none, or it has no key."""
        contract, row = self._gateway.contract_at(record.contract), self._row(record)
        if record.subject is None or contract is None or row is None:
            return None
        event: Event | None = self._gateway.effect(
            contract, row, record.subject, record.participant, record.total_minor
        )
        return event

    def _row(self, record: Record) -> VerbRow | None:
        contract = self._gateway.contract_at(record.contract)
        return None if contract is None else REGISTRY.word(contract.kind, record.verb)

    def _from_chain(self, reference: str) -> Resolution:
        """The journal does not know the reference: it may have been lost."""
        event = self._search(reference)
        if event is None:
            return Resolution(
                reference,
                "pending",
                None,
                Evidence(
                    "this journal never had the reference and the chain shows nothing of it; if "
                    "no other journal wrote for this participant, nothing was sent: make the call"
                ),
            )
        return self._elsewhere(reference, event, "a transaction this journal did not know")

    def _elsewhere(self, reference: str, event: Event, whose: str) -> Resolution:
        """It has taken effect, in a transaction that the journal does not follow."""
        self._writer.receipt_with(event)
        return Resolution(
            reference,
            "settled",
            "final" if self._writer.is_final(event) else "included",
            Evidence(
                f"the chain shows its {type(event).__name__}, in {whose}",
                (event.at.transaction_hash,),
                event.at.block_number,
                event.at.block_hash,
                event.at.log_index,
            ),
            getattr(event, "id", None),
        )

    def _search(self, reference: str) -> Event | None:
        gateway = self._gateway
        try:
            ids = self._writer.identity.identifiers
        except ConfigurationError:
            return None
        who = self._writer.participant
        opened = self._payments.find_opening(who, ids.reference_hash(reference))
        if opened is not None:
            return opened
        return next(
            (
                event
                for contract in gateway.all_contracts()
                for row in REGISTRY.kind(contract.kind).verbs
                if isinstance(row.effect, KeyEvent) and row.effect.derived is not None
                for key in (getattr(ids, row.effect.derived)(reference),)
                if (event := gateway.effect(contract, row, key, who)) is not None
            ),
            None,
        )

    def _final_time(self) -> int:
        gateway = self._gateway
        number = max(0, self._writer.outbox.finality.final_number(gateway.chain))
        block = gateway.chain.agree("eth_getBlockByNumber", [hex(number), False])
        if not isinstance(block, dict):
            raise NodeUnavailableError(f"the node gives no block {number}; try again later")
        return quantity(block.get("timestamp"))


def _settled(record: Record, status: Any, why: str) -> Resolution:
    return Resolution(
        record.reference,
        "settled",
        status,
        Evidence(
            why,
            () if record.transaction_hash is None else (record.transaction_hash,),
            record.block_number,
            record.block_hash,
            record.log_index,
        ),
        record.subject,
    )


def _open(record: Record, signed: list[SignedTransaction], why: str, status: Any) -> Resolution:
    return Resolution(
        record.reference,
        "pending",
        status,
        Evidence(why, tuple(each.hash for each in signed), valid_before=record.valid_before),
        record.subject,
        _refusal(record),
    )


def _refusal(record: Record) -> Any:
    if record.state is not WriteState.REFUSED or record.refusal is None:
        return None
    return decode_revert(record.refusal, transaction_hash=record.transaction_hash)


def _why_absent(signed: list[SignedTransaction], record: Record, cancelled: int | None) -> str:
    if not signed:
        why = "no transaction was ever signed for it"
    elif all(each.fate is Fate.DEAD for each in signed):
        why = "other transactions have used the nonces of all that was signed for it"
    else:
        why = "the contract refused it in a block that is final"
    if cancelled is not None:
        return f"{why}, and every signed message for it was cancelled in block {cancelled}"
    if record.valid_before is None:
        return why
    return f"{why}, and every signed message for it expired at {record.valid_before}"
