"""Keys, nodes and settings that cannot be used, and that no key is ever shown."""

import os

import pytest

from tael.cli.commands import balances
from tael.cli.failures import ExitCode
from tael.cli.session import KeySource
from tael.errors import InvalidInputError
from tests.sdk.cli.steps import ADDRESS, KEY

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
    assert "test_settings.py" in result.out + result.err or "balances.py" in result.out + result.err


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
