"""What is deployed on a chain: addresses, code hashes, and the plan they came from.

One JSON file per chain id. Nothing is signed for an address before `check` found there the code
that was deployed there, on the chain it was deployed on.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tael.addresses import require_address
from tael.contracts.artifacts import load
from tael.errors import AddressError, CodeMismatchError, ConfigurationError, NetworkMismatchError
from tael.hashing import keccak
from tael.json_files import read_json

if TYPE_CHECKING:
    from tael.chain.connection import Chain

FORMAT = 1
MAX_MANIFEST_BYTES = 1024 * 1024
GOVERNANCE = "governance"
ESCROW = "escrow"
TOKEN_PREFIX = "token:"  # noqa: S105 - a currency's token, no secret


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One contract on the chain.

    Attributes:
        contract: Solidity name.
        address: Where it is, checksummed.
        block_number: The block it was deployed in.
        transaction_hash: The transaction that deployed it, 0x-prefixed.
        code_hash: keccak256 of its code, immutables included, 0x-prefixed.
        source_hash: SHA-256 over the sources it was compiled from.
    """

    contract: str
    address: str
    block_number: int
    transaction_hash: str
    code_hash: str
    source_hash: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is deployed on one chain.

    Attributes:
        chain_id: EIP-155 chain id.
        genesis_hash: Hash of block 0, 0x-prefixed: chain ids are not unique, above all local ones.
        deployer: Who deployed, and keeps no right.
        contracts: By key: `governance`, `escrow`, and `token:` with the currency's letters.
        plan: The plan it was deployed by, as `DeploymentPlan.to_dict` gives it.
        complete: Whether deployment is finished.
        pending: A transaction of a deployment under way that may have been sent; None if none.
    """

    chain_id: int
    genesis_hash: str
    deployer: str
    contracts: Mapping[str, DeployedContract] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    pending: Mapping[str, Any] | None = None

    @staticmethod
    def default_path(chain_id: int, folder: str | Path = "deployments") -> Path:
        """Where the manifest of a chain is kept: `deployments/<chain id>.json`."""
        return Path(folder) / f"{chain_id}.json"

    @property
    def governance(self) -> str:
        """Address of Governance."""
        return self._address(GOVERNANCE)

    @property
    def escrow(self) -> str:
        """Address of PaymentEscrow."""
        return self._address(ESCROW)

    @property
    def tokens(self) -> dict[str, str]:
        """Address of each SettlementToken by the currency's letters."""
        return {
            key.removeprefix(TOKEN_PREFIX): each.address
            for key, each in self.contracts.items()
            if key.startswith(TOKEN_PREFIX)
        }

    def token(self, currency: str) -> str:
        """Address of a currency's SettlementToken.

        Raises:
            ConfigurationError: The currency is not deployed here.
        """
        return self._address(TOKEN_PREFIX + currency)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All contracts' addresses: none of them is ever a participant."""
        return tuple(each.address for each in self.contracts.values())

    @property
    def first_block(self) -> int:
        """The block deployment began in; no log of ours is older."""
        return min((each.block_number for each in self.contracts.values()), default=0)

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read a manifest.

        Raises:
            ConfigurationError: No such file, damaged, or written by a newer version.
        """
        file = Path(path)
        try:
            return cls.from_dict(read_json(file, max_bytes=MAX_MANIFEST_BYTES))
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"there is no manifest {file}: deploy first, or name the right one (TAEL_MANIFEST)"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{file} is no manifest, or is damaged: {error}") from error
        except (ConfigurationError, AddressError) as error:
            raise ConfigurationError(f"{file}: {error.message}") from error

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Manifest:
        """The reverse of `to_dict`."""
        if document["format"] != FORMAT:
            raise ConfigurationError(f"a manifest of format {document['format']}, not {FORMAT}")
        contracts = {}
        for key, entry in document["contracts"].items():
            require_address(entry["address"], name=key)
            contracts[key] = DeployedContract(**entry)
        return cls(
            chain_id=int(document["chain_id"]),
            genesis_hash=str(document["genesis_hash"]),
            deployer=require_address(document["deployer"], name="deployer"),
            contracts=contracts,
            plan=dict(document["plan"]),
            complete=document["complete"] is True,
            pending=document["pending"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The manifest as plain values, ready for JSON."""
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "genesis_hash": self.genesis_hash,
            "deployer": self.deployer,
            "complete": self.complete,
            "contracts": {
                key: {name: getattr(each, name) for name in DeployedContract.__slots__}
                for key, each in self.contracts.items()
            },
            "plan": dict(self.plan),
            "pending": None if self.pending is None else dict(self.pending),
        }

    def save(self, path: str | Path) -> None:
        """Write the manifest; a reader, or a crash, never meets half of it.

        Raises:
            ConfigurationError: It cannot be written there.
        """
        file = Path(path)
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
            ) as temporary:
                temporary.write(text)
                temporary.flush()
                os.fsync(temporary.fileno())
            Path(temporary.name).chmod(0o644)
            Path(temporary.name).replace(file)
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror or error}") from error

    def check(self, chain: Chain) -> None:
        """Make sure that the chain is the one, and that the code at each address is ours.

        Args:
            chain: Where the manifest is going to be used.

        Raises:
            ConfigurationError: Deployment is not finished.
            NetworkMismatchError: The manifest is of another chain.
            CodeMismatchError: No code, or other code, at an address, or the package ships another
                version of the contract than the one deployed.
            NodeUnavailableError: The node did not answer properly.
        """
        self.require_chain(chain)
        if not self.complete:
            raise ConfigurationError("the deployment is not finished: run `deploy` again")
        for key in self.contracts:
            self.check_code(chain, key)

    def require_chain(self, chain: Chain) -> None:
        """Make sure that the manifest is of this chain.

        Raises:
            NetworkMismatchError: It is of another one.
        """
        if self.chain_id != chain.chain_id:
            raise NetworkMismatchError(
                f"the manifest is of chain {self.chain_id}, the node serves chain {chain.chain_id}"
            )
        if self.genesis_hash != chain.genesis_hash:
            raise NetworkMismatchError(
                f"the manifest is of another chain with id {self.chain_id}, which began with block "
                f"{self.genesis_hash} (a local chain that was started anew, for example)"
            )

    def check_code(self, chain: Chain, key: str) -> None:
        """Make sure that one contract's code is what was deployed and what this package knows.

        Raises:
            CodeMismatchError: It is not.
        """
        recorded = self.contracts[key]
        code = chain.code(recorded.address)
        where = f"{recorded.contract} ({key}) at {recorded.address}"
        if not code:
            raise CodeMismatchError(f"there is no code of {where} on chain {self.chain_id}")
        if "0x" + keccak(code).hex() != recorded.code_hash:
            raise CodeMismatchError(f"the code of {where} is not the code that was deployed")
        if not load(recorded.contract).is_code(code):
            raise CodeMismatchError(
                f"{where} is of another version than this package ships: install the package that "
                "fits the deployment"
            )

    def having(self, **changes: Any) -> Manifest:
        """A copy with fields changed."""
        return replace(self, **changes)

    def _address(self, key: str) -> str:
        try:
            return self.contracts[key].address
        except KeyError:
            present = ", ".join(self.contracts) or "nothing"
            raise ConfigurationError(
                f"{key} is not deployed on chain {self.chain_id}; the manifest has {present}"
            ) from None
