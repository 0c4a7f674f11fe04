"""The frame of the command line: help, options, errors and exit codes, doctor, without a chain."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tael import errors
from tael.cli import app, values
from tael.cli.checks import machine
from tael.cli.commands import balances
from tael.cli.failures import ExitCode, describe
from tael.cli.output import printable
from tael.cli.session import KeySource
from tael.errors import InvalidInputError, TaelError
from tael.store import Store
from tests.sdk.cli_runner import PROGRAM

KEY = "0x" + "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture
def dead_url():
    """Nothing listens there: the port is taken and never accepts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


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


# Keys


@pytest.mark.threat("S19")
@pytest.mark.parametrize("given", [KEY, KEY[2:], KEY[2:].upper(), "a b", "é", ""])
def test_key_is_refused_and_not_repeated_when_given_as_a_name(tael, given):
    result = tael("balance", "--key-env", given)
    assert result.code == 2
    assert "name of the environment variable" in result.err
    assert KEY[2:20] not in (result.out + result.err).lower()


@pytest.mark.threat("S19")
def test_key_is_cut_short_when_given_as_an_argument(tael):
    result = tael("balance", "-c", "CNY", "--reference", KEY, KEY)
    assert result.code == 2
    assert KEY[10:] not in result.out + result.err


@pytest.mark.threat("S19")
@pytest.mark.parametrize("words", [("--json",), ()])
def test_key_is_not_shown_when_a_defect_quotes_it(tael, monkeypatch, words):
    def broken(*_):
        raise RuntimeError(f"cannot use {KEY}")

    monkeypatch.setattr(balances, "chosen", broken)
    result = tael("balance", ADDRESS, *words)
    assert result.code == ExitCode.DEFECT
    assert KEY[2:] not in result.out + result.err
    assert "Traceback" not in result.out + result.err
    assert "internal_error" in result.out + result.err
    assert "test_cli.py" in result.out + result.err or "balances.py" in result.out + result.err


def test_traceback_is_shown_when_debugging(tael, monkeypatch):
    def broken(*_):
        raise RuntimeError("why")

    monkeypatch.setattr(balances, "chosen", broken)
    result = tael.set(TAEL_DEBUG="1")("balance", ADDRESS)
    assert result.code == ExitCode.DEFECT
    assert "RuntimeError: why" in result.err


def test_key_source_is_refused_when_two_are_named():
    with pytest.raises(InvalidInputError, match="one place"):
        KeySource("A", 3)
    with pytest.raises(InvalidInputError, match="keystore too"):
        KeySource(password_descriptor=3)


def test_key_is_refused_when_the_descriptor_gives_none(tael):
    read_end, write_end = os.pipe()
    os.close(write_end)
    result = tael("balance", "--key-fd", str(read_end), "--manifest", "none.json")
    assert result.code == 2
    assert f"file descriptor {read_end} gives no line" in result.err


@pytest.mark.parametrize("number", ["4000", str(2**40), "9" * 30])
def test_key_is_refused_when_the_descriptor_is_none(tael, number):
    result = tael("balance", "--key-fd", number, "--manifest", "none.json")
    assert result.code == 2
    assert "gives no line" in result.err


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "localhost", " , "])
def test_node_is_refused_when_the_url_is_none(tael, url):
    for shown in (tael("verify", "--rpc-url", url), tael.set(TAEL_RPC_URL=url)("verify")):
        assert shown.code == 2
        assert "TAEL_RPC_URL" in shown.err
        assert " code: configuration" in shown.err


# Settings


def test_settings_are_refused_when_others_can_read_them(tael):
    file = tael.folder / ".env"
    file.write_text(f"TAEL_KEY={KEY}\n")
    file.chmod(0o644)
    result = tael("balance", ADDRESS)
    assert result.code == 2
    assert "chmod 600" in result.err
    assert KEY[2:] not in result.err
    assert " code: configuration" in result.err


