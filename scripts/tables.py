"""The tables that say what the contracts do: docs/statuses.md, docs/payments.md and docs/verbs.md.

The rows in `rules/` are the single source of the first two: tests/contracts tries every cell on a
chain. The third shows the rows of `tael.contracts`. A function that is added to a contract must be
added to both, or a test fails.
"""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Found only now when this file is run as a script.
from scripts.rules.payments import DIRECTORY, MOMENTS, TRANSITIONS, VERBS  # noqa: E402
from scripts.rules.statuses import ALLOWED, IMPOSSIBLE, NO_PARTY, STATES, STATUSES  # noqa: E402
from tael.contracts.registry import REGISTRY  # noqa: E402
from tael.contracts.verbs import SetsState, VerbRow  # noqa: E402


def statuses_document() -> str:
    """Return the text of docs/statuses.md."""
    lines = [
        "# Which function does what in which state",
        "",
        "<!-- Written by scripts/tables.py; tried by tests/contracts/test_statuses.py. -->",
        "",
        "Every function that can change something, of every contract, in every state that stops "
        "something. `yes` goes",
        "through, a name is the error it is refused with, `-` means that the call has no such "
        "party. `never` cannot",
        "occur: an account of which anything is held cannot be closed. The debtor is the account "
        "that pays, or whose",
        "entry it is; the creditor is the account that is paid. For the functions of a module, "
        "`module cut off` is about",
        "the module that calls; for the escrow's verbs, about the escrow in the currency of the "
        "payment.",
        "",
        "The rule behind the table: a pause stops new obligations, a suspension stops spending, a "
        "closure stops new",
        "credits, and what is owed already is paid whatever happens.",
    ]
    for contract in ("SettlementToken", "PaymentEscrow"):
        lines += ["", f"## {contract}", ""]
        header = ["function", "debtor", "creditor", *STATES.values()]
        rows = [
            [
                f"`{row.function}`" + (f" ({row.variant})" if row.variant else ""),
                row.debtor or "-",
                row.creditor or "-",
                *(_cell(row.cells[state]) for state in STATES),
            ]
            for row in STATUSES
            if row.contract == contract
        ]
        lines += _table(header, rows)
    return "\n".join(lines) + "\n"


def payments_document() -> str:
    """Return the text of docs/payments.md."""
    lines = [
        "# Payments: who may call what, when, and what each refusal is called",
        "",
        "<!-- Written by scripts/tables.py; tried by tests/contracts/test_payments.py. -->",
        "",
        "A payment's id is the EIP-712 digest of its terms. Totals are cumulative, in minor units: "
        "a repeated capture, void",
        "or refund is refused by name and never pays twice. Every refusal carries the values it "
        "compared; the interfaces",
        "have them. All times are Unix seconds; *before* means strictly before.",
        "",
        "## Verbs",
        "",
    ]
    header = ["verb", "who may call", "when", "from which state", "effect"]
    lines += _table(
        header, [[f"`{v.function}`", v.caller, v.when, v.state, v.effect] for v in VERBS]
    )
    lines += [
        "",
        "What nobody can do: the issuer cannot take an authorized amount back before "
        "`captureBefore`; capture and reclaim",
        "are never possible at the same moment; the same terms are never opened twice.",
        "",
        "## Refusals",
        "",
        "In the order of the checks: the first that applies is the one reported. A batch reverts "
        "as a whole only for the",
        "errors in the second column; for those in the third it reports the item with "
        "`PaymentSkipped` and goes on.",
        "",
    ]
    lines += _table(
        ["verb", "the call is refused with", "an item is skipped with"],
        [[f"`{v.function}`", _names(v.refusals), _names(v.skips)] for v in VERBS],
    )
    lines += [
        "",
        "## States",
        "",
        "What each verb does when asked for as much as there is: capture of all that was not "
        "voided, void of all that was",
        "not captured, refund of all that was captured.",
        "",
    ]
    verbs = list(next(iter(TRANSITIONS.values())))
    lines += _table(
        ["payment", *(f"`{verb}`" for verb in verbs)],
        [
            [state, *(_by_time(outcomes[verb]) for verb in verbs)]
            for state, outcomes in TRANSITIONS.items()
        ],
    )
    lines += ["", "## The Directory", ""]
    lines += _table(
        ["verb", "who may call", "effect", "refused with"],
        [[f"`{v.function}`", v.caller, v.effect, _names(v.refusals)] for v in DIRECTORY],
    )
    return "\n".join(lines) + "\n"


