"""A day of real logs, repeated with other names: as many events as anybody wants, all of them true.

The day is lived on a real chain and read from its node as JSON. Each repetition gets other hashes,
payment ids, UETRs, references and nonces and later blocks; who pays whom how much stays. In the
evening the money goes back to where it was in the morning, so that the day can follow itself.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import Any

import orjson
from eth_utils.address import to_checksum_address

from tael import Identifiers, Money
from tael.events import PaymentAuthorized, PaymentCharged, topic_of
from tael.index.chain_reader import ChainReader
from tael.index.rows import Header
from tests.support.world import BANKS, World, cny, hkd

SECRET = bytes(range(32))
"""Every issuer's reference secret in the repetitions."""
BATCH = 100
BLOCK_SECONDS = 12

_UNIQUE = re.compile(r"[0-9a-f]{64}")
_OPENINGS = (topic_of(PaymentAuthorized), topic_of(PaymentCharged))


def live_a_day(world: World) -> None:
    """Batches, and some of every other verb, in two currencies between four banks."""
    before = world.balances()
    singles = []
    for issuer, acquirer, amount in (
        ("issuer", "acquirer", cny("12.34")),
        ("other_issuer", "other_acquirer", hkd("56.78")),
        ("issuer", "other_acquirer", cny("9.99")),
        ("other_issuer", "acquirer", hkd("1.01")),
    ):
        parties = {"issuer": issuer, "acquirer": acquirer}
        batch = [
            world.sign(f"{issuer} {acquirer} {n}".replace("_", "-"), amount, **parties)
            for n in range(BATCH)
        ]
        world.client(issuer).payments.authorize_many(
            batch, reference=f"{issuer} {acquirer}".replace("_", "-")
        )
        world.client(acquirer).payments.capture_many(
            [(payment, amount) for payment in batch[:-5]],
            reference=f"{acquirer} {issuer}".replace("_", "-"),
        )
        singles += [(acquirer, payment, amount) for payment in batch[-5:]]
    for number, (acquirer, payment, amount) in enumerate(singles):
        payments = world.client(acquirer).payments
        if number % 2:
            payments.void(payment, amount, reference=f"V-{number}")
        else:
            payments.capture(payment, amount, reference=f"C-{number}")
            payments.refund(payment, amount, reference=f"R-{number}")
    for number in range(10):
        signed = world.sign(f"CH-{number}", cny("20.00"), interchange_bps=100)
        world.client("issuer").payments.charge(signed, reference=f"CH-{number}")
        world.client("issuer").balances.transfer(
            world.address("other_issuer"), cny("5.00"), reference=f"T-{number}"
        )
    world.client("operator").balances.issue(world.address("issuer"), cny("3.00"), reference="ISSUE")
    world.client("issuer").balances.redeem(cny("3.00"), reference="REDEEM")
    _go_home(world, before)


def _go_home(world: World, before: dict[tuple[str, str], tuple[int, int]]) -> None:
    """Pay back what the day has moved, as a settlement would."""
    after = world.balances()
    for currency in ("CNY", "HKD"):
        change = {
            role: after[role, currency][0] - before[role, currency][0]
            for role in (*BANKS, "operator")
        }
        assert not any(after[role, currency][1] for role in BANKS)
        for debtor in [role for role, amount in change.items() if amount > 0]:
            for creditor in [role for role, amount in change.items() if amount < 0]:
                amount = min(change[debtor], -change[creditor])
                if amount:
                    change[debtor] -= amount
                    change[creditor] += amount
                    world.client(debtor).balances.transfer(
                        world.address(creditor),
                        Money(currency, amount),
                        reference=f"H {currency} {debtor} {creditor}".replace("_", "-"),
                    )


