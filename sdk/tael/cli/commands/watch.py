"""`tael watch`: events as they come, from where the same name stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tael.cli.command import command, group
from tael.cli.commands.index import PollOption, StoreOption, open_store
from tael.cli.failures import ExitCode, UsageError
from tael.cli.session import Session
from tael.cli.stopping import stopping
from tael.cli.values import seconds, shown_time

if TYPE_CHECKING:
    from tael.index import Subscription

app = group("Watching.")

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Of the cursor: the same name goes on where it stopped."),
]
FinalOption = Annotated[bool, typer.Option("--final", help="Leave out what can still be undone.")]
KindOption = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="NAME", help="Only these, as in PaymentCaptured."),
]
FromBlockOption = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Begin with this block, whatever was read before."),
]
OnceOption = Annotated[bool, typer.Option("--once", help="Read what is there, and end.")]


def subscription(
    session: Session,
    name: str,
    store: str | None,
    *,
    final: bool,
    kinds: list[str] | None,
    from_block: int | None,
) -> Subscription:
    """What a name reads.

    Raises:
        UsageError: There is no such event.
    """
    from tael import events as ev
    from tael.index import Index, Subscription

    known = {kind.__name__ for kind in ev.declared()}
    unknown = [each for each in kinds or () if each not in known]
    if unknown:
        names = ", ".join(sorted(known))
        raise UsageError(f"There is no event {unknown[0][:60]}; there are {names}.")
    found = Subscription(
        Index(open_store(session, store), session.manifest),
        name,
        final_only=final,
        kinds=[each for each in ev.declared() if each.__name__ in kinds] if kinds else None,
    )
    if from_block is not None:
        found.restart(from_block)
    return found


@command(app, "watch")
def watch(
    session: Session,
    name: NameArgument,
    final: FinalOption = False,
    kinds: KindOption = None,
    from_block: FromBlockOption = None,
    once: OnceOption = False,
    store: StoreOption = None,
    poll: PollOption = "1s",
) -> int:
    """Print events as they are indexed, each at least once."""
    from tael.index import event_document

    pause = seconds(poll, name="--poll")
    reading = subscription(session, name, store, final=final, kinds=kinds, from_block=from_block)
    output, chain_id = session.output, session.manifest.chain_id
    with stopping() as stopped:
        for delivery in reading.follow(None if once else stopped, poll_seconds=pause):
            document = event_document(delivery, chain_id)
            output.result(document, _line(document), bare=document["id"])
    return ExitCode.OK


def _line(document: dict[str, Any]) -> str:
    at = shown_time(document["block_time"]).split(" · ", 1)[0]
    removed = "TAKEN BACK " if document["removed"] else ""
    values = " ".join(f"{name}={value}" for name, value in document["data"].items())
    return f"{at}  block {document['block_number']}  {removed}{document['type']}  {values}"
