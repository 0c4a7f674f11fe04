"""Settings: the environment wins, networks by name, and no file that others can read: S23."""

import os

import pytest
from eth_account import Account

from tael.config import LOCAL_URL, Settings, read_env_file
from tael.errors import ConfigurationError, SigningKeyError
from tael.testing import start_node

KEY = "ab" * 32
OTHER_KEY = "cd" * 32
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture
def env_file(tmp_path):
    def write(text, mode=0o600):
        file = tmp_path / ".env"
        file.write_text(text)
        file.chmod(mode)
        return file

    return write


def load(file=None, network="", **environment):
    return Settings.load(network, env_file=file, environment=environment)


@pytest.mark.threat("S23")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o777])
def test_load_refuses_when_others_can_reach_the_file(env_file, mode):
    file = env_file(f"TAEL_KEY={KEY}\n", mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        load(file)
    assert KEY not in str(refused.value)


@pytest.mark.threat("S23")
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_load_reads_when_only_the_owner_can(env_file, mode):
    settings = load(env_file(f"TAEL_KEY={KEY}\nTAEL_CHAIN_ID=11155111\n", mode))
    assert settings.chain_id == 11155111
    assert settings.signer().address == Account.from_key(KEY).address


def test_load_uses_defaults_when_nothing_is_set(tmp_path):
    settings = load(tmp_path / "absent")
    assert settings.rpc_url == LOCAL_URL
    assert settings.chain_id is None
    assert not settings.has_signer
    assert str(settings.manifest_path(137)) == os.path.join("deployments", "137.json")  # noqa: PTH118
    with pytest.raises(SigningKeyError, match="TAEL_KEY"):
        settings.signer()


def test_environment_wins_when_the_file_says_otherwise(env_file):
    file = env_file("TAEL_RPC_URL=http://file:1\nTAEL_CHAIN_ID=1\nTAEL_MANIFEST=/file.json\n")
    settings = load(file, TAEL_RPC_URL="http://environment:2")
    assert settings.rpc_url == "http://environment:2"
    assert settings.chain_id == 1
    assert str(settings.manifest_path(1)) == "/file.json"


def test_network_wins_when_it_is_named(env_file):
    file = env_file(
        f"TAEL_KEY={KEY}\nTAEL_RPC_URL=http://general\nTAEL_PLAN=/plan.toml\n"
        "TAEL_NETWORK_SEPOLIA_URL=https://sepolia\nTAEL_NETWORK_SEPOLIA_CHAIN_ID=11155111\n"
        f"TAEL_NETWORK_SEPOLIA_KEY={OTHER_KEY}\n"
    )
    sepolia = load(file, "sepolia")
    assert (sepolia.rpc_url, sepolia.chain_id) == ("https://sepolia", 11155111)
    assert sepolia.signer().address == Account.from_key(OTHER_KEY).address
    assert str(sepolia.plan) == "/plan.toml"
    plain = load(file)
    assert (plain.rpc_url, plain.chain_id) == ("http://general", None)
    assert plain.signer().address == Account.from_key(KEY).address


@pytest.mark.parametrize(
    "text",
    ["http://a:1 http://b:2", "http://a:1,http://b:2", " http://a:1 ,\n http://b:2\thttp://a:1, "],
)
def test_several_nodes_are_read_in_their_order(text):
    settings = load(TAEL_RPC_URL=text)
    assert settings.rpc_urls == ("http://a:1", "http://b:2")
    assert settings.rpc_url == "http://a:1"
    assert str(settings) == "default at http://a:1 and 1 more"


def test_several_nodes_of_a_network_are_read():
    sepolia = load(
        network="sepolia",
        TAEL_RPC_URL="http://general",
        TAEL_NETWORK_SEPOLIA_URL="https://first.example/deadbeef https://second.example",
    )
    assert sepolia.rpc_urls == ("https://first.example/deadbeef", "https://second.example")
    assert "deadbeef" not in repr(sepolia)


@pytest.mark.parametrize("text", [" ", ",", "\t,\n"])
def test_load_refuses_when_no_node_is_named(text):
    with pytest.raises(ConfigurationError, match="names no node"):
        load(TAEL_RPC_URL=text)


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://h:99999", "http://h:0", "http://", "ftp://h", "deadbeef", "http://h:x"],
)
def test_load_refuses_when_a_url_is_none(url):
    with pytest.raises(ConfigurationError, match="TAEL_RPC_URL") as refused:
        load(TAEL_RPC_URL=url)
    assert "deadbeef" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="URL 2 of 2"):
        load(TAEL_RPC_URL=f"http://127.0.0.1:8545 {url}")


def test_connect_takes_the_node_that_is_well(tmp_path):
    with start_node("anvil") as node:
        settings = load(TAEL_RPC_URL=f"http://127.0.0.1:1 {node.url}", TAEL_CHAIN_ID="1337")
        assert settings.connect().block_number() == 0


