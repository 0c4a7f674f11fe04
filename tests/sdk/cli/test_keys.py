"""Whose key signs: a delegate's, one from a keystore or a descriptor, a known one."""

import json
import os

import pytest
from eth_account import Account

from tael import Client
from tael.chain import Chain
from tael.models import Verb
from tael.store import Store
from tests.sdk.cli.steps import dynamic
from tests.support.cli_runner import key_of

pytestmark = pytest.mark.usefixtures("on_chain", "no_programs")


def test_delegate_acts_for_its_participant_when_it_has_the_secret(acting, world):
    bank = Client(
        world.chain,
        world.manifest,
        world.signers["issuer"],
        store=Store.temporary(),
        reference_secret=b"s" * 32,
    )
    bank.directory.set_delegate(world.address("delegate"), Verb.AUTHORIZE, reference="D-1")
    tael = acting("delegate").set(TAEL_CARD_KEY=key_of(world, "cardholder"))
    words = ("pay", dynamic(world), "--reference", "P", "--yes", "--as", world.address("issuer"))
    assert tael.json(*words, code=2)["error"]["code"] == "configuration"
    tael.set(TAEL_REFERENCE_SECRET=(b"s" * 32).hex())
    assert tael.json(*words)["issuer"] == world.address("issuer")
    tael.set(TAEL_REFERENCE_SECRET="short")
    assert tael.json(*words, code=2)["error"]["code"] == "configuration"


def test_key_comes_from_keystore_or_descriptor_when_named(tael, world):
    keystore = tael.folder / "key.json"
    key = key_of(world, "issuer")
    keystore.write_text(json.dumps(Account.encrypt(key, "pass", kdf="scrypt", iterations=2)))
    keystore.chmod(0o600)
    words = ("redeem", "1.00", "CNY", "--reference", "R-1")
    assert tael.json(*words, code=2)["error"]["code"] == "signing_key"
    assert tael.json(*words, "--keystore", "key.json", code=2)["error"]["code"] == "signing_key"

    def piped(secret):
        read_end, write_end = os.pipe()
        os.write(write_end, secret.encode() + b"\n")
        os.close(write_end)
        return str(read_end)

    wrong = (*words, "--keystore", "key.json", "--password-fd", piped("wrong"))
    error = tael.json(*wrong, code=2)["error"]
    assert "wrong password" in error["message"]
    right = (*words, "--keystore", "key.json", "--password-fd", piped("pass"))
    assert tael.json(*right)["repeated"] is False
    assert tael.json(*words, "--key-fd", piped(key))["repeated"] is True


@pytest.mark.threat("S20")
def test_test_key_is_refused_when_the_chain_is_not_local(acting, world, monkeypatch):
    monkeypatch.setattr(Chain, "is_local", False)
    before = world.node.block_number()
    words = ("redeem", "1.00", "CNY", "--reference", "R-1")
    assert acting("acquirer").json(*words, code=2)["error"]["code"] == "signing_key"
    document = acting("acquirer").json("doctor", code=1)
    (found,) = [each for each in document["checks"] if each["check"] == "test key"]
    assert found["status"] == "fail"
    assert world.node.block_number() == before
