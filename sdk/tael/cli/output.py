"""What a command prints: tables for people, JSON for programs, never both.

Results go to standard output; progress, notes and errors for people go to standard error. Colour
and spinners appear on a terminal only.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tael.cli.failures import (
    DEBUG_VARIABLE,
    ExitCode,
    OutputError,
    UsageError,
    describe,
    output_failure,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["Output", "printable", "silence_output"]

# Piped text is read by programs and pagers that wrap by themselves.
_PIPE_WIDTH = 200


class Output:
    """Where one command's results and notes go.

    Args:
        as_json: Results are JSON, one object a line, and nothing else is printed.
        quiet: Only the bare result.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._consoles: dict[bool, Console] = {}

    # Results

    def result(
        self,
        document: Mapping[str, Any],
        human: RenderableType | Iterable[RenderableType] | None = None,
        *,
        bare: str = "",
    ) -> None:
        """Print one result.

        Args:
            document: For programs; amounts in minor units, times in Unix seconds.
            human: What people see; several are printed one below the other.
            bare: The one line that `--quiet` leaves of it; empty leaves nothing.
        """
        if self.as_json:
            self.json(document)
        elif self.quiet:
            if bare:
                self.text(bare)
        elif human is not None:
            parts = [human] if isinstance(human, str) or not isinstance(human, Iterable) else human
            for part in parts:
                self._print(part)

    def json(self, document: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own, at once: a reader may be waiting for it."""
        # ASCII only: what a stranger's code says must not steer a terminal.
        self.text(json.dumps(document, separators=(", ", ": ")))

    def text(self, line: str) -> None:
        """Print a line as it is.

        Raises:
            BrokenPipeError: Whoever read it has gone.
            OSError: It could not be written.
        """
        print(line, flush=True)

    # Beside results

    def note(self, message: str) -> None:
        """Tell a person something that is no result."""
        if not (self.as_json or self.quiet):
            self._console(error=True).print(printable(message), style="dim", soft_wrap=True)

    def warn(self, message: str) -> None:
        """Tell a person something that should not be missed."""
        if not self.as_json:
            from rich.text import Text

            words = Text("warning: ", style="yellow").append(printable(message), style="default")
            self._console(error=True).print(words, soft_wrap=True)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show that something takes a while."""
        console = self._console(error=True)
        if self.as_json or self.quiet or not console.is_terminal:
            yield
            return
        with console.status(printable(what), spinner="dots"):
            yield

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something that cannot be taken back.

        Args:
            question: What is going to happen.
            yes: Answered beforehand, by `--yes`.

        Raises:
            UsageError: There is nobody to ask.
        """
        if yes:
            return True
        if self.as_json or not sys.stdin.isatty():
            raise UsageError(f"{question} Nobody is there to answer; add --yes to go on.")
        sys.stderr.write(f"{printable(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    # For people

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """A table; a column whose title ends in `>` is aligned to the right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for title in columns:
            right = title.endswith(">")
            table.add_column(
                title.rstrip(">"), justify="right" if right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(
                *(each if isinstance(each, Text) else printable(str(each)) for each in row)
            )
        return table

    def facts(self, pairs: Iterable[tuple[str, object]]) -> Table:
        """Names and values, one pair a line; values that are None are left out."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value is not None:
                table.add_row(
                    name, value if isinstance(value, Text) else Text(printable(str(value)))
                )
        return table

    def styled(self, text: str, style: str) -> RenderableType:
        """A line, or a cell, in a colour that a pipe does not get."""
        from rich.text import Text

        return Text(printable(text), style=style)

    def failure(self, error: BaseException) -> ExitCode:
        """Tell of an error, to a person or a program.

        Returns:
            The exit code that fits.
        """
        if os.environ.get(DEBUG_VARIABLE) == "1":
            traceback.print_exception(error, file=sys.stderr)
        error = output_failure(error) or error
        failure = describe(error)
        if isinstance(error, OutputError):
            # Nothing more goes there, and the interpreter must not complain when it flushes.
            silence_output()
        elif self.as_json:
            self.json(failure.to_dict())
            return failure.exit_code
        lines = [(f"error: {failure.message}", "bold red")]
        if failure.what_now:
            lines.append((f"  now: {failure.what_now}", ""))
        lines.append((f" code: {failure.code}", "dim"))
        self.error(lines)
        return failure.exit_code

    def error(self, lines: Sequence[tuple[str, str]]) -> None:
        """Print lines with their styles on standard error."""
        from rich.text import Text

        for text, style in lines:
            self._console(error=True).print(Text(printable(text), style=style), soft_wrap=True)

    def _print(self, part: RenderableType) -> None:
        console = self._console()
        if isinstance(part, str):
            # As it is: whoever copies a code must not get line breaks into it.
            self.text(part)
            return
        with console.capture() as captured:
            console.print(part)
        # Tables pad their last column, which a pipe and a pasted text have no use for.
        self.text("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))

    def _console(self, *, error: bool = False) -> Console:
        if error not in self._consoles:
            from rich.console import Console

            stream = sys.stderr if error else sys.stdout
            width = None
            if not stream.isatty():
                named = os.environ.get("COLUMNS", "")
                width = int(named) if re.fullmatch("[1-9][0-9]{0,3}", named) else _PIPE_WIDTH
            self._consoles[error] = Console(
                file=stream, width=width, highlight=False, markup=False, emoji=False
            )
        return self._consoles[error]


def silence_output() -> None:
    """Send standard output nowhere from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Text without anything that could steer a terminal or hide what it says."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
