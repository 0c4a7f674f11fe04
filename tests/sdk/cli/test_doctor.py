"""`tael doctor` without a chain."""

import re

from tael.cli.checks import machine
from tael.store import Store
from tests.sdk.cli.steps import ADDRESS


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
