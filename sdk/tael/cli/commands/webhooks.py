"""`tael webhooks`: events posted to a receiver, signed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from tael.cli.command import command, group
from tael.cli.commands.index import PollOption, StoreOption
from tael.cli.commands.watch import (
    FinalOption,
    FromBlockOption,
    KindOption,
    NameArgument,
    OnceOption,
    subscription,
)
from tael.cli.failures import ExitCode
from tael.cli.session import Session
from tael.cli.stopping import stopping
from tael.cli.values import seconds
from tael.errors import ConfigurationError

if TYPE_CHECKING:
    from tael.webhooks import Attempt

app = group("Post the events, signed, to whoever has to act on them.")

# A group of one command would be that command.
app.callback()(lambda: None)

SECRET_VARIABLE = "TAEL_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
NEXT_SECRET_VARIABLE = "TAEL_WEBHOOK_SECRET_NEXT"  # noqa: S105 - a variable's name
ONCE_ATTEMPTS = 3

_HEX_SECRET = re.compile(r"(?:[0-9a-fA-F]{2}){32,}", re.ASCII)


@command(app, "run")
def run(
    session: Session,
    name: NameArgument,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Where to; https.")],
    final: FinalOption = False,
    kinds: KindOption = None,
    from_block: FromBlockOption = None,
    once: OnceOption = False,
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=1_000, help="Most events in one request.")
    ] = 50,
    allow_network: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Not public, and yet allowed, as in 10.1.0.0/16."),
    ] = None,
    store: StoreOption = None,
    poll: PollOption = "1s",
) -> int:
    """Post events as they are indexed, each at least once, until Ctrl-C.

    Signed with the secret in TAEL_WEBHOOK_SECRET, and with the one in TAEL_WEBHOOK_SECRET_NEXT too
    while it is being renewed.
    """
    from tael.webhooks import Endpoint, Webhook, networks

    pause = seconds(poll, name="--poll")
    endpoint = Endpoint(url, _secrets(session), networks(allow_network or ()))
    reading = subscription(session, name, store, final=final, kinds=kinds, from_block=from_block)
    taken = 0

    def tell(attempt: Attempt) -> None:
        nonlocal taken
        if attempt.problem:
            session.output.warn(
                f"{attempt.problem}; {attempt.events} events again in {attempt.pause_seconds:.0f} s"
            )
        else:
            taken += attempt.events

    webhook = Webhook(reading, endpoint, batch_events=batch, tell=tell)
    with stopping() as stopped:
        done = webhook.run(
            None if once else stopped,
            poll_seconds=pause,
            max_attempts=ONCE_ATTEMPTS if once else None,
        )
    session.output.result(
        {"taken": taken, "complete": done}, f"{taken:,} events were taken", bare=str(taken)
    )
    return ExitCode.OK if done or not once else ExitCode.REFUSED


def _secrets(session: Session) -> list[bytes]:
    found = []
    for variable in (SECRET_VARIABLE, NEXT_SECRET_VARIABLE):
        text = session.variables.get(variable)
        if not text:
            continue
        if not _HEX_SECRET.fullmatch(text):
            raise ConfigurationError(
                f"{variable} is at least 64 hexadecimal digits, two a byte: make one with "
                "`python -c 'import secrets; print(secrets.token_hex(32))'`"
            )
        found.append(bytes.fromhex(text))
    if not found:
        raise ConfigurationError(f"set {SECRET_VARIABLE} to what the receiver checks with")
    return found
