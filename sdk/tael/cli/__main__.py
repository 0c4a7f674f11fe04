"""`python -m tael.cli`, where the script `tael` is not on PATH."""

from tael.cli import main

raise SystemExit(main())