def test_settings_are_refused_when_the_named_file_is_missing(tael):
    assert tael.json("balance", ADDRESS, "--env-file", "nope", code=2)["error"]["code"] == (
        "configuration"
    )


def test_manifest_is_refused_when_missing(tael, dead_url):
    result = tael("verify", "--manifest", "nope.json", "--rpc-url", dead_url)
    assert result.code == 2
    assert "there is no manifest nope.json" in result.err


# Exit codes


def leaves(kind=TaelError):
    for each in kind.__subclasses__():
        yield each
        yield from leaves(each)


def make(kind):
    if issubclass(kind, errors.OutcomeUnknownError):
        return kind("m", transaction_hash="0x1", reference="R")
    if issubclass(kind, errors.SeveralCodesError):
        return kind("m", ("a", "b"))
    if kind.__name__ == "NodeError":
        return kind("m", method="eth_x")
    return kind("m")


EXPECTED = {
    errors.ContractRevertedError: ExitCode.REFUSED,
    errors.TransactionRefusedError: ExitCode.REFUSED,
    errors.InvalidInputError: ExitCode.INVALID,
    errors.ConfigurationError: ExitCode.INVALID,
    errors.MissingExtraError: ExitCode.INVALID,
    errors.NodeUnavailableError: ExitCode.NODE_UNAVAILABLE,
    errors.NodeStartError: ExitCode.NODE_UNAVAILABLE,
    errors.NodeError: ExitCode.NODE_UNAVAILABLE,
    errors.OutcomeUnknownError: ExitCode.OUTCOME_UNKNOWN,
}


@pytest.mark.parametrize(
    "kind",
    [each for each in leaves() if each.__module__ == "tael.errors"],
    ids=lambda k: k.__name__,
)
def test_every_error_has_an_exit_code_and_a_reaction(kind):
    failure = describe(make(kind))
    base = next((each for each in EXPECTED if issubclass(kind, each)), None)
    assert failure.exit_code == (ExitCode.REFUSED if base is None else EXPECTED[base])
    assert failure.code == kind.code
    assert failure.what_now
    assert set(failure.to_dict()["error"]) >= {"code", "message", "what_now"}


def test_refusal_says_what_happened_and_what_now_apart():
    refusal = errors.WrongTimeError(
        "CaptureTooLate", {"id": b"\x01"}, meaning="It is over.", what_now="Void it."
    )
    failure = describe(refusal)
    assert failure.message == "CaptureTooLate(id=0x01): It is over."
    assert failure.what_now == "Void it."
    assert failure.details["arguments"] == {"id": "0x01"}


def test_exit_is_3_when_the_node_is_dead(tael, dead_url, monkeypatch):
    monkeypatch.setattr("tael.cli.session.NODE_RETRY_SECONDS", 0.1)
    result = tael("balance", ADDRESS, "--rpc-url", dead_url)
    assert result.code == 3
    assert result.err.splitlines()[-1] == " code: node_unavailable"
    assert tael.json("verify", "--rpc-url", dead_url, code=3)["error"]["code"] == "node_unavailable"


def test_exit_is_3_when_what_answers_is_no_node(tael, monkeypatch):
    monkeypatch.setattr("tael.cli.session.NODE_RETRY_SECONDS", 0.1)
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tael.folder,
    )
    try:
        port = re.search(r"port (\d+)", server.stdout.readline())[1]
        result = tael(
            "balance", ADDRESS, "--rpc-url", f"http://user:hunter2@127.0.0.1:{port}/secret"
        )
        assert result.code == 3
        assert "hunter2" not in result.err
        assert "secret" not in result.err
    finally:
        server.terminate()
        server.wait(10)


def test_exit_is_130_without_a_traceback_when_interrupted(tael, dead_url):
    process = tael.start("balance", ADDRESS, "--rpc-url", dead_url)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err


