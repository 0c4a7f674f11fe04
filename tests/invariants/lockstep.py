"""The contracts and the model side by side: every transaction goes to both, and both must agree.

After each transaction the outcome (refusal with arguments, or returned values and all events) and
the whole state of everything known are compared, and the logs are fed to the package's ledger,
which must come to the same state.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eth_abi import encode
from eth_utils import keccak

from . import invariants, views
from .actors import (
    ACQUIRER,
    ADMIN,
    ATTESTOR,
    BANKS,
    CARDS,
    CLEARING,
    COMMITMENTS,
    DELEGATES,
    DEPLOYER,
    DESK,
    ESCROW_ROLES,
    GOVERNOR,
    HASH,
    HOLDERS,
    INTERCHANGE_CAP_BPS,
    ISSUER,
    OUTSIDER,
    QUEUE,
    REGISTRAR,
    SCHEME,
    SCHEME_BPS,
    SECOND_ACQUIRER,
    SECOND_ISSUER,
    SUCCESSOR,
    TILLS,
    TOKEN_ROLES,
    WALLET_OWNER,
)
from .chain import START, Chain, Done, Event, Outcome, Refused
from .messages import Signers
from .model import (
    DAY,
    ZERO,
    Entry,
    Escrow,
    Governance,
    Token,
    Verb,
    World,
    merchant_id,
)
from .oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Contract

_WALLET_KINDS = 8


class Disagreement(AssertionError):  # noqa: N818
    """Contract and model differ."""


class Lockstep:
    """A deployment, its model, and the transactions sent to both.

    Attributes:
        chain: The EVM.
        world: The model.
        succeeded: How often each function went through.
        refused: How often each error was met, inside batches too.
    """

    def __init__(
        self,
        code: Mapping[str, Mapping[str, Any]],
        shares: tuple[int, int] = (SCHEME_BPS, INTERCHANGE_CAP_BPS),
    ) -> None:
        self.chain = Chain(code)
        self.succeeded: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        chain = self.chain
        governance = chain.deploy("Governance", DEPLOYER, ADMIN)
        self.wallets = [
            chain.deploy("InvariantWallet", DEPLOYER, WALLET_OWNER.address, answer)
            for answer in range(_WALLET_KINDS)
        ]
        self.wallet = self.wallets[0]
        signers = Signers(
            {self.wallet: WALLET_OWNER.address}, agreeable=frozenset({self.wallets[7]})
        )
        self.world = World(signers)
        self.world.now = chain.now
        self.governance = Governance(self.world, governance, ADMIN)
        self.cny = self._token("Tael Yuan", "CNY", 156, 2)
        self.jpy = self._token("Tael Yen", "JPY", 392, 0)
        # Not in business: its scheme account is missing, and no invariant is asked of it.
        self.bhd = self._token("Tael Dinar", "BHD", 48, 3)
        at = chain.deploy("PaymentEscrow", DEPLOYER, governance, SCHEME, *shares)
        self.escrow = Escrow(self.world, at, self.governance, SCHEME, *shares)
        self.tokens = (self.cny, self.jpy)
        self.foreign: Counter[tuple[str, str]] = Counter()
        self.oracle = Oracle({at, *(token.address for token in (*self.tokens, self.bhd))})
        self.participants = (
            *(bank.address for bank in BANKS),
            SCHEME,
            OUTSIDER,
            self.wallet,
            CLEARING,
            QUEUE,
            SUCCESSOR,
            at,
            ZERO,
        )
        self.modules = (at, CLEARING, QUEUE, SUCCESSOR, ZERO)
        self.cards = (*(card.address for card in CARDS), self.wallet)
        self.merchants = tuple(
            merchant_id(acquirer, commitment)
            for acquirer, commitment in (
                (ACQUIRER, COMMITMENTS[0]),
                (ACQUIRER, COMMITMENTS[1]),
                (SECOND_ACQUIRER, COMMITMENTS[2]),
            )
        )
        self._queries = list(views.fixed(self))
        self._questions = b"".join(Chain.question(to, data) for to, data, _, _ in self._queries)
        self._checkpoint: Any = None
        self._saved: Any = None
        self._set_roles()

    # Setting up

    def _token(self, name: str, symbol: str, iso_code: int, exponent: int) -> Token:
        governance = self.governance
        arguments = (governance.address, name, symbol, iso_code, exponent)
        at = self.chain.deploy("SettlementToken", DEPLOYER, *arguments)
        return Token(self.world, at, governance, name)

    def _set_roles(self) -> None:
        governance = self.governance
        tokens = (*self.tokens, self.bhd)
        roles = [(token, TOKEN_ROLES) for token in tokens] + [(self.escrow, ESCROW_ROLES)]
        for contract, functions in roles:
            interface = self.chain.interfaces[self.chain.kinds[contract.address]]
            for function, role in functions.items():
                selector = interface.functions[function][0].selector
                arguments = (contract.address, [selector], role)
                sent = self.chain.send(
                    ADMIN, governance.address, "setTargetFunctionRole", *arguments
                )
                assert isinstance(sent, Done), sent
                governance.roles[contract.address, function] = role
        for role, holder in HOLDERS.items():
            self.ok(ADMIN, governance, "grantRole", role, holder, 0)

    def open_business(self) -> None:
        """Four banks in two currencies, funded; merchants and cards ready; the escrow at work."""
        escrow = self.escrow
        banks = [bank.address for bank in BANKS]
        for token in self.tokens:
            for participant in (*banks, SCHEME):
                self.ok(REGISTRAR, token, "admit", participant)
            self.ok(ATTESTOR, token, "attest", 10_000_000, HASH, self.now + 30 * DAY)
            for index, bank in enumerate(banks):
                reference = keccak(encode(["string", "uint256"], ["opening", index]))
                self.ok(DESK, token, "issue", bank, 1_000_000, reference)
            self.ok(GOVERNOR, token, "admitEscrow", escrow.address)
            self.ok(GOVERNOR, token, "admitModule", CLEARING)
            self.ok(GOVERNOR, escrow, "admitToken", token.address)
        owners = (ACQUIRER, ACQUIRER, SECOND_ACQUIRER)
        for index, (owner, commitment) in enumerate(zip(owners, COMMITMENTS, strict=True)):
            till = self.wallet if index == 2 else TILLS[index].address
            self.ok(owner, escrow, "setMerchant", owner, commitment, till, 5411 + index, HASH)
            limits = [(token.address, 5_000, int(Entry.ACTIVE)) for token in self.tokens]
            self.ok(owner, escrow, "setAcceptances", self.merchants[index], limits)
        for issuer in (ISSUER, SECOND_ISSUER):
            cards = [
                (card, token.address, 20_000, 60_000, int(Entry.ACTIVE))
                for card in self.cards
                for token in self.tokens
            ]
            self.ok(issuer, escrow, "setCards", issuer, cards)
            self.ok(issuer, escrow, "setDelegate", DELEGATES[0].address, 127)
        for acquirer in (ACQUIRER, SECOND_ACQUIRER):
            verbs = Verb.CAPTURE | Verb.VOID | Verb.REFUND
            self.ok(acquirer, escrow, "setDelegate", DELEGATES[1].address, int(verbs))

    def keep(self) -> None:
        """Make the present state the one that `start_over` returns to."""
        self._checkpoint = self.chain.evm.snapshot()
        self._saved = (self.world.save(), self.now, self.oracle.save())
        self.foreign.clear()

    def start_over(self) -> None:
        self.chain.evm.revert(self._checkpoint)
        self._checkpoint = self.chain.evm.snapshot()
        contracts, now, ledger = self._saved
        self.chain.logs.clear()
        self.world.load(contracts)
        self.oracle.load(ledger)
        self.foreign.clear()
        self.set_time(now)

    # Time

    @property
    def now(self) -> int:
        return self.world.now

    def set_time(self, now: int) -> None:
        self.world.now = now
        self.chain.set_time(now)

    def wait(self, seconds: int) -> None:
        self.set_time(self.now + seconds)

    # Transactions

    def send(self, caller: str, to: Contract, function: str, *arguments: Any) -> Outcome:
        """Send to both, compare everything, return what happened."""
        before = self.world.save()
        expected = self.world.send(caller, to.address, function, *arguments)
        actual = self.chain.send(caller, to.address, function, *arguments)
        if actual != expected:
            call = f"{function}{arguments} from {caller}"
            raise Disagreement(f"{call}\n  contract: {actual}\n  model:    {expected}")
        if isinstance(actual, Done):
            self.succeeded[function] += 1
            self._count_skipped(actual.events)
            self._follow_successor(caller, to, function, arguments)
            self.compare()
            invariants.check_step(self, before, caller, to, function, arguments, actual)
        else:
            self.refused[actual.error] += 1
        return actual

    def _count_skipped(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.name == "PaymentSkipped":
                self.refused[event.arguments[1].error] += 1

    def ok(self, caller: str, to: Contract, function: str, *arguments: Any) -> Done:
        """Send what must succeed."""
        outcome = self.send(caller, to, function, *arguments)
        if not isinstance(outcome, Done):
            raise Disagreement(f"{function}{arguments} was refused: {outcome}")
        return outcome

    def refuse(
        self,
        error: str,
        values: tuple[Any, ...],
        caller: str,
        to: Contract,
        function: str,
        *arguments: Any,
    ) -> None:
        """Send what must be refused with exactly this error."""
        outcome = self.send(caller, to, function, *arguments)
        if outcome != Refused(error, values):
            raise Disagreement(f"{function}{arguments}: {outcome}, not {Refused(error, values)}")
        self.compare()

    def _follow_successor(self, caller: str, to: Contract, function: str, arguments: Any) -> None:
        """What another escrow than ours did to the holds of the account word."""
        if not isinstance(to, Token) or caller != to.escrow:
            return
        if function == "holdFunds":
            self.foreign[to.address, arguments[0]] += arguments[1]
        elif function == "releaseHold":
            self.foreign[to.address, arguments[0]] -= arguments[1]
        elif function == "executeHold":
            self.foreign[to.address, arguments[0]] -= arguments[2] + arguments[4] + arguments[5]
        elif function == "settleNet" and arguments[2] == 1:
            for participant, change in zip(arguments[0], arguments[1], strict=True):
                if change < 0:
                    self.foreign[to.address, participant] += change

    # State

    def compare(self) -> None:
        """Compare what every view answers with what the model says, and what the events tell."""
        moving = list(views.moving(self))
        questions = [self._questions, *(Chain.question(to, data) for to, data, _, _ in moving)]
        answers = [expect() for _, _, expect, _ in self._queries]
        answers += [expected for _, _, expected, _ in moving]
        if self.chain.views(b"".join(questions)) != b"".join(answers):
            labels = [query[:2] + query[3:] for query in (*self._queries, *moving)]
            self._complain(labels, answers)
        self.oracle.take(self.chain.logs)
        self.chain.logs.clear()
        self.oracle.compare(self)

    def _complain(self, queries: list[tuple[str, bytes, str]], answers: list[bytes]) -> None:
        """Name the first view that answers otherwise than the model."""
        for (to, data, label), expected in zip(queries, answers, strict=True):
            answer = self.chain.view(to, data)
            if answer != expected:
                raise Disagreement(f"{label}: {answer.hex()}, not {expected.hex()}")
        raise Disagreement("the views together answer otherwise than one by one")


def fresh(code: Mapping[str, Mapping[str, Any]], *shares: int) -> Lockstep:
    """A deployment in business, with both sides compared, to which `start_over` returns.

    Args:
        code: Of the contracts.
        shares: The escrow's scheme share and interchange cap, if not those of the others.
    """
    lockstep = Lockstep(code, *([shares] if shares else []))
    assert lockstep.now == START
    lockstep.open_business()
    lockstep.compare()
    lockstep.keep()
    return lockstep
