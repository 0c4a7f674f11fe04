"""What is written steers no terminal; a full disk or a closed stream is told of or harmless."""

import contextlib
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tael.cli.failures import ExitCode
from tael.cli.output import printable
from tests.support.cli_runner import PROGRAM


@pytest.mark.parametrize("words", [("qr", "read", "x"), ("qr", "read", "x", "--json"), ("--help",)])
def test_output_that_cannot_be_written_is_told_when_the_disk_is_full(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == ExitCode.DEFECT
    assert done.stderr.splitlines()[-1] == " code: output_failed"


def test_closed_streams_do_no_harm():
    for closed in ("<&-", ">&-", "2>&-"):
        words = " ".join([*PROGRAM, "qr", "read", "x", "--lines", "-", closed])
        done = subprocess.run(["/bin/sh", "-c", words], capture_output=True, text=True, input="")
        assert done.returncode == 2, closed
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 北京", "plain 北京"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("a\u202eb\u200b", "a\\u202eb\\u200b"),
        ("a\r\nb", "a\\u000d\nb"),
    ],
)
def test_text_cannot_steer_a_terminal(text, shown):
    assert printable(text) == shown


def test_error_message_is_made_printable(tael):
    result = tael("qr", "read", "x", "--lines", "no\x1b[31mfile")
    assert "\x1b" not in result.err
    assert result.code == 2


def test_colours_appear_on_a_terminal_only(acting, world, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    tael = acting("issuer")

    def on_terminal(*words):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*PROGRAM, *words], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65_536):
                said += piece
        os.close(ours)
        assert process.wait(60) == 0
        return said

    words = ("participant", "status", world.address("issuer"))
    assert b"\x1b[32mactive" in on_terminal(*words)
    assert "\x1b" not in tael(*words).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b[32m" not in on_terminal(*words)
