"""How a command fails: what happened, what to do now, a stable code, and an exit code."""

from __future__ import annotations

import enum
import errno
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael import errors
from tael.errors import InvalidInputError, TaelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ExitCode",
    "Failure",
    "InterruptionError",
    "OutputError",
    "UsageError",
    "describe",
    "output_failure",
]

DEBUG_VARIABLE = "TAEL_DEBUG"

# A private key looks like this; so does an id, which loses nothing by being shortened here.
_KEY_LIKE = re.compile(r"(?:0x)?[0-9a-fA-F]{64}", re.ASCII)


class ExitCode(enum.IntEnum):
    """What a process that runs `tael` is told."""

    OK = 0
    REFUSED = 1
    """Refused by the chain, a contract or the present state; or a check found something wrong."""
    INVALID = 2
    """Wrong words, values, files or settings; nothing was sent. Also a code that was refused."""
    NODE_UNAVAILABLE = 3
    """The node did not answer; nothing was changed."""
    OUTCOME_UNKNOWN = 4
    """It was sent, and nobody knows yet whether it is in a block."""
    DEFECT = 70
    """Something in this program went wrong, or its result could not be written."""
    INTERRUPTED = 130
    """Ctrl-C."""
    OUTPUT_CLOSED = 141
    """Whoever read the output closed it, as `head` does."""


class UsageError(InvalidInputError):
    """The words after `tael` do not go together: see `--help`."""

    code = "usage"


class InterruptionError(TaelError):
    """Somebody pressed Ctrl-C.

    Args:
        message: What happened, and what is known of a write under way.
        what_now: What to do.
        details: More for programs.
    """

    code = "interrupted"

    def __init__(
        self, message: str, what_now: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.what_now = what_now
        self.details = dict(details or {})


class OutputError(TaelError):
    """The result could not be written where it should go: make room, then look at what is there."""

    code = "output_failed"


@dataclass(frozen=True)
class Failure:
    """A failure, ready to be shown.

    Args:
        code: Stable, for programs.
        message: What happened.
        what_now: What to do.
        exit_code: Of the process.
        details: More for programs.
    """

    code: str
    message: str
    what_now: str
    exit_code: ExitCode
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        named = {"code": self.code, "message": self.message, "what_now": self.what_now}
        return {"error": {**named, **self.details}}


# Files that a command reads are met where they are read; these come from its own output.
_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EBADF})

_NOTHING_SENT = "Nothing was sent. Correct it and run the command again."

