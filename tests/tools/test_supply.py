"""What is installed is what was reviewed: by version and hash, and no script of a package runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.threat("S33")

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_python_package_is_pinned_by_hash(lock: Path) -> None:
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    entries = [entry for entry in entries if entry.strip() and not entry.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==[^ ]+ ", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
        assert "://" not in entry


def test_every_npm_package_is_pinned_by_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    own = json.loads((ROOT / "package.json").read_text())
    for wanted in (own.get("dependencies", {}), own.get("devDependencies", {})):
        for version in wanted.values():
            assert re.fullmatch(r"\d+\.\d+\.\d+(-[\w.-]+)?", version)
    for name, package in packages.items():
        # What a package brings along in its own archive is under that one's hash.
        if name and not package.get("inBundle"):
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def test_setup_takes_nothing_without_its_hash_and_runs_no_script_of_a_package() -> None:
    setup = (ROOT / "scripts" / "setup").read_text()
    installs = [line for line in setup.splitlines() if re.search(r"\$install |pip install", line)]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line or "install=" in line, line
    assert "npm ci --ignore-scripts" in setup
