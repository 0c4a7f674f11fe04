"""What a reader noticed: refused at once, refused only when strict, or worth a warning."""

from __future__ import annotations

from dataclasses import dataclass, field

from tael.errors import MalformedCodeError, NonConformingCodeError

__all__ = ["CodeWarning", "Findings"]


@dataclass(frozen=True)
class CodeWarning:
    """Something a careful reader should know about a code it could read.

    Args:
        code: Stable snake_case name of the finding.
        object_id: The data object, nested ones with a dot: ``62.09``; empty for the whole code.
        message: The same for a person.
    """

    code: str
    object_id: str
    message: str


@dataclass
class Findings:
    """Collects findings while one code is read.

    Args:
        strict: Whether a defect refuses the code instead of leaving a warning.
    """

    strict: bool
    warnings: list[CodeWarning] = field(default_factory=list)

    def note(self, code: str, object_id: str, message: str) -> None:
        """Warn in both modes: sound for EMVCo, yet the caller should know."""
        self.warnings.append(CodeWarning(code, object_id, message))

    def defect(self, code: str, object_id: str, message: str) -> None:
        """Refuse when strict, warn otherwise: outside the rules, but not ambiguous."""
        if self.strict:
            raise NonConformingCodeError(
                f"{_at(object_id)}{message}. Ask for a conforming code, or read it leniently."
            )
        self.note(code, object_id, message)


def refuse(object_id: str, message: str) -> MalformedCodeError:
    """The refusal of both modes: what stands there cannot be trusted to mean one thing."""
    return MalformedCodeError(f"{_at(object_id)}{message}. Scan again or ask for a new code.")


def _at(object_id: str) -> str:
    return f"Data object {object_id}: " if object_id else ""
