"""The root of the command line: which commands there are, imported when they are called."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from tael.cli.command import root
from tael.cli.failures import ExitCode, UsageError
from tael.cli.help import Command, Group
from tael.cli.output import Output
from tael.cli.watching import log_as_asked

# typer carries its own copy of click since 0.24, and exports none of its bases.
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]

__all__ = ["COMMANDS", "Entry", "build", "load", "run"]

PROGRAM = "tael"
COMPLETE_VARIABLE = "_TAEL_COMPLETE"
HELP = "Interbank settlement on an Ethereum-compatible chain, and the codes that lead to it."
MAX_HELP_WIDTH = 100
EPILOG = (
    "Exit codes: 0 done, 1 refused by chain or state, 2 wrong input or settings, 3 node "
    "unavailable, 4 outcome unknown, 130 interrupted."
)

_SET_UP = "Set up and watch"
_PARTICIPANTS = "Participants and balances"
_ENTRIES = "Merchants, cards and codes"
_PAYMENTS = "Payments"
_BOOKS = "Books"


@dataclass(frozen=True)
class Entry:
    """One word after `tael`.

    Args:
        name: The word.
        module: Of `tael.cli.commands`, with an `app` that has the command.
        panel: Where help lists it.
        help: What help says in a line; the command itself says the same.
        is_group: Whether the module's whole app is meant, and not the command of this name in it.
    """

    name: str
    module: str
    panel: str
    help: str
    is_group: bool = False


COMMANDS: tuple[Entry, ...] = (
    Entry("deploy", "deploying", _SET_UP, "Deploy the contracts, or finish a deployment."),
    Entry("verify", "deploying", _SET_UP, "Compare what is on the chain with plan and manifest."),
    Entry("devnet", "running", _SET_UP, "Run a local chain with everything deployed."),
    Entry("keeper", "running", _SET_UP, "Reclaim what was never captured, again and again."),
    Entry(
        "index",
        "index",
        _SET_UP,
        "Index the events into a database, and prove it.",
        is_group=True,
    ),
    Entry("watch", "watch", _SET_UP, "Print events as they are indexed, each at least once."),
    Entry(
        "webhooks",
        "webhooks",
        _SET_UP,
        "Post the events, signed, to whoever has to act on them.",
        is_group=True,
    ),
    Entry("doctor", "doctor", _SET_UP, "Say what is wrong with the environment."),
    Entry("completion", "completion", _SET_UP, "Print the script that completes words in a shell."),
    Entry(
        "participant",
        "participant",
        _PARTICIPANTS,
        "Admit banks, suspend, reinstate and close them.",
        is_group=True,
    ),
    Entry("balance", "balances", _PARTICIPANTS, "Show balances: available, held and in all."),
    Entry("attest", "balances", _PARTICIPANTS, "Attest the reserve that issues are held against."),
    Entry("issue", "balances", _PARTICIPANTS, "Issue money to a participant."),
    Entry("redeem", "balances", _PARTICIPANTS, "Give money back for reserve money."),
    Entry("transfer", "balances", _PARTICIPANTS, "Pay another participant."),
    Entry(
        "merchant",
        "merchant",
        _ENTRIES,
        "Register merchants and set what they accept.",
        is_group=True,
    ),
    Entry("card", "card", _ENTRIES, "Open, limit and block cards.", is_group=True),
    Entry("qr", "qr", _ENTRIES, "Make and read payment codes; no network needed.", is_group=True),
    Entry("pay", "pay", _PAYMENTS, "Scan a code, check it, sign as the card, authorize."),
    Entry("capture", "payments", _PAYMENTS, "Pay the acquirer out of the hold."),
    Entry("void", "payments", _PAYMENTS, "Give the hold back to the issuer."),
    Entry(
        "reclaim", "payments", _PAYMENTS, "Give back to the issuer what was not captured in time."
    ),
    Entry("refund", "payments", _PAYMENTS, "Pay back what was captured."),
    Entry("status", "payments", _PAYMENTS, "Show a payment: totals, deadlines, what may be done."),
    Entry(
        "resolve",
        "outcomes",
        _PAYMENTS,
        "Say what became of a write, by its reference, and what that rests on.",
    ),
    Entry(
        "resume",
        "outcomes",
        _PAYMENTS,
        "Finish what was in flight when a process ended, and say what became of it.",
    ),
    Entry("statement", "books", _BOOKS, "Write a statement whose every line proves itself."),
    Entry("reconcile", "books", _BOOKS, "Compare your own list of payments with the chain."),
)


class LazyGroup(Group):
    """A group that imports a command when it is called; help shows what `COMMANDS` says."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, as typer does, and load it."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if placeholder is None:
            return name, placeholder, rest
        entry = next(each for each in COMMANDS if each.name == placeholder.name)
        return name, load(entry), rest


def load(entry: Entry) -> Any:
    """Import a command."""
    app: typer.Typer = import_module(f"tael.cli.commands.{entry.module}").app
    found: Any = typer.main.get_command(app)
    if not entry.is_group:
        found = getattr(found, "commands", {entry.name: found})[entry.name]
    found.name = entry.name
    return found


def build() -> Any:
    """The whole command line as typer's command, its parts not imported yet."""
    app = typer.Typer(
        cls=LazyGroup,
        no_args_is_help=True,
        epilog=EPILOG,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": MAX_HELP_WIDTH},
    )
    app.callback(help=HELP)(root)
    if COMPLETE_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    group: Any = typer.main.get_group(app)
    for entry in COMMANDS:
        placeholder = Command(entry.name, help=entry.help, rich_help_panel=entry.panel)
        group.add_command(placeholder, entry.name)
    return group


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; nothing is raised."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Closed by whoever started us: what is said goes nowhere, and nobody answers.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape instead of a failure.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    output = Output(as_json="--json" in words)
    stop_logging = None
    try:
        stop_logging = log_as_asked()
        code = build().main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except _ClickException as error:
        return _usage(error, output)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - shown, with an exit code
        return output.failure(error)
    finally:
        if stop_logging is not None:
            stop_logging()
    return int(code or 0)


def _usage(error: Any, output: Output) -> int:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        # Its making has printed the help, unless the help is its message.
        output.text(message)
        return ExitCode.INVALID
    context = getattr(error, "ctx", None)
    where = f" [{context.command_path}]" if context is not None else ""
    sentence = message if message.endswith("?") else f"{message.rstrip('.')}."
    return output.failure(UsageError(f"{sentence.replace('?.', '?')}{where}"))
