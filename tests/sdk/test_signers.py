"""Signers sign, and never show their key: S22, S23, S24."""

import copy
import io
import json
import logging
import pickle
import traceback

import pytest
from eth_account import Account
from eth_account.hdaccount import key_from_seed
from eth_keys import keys
from eth_utils import keccak

from tael import known_keys
from tael.config import Settings
from tael.devnet import signers_of
from tael.errors import SigningKeyError
from tael.secrets import Secret
from tael.signers import (
    KeystoreSigner,
    PrivateKeySigner,
    Signer,
    is_test_address,
)

CANARY = "c0ffee00" * 8
PASSWORD = "correct horse"
TRANSACTION = {
    "to": "0x" + "11" * 20,
    "value": 1,
    "data": "0x",
    "gas": 21000,
    "nonce": 7,
    "chainId": 31337,
    "maxFeePerGas": 10,
    "maxPriorityFeePerGas": 1,
}


@pytest.fixture(scope="module")
def keystore():
    return Account.encrypt("0x" + CANARY, PASSWORD, kdf="scrypt", iterations=2**12)


@pytest.fixture
def write(tmp_path):
    def write_keystore(content):
        file = tmp_path / "keystore.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write_keystore


def test_sign_digest_recovers_to_the_address_when_any_digest_is_signed():
    signer = PrivateKeySigner.from_key("0x" + CANARY)
    half_order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
    for index in range(20):
        digest = keccak(text=str(index))
        signature = signer.sign_digest(digest)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64], "big") <= half_order
        plain = keys.Signature(signature[:64] + bytes([signature[64] - 27]))
        recovered = plain.recover_public_key_from_msg_hash(digest)
        assert recovered.to_checksum_address() == signer.address
        assert signature == signer.sign_digest(digest)


def test_sign_transaction_recovers_to_the_address_when_signed():
    signer = PrivateKeySigner.from_key(bytes.fromhex(CANARY))
    raw = signer.sign_transaction(dict(TRANSACTION))
    assert Account.recover_transaction(raw) == signer.address


def test_sign_digest_refuses_when_not_32_bytes():
    with pytest.raises(SigningKeyError):
        PrivateKeySigner.from_key(CANARY).sign_digest(b"\0" * 31)


def test_every_signer_fits_the_protocol(keystore, write):
    assert isinstance(PrivateKeySigner.from_key(CANARY), Signer)
    assert isinstance(KeystoreSigner.from_file(write(keystore), PASSWORD), Signer)


@pytest.mark.threat("S22")
@pytest.mark.parametrize(
    "key",
    [
        "",
        "0x",
        CANARY[:-1],
        CANARY + "0",
        "g" * 64,
        "0" * 64,
        "f" * 64,
        "٢" * 64,
        CANARY[:-2] + "_0",
    ],
)
def test_from_key_refuses_and_does_not_repeat_when_it_is_no_key(key):
    with pytest.raises(SigningKeyError) as refused:
        PrivateKeySigner.from_key(key)
    if len(key) > 8:
        shown = "".join(traceback.format_exception(refused.value))
        assert key not in shown


@pytest.mark.threat("S22")
def test_from_environment_says_what_is_missing_when_it_is_not_set():
    with pytest.raises(SigningKeyError, match="TAEL_KEY"):
        PrivateKeySigner.from_environment(environment={})
    with pytest.raises(SigningKeyError, match=r"OTHER: a private key is 64") as refused:
        PrivateKeySigner.from_environment("OTHER", {"OTHER": CANARY + "z"})
    assert CANARY not in str(refused.value)
    found = PrivateKeySigner.from_environment(environment={"TAEL_KEY": CANARY})
    assert found.address == PrivateKeySigner.from_key(CANARY).address


@pytest.mark.threat("S22")
def test_nothing_shows_the_key_when_a_signer_is_printed_logged_or_dumped(keystore, write):
    settings = Settings.load(environment={"TAEL_KEY": CANARY}, env_file=None)
    holders = [
        PrivateKeySigner.from_key(CANARY),
        KeystoreSigner.from_file(write(keystore), PASSWORD),
        Secret(CANARY),
        settings,
    ]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("tests.canary")
    logger.addHandler(handler)
    number = str(int(CANARY, 16))
    for holder in holders:
        logger.error("%s %r %s", holder, holder, {"holder": holder})
        shown = [repr(holder), str(holder), f"{holder}", repr([holder]), stream.getvalue()]
        shown += [repr(getattr(holder, name, None)) for name in dir(holder)]
        for text in shown:
            assert CANARY not in text.lower()
            assert number not in text
        with pytest.raises(TypeError):
            vars(holder)
        for dump in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
            with pytest.raises(TypeError):
                dump(holder)
    logger.removeHandler(handler)


