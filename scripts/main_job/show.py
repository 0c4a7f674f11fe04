"""Progress for whoever watches: bars and colours on a terminal, plain lines everywhere else."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

PLAIN_STEPS = 4
_AMOUNT = re.compile(r"(?<![\w.,])([0-9]{4,})(?=\.[0-9]{2,3}(?![\w]))", re.ASCII)


def grouped(text: object) -> str:
    """Text with the thousands of its amounts apart."""
    return _AMOUNT.sub(lambda found: f"{int(found[1]):,}", str(text))


class Progress:
    """Counts what is done; several threads may."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._guard = threading.Lock()

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        with self._guard:
            self.done += count
            self._shown()

    def _shown(self) -> None:
        """Tell whoever watches; nobody does here."""


class _BarProgress(Progress):
    def __init__(self, total: int, bars: rich.progress.Progress, label: str) -> None:
        super().__init__(total)
        self._bars = bars
        self._task = bars.add_task(escape(label), total=total)

    def _shown(self) -> None:
        self._bars.update(self._task, completed=self.done)


class _LineProgress(Progress):
    def __init__(self, total: int, show: Show, label: str) -> None:
        super().__init__(total)
        self._show = show
        self._label = label
        self._told = 0

    def _shown(self) -> None:
        step = self.done * PLAIN_STEPS // self.total if self.total else PLAIN_STEPS
        if step > self._told:
            self._told = step
            self._show.line(f"{self._label}: {self.done:,} of {self.total:,}")


class Show:
    """Writes to standard output.

    Args:
        is_terminal: Whether to draw; None asks standard output.
    """

    def __init__(self, is_terminal: bool | None = None) -> None:
        self.is_terminal = sys.stdout.isatty() if is_terminal is None else is_terminal
        self._console = Console(highlight=False, soft_wrap=True, force_terminal=self.is_terminal)
        self._started = time.monotonic()
        self._act = 0

    def act(self, title: str) -> None:
        """A new part begins."""
        self._act += 1
        seconds = time.monotonic() - self._started
        self._console.print(f"\n[bold]{self._act}  {escape(title)}[/bold]  [dim]{seconds:.0f} s[/]")

    def line(self, text: str) -> None:
        """One thing that happened."""
        self._console.print("   " + escape(grouped(text)))

    def refused(self, title: str, name: str) -> None:
        """One thing that was refused, as it must be."""
        self._console.print(f"   {escape(grouped(title))}: [red]{escape(name)}[/red]")

    def proved(self, claim: str, value: str, holds: bool) -> None:
        """One thing that was checked, and what it comes to."""
        mark = "[green]ok[/green]    " if holds else "[bold red]FAILED[/bold red]"
        self._console.print(f"   {mark} {escape(claim)}: [dim]{escape(grouped(value))}[/dim]")

    @contextmanager
    def progress(self, total: int, *labels: str) -> Iterator[list[Progress]]:
        """Count things that take a while, each label's up to the same total."""
        if not self.is_terminal:
            yield [_LineProgress(total, self, label) for label in labels]
            return
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with rich.progress.Progress(*columns, console=self._console) as bars:
            yield [_BarProgress(total, bars, label) for label in labels]

    def last(self, text: str) -> None:
        """The closing line, with nothing after it."""
        self._console.print()
        # Not through the console: whoever reads the last line gets it whole and unadorned.
        print(text, flush=True)
