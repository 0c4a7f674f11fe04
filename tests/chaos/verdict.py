"""What must be true when the storm is over, whatever happened in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tael import Chain, Client
from tael.audit import compare
from tael.ledger import Ledger
from tael.testing import LocalNode
from tests.chaos.canaries import find_canaries
from tests.chaos.ground import Ground, lines, secret_of
from tests.chaos.heads import Heads
from tests.chaos.identity import Identity
from tests.chaos.plan import Plan
from tests.chaos.stores import Stores
from tests.chaos.truth import Effect, Key, Truth, read_truth
from tests.chaos.work import Order, Sheet, card_of


@dataclass(frozen=True)
class Finding:
    """Something that must not be.

    Args:
        rule: Which promise is broken.
        what: How, with the reference it is about.
    """

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass(frozen=True)
class Expected:
    """One effect that a reference stands for.

    Args:
        reference: The participant's.
        order: What it belongs to.
        payment: The payment it is about, if it is one of several.
        key: What must be on the chain.
        values: With what amounts and parties.
        role: Whose it is.
    """

    reference: str
    order: Order
    payment: str | None
    key: Key
    values: tuple[str | int, ...]
    role: str


@dataclass(frozen=True)
class Remains:
    """What a storm leaves behind.

    Args:
        plan: The seed's.
        ground: The chain it began on.
        sheet: What the orders referred to.
        folder: Where the clients wrote.
        stores: Their stores.
        heads: How far the chain was when.
    """

    plan: Plan
    ground: Ground
    sheet: Sheet
    folder: Path
    stores: Stores
    heads: Heads


def judge(remains: Remains, node: LocalNode) -> list[Finding]:
    """Everything that is wrong."""
    case = open_case(remains, node)
    return [
        *case.effects(),
        *case.answers(),
        *case.journals(),
        *_books(remains.ground, node),
        *(
            Finding("secret", what)
            for what in find_canaries(remains.plan, remains.folder, remains.stores)
        ),
    ]


def open_case(remains: Remains, node: LocalNode) -> Case:
    """Read what happened and what the clients were told."""
    ground, folder, plan = remains.ground, remains.folder, remains.plan
    manifest = ground.deployed
    truth = read_truth(node.url, ground.head + 1, [manifest.escrow, *manifest.tokens.values()])
    expected = list(_expected(plan, ground, remains.sheet))
    diaries = {worker.name: list(lines(folder / f"{worker.name}.jsonl")) for worker in plan.workers}
    return Case(plan, truth, expected, diaries, remains.stores, remains.heads)


class Case:
    """The chain's truth on one side, what clients wrote down on the other.

    Args:
        plan: The seed's.
        truth: The chain in the end.
        expected: What the references stand for.
        diaries: What each client was told.
        stores: Their journals.
        heads: How far the chain was when.
    """

    def __init__(
        self,
        plan: Plan,
        truth: Truth,
        expected: list[Expected],
        diaries: dict[str, list[dict[str, Any]]],
        stores: Stores,
        heads: Heads,
    ) -> None:
        self.heads = heads
        self.plan = plan
        self.truth = truth
        self.expected = expected
        self.diaries = diaries
        self.stores = stores
        self.by_key: dict[Key, list[Effect]] = defaultdict(list)
        for effect in truth.effects:
            self.by_key[effect.key].append(effect)
        # What its client saw included may have become final after the client ended.
        self._over = (1, 2) if plan.confirmations else (2,)
        self.role_of = {worker.name: worker.role for worker in plan.workers}
        self.store_of = {worker.role: worker.store for worker in plan.workers}

    # At most one effect, and exactly one unless refused

    def effects(self) -> Iterator[Finding]:
        """Count what happened for each reference, and look for what nobody ordered."""
        known = {each.key for each in self.expected}
        for effect in self.truth.effects:
            if effect.key not in known:
                yield Finding("unordered", f"{effect} was ordered by nobody")
        for each in self.expected:
            found = self.by_key[each.key]
            where = f"{each.reference} ({each.order.verb})"
            if each.order.fails:
                if found:
                    yield Finding("refused", f"{where} took effect: {found}")
                continue
            if len(found) > 1 and not self._may_repeat(each):
                yield Finding("twice", f"{where} took effect {len(found)} times: {found}")
            if not found and not each.order.lapses:
                yield Finding("never", f"{where} did not take effect")
            for effect in found:
                if effect.values not in (each.values, *self._rivals(each)):
                    yield Finding("other", f"{where}: ordered {each.values}, found {effect}")

    def _rivals(self, each: Expected) -> Iterator[tuple[str | int, ...]]:
        """What else was ordered under the same reference: whichever came first counts."""
        for worker in self.plan.workers:
            for order in worker.orders:
                if order.conflicts and (worker.role, order.reference) == (
                    each.role,
                    each.reference,
                ):
                    yield (*each.values[:-1], order.amount_minor)

    def _may_repeat(self, each: Expected) -> bool:
        # What has no key on the chain is only as safe as its journal; set twice, it stands as once.
        return each.order.verb == "set_cards" and self.stores.was_restored(self.store_of[each.role])

    # Nobody was told what is not so

    def answers(self) -> Iterator[Finding]:
        """Hold every answer against the chain."""
        for name, diary in self.diaries.items():
            by_reference: dict[str, list[Expected]] = defaultdict(list)
            for each in self.expected:
                if each.role == self.role_of[name]:
                    for reference in {each.reference, each.order.reference}:
                        by_reference[reference].append(each)
            for line in diary:
                for finding in self._answer(line, by_reference):
                    yield Finding(finding.rule, f"{name}: {finding.what}")

    def _answer(
        self, line: dict[str, Any], by_reference: dict[str, list[Expected]]
    ) -> Iterator[Finding]:
        told = line["told"]
        if told == "broken":
            yield Finding("broken", line["traceback"])
        elif told == "error":
            yield from self._error(line, by_reference)
        elif told in ("written", "change", "resolved"):
            effects = [
                effect
                for each in by_reference.get(line["reference"], [])
                if line.get("payment") in (None, each.payment)
                for effect in self.by_key[each.key]
            ]
            if line["status"] == "final" and line.get("state") != "absent":
                yield from self._early(line)
            if told == "resolved":
                yield from self._resolution(line, effects)
            elif told == "written":
                yield from self._written(line, effects)
            elif line["status"] == "final":
                yield from self._final(line, effects, "a listener heard that it is final")

    def _error(
        self, line: dict[str, Any], by_reference: dict[str, list[Expected]]
    ) -> Iterator[Finding]:
        if line["error"] == "UnknownRevertError":
            yield Finding("reason", f"refused for a reason nobody knows: {line}")
        if line["error"] != "IdempotencyConflictError":
            return
        conflicting = any(
            (order.conflicts or order.fails) and order.reference == line["reference"]
            for worker in self.plan.workers
            for order in worker.orders
        )
        if not conflicting:
            yield Finding("conflict", f"{line['reference']} conflicts with itself: {line}")

    def _written(self, line: dict[str, Any], effects: list[Effect]) -> Iterator[Finding]:
        if line["status"] == "final" or not self.plan.has_reorgs:
            yield from self._final(line, effects, "a write returned")
        elif not effects:
            yield Finding("told", f"written, and nothing is there: {line}")

    def _final(self, line: dict[str, Any], effects: list[Effect], how: str) -> Iterator[Finding]:
        hashes = {effect.transaction for effect in effects}
        if line["transaction"] not in hashes and not self._is_without_effect(line):
            yield Finding("told", f"{how}, and the chain has {effects}: {line}")
            return
        mined = self.truth.transactions.get(line["transaction"])
        if mined is None or line["block"] != int(mined["blockNumber"], 16):
            yield Finding("told", f"{how} with another block than {effects}: {line}")

    def _early(self, line: dict[str, Any]) -> Iterator[Finding]:
        """Final means that so many blocks were on top when it was said."""
        head = self.heads.at_most(line["at"])
        if line["block"] is not None and line["block"] > head - self.plan.confirmations:
            yield Finding("early", f"final, and the chain was at {head} at most: {line}")

    def _is_without_effect(self, line: dict[str, Any]) -> bool:
        """Whether this is about a batch that may find all of it done before, or a cancellation."""
        return line["told"] == "change" and any(
            order.reference == line["reference"] and (order.verb.endswith("_many") or order.fails)
            for worker in self.plan.workers
            for order in worker.orders
        )

    def _resolution(self, line: dict[str, Any], effects: list[Effect]) -> Iterator[Finding]:
        if line["state"] == "settled":
            is_sure = line["status"] == "final" or not self.plan.has_reorgs
            if is_sure and not effects:
                yield Finding("told", f"settled, and nothing is there: {line}")
            for effect in effects:
                if is_sure and line["block"] is not None and line["block"] != effect.block:
                    yield Finding("told", f"settled elsewhere than {effect}: {line}")
        elif line["state"] == "absent":
            for effect in effects:
                signed = self._signed_at(effect.transaction)
                if signed is None or signed < line["since"]:
                    yield Finding(
                        "told",
                        f"absent, and then what was signed at {signed} took effect in {effect}: "
                        f"{line}",
                    )

    def _signed_at(self, hash_: str) -> float | None:
        """When a transaction was signed, by the journals."""
        if not hasattr(self, "_signed"):
            self._signed: dict[str, float] = {
                row["hash"]: row["created_ms"] / 1000
                for name in self.stores.names()
                for row in self.stores.rows(name, "SELECT hash, created_ms FROM transactions")
            }
        return self._signed.get(hash_)

    # Journals and chain agree

    def journals(self) -> Iterator[Finding]:
        """Nonces without gaps, one payload for a write, and the same story as the chain's."""
        for name in self.stores.names():
            for finding in self._journal(name):
                yield Finding(finding.rule, f"store {name}: {finding.what}")

    def _journal(self, name: str) -> Iterator[Finding]:
        rows = self.stores.rows(
            name,
            "SELECT t.hash, t.nonce, t.state, t.write, k.address, k.next_nonce, w.reference, "
            "w.part, w.state AS write_state FROM transactions t JOIN keys k ON k.id = t.key "
            "LEFT JOIN writes w ON w.id = t.write",
        )
        yield from self._nonces(name, rows)
        succeeded: Counter[int] = Counter()
        for row in rows:
            mined = self.truth.transactions.get(row["hash"])
            if row["state"] in (1, 2) and mined is None:
                yield Finding("journal", f"has {row} as included, and the chain does not")
            if row["state"] == 3 and mined is not None:
                yield Finding("journal", f"has {row} as dead, and the chain includes it")
            if mined is not None and row["state"] not in self._over:
                yield Finding("journal", f"the chain includes {row}, which is not final here")
            if mined is not None and row["write"] is not None:
                succeeded[row["write"]] += int(mined["receipt"]["status"], 16)
        for write, count in succeeded.items():
            if count > 1:
                yield Finding("payloads", f"{count} transactions of write {write} took effect")
        for row in self.stores.rows(name, "SELECT * FROM writes"):
            yield from self._write(row)

    def _write(self, row: dict[str, Any]) -> Iterator[Finding]:
        brief = {
            key: row[key] for key in ("reference", "part", "verb", "state", "transaction_hash")
        }
        if row["state"] == 1 or (row["state"] == 3 and not (row["repeated"] or 1 in self._over)):
            yield Finding("journal", f"is not finished with {brief}")
        if row["state"] == 4 or (row["state"] == 3 and row["repeated"]):
            mined = self.truth.transactions.get(row["transaction_hash"])
            if mined is None:
                yield Finding("journal", f"has {brief} as done, and the chain does not")
            elif int(mined["receipt"]["status"], 16) != 1:
                yield Finding("journal", f"has {brief} as done, and the chain refused it")

    def _nonces(self, name: str, rows: list[dict[str, Any]]) -> Iterator[Finding]:
        by_key: dict[str, set[int]] = defaultdict(set)
        for row in rows:
            # What another transaction overtook is dead: signed after a nonce that was not true.
            if row["state"] != 3:
                by_key[row["address"]].add(row["nonce"])
        mined: dict[str, set[int]] = defaultdict(set)
        for transaction in self.truth.transactions.values():
            mined[transaction["from"].lower()].add(int(transaction["nonce"], 16))
        for address, nonces in by_key.items():
            on_chain = mined[address.lower()]
            if self.stores.was_restored(name):
                nonces = nonces | on_chain
            if nonces != on_chain:
                odd = sorted(nonces ^ on_chain)
                yield Finding("nonces", f"{address}: journal and chain differ in {odd}")
            if nonces and len(nonces) != max(nonces) - min(nonces) + 1:
                yield Finding("nonces", f"{address}: {sorted(nonces)} have a gap")


