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
from tael.contracts.escrow import PAYMENT_ESCROW
from tael.contracts.governance import GOVERNANCE
from tael.contracts.kinds import KEY_SEPARATOR
from tael.contracts.registry import GENERATION, GENERATIONS, REGISTRY
from tael.contracts.token import SETTLEMENT_TOKEN
from tael.errors import (
    AddressError,
    CodeMismatchError,
    ConfigurationError,
    GenerationMismatchError,
    NetworkMismatchError,
)
from tael.hashing import keccak
from tael.json_files import read_json

if TYPE_CHECKING:
    from tael.chain.connection import Chain

FORMAT = 1
MAX_MANIFEST_BYTES = 1024 * 1024


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
        contracts: By key, which begins with its kind's: `governance`, `escrow`, `token:` with the
            currency's letters; a second one of a kind has a number or a name there, `escrow:2`.
        plan: The plan it was deployed by, as `DeploymentPlan.to_dict` gives it.
        complete: Whether deployment is finished.
        generation: Of the contracts' interfaces and signed messages.
    """

    chain_id: int
    genesis_hash: str
    deployer: str
    contracts: Mapping[str, DeployedContract] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    generation: int = GENERATION

    @staticmethod
    def default_path(chain_id: int, folder: str | Path = "deployments") -> Path:
        """Where the manifest of a chain is kept: `deployments/<chain id>.json`."""
        return Path(folder) / f"{chain_id}.json"

    @property
    def governance(self) -> str:
        """Address of Governance."""
        return self._address(GOVERNANCE.key)

    @property
    def escrow(self) -> str:
        """Address of PaymentEscrow."""
        return self._address(PAYMENT_ESCROW.key)

    @property
    def tokens(self) -> dict[str, str]:
        """Address of each SettlementToken by the currency's letters."""
        return {
            key.partition(KEY_SEPARATOR)[2]: each.address
            for key, each in self.contracts.items()
            if SETTLEMENT_TOKEN.has_key(key)
        }

    def token(self, currency: str) -> str:
        """Address of a currency's SettlementToken.

        Raises:
            ConfigurationError: The currency is not deployed here.
        """
        return self._address(SETTLEMENT_TOKEN.key_for(currency))

    @property
    def addresses(self) -> tuple[str, ...]:
        """All contracts' addresses: none of them is ever a participant."""
        return tuple(each.address for each in self.contracts.values())

    @property
    def addresses_by_key(self) -> dict[str, str]:
        """Address of each contract by its key."""
        return {key: each.address for key, each in self.contracts.items()}

    @property
    def first_block(self) -> int:
        """The block deployment began in; no log of ours is older."""
        return min((each.block_number for each in self.contracts.values()), default=0)

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read a manifest.

        Raises:
            ConfigurationError: No such file, damaged, or written by a newer version.
            GenerationMismatchError: The contracts are of another generation than this package's.
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
            raise ConfigurationError(f"{file} is not a manifest, or is damaged: {error}") from error
        except GenerationMismatchError as error:
            raise GenerationMismatchError(f"{file}: {error.message}") from error
        except (ConfigurationError, AddressError) as error:
            raise ConfigurationError(f"{file}: {error.message}") from error

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Manifest:
        """The reverse of `to_dict`."""
        if document["format"] != FORMAT:
            raise ConfigurationError(f"a manifest of format {document['format']}, not {FORMAT}")
        _require_generation(document.get("generation", 1))
        _require_nothing_pending(document.get("pending"))
        contracts = {}
        for key, entry in document["contracts"].items():
            require_address(entry["address"], name=key)
            contracts[key] = DeployedContract(**entry)
            _require_kind(key, contracts[key])
        return cls(
            chain_id=int(document["chain_id"]),
            genesis_hash=str(document["genesis_hash"]),
            deployer=require_address(document["deployer"], name="deployer"),
            contracts=contracts,
            plan=dict(document["plan"]),
            complete=document["complete"] is True,
        )

    def to_dict(self) -> dict[str, Any]:
        """The manifest as plain values, ready for JSON."""
        return {
            "format": FORMAT,
            "generation": self.generation,
            "chain_id": self.chain_id,
            "genesis_hash": self.genesis_hash,
            "deployer": self.deployer,
            "complete": self.complete,
            "contracts": {
                key: {name: getattr(each, name) for name in DeployedContract.__slots__}
                for key, each in self.contracts.items()
            },
            "plan": dict(self.plan),
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
            GenerationMismatchError: The contracts are of another generation than this package's.
            CodeMismatchError: No code, or other code, at an address, or the package ships another
                version of the contract than the one deployed.
            NodeUnavailableError: The node did not answer properly.
        """
        self.require_chain(chain)
        self.require_generation()
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

    def require_generation(self) -> None:
        """Make sure that this package speaks with these contracts.

        Terms and messages of another generation are others: what is signed here means nothing
        there.

        Raises:
            GenerationMismatchError: They are of another generation.
        """
        _require_generation(self.generation)

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


def _require_generation(generation: int) -> None:
    if generation != GENERATION:
        version = GENERATIONS.get(generation)
        what = f"install tael {version}" if version else "install a newer version of tael"
        raise GenerationMismatchError(
            f"the contracts are of generation {generation}, and this package speaks generation "
            f"{GENERATION}: {what}, with which what is open there is ended"
        )


def _require_kind(key: str, recorded: DeployedContract) -> None:
    try:
        kind = REGISTRY.kind_of_key(key)
    except KeyError as error:
        raise ConfigurationError(f"{error.args[0]}: install the one that fits it") from error
    if recorded.contract != kind.name:
        raise ConfigurationError(f"{key} is a {kind.name}, not a {recorded.contract}")


def _require_nothing_pending(pending: Any) -> None:
    """Manifests once were the journal of their deployment; such a one is not taken up again."""
    if pending is not None:
        raise ConfigurationError(
            f"it waits for {pending['step']}, transaction {pending['transaction_hash']}, which an "
            "earlier version of this package signed and kept here: finish the deployment with that "
            'version; or set "pending" to null, and what that transaction may have created is left '
            "unused"
        )
