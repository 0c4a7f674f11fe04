"""Help says what there is, and so does docs/cli.md; what is said wrongly is refused."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tael.cli import app
from tael.cli.failures import ExitCode
from tests.support.cli_runner import PROGRAM

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def every_command():
    for entry in app.COMMANDS:
        loaded = app.load(entry)
        if entry.is_group:
            for name, each in loaded.commands.items():
                yield (entry.name, name), each
        else:
            yield (entry.name,), loaded


COMMANDS = dict(every_command())


# Help


def test_help_answers_fast_when_asked_for():
    def spent():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time: what else the machine does must not decide.
    assert min(spent() for _ in range(5)) < 0.3


def test_help_loads_nothing_heavy_when_asked_for():
    code = (
        "import sys; from tael.cli import main; main(['--help']); "
        "print('LOADED', [m for m in ('web3', 'eth_account', 'brownie', 'segno', 'rich', "
        "'dotenv') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n")


def test_help_lists_every_command_when_asked_for(tael):
    result = tael("--help")
    assert result.code == 0
    for entry in app.COMMANDS:
        assert re.search(rf"^  {entry.name} +{re.escape(entry.help)}$", result.out, re.M)


def test_help_says_the_same_before_and_after_loading():
    for entry in app.COMMANDS:
        assert app.load(entry).help.startswith(entry.help), entry.name


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_explains_every_option_when_a_command_is_asked(tael, words):
    result = tael(*words, "--help")
    assert result.code == 0
    assert "--json" in result.out
    assert "--quiet" in result.out
    for parameter in COMMANDS[words].params:
        assert parameter.help, f"{words} {parameter.name}"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_option_takes_a_secret(words):
    secret = {"--key", "--private-key", "--password", "--mnemonic", "--secret", "--card-key"}
    for parameter in COMMANDS[words].params:
        assert not secret & set(parameter.opts)


def test_version_is_shown_when_asked_for(tael):
    import tael as package

    assert tael("--version").out == f"tael {package.__version__}\n"


@pytest.mark.parametrize("words", [(), ("qr",), ("participant",)])
def test_help_is_shown_when_nothing_else_is_said(tael, words):
    result = tael(*words)
    assert result.code == ExitCode.INVALID
    assert result.out.startswith("Usage: tael")


# Usage


def test_command_is_refused_when_unknown(tael):
    result = tael("blance")
    assert (result.code, result.out) == (2, "")
    assert "No such command 'blance'. Did you mean 'balance'? [tael]" in result.err
    assert result.err.count("\n") == 3


def test_usage_error_is_json_when_json_is_asked_for(tael):
    error = tael.json("issue", "--nonsense", code=2)["error"]
    assert error["code"] == "usage"
    assert "--nonsense" in error["message"]


@pytest.mark.parametrize("before", [True, False])
def test_shared_options_count_before_and_behind_the_command(tael, before):
    words = ["--json", "qr", "read", "x"] if before else ["qr", "read", "x", "--json"]
    result = tael(*words)
    assert json.loads(result.out)["error"]["code"] == "qr_not_payment"


def test_json_of_a_payload_is_no_option_when_it_stands_behind_two_dashes(tael):
    result = tael("qr", "read", "--nonsense", "--", "--json")
    assert result.err.startswith("error: No such option")


# The page


def test_page_names_every_command_option_and_exit_code():
    page = DOCS.read_text()
    for words in COMMANDS:
        assert f"`{' '.join(words)}`" in page, words
    for each in ExitCode:
        assert re.search(rf"^\| {int(each)} \|", page, re.M), each
    for name in set(re.findall(r"TAEL_[A-Z_]+[A-Z]", " ".join(
        parameter.help or "" for each in COMMANDS.values() for parameter in each.params
    ))):  # fmt: skip
        assert f"`{name}`" in page, name