def _expected(plan: Plan, ground: Ground, sheet: Sheet) -> Iterator[Expected]:
    manifest = ground.deployed
    seen = set()
    for worker in plan.workers:
        who = sheet.addresses[worker.role]
        identity = Identity(who, secret_of(worker.role))
        for order in worker.orders:
            if order.conflicts or (worker.role, order.reference) in seen:
                continue
            seen.add((worker.role, order.reference))
            token = manifest.token(order.currency).lower() if order.currency else ""
            for payment, key, values in _keys(order, who.lower(), identity, sheet, token):
                reference = order.reference
                if order.verb.startswith("authorize") and payment is not None:
                    reference = payment
                yield Expected(reference, order, payment, key, values, worker.role)


def _keys(
    order: Order, who: str, identity: Identity, sheet: Sheet, token: str
) -> Iterator[tuple[str | None, Key, tuple[str | int, ...]]]:
    """What an order leaves on the chain: the payment it is about, the key, the values."""
    reference, amount = order.reference, order.amount_minor
    payee = sheet.addresses[order.payee].lower() if order.payee else ""
    bank = "0x" + identity.commitment("bank", reference).hex()
    if order.verb == "transfer":
        nonce = "0x" + identity.commitment("transfer", reference).hex()
        yield None, ("transfer", who, nonce), (token, payee, amount)
    elif order.verb == "issue":
        yield None, ("issue", bank), (token, payee, amount)
    elif order.verb == "redeem":
        yield None, ("redeem", who, bank), (token, amount)
    elif order.verb == "set_cards":
        key = ("set_cards", who, card_of(reference).lower(), token)
        yield None, key, (amount, 2 * amount, 1)
    elif order.verb in ("authorize", "charge", "authorize_many", "authorize_each"):
        verb = "charge" if order.verb == "charge" else "authorize"
        for name in order.payments:
            signed = sheet.signed[name]
            terms = signed.terms
            parties = (terms.issuer.lower(), terms.acquirer.lower())
            key = ("open", "0x" + signed.payment_id.hex())
            yield name, key, (verb, *parties, terms.amount_minor)
    else:
        verb = "capture" if order.verb == "capture_many" else order.verb
        for name in order.payments:
            signed = sheet.signed[name]
            total = signed.terms.amount_minor if order.verb == "capture_many" else amount
            yield name, (verb, "0x" + signed.payment_id.hex(), str(total)), ()


def _books(ground: Ground, node: LocalNode) -> Iterator[Finding]:
    """Replaying all events gives the contracts' state."""
    client = Client(Chain.connect(node.url), ground.deployed)
    ledger = Ledger.replay(client.history().events())
    for finding in ledger.check():
        yield Finding("books", finding)
    for difference in compare(ledger, client):
        yield Finding("books", str(difference))
    client.chain.close()
