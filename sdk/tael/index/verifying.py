"""Proves the index: balances, holds, supply and payments against the contracts, at one block."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from tael.audit import Difference
from tael.errors import IndexStateError, NodeUnavailableError
from tael.index.deployed import read_cursor
from tael.index.node import Node
from tael.ledger import SECONDS_PER_DAY
from tael.rpc import request_many
from tael.store.tables import balances, holds, movements
from tael.typed_data import escrow_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tael.client import Client
    from tael.contracts.calls import Contract
    from tael.index.reading import Index
    from tael.index.rows import Header

__all__ = ["Verification", "verify"]

MAX_DIFFERENCES = 1_000
"""How many differences are kept; all are counted."""

_CALLS_AT_ONCE = 1_000
_NOBODY = "0x" + "0" * 40


@dataclass
class Verification:
    """What the comparison found.

    Args:
        block_number: The block whose state was asked for: the last one in the index.
        block_hash: 0x and 64 digits.
        checks: How many values were compared.
        faults: How many differ.
        differences: The first `MAX_DIFFERENCES` of them.
    """

    block_number: int
    block_hash: str
    checks: int = 0
    faults: int = 0
    differences: list[Difference] = field(default_factory=list)

    def note(self, difference: Difference | None) -> None:
        """Count a comparison."""
        self.checks += 1
        if difference is not None:
            self.faults += 1
            if len(self.differences) < MAX_DIFFERENCES:
                self.differences.append(difference)


class _Check(NamedTuple):
    contract: Contract
    function: str
    key: tuple[Any, ...]
    expected: Any


def verify(
    index: Index, client: Client, tell: Callable[[Verification], None] | None = None
) -> Verification:
    """Compare the index with what the contracts say at its last block.

    Whatever is indexed meanwhile does not matter: what is compared is one state of the index with
    the contracts' state at that block.

    Args:
        index: What to prove.
        client: Asks the contracts.
        tell: Called now and then with what was found so far.

    Returns:
        What was found; without faults the index is right.

    Raises:
        IndexStateError: Nothing is indexed yet.
        NodeUnavailableError: The node did not answer properly, no longer has the state of that
            block, or the chain moved meanwhile.
    """
    node = Node(client.chain, [])
    with index.snapshot() as connection:
        block = read_cursor(connection, index.deployed.id).block
        if block is None:
            raise IndexStateError("nothing is indexed yet: run `tael index run`")
        _require_on_chain(node, block)
        found = Verification(block.number, "0x" + block.hash.hex())
        for difference in _inside(index, connection):
            found.note(difference)
        checks = _checks(index, client, connection, block)
        while part := list(islice(checks, _CALLS_AT_ONCE)):
            for check, actual in zip(part, _ask(client, part, block.number), strict=True):
                found.note(_difference(check, actual))
            if tell is not None:
                tell(found)
        _require_on_chain(node, block)
    return found


def _require_on_chain(node: Node, block: Header) -> None:
    header = node.header(block.number)
    if header is None or header.hash != block.hash:
        raise NodeUnavailableError(
            f"block {block.number} of the index is not on the node's chain, or not yet; run "
            "`tael index run --once`, then verify again"
        )


def _inside(index: Index, connection: sa.Connection) -> Iterator[Difference | None]:
    """Whether the tables agree with each other."""
    mine = index.deployed.id
    held: dict[int, int] = defaultdict(int)
    for hold in connection.execute(sa.select(holds).where(holds.c.deployment == mine)):
        held[hold.account] += hold.amount
    rows = connection.execute(sa.select(balances).where(balances.c.deployment == mine)).all()
    for row in rows:
        last = connection.execute(
            sa.select(movements)
            .where(movements.c.deployment == mine, movements.c.account == row.account)
            .order_by(movements.c.receipt.desc(), movements.c.number.desc())
            .limit(1)
        ).first()
        after = (0, 0, 0) if last is None else (last.available, last.held, last.number)
        stored = (row.available, row.held, row.movements)
        token = index.deployed.tokens[row.token]
        key = (row.participant,)
        yield _unless_same(token, "the last movement", key, stored, after)
        yield _unless_same(token, "the sum of holds", key, row.held, held[row.account])


def _unless_same(
    contract: str, what: str, key: tuple[object, ...], ledger: object, other: object
) -> Difference | None:
    return None if ledger == other else Difference(contract, what, key, ledger, other)


def _checks(
    index: Index, client: Client, connection: sa.Connection, block: Header
) -> Iterator[_Check]:
    tokens = {
        number: client.contract("SettlementToken", alpha)
        for alpha in index.manifest.tokens
        for number in [index.token_number(alpha)]
    }
    escrows = dict(
        zip(
            tokens,
            _ask(
                client,
                [_Check(token, "escrow", (), None) for token in tokens.values()],
                block.number,
            ),
            strict=True,
        )
    )
    rows = connection.execute(
        sa.select(balances).where(balances.c.deployment == index.deployed.id)
    ).all()
    for number, token in tokens.items():
        supply = sum(row.available + row.held for row in rows if row.token == number)
        yield _Check(token, "totalSupply", (), supply)
    for row in rows:
        token, key = tokens[row.token], (row.participant,)
        yield _Check(token, "balanceOf", key, row.available + row.held)
        yield _Check(token, "availableOf", key, row.available)
        yield _Check(token, "heldOf", key, row.held)
    yield from _hold_checks(index, connection, tokens, escrows)
    yield from _payment_checks(index, client, connection)


def _hold_checks(
    index: Index,
    connection: sa.Connection,
    tokens: dict[int, Contract],
    escrows: dict[int, str],
) -> Iterator[_Check]:
    owners = {
        row.account: row
        for row in connection.execute(
            sa.select(balances).where(balances.c.deployment == index.deployed.id)
        )
    }
    for hold in connection.execute(
        sa.select(holds).where(holds.c.deployment == index.deployed.id)
    ).all():
        owner = owners[hold.account]
        module = hold.module
        if module == index.deployed.escrow:
            # A successor has its predecessor's holds; while there is none, nobody has them.
            module = escrows[owner.token]
        if module != _NOBODY:
            key = (module, owner.participant)
            yield _Check(tokens[owner.token], "heldFor", key, hold.amount)


def _payment_checks(index: Index, client: Client, connection: sa.Connection) -> Iterator[_Check]:
    escrow = client.contract("PaymentEscrow")
    domain = escrow_domain(client.chain.chain_id, escrow.address)
    for payment in index.payments(connection=connection):
        totals = (payment.captured_minor, payment.voided_minor, payment.refunded_minor)
        day = payment.opened_at // SECONDS_PER_DAY
        # The id is the hash of the terms, so asking for it proves them too.
        id_ = payment.terms.payment_id(domain)
        yield _Check(escrow, "paymentOf", (id_,), (True, *totals, day))


def _ask(client: Client, checks: Iterable[_Check], block_number: int) -> list[Any]:
    functions = [
        (check, check.contract.function(check.function, len(check.key))) for check in checks
    ]
    answers = request_many(
        client.chain,
        [
            (
                "eth_call",
                [
                    {
                        "to": check.contract.address,
                        "data": "0x" + function.encode(*check.key).hex(),
                    },
                    hex(block_number),
                ],
            )
            for check, function in functions
        ],
    )
    return [
        function.decode(bytes.fromhex(answer[2:]))
        for (_, function), answer in zip(functions, answers, strict=True)
    ]


def _difference(check: _Check, actual: Any) -> Difference | None:
    said = tuple(actual) if isinstance(actual, (tuple, list)) else actual
    return _unless_same(check.contract.address, check.function, check.key, check.expected, said)
