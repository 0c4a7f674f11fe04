"""Run the main job on a local chain: `make demo`, or `python scripts/demo.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

# Started as a file, Python looks for modules beside it, not in the checkout.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

INTERRUPTED = 130


def main() -> int:
    """Run the main job."""
    try:
        # Inside, so that an impatient Ctrl-C during the import is met too.
        from scripts.main_job.job import main as run

        return run()
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
