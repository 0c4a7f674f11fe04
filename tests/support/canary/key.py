"""The canary: a private key, and every form in which it could be told from other text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

# Made here, so that no source file and no traceback that shows source lines has it.
KEY = hashlib.sha256(b"the canary of the tests").digest()

_put_to_use = False


def put_to_use() -> bytes:
    """The key, for somebody who signs with it; from now on it is looked for."""
    global _put_to_use
    _put_to_use = True
    return KEY


def is_in_use() -> bool:
    """Whether anybody has the key."""
    return _put_to_use


def _aligned(encode: Callable[[bytes], bytes], shift: int) -> bytes:
    """Base64 of the key inside other bytes: only the characters that are the key's alone."""
    text = encode(bytes(shift) + KEY + bytes(3))
    # A character has six bits; one that also has a neighbour's is left out.
    return text[-(-shift * 8 // 6) : (shift + len(KEY)) * 8 // 6]


FORMS: dict[str, bytes] = {
    "decimal": str(int.from_bytes(KEY, "big")).encode(),
    "decimal, little end first": str(int.from_bytes(KEY, "little")).encode(),
    "base64": _aligned(base64.b64encode, 0),
    "base64 for URLs": _aligned(base64.urlsafe_b64encode, 0),
    "base64 one byte in": _aligned(base64.b64encode, 1),
    "base64 two bytes in": _aligned(base64.b64encode, 2),
    "base64 for URLs one byte in": _aligned(base64.urlsafe_b64encode, 1),
    "base64 for URLs two bytes in": _aligned(base64.urlsafe_b64encode, 2),
    "base32": base64.b32encode(KEY).rstrip(b"="),
    "base85": base64.b85encode(KEY),
    "repr of bytes": repr(KEY)[2:-1].encode(),
    "list of numbers": repr(list(KEY))[1:-1].encode(),
    "list of numbers, close together": repr(list(KEY))[1:-1].replace(" ", "").encode(),
    "raw bytes": KEY,
}
"""What is looked for as it stands."""

HEX_FORMS: dict[str, bytes] = {
    "hexadecimal": KEY.hex().encode(),
    "hexadecimal, little end first": KEY[::-1].hex().encode(),
    "hexadecimal with colons": KEY.hex(":").encode(),
    "hexadecimal with spaces": KEY.hex(" ").encode(),
    "hexadecimal in UTF-16": KEY.hex().encode("utf-16-le"),
}
"""What is looked for in lower case: with 0x or without, in any case of letters."""

LONGEST = max(map(len, [*FORMS.values(), *HEX_FORMS.values()]))


def find(content: str | bytes) -> list[str]:
    """The forms in which the key is in something; none if it is not."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    lower = data.lower()
    return [
        *(name for name, form in FORMS.items() if form in data),
        *(name for name, form in HEX_FORMS.items() if form in lower),
    ]