def verbs_document() -> str:
    """Return the text of docs/verbs.md."""
    lines = [
        "# What the package knows of each function",
        "",
        "<!-- Written by scripts/tables.py from sdk/tael/contracts; held to the ABIs by "
        "tests/sdk/test_registry.py. -->",
        "",
        "Every function that changes something, of every contract. `sent by` is the method of a "
        "`Client` and the command;",
        "a dash means that it is called some other way: by wallets, by modules, or through "
        "`operations`. `known by` is what",
        "shows on the chain that it took effect: an event under the reference's own key, or only "
        "the state that it sets. A",
        "list's gas limit grows with its entries; `asked` means that a node is. How to add one: "
        "[extending.md](extending.md).",
    ]
    for kind in REGISTRY:
        lines += ["", f"## {kind.name}", ""]
        lines += _table(
            ["function", "sent by", "known by", "gas limit", "delegate", "role"],
            [
                [
                    f"`{row.function}`",
                    _sent_by(row),
                    _known_by(row),
                    _gas(row),
                    "-" if row.delegate is None else f"`{row.delegate.name}`",
                    "-" if row.role is None else f"`{row.role}`",
                ]
                for row in kind.verbs
            ],
        )
    return "\n".join(lines) + "\n"


def _sent_by(row: VerbRow) -> str:
    if row.service is None:
        return "-"
    return f"`{row.service}`" + ("" if row.command is None else f", `tael {row.command}`")


def _known_by(row: VerbRow) -> str:
    if row.effect is None:
        return "-"
    if isinstance(row.effect, SetsState):
        return "its state"
    events = " or ".join(f"`{event.__name__}`" for event in row.effect.events)
    return events if row.effect.total is None else f"{events}, by its total"


def _gas(row: VerbRow) -> str:
    if row.gas is None:
        return "-" if row.service is None else "asked"
    each = f" + {row.gas.each:,} each" if row.gas.each else ""
    return f"{row.gas.fixed:,}{each}"


def _cell(value: str) -> str:
    if value == ALLOWED:
        return "yes"
    if value == NO_PARTY:
        return "-"
    return "never" if value == IMPOSSIBLE else f"`{value}`"


def _names(errors: tuple[str, ...]) -> str:
    return ", ".join(f"`{error}`" for error in errors) or "-"


def _by_time(outcomes: dict[str, str]) -> str:
    parts = []
    for outcome, moments in groupby(outcomes, key=lambda moment: outcomes[moment]):
        first = next(moments)
        said = "yes" if outcome == ALLOWED else f"`{outcome}`"
        parts.append(said if first == "open" else f"{MOMENTS[first]}: {said}")
    return "; ".join(parts)


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join('---' for _ in header)} |"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def documents(root: Path = ROOT) -> dict[Path, str]:
    """Return the text of each document by its path."""
    return {
        root / "docs" / "statuses.md": statuses_document(),
        root / "docs" / "payments.md": payments_document(),
        root / "docs" / "verbs.md": verbs_document(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description="Write docs/statuses.md, docs/payments.md and docs/verbs.md."
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail when they are out of date"
    )
    options = parser.parse_args(arguments)
    stale = [
        path
        for path, text in documents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if options.check:
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in stale)
        if stale:
            print(f"out of date, run scripts/tables.py: {names}", file=sys.stderr)
        return 1 if stale else 0
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