# The first class that fits counts, so the narrower ones stand first.
_REACTIONS: tuple[tuple[type[TaelError], ExitCode, str], ...] = (
    (InterruptionError, ExitCode.INTERRUPTED, ""),
    (UsageError, ExitCode.INVALID, "Nothing was sent. Add --help to see what the command takes."),
    (errors.QrError, ExitCode.INVALID, "Nothing was sent. Do not pay this code."),
    (errors.InvalidInputError, ExitCode.INVALID, _NOTHING_SENT),
    (errors.MissingExtraError, ExitCode.INVALID, "Install the extra, then run the command again."),
    (
        errors.SigningKeyError,
        ExitCode.INVALID,
        "Nothing was signed. A key comes from TAEL_KEY, --key-env, --key-fd or --keystore.",
    ),
    (
        errors.ConfigurationError,
        ExitCode.INVALID,
        "Nothing was sent. `tael doctor` shows what does not fit.",
    ),
    (
        errors.NodeUnavailableError,
        ExitCode.NODE_UNAVAILABLE,
        "Nothing was changed. Check the node (`tael doctor`), then run the same command again.",
    ),
    (
        errors.OutcomeUnknownError,
        ExitCode.OUTCOME_UNKNOWN,
        "Do not use another reference. The same command with the same reference finds the first "
        "result instead of acting twice.",
    ),
    (
        errors.TransactionRefusedError,
        ExitCode.REFUSED,
        "It is on no chain. Mend the cause, then run the same command again.",
    ),
    (errors.NotPermittedError, ExitCode.REFUSED, "Use the account that may, or have it permitted."),
    (errors.AlreadyDoneError, ExitCode.REFUSED, "Read what is there; do not send it again."),
    (errors.WrongStateError, ExitCode.REFUSED, "Look at the present state, then decide."),
    (errors.WrongTimeError, ExitCode.REFUSED, "Wait, or make new terms."),
    (errors.InsufficientFundsError, ExitCode.REFUSED, "Provide the funds and run it again."),
    (errors.LimitExceededError, ExitCode.REFUSED, "Ask for less, or have the limit raised."),
    (errors.TermsRefusedError, ExitCode.REFUSED, "Make terms and signatures anew."),
    (errors.ContractRevertedError, ExitCode.REFUSED, "Do not repeat it; report it."),
    (
        errors.NodeStartError,
        ExitCode.NODE_UNAVAILABLE,
        "`tael doctor` shows which node programs are there.",
    ),
    (
        errors.NodeError,
        ExitCode.NODE_UNAVAILABLE,
        "Check the node, then run the same command again.",
    ),
    (
        errors.IdempotencyConflictError,
        ExitCode.REFUSED,
        "Nothing was sent. Use a new reference for a new order.",
    ),
    (
        errors.AlreadyRunningError,
        ExitCode.REFUSED,
        "Nothing was done. Wait until the other process has ended, then run it again.",
    ),
    (
        OutputError,
        ExitCode.DEFECT,
        "Make room, then run the same command with the same reference again.",
    ),
    (TaelError, ExitCode.REFUSED, "Look at the present state, then decide."),
)


def output_failure(error: BaseException) -> OutputError | None:
    """The error of a result that could not be written; None if this is another."""
    if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS:
        return OutputError(
            f"The result could not be written: {error.strerror}. What was sent was sent."
        )
    return None


def describe(error: BaseException) -> Failure:
    """What to show of an error; never more of an unforeseen one than where it happened."""
    if isinstance(error, TaelError):
        return _describe(error)
    if isinstance(error, KeyboardInterrupt):
        return _describe(InterruptionError("Interrupted; nothing was being sent."))
    return Failure(
        "internal_error",
        # Its message may quote anything, a secret among it.
        f"{type(error).__name__} in {_place(error)}: a defect of this program.",
        f"If something was sent, look at it first. Report this; {DEBUG_VARIABLE}=1 shows more.",
        ExitCode.DEFECT,
    )


def shorten_keys(text: str) -> str:
    """Text in which whatever could be a private key is cut short."""
    return _KEY_LIKE.sub(lambda match: f"{match[0][:6]}…", text)


def _describe(error: TaelError) -> Failure:
    exit_code, what_now = next(
        (exit_code, words) for kind, exit_code, words in _REACTIONS if isinstance(error, kind)
    )
    message, details = error.message, dict[str, Any]()
    if isinstance(error, errors.ContractRevertedError):
        if error.what_now:
            what_now = error.what_now
            message = message.replace(f" {what_now}", "", 1)
        details = {"name": error.name, "arguments": _plain(error.arguments)}
        details["transaction_hash"] = error.transaction_hash
    elif isinstance(error, InterruptionError):
        what_now, details = error.what_now, error.details
    elif isinstance(error, errors.OutcomeUnknownError):
        details = {"transaction_hash": error.transaction_hash, "reference": error.reference}
    elif isinstance(error, errors.TransactionRefusedError) and error.transaction_hash:
        details = {"transaction_hash": error.transaction_hash}
    if isinstance(error, UsageError):
        message = shorten_keys(message)
    return Failure(error.code, message, what_now, exit_code, details)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: "0x" + value.hex() if isinstance(value, bytes) else value
        for key, value in values.items()
        if isinstance(value, (bytes, str, int))
    }


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "tael" in Path(each.filename).parts]
    if not (ours or frames):
        return "an unknown place"
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
