"""`tael doctor`: what is wrong with the environment, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tael.cli.checks import LOOKS, Check
from tael.cli.command import Needs, command, group
from tael.cli.failures import ExitCode, describe
from tael.cli.session import Session
from tael.errors import TaelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.text import Text

app = group("Doctor.")

_MARKS = {"ok": ("✓ ok", "green"), "warn": ("! warn", "yellow"), "fail": ("✗ fail", "bold red")}


@command(app, "doctor", needs=Needs.KEY)
def doctor(session: Session) -> int:
    """Say what is wrong with the environment."""
    output = session.output
    checks: list[Check] = []
    with output.working("looking around"):
        for name, look in LOOKS.items():
            checks += _looked(name, look, session)
    count = {word: sum(each.status == word for each in checks) for word in _MARKS}
    document = {
        "ok": not count["fail"],
        "checks": [each.to_dict() for each in checks],
        "counts": count,
    }
    rows = [[_mark(session, each), each.name, each.found, each.what_now] for each in checks]
    verdict = f"{count['ok']} ok, {count['warn']} warnings, {count['fail']} failures"
    style = "bold red" if count["fail"] else "yellow" if count["warn"] else "green"
    output.result(
        document,
        [output.table(["", "CHECK", "FOUND", "WHAT TO DO"], rows), output.styled(verdict, style)],
        bare=verdict,
    )
    return ExitCode.REFUSED if count["fail"] else ExitCode.OK


def _looked(
    name: str, look: Callable[[Session], Iterator[Check]], session: Session
) -> Iterator[Check]:
    """What a look finds; what it stumbles over is a finding too."""
    try:
        yield from look(session)
    except TaelError as error:
        failure = describe(error)
        yield Check(name, "fail", failure.message, failure.what_now)


def _mark(session: Session, check: Check) -> Text:
    words, style = _MARKS[check.status]
    mark: Any = session.output.styled(words, style)
    return mark  # type: ignore[no-any-return]