def test_participant_secret_store_and_finality_are_read():
    secret = "Ab" * 32
    settings = load(
        TAEL_PARTICIPANT=ADDRESS,
        TAEL_REFERENCE_SECRET=f"0x{secret}",
        TAEL_STORE="postgresql://user:hunter2@host/tael",
        TAEL_FINALITY="12",
        TAEL_NETWORK_SEPOLIA_URL="https://sepolia",
        TAEL_NETWORK_SEPOLIA_FINALITY="finalized",
    )
    assert settings.participant == ADDRESS
    assert settings.reference_secret_bytes() == bytes.fromhex(secret)
    assert settings.store == "postgresql://user:hunter2@host/tael"
    assert settings.finality == "12"
    assert "hunter2" not in repr(settings)
    nothing = load()
    assert (nothing.participant, nothing.reference_secret_bytes()) == (None, None)
    assert (nothing.store, nothing.finality) == (None, None)
    sepolia = load(
        network="sepolia",
        TAEL_FINALITY="12",
        TAEL_NETWORK_SEPOLIA_URL="https://sepolia",
        TAEL_NETWORK_SEPOLIA_FINALITY="finalized",
    )
    assert sepolia.finality == "finalized"


@pytest.mark.parametrize("text", ["ab" * 31, "ab" * 32 + "c", "0x", "zz" * 32, "\u0661" * 64])
def test_load_refuses_when_the_reference_secret_is_none(text):
    with pytest.raises(ConfigurationError, match="TAEL_REFERENCE_SECRET") as refused:
        load(TAEL_REFERENCE_SECRET=text)
    assert text not in str(refused.value) or text == "0x"


def test_load_refuses_when_the_network_is_not_known():
    with pytest.raises(
        ConfigurationError, match=r"TAEL_NETWORK_MAINNET_URL \(known now: sepolia\)"
    ):
        load(network="mainnet", TAEL_NETWORK_SEPOLIA_URL="https://sepolia")
    with pytest.raises(ConfigurationError, match="not the name of a network"):
        load(network="../x")
    assert load(network="ganache").rpc_url == LOCAL_URL


@pytest.mark.parametrize("chain_id", ["0", "-1", "0x1", "1_0", "\u0661", "1" * 30, "one"])
def test_load_refuses_when_the_chain_id_is_no_number(chain_id):
    with pytest.raises(ConfigurationError, match="TAEL_CHAIN_ID"):
        load(TAEL_CHAIN_ID=chain_id)


def test_file_is_taken_literally_when_it_looks_like_a_shell(env_file):
    file = env_file("TAEL_KEYSTORE=${HOME}/x$(id)\nTAEL_PLAN='a b'\nEMPTY\n")
    assert read_env_file(file) == {"TAEL_KEYSTORE": "${HOME}/x$(id)", "TAEL_PLAN": "a b"}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"A=" + b"x" * 70_000])
def test_file_is_refused_when_it_is_no_settings_file(tmp_path, content):
    file = tmp_path / ".env"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError):
        read_env_file(file)
    with pytest.raises(ConfigurationError):
        read_env_file(tmp_path)


def test_signer_comes_from_the_keystore_when_it_is_set(tmp_path):
    import json

    keystore = tmp_path / "key.json"
    keystore.write_text(json.dumps(Account.encrypt(KEY, "secret", kdf="pbkdf2", iterations=1000)))
    password = tmp_path / "password"
    password.write_text("secret\n")
    settings = load(TAEL_KEYSTORE=str(keystore), TAEL_KEYSTORE_PASSWORD_FILE=str(password))
    assert settings.has_signer
    assert settings.signer().address == Account.from_key(KEY).address
    assert (
        load(TAEL_KEYSTORE=str(keystore), TAEL_KEYSTORE_PASSWORD="secret").signer().address
        == Account.from_key(KEY).address
    )
    with pytest.raises(SigningKeyError, match="PASSWORD_FILE"):
        load(TAEL_KEYSTORE=str(keystore)).signer()
    with pytest.raises(SigningKeyError, match="keep one"):
        load(TAEL_KEYSTORE=str(keystore), TAEL_KEY=KEY).signer()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(TAEL_KEYSTORE=str(keystore), TAEL_KEYSTORE_PASSWORD_FILE=str(tmp_path / "absent"))


@pytest.mark.threat("S22")
def test_settings_show_no_secret_when_printed():
    settings = load(
        TAEL_RPC_URL="https://user:word@host.example/v3/deadbeefapikey?token=1",
        TAEL_KEY=KEY,
        TAEL_KEYSTORE_PASSWORD="hunter2",
        TAEL_REFERENCE_SECRET="c0ffee" * 12,
        TAEL_STORE="postgresql://user:hunter2@host/tael",
    )
    for shown in (repr(settings), str(settings)):
        for secret in (KEY, "hunter2", "deadbeefapikey", "word@", "token", "c0ffee"):
            assert secret not in shown
    assert str(settings) == "default at https://host.example"