def test_exit_is_141_when_the_reader_has_gone(tael):
    (tael.folder / "many").write_text("x\n" * 20_000)
    writer = tael.start("qr", "read", "--lines", "many", "--json")
    writer.stdout.readline()
    writer.stdout.close()
    assert writer.wait(60) == ExitCode.OUTPUT_CLOSED
    assert writer.stderr.read() == ""
    writer.stderr.close()


# Doctor


@pytest.fixture
def no_programs(monkeypatch):
    """Every program says a version at once; Ganache alone takes seconds to load."""
    monkeypatch.setattr(machine, "first_line_of", lambda words: "v20.0.0")


def test_doctor_finds_nothing_wrong_when_nothing_is_configured(no_programs, tael, monkeypatch):
    monkeypatch.setattr("tael.config.LOCAL_URL", "http://127.0.0.1:1")
    document = tael.json("doctor")
    assert document["ok"] is True
    found = {each["check"]: each for each in document["checks"]}
    assert found["python"]["status"] == "ok"
    assert found["packages"]["status"] == "ok"
    assert found["node"]["status"] == "warn"
    assert found["key"]["status"] == "warn"
    assert "tael devnet" in found["node"]["what_now"]
    assert all(each["what_now"] for each in document["checks"] if each["status"] != "ok")


def test_doctor_fails_when_the_configured_node_is_dead(no_programs, tael, dead_url):
    result = tael.set(TAEL_RPC_URL=dead_url)("doctor")
    assert result.code == 1
    assert re.search(r"✗ fail +node", result.out)


def test_doctor_fails_when_a_key_file_is_open_to_others(no_programs, tael):
    keystore = tael.folder / "key.json"
    keystore.write_text("{}")
    keystore.chmod(0o644)
    document = tael.set(TAEL_KEYSTORE=str(keystore)).json("doctor", code=1)
    failed = {
        each["check"]: each["what_now"] for each in document["checks"] if each["status"] == "fail"
    }
    assert failed["key file"] == f"Run `chmod 600 {keystore}`."


def test_doctor_fails_when_the_key_is_none(no_programs, tael):
    document = tael.set(TAEL_KEY="0x12").json("doctor", code=1)
    failed = [each["check"] for each in document["checks"] if each["status"] == "fail"]
    assert failed == ["key"]


def test_doctor_fails_when_settings_are_open_to_others(no_programs, tael):
    (tael.folder / ".env").write_text("")
    (tael.folder / ".env").chmod(0o666)
    document = tael.json("doctor", code=1)
    assert any("chmod 600" in each["found"] for each in document["checks"])


def test_doctor_fails_when_a_package_is_too_old(no_programs, tael, monkeypatch):
    real = machine.version_of
    monkeypatch.setattr(
        machine, "version_of", lambda name: "7.1.0" if name == "web3" else real(name)
    )
    document = tael.json("doctor", code=1)
    (packages,) = [each for each in document["checks"] if each["check"] == "packages"]
    assert "web3" in packages["found"]
    assert "7.1.0" in packages["found"]


def test_doctor_warns_when_a_delegate_has_no_reference_secret(no_programs, tael, monkeypatch):
    monkeypatch.setattr("tael.config.LOCAL_URL", "http://127.0.0.1:1")
    document = tael.set(TAEL_PARTICIPANT=ADDRESS).json("doctor")
    (found,) = [each for each in document["checks"] if each["check"] == "participant"]
    assert found["status"] == "warn"
    document = tael.set(TAEL_REFERENCE_SECRET="ab" * 32).json("doctor")
    (found,) = [each for each in document["checks"] if each["check"] == "participant"]
    assert found["status"] == "ok"


def test_doctor_fails_when_the_reference_secret_is_none(no_programs, tael):
    shown = tael.set(TAEL_REFERENCE_SECRET="abc123" * 3)("doctor")
    assert shown.code == 1
    assert "TAEL_REFERENCE_SECRET" in shown.out
    assert "abc123" not in shown.out + shown.err


