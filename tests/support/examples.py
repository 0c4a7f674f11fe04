"""The examples of the pages, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(page: str, names: dict[str, object]) -> int:
    """Run a page's examples; returns how many there are."""
    text = (DOCS / page).read_text()
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for number, example in enumerate(examples, start=1):
        exec(compile(example, f"docs/{page}, example {number}", "exec"), names)  # noqa: S102
    return len(examples)
