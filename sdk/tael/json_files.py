"""Reading JSON files that somebody else may have written: bounded before anything is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_OPENINGS = 400
"""Most arrays and objects in one file: a parser runs out of stack on many more nested ones."""


def read_json(path: Path, *, max_bytes: int) -> Any:
    """Parse a JSON file.

    Args:
        path: The file.
        max_bytes: A larger file is refused.

    Returns:
        What it says.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, too deep, or no JSON.
    """
    with path.open("rb") as opened:
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError("it is too large")
    if content.count(b"[") + content.count(b"{") > MAX_OPENINGS:
        raise ValueError("it has too many parts")
    return json.loads(content)
