"""Makes functions commands: shared options, one way to fail, one way to be interrupted."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from tael.cli.failures import ExitCode
from tael.cli.help import Command, Group
from tael.cli.output import Output, silence_output
from tael.cli.session import DEFAULT_WAIT, KeySource, Options, Session
from tael.cli.values import seconds

__all__ = [
    "AmountArgument",
    "CurrencyArgument",
    "Needs",
    "YesOption",
    "command",
    "group",
    "root",
]

_SHARED = "Shared options"

_Json = Annotated[
    bool, typer.Option("--json", help="Print JSON, one object a line.", rich_help_panel=_SHARED)
]
_Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the bare result alone.", rich_help_panel=_SHARED),
]
_RpcUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The node's JSON-RPC; several with commas between them. [TAEL_RPC_URL]",
        rich_help_panel=_SHARED,
    ),
]
_Manifest = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What is deployed. [TAEL_MANIFEST, else deployments/<chain id>.json]",
        rich_help_panel=_SHARED,
    ),
]
_Network = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Use this network's variables, as in TAEL_NETWORK_SEPOLIA_URL.",
        rich_help_panel=_SHARED,
    ),
]
_EnvFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Settings behind the environment's. [.env]", rich_help_panel=_SHARED
    ),
]
_KeyEnv = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Variable that holds the key. [TAEL_KEY]", rich_help_panel=_SHARED
    ),
]
_KeyFd = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Read the key from this descriptor.", rich_help_panel=_SHARED
    ),
]
_Keystore = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Sign with an encrypted keystore. [TAEL_KEYSTORE]",
        rich_help_panel=_SHARED,
    ),
]
_PasswordFd = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Read the keystore's password from this descriptor. [TAEL_KEYSTORE_PASSWORD(_FILE)]",
        rich_help_panel=_SHARED,
    ),
]
_Participant = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ADDRESS",
        help="The participant that the key acts for as a delegate. [TAEL_PARTICIPANT]",
        rich_help_panel=_SHARED,
    ),
]
_Reference = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Your reference, 1 to 35 characters: the same again never acts twice.",
    ),
]
_Wait = Annotated[
    str,
    typer.Option(
        metavar="SPAN",
        help="How long to wait for the block, as in 90s or 5m.",
        rich_help_panel=_SHARED,
    ),
]

AmountArgument = Annotated[
    str, typer.Argument(metavar="AMOUNT", help="In major units, as in 12.34.")
]
CurrencyArgument = Annotated[
    str, typer.Argument(metavar="CURRENCY", help="ISO 4217 letters, as in CNY.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


_UNSAID = (None, False)


class Needs(enum.IntEnum):
    """What a command works with; each has what those before it have."""

    NOTHING = 0
    SETTINGS = 1
    KEY = 2
    REFERENCE = 3


_OPTIONS: tuple[tuple[Needs, str, Any, Any], ...] = (
    (Needs.REFERENCE, "reference", _Reference, None),
    (Needs.REFERENCE, "wait", _Wait, DEFAULT_WAIT),
    (Needs.KEY, "key_env", _KeyEnv, None),
    (Needs.KEY, "key_fd", _KeyFd, None),
    (Needs.KEY, "keystore", _Keystore, None),
    (Needs.KEY, "password_fd", _PasswordFd, None),
    (Needs.KEY, "act_as", _Participant, None),
    (Needs.SETTINGS, "rpc_url", _RpcUrl, None),
    (Needs.SETTINGS, "manifest", _Manifest, None),
    (Needs.SETTINGS, "network", _Network, None),
    (Needs.SETTINGS, "env_file", _EnvFile, None),
    (Needs.NOTHING, "as_json", _Json, False),
    (Needs.NOTHING, "quiet", _Quiet, False),
)


def group(help_text: str) -> typer.Typer:
    """A group of commands; alone, its name shows help."""
    return typer.Typer(
        cls=Group,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )


def command(
    app: typer.Typer, name: str, *, needs: Needs = Needs.SETTINGS
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Register a function as a command.

    The function takes a `Session` first and the command's own options after it. What it returns is
    the exit code; what it raises is shown, and gives the exit code that fits.

    Args:
        app: Where to.
        name: The command's word.
        needs: Which shared options it takes.
    """

    def register(function: Callable[..., int | None]) -> Callable[..., int | None]:
        shared = [each for each in _OPTIONS if each[0] <= needs]
        hints = get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())[1:]

        @wraps(function)
        def run(context: typer.Context, **values: Any) -> None:
            given = {parameter: values.pop(parameter) for _, parameter, _, _ in shared}
            raise typer.Exit(_run(function, _options(context, given), values))

        parameters = [
            inspect.Parameter(
                "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
            ),
            *(
                each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
                for each in own
            ),
            *(
                inspect.Parameter(
                    parameter,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=annotation,
                )
                for _, parameter, annotation, default in shared
            ),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        del run.__wrapped__
        app.command(name, cls=Command)(run)
        return function

    return register


def _show_version(wanted: bool) -> None:
    if wanted:
        import tael

        Output().text(f"tael {tael.__version__}")
        raise typer.Exit()


def root(
    as_json: _Json = False,
    quiet: _Quiet = False,
    rpc_url: _RpcUrl = None,
    manifest: _Manifest = None,
    network: _Network = None,
    env_file: _EnvFile = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the shared options that may also stand before a command's name; see `_options`."""


def _options(context: typer.Context, given: dict[str, Any]) -> dict[str, Any]:
    """What stands behind the command's name wins over what stands before it."""
    before: dict[str, Any] = context.find_root().params
    behind = {
        name: value for name, value in given.items() if value is not None and value is not False
    }
    names = {parameter for _, parameter, _, _ in _OPTIONS}
    return {**{name: value for name, value in before.items() if name in names}, **behind}


def _run(function: Callable[..., int | None], given: dict[str, Any], values: dict[str, Any]) -> int:
    options = Options(as_json=given.get("as_json", False), quiet=given.get("quiet", False))
    session = Session(options)
    try:
        key = KeySource(
            given.get("key_env"),
            given.get("key_fd"),
            given.get("keystore"),
            given.get("password_fd"),
        )
        session = Session(
            Options(
                as_json=options.as_json,
                quiet=options.quiet,
                rpc_url=given.get("rpc_url"),
                manifest=given.get("manifest"),
                network=given.get("network") or "",
                env_file=given.get("env_file"),
                key=key,
                participant=given.get("act_as"),
                reference=given.get("reference"),
                wait_seconds=seconds(given.get("wait") or DEFAULT_WAIT, name="--wait"),
            ),
            session.output,
        )
        return function(session, **values) or 0
    except typer.Exit:
        raise
    except BrokenPipeError:
        # Whoever read us has enough; the interpreter must not complain when it flushes.
        silence_output()
        return ExitCode.OUTPUT_CLOSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - shown, with an exit code
        return session.output.failure(error)
    finally:
        session.close()