def test_doctor_looks_at_the_store_and_makes_none(no_programs, tael, monkeypatch):
    monkeypatch.setattr("tael.config.LOCAL_URL", "http://127.0.0.1:1")

    def store(code=0):
        checks = tael.json("doctor", code=code)["checks"]
        return next(each for each in checks if each["check"] == "store")

    path = tael.folder / "store.db"
    assert store()["status"] == "ok"
    assert not path.exists()
    Store.open(path).close()
    assert store()["found"] == str(path)
    path.write_bytes(b"this is no database, and it is longer than a header is" * 20)
    assert store(code=1)["status"] == "fail"
    tael.set(TAEL_STORE="mysql://user:word@host/tael")
    wrong = store(code=1)
    assert wrong["status"] == "fail"
    assert "word" not in wrong["found"]


def test_doctor_names_the_programs_when_they_are_there(tael):
    found = {each["check"]: each for each in tael.json("doctor")["checks"]}
    assert found["anvil"]["found"].startswith("anvil")
    assert found["ganache"]["found"].startswith("ganache")
    assert found["node.js"]["found"].startswith("v")


def test_doctor_warns_when_programs_are_missing_or_broken(tael, monkeypatch):
    monkeypatch.setattr("tael.config.LOCAL_URL", "http://127.0.0.1:1")
    broken = tael.folder / "solc-v0.8.30"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    tael.set(TAEL_ANVIL="/nowhere", TAEL_GANACHE=str(broken), NODE=str(broken))
    tael.set(SOLCX_BINARY_PATH=str(tael.folder))
    found = {each["check"]: each for each in tael.json("doctor")["checks"]}
    for name in ("anvil", "ganache", "node.js", "solc"):
        assert found[name]["status"] == "warn", name
        assert found[name]["what_now"]


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_when_a_shell_is_named(tael, shell):
    result = tael("completion", shell)
    assert result.code == 0
    assert "_TAEL_COMPLETE" in result.out


def test_completion_is_refused_when_the_shell_is_unknown(tael):
    assert tael.set(SHELL="/bin/tcsh")("completion").code == 2
    assert tael("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tael pa", {"participant", "pay"}),
        ("tael participant s", {"status", "suspend"}),
        ("tael pay --card-k", {"--card-key-env", "--card-key-fd", "--card-keystore"}),
    ],
)
def test_completion_completes_words_when_the_shell_asks(tael, line, expected):
    words = str(len(line.split()) - 1)
    tael.set(_TAEL_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=words)
    assert set(tael.process().out.split()) == expected


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


# Values and output


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)]
)
def test_span_is_read_when_written_plainly(text, expected):
    assert values.seconds(text, name="it") == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1w", "1.5h", "1e3", "٣", "1 h", "9" * 10])
def test_span_is_refused_when_it_could_be_misread(text):
    with pytest.raises(InvalidInputError, match="a span such as"):
        values.seconds(text, name="it")


def test_time_is_read_when_it_names_its_offset():
    assert values.when("1800000000", name="it") == 1_800_000_000
    assert values.when("2027-01-15T16:00:00+08:00", name="it") == 1_800_000_000
    for text in ("2027-01-15T08:00:00", "tomorrow", "18e8", ""):
        with pytest.raises(InvalidInputError):
            values.when(text, name="it")


def test_time_is_shown_in_utc_and_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        shown = values.shown_time(1_800_000_000, now=1_800_000_000 - 90_000)
        assert shown == "2027-01-15 08:00:00 UTC · 2027-01-15 16:00:00 CST · in 1 d 1 h"
        assert values.shown_time(100, now=165).endswith("1 min 5 s ago")
        assert "Unix seconds" in values.shown_time(2**40)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "x" * 66, "0x" + "g" * 64, "0x" + "1" * 63])
def test_id_is_refused_when_it_is_no_32_bytes(text):
    with pytest.raises(InvalidInputError):
        values.bytes32(text, name="it")


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
