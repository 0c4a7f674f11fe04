"""The README's quickstart does what it says, in a folder where nothing is prepared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_quickstart_runs_when_pasted(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (tmp_path / "pay.py").write_text(program, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TAEL_")}
    done = subprocess.run(
        [sys.executable, "pay.py"],
        cwd=tmp_path,
        env={**clean, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["50.00 CNY to Tea House", "50.00 CNY captured"]
    # Whoever tries it out finds nothing left behind but the picture.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bill.png", "pay.py"]


def test_every_page_that_is_named_is_there() -> None:
    pages = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(pages) >= 10
    assert [page for page in pages if not (ROOT / page).exists()] == []
