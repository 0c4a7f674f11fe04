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
from eth_utils import keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import known_keys, signers
from tael.config import Settings
from tael.devnet import signers_of
from tael.errors import SigningKeyError
from tael.raw_transaction import read_plain, sign_plain
from tael.secrets import Secret
from tael.signers import (
    KeystoreSigner,
    PrivateKeySigner,
    Signer,
    is_test_address,
)

CANARY = "c0ffee00" * 8
PASSWORD = "correct horse"
GOOD = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
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


# The same bytes as eth-account's

NUMBER = st.one_of(
    st.sampled_from([0, 1, 127, 128, 255, 256, 2**64 - 1, 2**256 - 1]), st.integers(0, 2**256 - 1)
)
DATA = st.one_of(
    st.sampled_from([b"", b"\0", b"\x7f", b"\x80", bytes(54), bytes(55), bytes(56), bytes(256)]),
    st.binary(max_size=400),
    st.integers(2**16 - 3, 2**16 + 3).map(bytes),
)
ADDRESS = st.binary(min_size=20, max_size=20)
COMMON = {
    "nonce": NUMBER,
    "gas": NUMBER,
    "chainId": st.one_of(st.sampled_from([1, 1337, 2**64]), st.integers(1, 2**128)),
}
OPTIONAL = {
    "to": st.one_of(ADDRESS, ADDRESS.map(to_checksum_address)),
    "value": NUMBER,
    "data": st.one_of(DATA, DATA.map(bytearray)),
}
LEGACY = st.fixed_dictionaries({**COMMON, "gasPrice": NUMBER}, optional=OPTIONAL)
DYNAMIC = st.fixed_dictionaries(
    {**COMMON, "maxFeePerGas": NUMBER, "maxPriorityFeePerGas": NUMBER},
    optional={**OPTIONAL, "type": st.just(2), "accessList": st.sampled_from([(), []])},
)
KEY = st.integers(1, 2**128).map(lambda number: number.to_bytes(32, "big"))


@settings(max_examples=400)
@given(key=KEY, transaction=st.one_of(LEGACY, DYNAMIC))
def test_sign_transaction_gives_the_bytes_of_eth_account_when_it_signs_by_itself(key, transaction):
    expected = bytes(Account.sign_transaction(dict(transaction), key).raw_transaction)
    before = dict(transaction)
    signer = PrivateKeySigner.from_key(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "sign_transaction", None)  # not asked
        assert signer.sign_transaction(transaction) == expected
        patch.setattr(signers, "coincurve", None)
        assert PrivateKeySigner.from_key(key).sign_transaction(transaction) == expected
    assert transaction == before


@settings(max_examples=200)
@given(transaction=st.one_of(LEGACY, DYNAMIC))
def test_a_signed_transaction_reads_back_as_it_was_signed(transaction):
    signer = PrivateKeySigner.from_key(CANARY)
    raw = signer.sign_transaction(transaction)
    read = read_plain(raw)
    assert isinstance(read["data"], bytes)
    assert signer.sign_transaction({**read, "chainId": transaction["chainId"]}) == raw


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x01\xc0", b"\xc0", b"\x02\xc1\x80", b"\xff" * 40])
def test_what_is_no_plain_transaction_reads_as_nothing(raw):
    assert read_plain(raw) is None


def test_a_transaction_with_an_access_list_reads_as_nothing():
    raw = PrivateKeySigner.from_key(CANARY).sign_transaction(
        {**TRANSACTION, "accessList": ACCESS_LIST}
    )
    assert read_plain(raw) is None


def test_signatures_are_the_same_when_coincurve_is_not_installed(monkeypatch):
    fast = PrivateKeySigner.from_key(CANARY)
    monkeypatch.setattr(signers, "coincurve", None)
    slow = PrivateKeySigner.from_key(CANARY)
    for index in range(5):
        digest = keccak(text=str(index))
        assert fast.sign_digest(digest) == slow.sign_digest(digest)


ACCESS_LIST = [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "00" * 32]}]


@pytest.mark.parametrize(
    "change",
    [
        {"accessList": ACCESS_LIST},
        {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 5, "accessList": []},
        {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 5, "chainId": None},
        {"from": PrivateKeySigner.from_key(CANARY).address},
        {"nonce": "0x7"},
        {"type": "0x2"},
        {"to": ""},
        {"to": None},
        {"to": b""},
        {"data": 5},
        {"data": "0x"},
        {"data": "0x1"},
        {"data": "0x12"},
    ],
)
def test_sign_transaction_leaves_to_eth_account_what_is_not_plain(change):
    transaction = {**TRANSACTION, **change}
    for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
        if transaction[name] is None:
            del transaction[name]
    if transaction["chainId"] is None:
        del transaction["chainId"]
    expected = Account.sign_transaction(dict(transaction), "0x" + CANARY).raw_transaction
    assert PrivateKeySigner.from_key(CANARY).sign_transaction(transaction) == bytes(expected)
    assert sign_plain(transaction, lambda _: bytes(65)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"to": GOOD.lower()},
        {"to": GOOD[:-1] + "c"},
        {"to": GOOD[:-1]},
        {"to": b"\x11" * 19},
        {"to": 5},
        {"to": "vitalik.eth"},
        {"nonce": -1},
        {"nonce": 7.0},
        {"nonce": None},
        {"gas": "many"},
        {"value": "1"},
        {"data": "0x12 34"},
        {"data": "zz"},
        {"type": 3},
        {"type": 2.0},
        {"value": True},
        {"chainId": -1},
        {"accessList": 5},
        {"unknown": 1},
        {"gasPrice": 1},
    ],
)
def test_sign_transaction_refuses_as_eth_account_does_when_a_field_is_wrong(change):
    transaction = {**TRANSACTION, "to": GOOD, **change}
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever eth-account makes of it
        Account.sign_transaction(dict(transaction), "0x" + CANARY)
    with pytest.raises(expected.type):
        PrivateKeySigner.from_key(CANARY).sign_transaction(transaction)


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
