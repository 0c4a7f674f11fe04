"""The main job, run as a user runs it: it ends well, leaves what it says, and Ctrl-C ends it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tael import file_lock, qr

ROOT = Path(__file__).resolve().parents[2]
LAST_LINE = re.compile(r"^([\d,]+) payments settled, every book balances \(\d+ s\)$")


def start(output: Path, node: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "scripts/demo.py", "--node", node, "--output", str(output)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("node", ["anvil", "ganache"])
def test_demo_settles_and_balances(tmp_path: Path, node: str) -> None:
    process = start(tmp_path / "demo", node)
    printed = process.communicate(timeout=600)[0]
    assert process.returncode == 0, printed[-4_000:]
    found = LAST_LINE.match(printed.strip().splitlines()[-1])
    assert found is not None, printed[-500:]
    assert int(found[1].replace(",", "")) >= 2_000
    counted = re.findall(r"^ +(Payments \w+|Merchants.*): ([\d,]+) of ([\d,]+)$", printed, re.M)
    last = {label: (done, total) for label, done, total in counted}
    assert last == {
        "Merchants and cards registered": ("466", "466"),
        "Payments authorized": ("2,000", "2,000"),
        "Payments captured": ("2,000", "2,000"),
    }

    report = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in report or "<svg" in report
    assert not re.search(r"(?:src|href)=[\"']?https?:", report)
    statements = sorted((tmp_path / "demo" / "statements").glob("*.json"))
    assert len(statements) == 8
    banks = {"Nine Rivers Bank", "Bank of Jinshan", "Victoria Peak Bank", "Lion Rock Bank"}
    found_banks = set()
    for path in statements:
        made = json.loads(path.read_text(encoding="utf-8"))
        found_banks.add(made["name"])
        assert f"statements/{path.stem}.html" in report
        assert len(made["lines"]) == made["movements"] > 300
        assert made["lines"][-1]["balance_minor"] == made["closing"]["balance_minor"]
        assert {line["counterparty_name"] for line in made["lines"]} <= banks | {""}
        assert all(line["reference"] for line in made["lines"] if line["kind"] == "authorize")
        rows = list(csv.DictReader(path.with_suffix(".csv").read_text().splitlines()))
        assert len(rows) == made["movements"]
        assert made["lines"][-1]["transaction_hash"] == rows[-1]["transaction_hash"]
        page = path.with_suffix(".html").read_text(encoding="utf-8")
        assert page.count('<tr class="moved">') == made["movements"]
    assert found_banks == banks
    images = list((tmp_path / "demo" / "qr").rglob("*.png"))
    assert images
    for image in images[:5]:
        assert qr.read_image(image)


def test_demo_is_refused_when_another_run_writes_to_the_same_folder(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    (output / "qr").mkdir(parents=True)
    (output / "qr" / "till.png").touch()
    refusal = "held by the test"
    with file_lock.hold(output / ".lock", refusal=refusal):
        process = start(output, "anvil")
        printed = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "another run writes into" in printed
    assert "--output" in printed
    assert "Traceback" not in printed
    assert list(output.rglob("*")) == [output / "qr", output / "qr" / "till.png"]


def test_demo_ends_quietly_when_interrupted_while_it_starts(tmp_path: Path) -> None:
    process = start(tmp_path / "demo", "anvil")
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    printed = process.communicate(timeout=60)[0]
    assert (process.returncode, printed.strip()) == (130, "demo: interrupted")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_its_node_when_interrupted(tmp_path: Path, ending: signal.Signals) -> None:
    process = start(tmp_path / "demo", "anvil")
    assert process.stdout is not None
    assert any("banks admitted" in line for line in process.stdout)
    os.kill(process.pid, ending)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 130, printed[-2_000:]
    assert "Traceback" not in printed
    # The node lives in the demo's session, or has ended with it.
    listed = subprocess.run(
        ["ps", "-eo", "sess=,args="], capture_output=True, text=True, check=True
    ).stdout
    left = [line for line in listed.splitlines() if line.split(None, 1)[0] == str(process.pid)]
    assert left == []
