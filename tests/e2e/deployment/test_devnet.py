"""A devnet is funded while it runs and leaves nothing behind."""

import contextlib
import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tael.chain import Chain
from tael.contracts.calls import Contract
from tael.deployment import verify
from tael.devnet import BANKS, running
from tael.errors import SigningKeyError
from tael.manifest import Manifest
from tael.rpc import call
from tael.signers import PrivateKeySigner
from tael.testing import start_node
from tests.e2e.deployment.commands import environment, run, script


@pytest.mark.parametrize("kind", ["anvil", "ganache"])
def test_devnet_is_funded_when_running(kind):
    with running(kind) as devnet:
        assert set(devnet.banks) == set(BANKS)
        for currency in ("CNY", "HKD"):
            token = Contract("SettlementToken", devnet.manifest.token(currency))
            for bank in devnet.banks.values():
                assert call(devnet.chain, token, "balanceOf", bank.address) == 1_000_000_000
            assert call(devnet.chain, token, "totalSupply") == 4_000_000_000
        assert verify(devnet.chain, devnet.manifest) == []
        assert Manifest.load(devnet.manifest_path) == devnet.manifest
        assert len(devnet.spare) == 14
        path = devnet.manifest_path
    assert not path.exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_devnet_script_ends_what_it_started_when_stopped(tmp_path, ending):
    process = subprocess.Popen(
        script("devnet.py", "--node", "anvil", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        described = json.loads(process.stdout.readline())
        chain = Chain.connect(described["rpc_url"], described["chain_id"])
        Manifest.load(described["manifest"]).check(chain)
        operator = PrivateKeySigner.from_key(described["accounts"]["operator"]["key"])
        assert operator.address == described["accounts"]["operator"]["address"]
        process.send_signal(ending)
        assert process.wait(20) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    assert process.stderr.read() == ""
    with pytest.raises(Exception, match="could not be reached"):
        Chain.connect(described["rpc_url"], retry_seconds=0.1)
    assert not Path(described["manifest"]).exists()


def test_devnet_script_takes_another_port_when_8545_is_taken(tmp_path):
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # occupied by somebody else serves as well
            occupant.bind(("127.0.0.1", 8545))
            occupant.listen()
        process = subprocess.Popen(
            script("devnet.py", "--json"),
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                described = json.loads(process.stdout.readline())
                assert not described["rpc_url"].endswith(":8545")
            finally:
                process.terminate()


def test_devnet_script_says_what_to_do_when_there_is_no_node(tmp_path):
    env = environment(tmp_path, TAEL_ANVIL=str(tmp_path / "absent"))
    result = run(*script("devnet.py"), cwd=tmp_path, env=env, check=False)
    assert result.returncode == 3
    assert f"{tmp_path / 'absent'} is not an executable file" in result.stderr
    assert "now: `tael doctor`" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.threat("S23")
def test_devnet_refuses_when_the_phrase_is_not_known(tmp_path):
    from tael.devnet import known_phrase, prepare

    phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    with start_node("anvil", mnemonic=phrase) as running_node:
        chain = Chain.connect(running_node.url)
        with pytest.raises(SigningKeyError, match="no phrase known"):
            known_phrase(chain)
        with pytest.raises(SigningKeyError, match="no phrase known"):
            prepare(chain, tmp_path / "1337.json")
        chain.url = "https://rpc.example.org"
        with pytest.raises(SigningKeyError, match="not local"):
            known_phrase(chain)
