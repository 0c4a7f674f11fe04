"""Help as plain text in sections: drawing it with rich costs as much time as all the rest."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "Group"]

_MAX_NAME_COLUMN = 34


class _Sections:
    """Writes options and commands under the titles that their panels name."""

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        """Arguments, options by panel, then commands by panel."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                title = (
                    "Arguments"
                    if is_argument
                    else getattr(parameter, "rich_help_panel", None) or "Options"
                )
                sections.setdefault(title, []).append(record)
        commands: dict[str, list[tuple[str, str]]] = {}
        for name, each in getattr(self, "commands", {}).items():
            line = (each.help or "").split("\n", 1)[0]
            commands.setdefault(getattr(each, "rich_help_panel", None) or "Commands", []).append(
                (name, line)
            )
        # What all commands share comes last.
        first = [title for title in ("Arguments", "Options") if title in sections]
        titles = [*first, *(title for title in sections if title not in first)]
        for title, records in [
            *commands.items(),
            *((title, sections[title]) for title in titles),
        ]:
            with formatter.section(_bold(title)):
                formatter.write_dl(records, col_max=_MAX_NAME_COLUMN)


class Command(_Sections, TyperCommand):
    """A command whose help is plain text."""


class Group(_Sections, TyperGroup):
    """A group whose help is plain text."""


def _bold(title: str) -> str:
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(title, bold=True) if is_coloured else title
