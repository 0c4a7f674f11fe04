"""Start a local chain with everything deployed and funded, until Ctrl-C: `tael devnet`."""

from __future__ import annotations

import sys

from tael.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["devnet", *sys.argv[1:]]))
