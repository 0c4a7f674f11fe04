"""Runs the repository's scripts away from the caller's settings."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def environment(tmp_path, **variables):
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith("TAEL_") or k == "TAEL_TEST_NODE"
    }
    return {**kept, "NO_COLOR": "1", "COLUMNS": "300", **variables}


def run(*command, cwd, env, check=True):
    result = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def script(name, *arguments):
    return (sys.executable, str(ROOT / "scripts" / name), *arguments)
