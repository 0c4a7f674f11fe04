"""Use brownie without touching the user's home, attached to nodes of ours.

Brownie keeps its networks, packages and accounts in `~/.brownie`, which it creates and reads when
it is imported, and looks for compilers in `~/.solcx`. Here it gets a home of its own under
`build/`, and networks are added while it runs. Tests use `attached`; `scripts/brownie` is brownie's
own command line on the same footing.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tael.testing import LocalNode, start_node

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "home"
LOCAL_URL = "http://127.0.0.1:8545"
REQUEST_TIMEOUT_SECONDS = 120

_NETWORK_VARIABLE = re.compile(r"TAEL_NETWORK_([A-Z0-9_]+)_URL")


def import_brownie() -> Any:
    """Import brownie with its home under `build/` and our compiler, and return the module.

    Raises:
        RuntimeError: Brownie was imported before, with the user's home.
    """
    if "brownie" in sys.modules:
        folder: Path = sys.modules["brownie._config"].DATA_FOLDER
        if folder.parent != HOME:
            raise RuntimeError(f"brownie was imported before, with its data in {folder}")
        return sys.modules["brownie"]
    HOME.mkdir(parents=True, exist_ok=True)
    os.environ["SOLCX_BINARY_PATH"] = str(ROOT / "scripts" / "solc")
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(HOME)
    try:
        return importlib.import_module("brownie")
    finally:
        if before is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = before


@contextmanager
def attached(node: LocalNode) -> Iterator[Any]:
    """Load the project, connect brownie to a running node, and disconnect it at the end.

    Brownie must not start the node itself: a Ganache that brownie started never answers a
    transaction that reverts. The project comes first because its settings, the gas price among
    them, count only for connections made later.

    Args:
        node: A node started by `tael.testing.start_node`.

    Yields:
        The project, whose attributes are the contracts, such as `project.SettlementToken`.
    """
    brownie = import_brownie()
    project = load_project()
    name = f"tael-{node.kind}"
    _config().networks[name] = _development_network(name, node)
    brownie.network.connect(name)
    try:
        yield project
    finally:
        brownie.network.disconnect(kill_rpc=False)


def load_project() -> Any:
    """Load the project, compiling what changed, and return it."""
    brownie = import_brownie()
    for project in brownie.project.get_loaded_projects():
        if project._path == ROOT:
            return project
    (ROOT / "build").mkdir(exist_ok=True)
    # Two processes that compile at once would write the same files.
    with (ROOT / "build" / "brownie.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project = brownie.project.load(ROOT, name="TaelProject", raise_if_loaded=False)
    project.load_config()
    return project


def live_networks(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the networks that variables such as `TAEL_NETWORK_SEPOLIA_URL` name.

    Args:
        environment: Variables; `TAEL_NETWORK_SEPOLIA_CHAIN_ID` is used too if it is there.

    Returns:
        Brownie's description of each network by name in lower case, `ganache` and `anvil` on
        their usual address among them.
    """
    networks = {
        name: {"id": name, "name": name, "host": LOCAL_URL, "chainid": "1337"}
        for name in ("anvil", "ganache")
    }
    for variable, url in environment.items():
        found = _NETWORK_VARIABLE.fullmatch(variable)
        if found and url:
            name = found[1].lower()
            networks[name] = {"id": name, "name": name, "host": url}
            chain_id = environment.get(f"TAEL_NETWORK_{found[1]}_CHAIN_ID")
            if chain_id:
                networks[name]["chainid"] = chain_id
    return networks


def _config() -> Any:
    return importlib.import_module("brownie._config").CONFIG


def _development_network(name: str, node: LocalNode) -> dict[str, Any]:
    host, _, port = node.url.rpartition(":")
    return {
        "id": name,
        "name": name,
        "cmd": node.kind,
        "cmd_settings": {"port": int(port)},
        "host": host,
        "timeout": REQUEST_TIMEOUT_SECONDS,
    }


def main() -> None:
    """Run brownie's command line.

    The network `development`, which is the default, is a Ganache of its own that ends with the
    command; `ganache` and `anvil` are ones that run already, on their usual address unless `.env`
    says where.
    """
    from dotenv import load_dotenv

    # Brownie imports a script by its whole path from `/`, as `home.me.tael.scripts.deploy`. Python
    # put this folder on the path, where check.py or test.py would hide a folder /check or /test.
    sys.path[0] = str(ROOT)
    load_dotenv(ROOT / ".env")
    os.chdir(ROOT)
    import_brownie()
    networks = _config().networks
    networks.update(live_networks(os.environ))
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [sys.argv[i + 1] for i, word in enumerate(sys.argv[:-1]) if word == "--network"]
    needs_node = command in {"run", "console", "test"} and (chosen or ["development"]) == [
        "development"
    ]
    with start_node("ganache") if needs_node else nullcontext() as node:
        if node is not None:
            networks["development"] = _development_network("development", node)
        importlib.import_module("brownie._cli.__main__").main()


if __name__ == "__main__":
    main()
