"""Telling of mutants: the score of every file, and each survivor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from scripts.mutation_tools.making import CONTRACTS, Mutant, targets
from scripts.mutation_tools.suite import SUITE

REVIEWED = SUITE / "equivalent_mutants.json"


def reviewed() -> dict[tuple[str, str, str], str]:
    """Why a survivor is no fault, by file, line as it is, and line as changed."""
    entries = json.loads(REVIEWED.read_text()) if REVIEWED.is_file() else []
    return {(each["file"], each["before"], each["after"]): each["reason"] for each in entries}


def page(
    mutants: Sequence[Mutant], verdicts: Mapping[str, str], generated: Mapping[str, int], how: str
) -> tuple[str, float]:
    """Return the text of the report and the score, in percent, over all files."""
    reasons, parts_of = reviewed(), targets()
    rows: dict[str, dict[str, int]] = {}
    survivors: list[Mutant] = []
    excused: list[Mutant] = []
    for mutant in mutants:
        row = rows.setdefault(
            mutant.file,
            {"tested": 0, "invalid": 0, "same": 0, "excused": 0, "killed": 0, "alive": 0},
        )
        row["tested"] += 1
        verdict = verdicts[mutant.key]
        if verdict != "survived":
            row[verdict] += 1
        elif mutant.place in reasons:
            row["excused"] += 1
            excused.append(mutant)
        else:
            row["alive"] += 1
            survivors.append(mutant)
    lines = [
        "# Mutation tests",
        "",
        "Written by `make mutants`; do not edit. How it works: `scripts/mutants.py`.",
        "",
        how,
        "",
        "The score is killed / (killed + survived). Not counted: mutants that do not compile,",
        "that give the shipped bytecode, and that were reviewed and found to do the same as the",
        "contract (listed below).",
        "",
        "| file | mutants | tested | do not compile | same code | reviewed as equal | killed "
        "| survived | score |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for file, row in sorted(rows.items()):
        lines.append(_row(file.removeprefix("contracts/"), generated[file], row))
    for contract in CONTRACTS[1:]:
        parts = [row for file, row in rows.items() if contract in parts_of[file]]
        total = sum(count for file, count in generated.items() if contract in parts_of[file])
        if parts:
            lines.append(_row(f"**{contract}** with its parts", total, _sum(parts)))
    everything = _sum(rows.values())
    lines.append(_row("**all**", sum(generated.values()), everything))
    lines += ["", "## Survivors", ""]
    lines += [_entry(mutant) for mutant in survivors] or ["None."]
    lines += ["", "## Reviewed as equal", ""]
    lines += [f"{_entry(mutant)} {reasons[mutant.place]}" for mutant in excused] or ["None."]
    return "\n".join(lines) + "\n", _score(everything)


def _sum(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            total[name] = total.get(name, 0) + value
    return total


def _score(row: Mapping[str, int]) -> float:
    judged = row.get("killed", 0) + row.get("alive", 0)
    return 100.0 * row.get("killed", 0) / judged if judged else 100.0


def _row(name: str, generated: int, row: Mapping[str, int]) -> str:
    values = [generated, *(row[each] for each in ("tested", "invalid", "same", "excused"))]
    values += [row["killed"], row["alive"]]
    return f"| {name} | {' | '.join(map(str, values))} | {_score(row):.1f} % |"


def _entry(mutant: Mutant) -> str:
    name = mutant.file.removeprefix("contracts/")
    return f"- {name}:{mutant.line} ({mutant.operator}): `{mutant.before}` became `{mutant.after}`."
