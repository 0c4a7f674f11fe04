"""A quiet storm's remains, spoilt in every way that the checker must see."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.chaos.canaries import find_canaries
from tests.chaos.ground import build_ground, keys
from tests.chaos.plan import Plan, WorkerPlan, make_plan
from tests.chaos.storm import Storm
from tests.chaos.verdict import Case, Finding, open_case
from tests.chaos.work import Order

TRANSFER, PAYMENT, CARD = "Q-1", "Q-2", "Q-3"
ORDERS = (
    Order("transfer", TRANSFER, 1_200, "CNY", "acquirer"),
    Order("transfer", "Q-4", 3_400, "HKD", "other_issuer"),
    Order("set_cards", CARD, 5_000, "CNY"),
    Order("transfer", "Q-5", 10**13, "CNY", "acquirer", fails=True),
)

Spoil = Callable[[Case], None]


def _quiet_plan() -> Plan:
    worker = WorkerPlan("issuer", "issuer", "issuer", ORDERS, survives=True)
    return dataclasses.replace(
        make_plan(1, "anvil"),
        block_seconds=None,
        confirmations=0,
        proxies=1,
        agreement=1,
        faults={},
        lies=(),
        stores={"issuer": "sqlite"},
        workers=(worker,),
        payments={},
        events=(),
    )


def _rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def _rules_of(case: Case) -> set[str]:
    return _rules([*case.effects(), *case.answers(), *case.journals()])


def _lose_effect(case: Case) -> None:
    lost = case.truth.effects.pop(0)
    case.by_key[lost.key].remove(lost)


def _double_effect(case: Case) -> None:
    effect = case.truth.effects[0]
    case.by_key[effect.key].append(effect)


def _invent_effect(case: Case) -> None:
    effect = case.truth.effects[0]
    case.truth.effects.append(dataclasses.replace(effect, key=("transfer", "somebody", "0x1")))


def _change_amount(case: Case) -> None:
    effect = case.by_key[case.expected[0].key].pop()
    case.by_key[effect.key].append(dataclasses.replace(effect, values=(*effect.values[:-1], 1)))


def _let_refused_happen(case: Case) -> None:
    refused = next(each for each in case.expected if each.order.fails)
    case.by_key[refused.key].append(case.truth.effects[0])


def _line(case: Case, told: str, **values: object) -> dict[str, object]:
    line = next(each for each in case.diaries["issuer"] if each["told"] == told)
    case.diaries["issuer"].append({**line, **values})
    return line


def _tell_written_elsewhere(case: Case) -> None:
    _line(case, "written", transaction="0x" + "12" * 32)


def _tell_settled_without_effect(case: Case) -> None:
    _line(case, "resolved", reference="Q-5", state="settled", status="final", block=None)


def _tell_settled_in_another_block(case: Case) -> None:
    _line(case, "resolved", reference=TRANSFER, state="settled", status="final", block=1)


def _tell_absent_before_effect(case: Case) -> None:
    _line(case, "resolved", reference=TRANSFER, state="absent", status="final", since=2e10)


def _tell_final_too_early(case: Case) -> None:
    _line(case, "change", status="final", block=10**6)


def _tell_conflict(case: Case) -> None:
    case.diaries["issuer"].append(
        {"told": "error", "error": "IdempotencyConflictError", "reference": TRANSFER}
    )


def _break(case: Case) -> None:
    case.diaries["issuer"].append({"told": "broken", "traceback": "why", "reference": ""})


def _journal(case: Case, statement: str) -> None:
    file = case.stores.file("issuer")
    assert file is not None
    with sqlite3.connect(file) as connection:
        assert connection.execute(statement).rowcount > 0


def _skip_nonce(case: Case) -> None:
    _journal(case, "UPDATE transactions SET nonce = nonce + 5 WHERE nonce > 2")


def _believe_dead(case: Case) -> None:
    _journal(case, "UPDATE transactions SET state = 3")


def _leave_open(case: Case) -> None:
    _journal(case, "UPDATE transactions SET state = 0")


def _never_finish(case: Case) -> None:
    _journal(case, "UPDATE writes SET state = 1")


def _believe_done_by_another(case: Case) -> None:
    _journal(case, "UPDATE writes SET transaction_hash = '0x' WHERE state = 4")


def _sign_twice(case: Case) -> None:
    _journal(case, "UPDATE transactions SET write = (SELECT min(write) FROM transactions)")


SPOILT: list[tuple[str, Spoil]] = [
    ("never", _lose_effect),
    ("twice", _double_effect),
    ("unordered", _invent_effect),
    ("other", _change_amount),
    ("refused", _let_refused_happen),
    ("told", _tell_written_elsewhere),
    ("told", _tell_settled_without_effect),
    ("told", _tell_settled_in_another_block),
    ("told", _tell_absent_before_effect),
    ("early", _tell_final_too_early),
    ("conflict", _tell_conflict),
    ("broken", _break),
    ("nonces", _skip_nonce),
    ("journal", _believe_dead),
    ("journal", _leave_open),
    ("journal", _never_finish),
    ("journal", _believe_done_by_another),
    ("payloads", _sign_twice),
]


def spoil_in_turn(folder: Path) -> dict[str, set[str]]:
    """What the checker finds in each spoilt case, by the way it was spoilt; `` is unspoilt."""
    found: dict[str, set[str]] = {}
    storm = Storm(_quiet_plan(), build_ground("anvil", folder / "ground"), folder / "quiet", None)

    def look(remains: object, node: object) -> list[Finding]:
        file = storm.stores.file("issuer")
        assert file is not None
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole = file.read_bytes()
        for name, spoil in [("", lambda _: None), *((each.__name__, each) for _, each in SPOILT)]:
            case = open_case(remains, node)  # type: ignore[arg-type]
            spoil(case)
            found[name] = _rules_of(case)
            for each in file.parent.glob(f"{file.name}*"):
                each.unlink()
            file.write_bytes(whole)
        found["no canary"] = set(find_canaries(storm.plan, storm.folder, storm.stores))
        (storm.folder / "issuer.log").write_text(keys()["issuer"].hex().upper())
        found["canary"] = set(find_canaries(storm.plan, storm.folder, storm.stores))
        # Nothing of it stays: the whole run is searched for such keys as well.
        (storm.folder / "issuer.log").unlink()
        return []

    storm.run(look)
    return found