@dataclass(frozen=True)
class Day:
    """A recorded day.

    Args:
        opening: The logs of everything before it, as the node answered.
        blocks: Of each block of it, the JSON of its logs, cut at whatever is unique in it.
        events: How many logs it has.
        first_block: Its first block.
        issuers: Of each payment, by its reference hash: who opened it.
    """

    opening: list[dict[str, Any]]
    blocks: list[list[str]]
    events: int
    first_block: int
    issuers: dict[str, str]

    @classmethod
    def record(cls, world: World, first_block: int) -> Day:
        """Read what a node has; the day begins at `first_block`."""
        addresses = [world.manifest.escrow, *world.manifest.tokens.values()]
        query = {"fromBlock": "0x0", "toBlock": "latest", "address": addresses}
        logs = world.node.rpc("eth_getLogs", query)
        opening = [log for log in logs if int(log["blockNumber"], 16) < first_block]
        day = [log for log in logs if int(log["blockNumber"], 16) >= first_block]
        unique = {
            *(log["blockHash"][2:] for log in day),
            *(log["transactionHash"][2:] for log in day),
            *(word[2:] for log in day for word in log["topics"][1:] if _is_unique(word)),
            # Of an opening: the reference hash and the UETR.
            *(log["data"][130:194] for log in day if log["topics"][0] in _OPENINGS),
            *(log["data"][258:290] for log in day if log["topics"][0] in _OPENINGS),
        }
        cut = re.compile("(" + "|".join(sorted(unique, key=len, reverse=True)) + ")")
        last = int(day[-1]["blockNumber"], 16)
        blocks: list[list[str]] = []
        for number in range(first_block, last + 1):
            own = [
                {**log, "blockNumber": "0xNUMBER", "blockTimestamp": "0xTIME"}
                for log in day
                if int(log["blockNumber"], 16) == number
            ]
            text = orjson.dumps(own).decode()[1:-1]
            blocks.append(cut.split(text))
        issuers = {
            log["data"][130:194]: to_checksum_address(log["topics"][2][26:])
            for log in day
            if log["topics"][0] in _OPENINGS
        }
        return cls(opening, blocks, len(day), first_block, issuers)

    def reference(self, reference_hash: str, repetition: int) -> str:
        """The reference that a payment of the recorded day has in a repetition."""
        return f"{repetition}-{reference_hash[:16]}"

    def renamed(self, name: str, repetition: int) -> str:
        """What stands for something unique of the recorded day in a repetition."""
        issuer = self.issuers.get(name)
        if issuer is not None:
            identifiers = Identifiers(issuer, SECRET)
            return identifiers.reference_hash(self.reference(name, repetition)).hex()
        digits = hashlib.sha256(f"{repetition} {name}".encode()).hexdigest()[: len(name)]
        if len(name) == 32:
            # A UETR keeps its version and variant.
            return digits[:12] + "4" + digits[13:16] + "8" + digits[17:]
        return digits

    def last_block(self, repetitions: int) -> int:
        return self.first_block + len(self.blocks) * repetitions - 1

    def hash_of(self, number: int) -> bytes:
        """The hash of a block: of one without logs it is made up."""
        repetition, place = divmod(number - self.first_block, len(self.blocks))
        parts = self.blocks[place] if number >= self.first_block else []
        for index, part in enumerate(parts):
            if part.endswith('"blockHash":"0x'):
                return bytes.fromhex(self.renamed(parts[index + 1], repetition))
        for log in self.opening:
            if int(log["blockNumber"], 16) == number:
                return bytes.fromhex(log["blockHash"][2:])
        return hashlib.sha256(f"block {number}".encode()).digest()

    def time_of(self, number: int) -> int:
        if number >= self.first_block:
            start = max(int(log["blockTimestamp"], 16) for log in self.opening)
            return start + BLOCK_SECONDS * (number - self.first_block + 1)
        times = [
            int(log["blockTimestamp"], 16)
            for log in self.opening
            if int(log["blockNumber"], 16) <= number
        ]
        return max(times, default=1)

    def answer(self, first: int, last: int) -> bytes:
        """What a node would answer to `eth_getLogs` for a range of blocks."""
        parts = [
            orjson.dumps(log).decode()
            for log in self.opening
            if first <= int(log["blockNumber"], 16) <= last
        ]
        for number in range(max(first, self.first_block), last + 1):
            repetition, place = divmod(number - self.first_block, len(self.blocks))
            pieces = self.blocks[place]
            if len(pieces) > 1:
                text = "".join(
                    self.renamed(piece, repetition) if index % 2 else piece
                    for index, piece in enumerate(pieces)
                )
                parts.append(
                    text.replace("0xNUMBER", hex(number)).replace(
                        "0xTIME", hex(self.time_of(number))
                    )
                )
        return ('{"jsonrpc":"2.0","id":1,"result":[' + ",".join(parts) + "]}").encode()


class RecordedReader(ChainReader):
    """Gives a recorded day's logs where a node would give its own."""

    def __init__(self, day: Day, repetitions: int, *, kept_blocks: int) -> None:
        self.day = day
        self.raw_bytes = 0
        self._end = day.last_block(repetitions)
        self._ahead = kept_blocks
        self.making_seconds = 0.0
        self.making_cpu_seconds = 0.0

    def head(self) -> Header:
        # Far enough ahead that the whole recording is read in ranges.
        return self._header(self._end + self._ahead)

    def header(self, number: int) -> Header | None:
        return self._header(number)

    def headers(self, numbers) -> dict[int, Header]:
        return {number: self._header(number) for number in numbers}

    def logs(self, first: int, last: int) -> list[dict[str, Any]]:
        started, cpu = time.perf_counter(), time.process_time()
        raw = self.day.answer(first, min(last, self._end))
        self.making_seconds += time.perf_counter() - started
        self.making_cpu_seconds += time.process_time() - cpu
        self.raw_bytes += len(raw)
        return orjson.loads(raw)["result"]

    def _header(self, number: int) -> Header:
        return Header(
            number, self.day.hash_of(number), self.day.hash_of(number - 1), self.day.time_of(number)
        )


def _is_unique(word: str) -> bool:
    """Whether a topic is a hash, and no address."""
    return _UNIQUE.fullmatch(word[2:]) is not None and not word.startswith("0x" + "0" * 24)
