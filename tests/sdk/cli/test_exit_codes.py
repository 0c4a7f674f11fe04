"""Every error has an exit code and says what now."""

import re
import signal
import socket
import subprocess
import sys

import pytest

from tael import errors
from tael.cli.failures import ExitCode, describe
from tael.errors import TaelError
from tests.sdk.cli.steps import ADDRESS


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


def test_exit_is_130_without_a_traceback_when_interrupted(tael):
    with socket.create_server(("127.0.0.1", 0)) as node:
        node.settimeout(60)
        process = tael.start(
            "balance", ADDRESS, "--rpc-url", f"http://127.0.0.1:{node.getsockname()[1]}"
        )
        asked, _ = node.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        asked.close()
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
