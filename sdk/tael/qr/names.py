"""Names from strangers: show them safely, and tell a merchant's name from its imitation.

A name in a code is written by whoever printed the code. The Directory vouches for a hash of the
real one, so nothing here decides whom to pay; it decides what a person gets to see.

Source: Unicode UTS 39 (confusable skeletons, restriction levels) and UAX 15 (normalization).
"""

from __future__ import annotations

import html
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from tael.errors import InvalidInputError
from tael.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "compute_name_hash",
    "compute_skeleton",
    "escape",
    "escape_html",
    "find_look_alike",
    "find_name_danger",
    "list_imitated_names",
]

MERCHANT_ID_BYTES = 32

# Format characters that scripts need and which change nothing but the shape of their neighbours.
_JOINERS = {"\u200c", "\u200d"}
_JOINING_SCRIPTS = {"ARABIC", "DEVANAGARI", "BENGALI", "SINHALA", "MALAYALAM", "KHMER", "MYANMAR"}
# UTS 39 5.2, "highly restrictive": what one writing system combines by custom.
_CUSTOMARY_MIXES = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)
_NO_SCRIPT = {"COMMON", "INHERITED"}
# Blank, yet a letter or mark for Unicode: Hangul fillers, combining grapheme joiner, Khmer vowels,
# braille blank.
_BLANKS = {"\u034f", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u2800", "\u3164", "\uffa0"}
_MAX_MARKS_IN_A_ROW = 3


def escape(text: str) -> str:
    r"""Make every character that hides, reorders or controls visible, for terminals and logs.

    Args:
        text: Any text.

    Returns:
        The same text with control, format, separator, unassigned and surrogate characters as
        ``\u{...}`` and the backslash doubled, so that the result is unambiguous and one line.

    Example:
        >>> escape("pay\u202etxt")
        'pay\\u{202e}txt'
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_escape_character(character) for character in text)


def escape_html(text: str) -> str:
    """Make ``text`` safe inside an HTML element or a quoted attribute, hidden characters shown.

    Args:
        text: Any text.

    Returns:
        Text without markup.
    """
    return html.escape(escape(text), quote=True)


def show(text: str, limit: int = 40) -> str:
    """Quote a piece of untrusted text in a message: escaped and cut."""
    return escape(text if len(text) <= limit else text[:limit] + "…")


def compute_name_hash(merchant_id: bytes, name: str) -> bytes:
    """The hash by which the Directory vouches for a merchant's name without storing it.

    Args:
        merchant_id: The merchant's 32 bytes.
        name: The name; equivalent spellings are brought to Unicode NFC first.

    Returns:
        keccak256(merchant id, then the name in UTF-8), 32 bytes.

    Raises:
        InvalidInputError: The merchant id is not 32 bytes or the name is no valid text.
    """
    if len(merchant_id) != MERCHANT_ID_BYTES:
        raise InvalidInputError("A merchant id has 32 bytes; pass it as the Directory gives it.")
    try:
        encoded = unicodedata.normalize("NFC", name).encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError("The name has half a character in it; type it anew.") from error
    return keccak(merchant_id + encoded)


def find_name_danger(name: str) -> str | None:
    """Say why a name must not be shown as it is, without knowing any other name.

    Args:
        name: A merchant's name.

    Returns:
        The reason, or None for a name that hides nothing: no control or direction-changing
        characters, nothing invisible, no letters of scripts that are never written together, no
        compatibility forms and no towers of combining marks.
    """
    scripts = _list_scripts(name)
    marks = 0
    for character in name:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if character in _JOINERS and scripts & _JOINING_SCRIPTS:
            continue
        if character in _BLANKS or (category[0] == "C" and category != "Co"):
            return f"a hidden or direction-changing character, {_escape_character(character)}"
        if category in {"Co", "Zl", "Zp"}:
            return f"a character without a fixed meaning, {_escape_character(character)}"
        if marks > _MAX_MARKS_IN_A_ROW:
            return "a pile of combining marks"
    if len(scripts) > 1 and not any(scripts <= mix for mix in _CUSTOMARY_MIXES):
        return f"letters of scripts not written together: {', '.join(sorted(scripts)).lower()}"
    if any(_is_compatibility_letter(character) for character in name):
        return "letters in a compatibility form that look like plain ones"
    return None


def compute_skeleton(name: str) -> str:
    """Reduce a name to what the eye sees: two names with one skeleton look alike.

    Args:
        name: Any name.

    Returns:
        A text for comparison only, never for display: hidden characters and accents dropped,
        confusable characters replaced by one of them, case folded.
    """
    # Before folding (I and l, 0 and O look alike only in their own case) and after each folding.
    seen = _replace_confusables(_drop_hidden(name))
    seen = _replace_confusables(_drop_hidden(unicodedata.normalize("NFKC", seen)))
    seen = _replace_confusables(seen.casefold())
    return " ".join(seen.split())


def find_look_alike(name: str, known_names: Iterable[str]) -> str | None:
    """Find a different name that this one could be taken for, before it is registered or shown.

    Args:
        name: The candidate.
        known_names: Names already vouched for.

    Returns:
        The first known name with the same skeleton that is not the same name; else None.
    """
    skeleton = compute_skeleton(name)
    own = unicodedata.normalize("NFC", name)
    for known in known_names:
        if unicodedata.normalize("NFC", known) != own and compute_skeleton(known) == skeleton:
            return known
    return None


def list_imitated_names(name: str) -> tuple[str, ...]:
    """The plain names this one may imitate: hidden characters gone, foreign letters made Latin.

    Args:
        name: A name the Directory does not vouch for.

    Returns:
        Candidates that differ from the name, most literal first; each is worth one hash.
    """
    plain = unicodedata.normalize("NFKC", name)
    visible = _drop_hidden(plain)
    # From the original: compatibility folding turns some imitations into other letters.
    latin = "".join(_to_latin(character) for character in _drop_hidden(name))
    latin = unicodedata.normalize("NFKC", latin)
    candidates = (plain, visible, " ".join(visible.split()), latin, " ".join(latin.split()))
    own = unicodedata.normalize("NFC", name)
    return tuple(dict.fromkeys(c for c in candidates if c and c != own))


def _escape_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    hidden = unicodedata.category(character)[0] == "C" or character in _BLANKS
    separator = unicodedata.category(character)[0] == "Z" and character not in {" ", "\u3000"}
    return f"\\u{{{ord(character):x}}}" if hidden or separator else character


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me"}


def _is_compatibility_letter(character: str) -> bool:
    # Half- and full-width forms are everyday Japanese and Chinese, but not for Latin letters.
    folded = unicodedata.normalize("NFKC", character)
    return folded != character and folded.isascii() and folded.isalnum()


def _drop_hidden(text: str) -> str:
    return "".join(
        c for c in text if c not in _BLANKS and (unicodedata.category(c)[0] != "C" or c == " ")
    )


def _replace_confusables(text: str) -> str:
    bare = (c for c in unicodedata.normalize("NFD", text) if not _is_mark(c))
    prototypes = _load_prototypes()
    return "".join(prototypes.get(character, character) for character in bare)


def _list_scripts(text: str) -> set[str]:
    from confusable_homoglyphs import categories

    found = {str(categories.alias(character)) for character in set(text)}
    return found - _NO_SCRIPT - {"None", "UNKNOWN"}


def _to_latin(character: str) -> str:
    if character.isascii():
        return character
    prototype = _load_prototypes().get(character, character)
    if prototype.isascii():
        return prototype.upper() if character.isupper() else prototype
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


@lru_cache(maxsize=1)
def _load_prototypes() -> dict[str, str]:
    """Map each confusable character to the prototype of its group.

    The package keeps Unicode's table as pairs in both directions. The prototype of a pair is the
    plain ASCII side, then the longer one (m looks like rn), then the one more characters point to.
    """
    from confusable_homoglyphs import confusables

    pairs: dict[str, set[str]] = {}
    for key, entries in confusables.confusables_data.items():
        # The table carries direction marks around right-to-left characters, for printing.
        pairs.setdefault(key, set()).update(entry["c"].strip("\u200e") for entry in entries)

    def rank(text: str) -> tuple[bool, bool, int, int]:
        return text.isascii(), len(text) > 1, len(pairs.get(text, ())), -ord(text[0])

    prototypes: dict[str, str] = {}
    for character, others in pairs.items():
        best = max(others, key=rank)
        if len(character) == 1 and rank(best) > rank(character):
            prototypes[character] = best
    return prototypes