@pytest.mark.threat("S22")
def test_no_traceback_shows_the_key_when_signing_fails():
    signer = PrivateKeySigner.from_key(CANARY)
    with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever eth-account makes of it
        signer.sign_transaction({"to": "nowhere"})
    shown = "".join(
        traceback.TracebackException.from_exception(failed.value, capture_locals=False).format()
    )
    assert CANARY not in shown


def test_a_secret_stays_when_assigned_to():
    secret = Secret("x")
    with pytest.raises(AttributeError):
        secret.reveal = lambda: "y"
    assert secret.reveal() == "x"


@pytest.mark.threat("S23")
def test_known_addresses_are_complete_when_derived_again():
    derived = {
        signer.address
        for phrase in known_keys.TEST_PHRASES
        for signer in signers_of(phrase, known_keys.ACCOUNTS_PER_PHRASE)
    }
    derived |= {
        keys.PrivateKey(number.to_bytes(32, "big")).public_key.to_checksum_address()
        for number in range(1, known_keys.SMALL_KEYS + 1)
    }
    assert derived == known_keys.TEST_ADDRESSES
    assert is_test_address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
    assert not is_test_address(PrivateKeySigner.from_key(CANARY).address)
    assert bytes(key_from_seed(b"\0" * 64, "m/44'/60'/0'/0/0"))


@pytest.mark.threat("S24")
def test_keystore_signs_when_the_password_is_right(keystore, write):
    signer = KeystoreSigner.from_file(write(keystore), Secret(PASSWORD))
    assert signer.address == PrivateKeySigner.from_key(CANARY).address
    assert Account.recover_transaction(signer.sign_transaction(dict(TRANSACTION))) == signer.address


@pytest.mark.threat("S24")
def test_keystore_opens_when_it_uses_pbkdf2(write):
    document = Account.encrypt("0x" + CANARY, PASSWORD, kdf="pbkdf2", iterations=1000)
    address = KeystoreSigner.from_file(write(document), PASSWORD).address
    assert address == PrivateKeySigner.from_key(CANARY).address


@pytest.mark.threat("S24")
def test_keystore_refuses_when_the_password_is_wrong(keystore, write):
    with pytest.raises(SigningKeyError, match="wrong password") as refused:
        KeystoreSigner.from_file(write(keystore), "battery staple")
    assert (
        "battery staple"
        not in "".join(traceback.format_exception(refused.value)).split("raise SigningKeyError")[-1]
    )


@pytest.mark.threat("S24")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "null",
        lambda text: "{}",
        lambda text: '{"crypto": {}}',
        lambda text: '{"crypto": {"kdf": "scrypt", "kdfparams": {"n": "many", "r": 8, "p": 1}}}',
        lambda text: '{"crypto": {"kdf": "scrypt", "kdfparams": {"n": -1, "r": 8, "p": 1}}}',
        lambda text: '{"crypto": {"kdf": "argon2", "kdfparams": {}}}',
        lambda text: "[" * 100_000,
        lambda text: "\x00\xff",
    ],
)
def test_keystore_refuses_when_damaged(keystore, write, damage):
    with pytest.raises(SigningKeyError, match=r"not a keystore|damaged|larger"):
        KeystoreSigner.from_file(write(damage(json.dumps(keystore))), PASSWORD)


@pytest.mark.threat("S24")
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("scrypt", {"n": 2**30, "r": 8, "p": 1}),
        ("scrypt", {"n": 2**18, "r": 2**20, "p": 1}),
        ("scrypt", {"n": 2**18, "r": 8, "p": 2**20}),
        ("pbkdf2", {"c": 10**12, "prf": "hmac-sha256"}),
    ],
)
def test_keystore_refuses_before_working_when_it_is_a_bomb(keystore, write, name, parameters):
    document = copy.deepcopy(keystore)
    document["crypto"]["kdf"] = name
    document["crypto"]["kdfparams"] = {**document["crypto"]["kdfparams"], **parameters}
    with pytest.raises(SigningKeyError, match="too much time or memory"):
        KeystoreSigner.from_file(write(document), PASSWORD)


@pytest.mark.threat("S24")
def test_keystore_refuses_when_missing_or_huge(tmp_path, write):
    with pytest.raises(SigningKeyError, match="No such file"):
        KeystoreSigner.from_file(tmp_path / "absent", PASSWORD)
    with pytest.raises(SigningKeyError, match="not a keystore"):
        KeystoreSigner.from_file(write(" " * 100_000), PASSWORD)
    with pytest.raises(SigningKeyError):
        KeystoreSigner.from_file(tmp_path, PASSWORD)
