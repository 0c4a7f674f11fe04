"""Why a contract refused: from the bytes of a revert to one typed error.

One table says for every error the contracts can raise which class it becomes, what it means and
what to do now. `docs/errors.md` is generated from it, a test compares it with the ABIs both ways.

Nodes and libraries hand revert data over in many shapes; `find_revert_data` knows those of web3 7
and 8 on Anvil, Ganache, Hardhat, geth and eth-tester.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from eth_abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils import keccak, to_checksum_address

from tael.contracts.artifacts import load, signature_of
from tael.contracts.registry import REGISTRY
from tael.errors import (
    AlreadyDoneError,
    ContractRevertedError,
    InsufficientFundsError,
    LimitExceededError,
    NotPermittedError,
    TermsRefusedError,
    UnknownRevertError,
    WrongStateError,
    WrongTimeError,
)

MAX_REVERT_BYTES = 64 * 1024
"""More revert data than this is cut off before it is looked at."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one Solidity error is to a caller.

    Attributes:
        name: Its Solidity name.
        reaction: The class it is raised as.
        meaning: What it means, one sentence.
        what_now: What the caller should do, one sentence.
    """

    name: str
    reaction: type[ContractRevertedError]
    meaning: str
    what_now: str


SECTIONS: Mapping[str, tuple[Refusal, ...]] = MappingProxyType(
    {
        "OpenZeppelin AccessManager and AccessManaged: who may call what, after which delay": (
            Refusal(
                "AccessManagedUnauthorized",
                NotPermittedError,
                "The caller lacks the role that this function needs.",
                "Call from an account that holds the role; the deployment plan names its members.",
            ),
            Refusal(
                "AccessManagedRequiredDelay",
                NotPermittedError,
                "The caller holds the role, but must schedule the call and wait first.",
                "Schedule it through Governance, and execute it there after the delay.",
            ),
            Refusal(
                "AccessManagedInvalidAuthority",
                TermsRefusedError,
                "The new authority is an account without code.",
                "Name the address of an AccessManager contract.",
            ),
            Refusal(
                "AccessManagerUnauthorizedAccount",
                NotPermittedError,
                "The caller lacks the role that this change of governance needs.",
                "Call from an account that holds the role.",
            ),
            Refusal(
                "AccessManagerUnauthorizedCall",
                NotPermittedError,
                "The caller may not schedule or execute this call, or not so soon.",
                "Check role and delay; schedule no earlier than the delay allows.",
            ),
            Refusal(
                "AccessManagerUnauthorizedCancel",
                NotPermittedError,
                "Only its scheduler, the guardian of its role or an administrator may cancel it.",
                "Cancel from one of those accounts.",
            ),
            Refusal(
                "AccessManagerUnauthorizedConsume",
                NotPermittedError,
                "A contract tried to use up a scheduled operation that is not being executed.",
                "Execute the operation through Governance.",
            ),
            Refusal(
                "AccessManagerNotScheduled",
                WrongStateError,
                "The call needs to be scheduled first, and is not: never, or not any more.",
                "Schedule it through Governance, wait for the delay, then call again.",
            ),
            Refusal(
                "AccessManagerAlreadyScheduled",
                AlreadyDoneError,
                "The same operation is scheduled already.",
                "Wait for it, or cancel it first.",
            ),
            Refusal(
                "AccessManagerNotReady",
                WrongTimeError,
                "The delay of the scheduled operation is not over.",
                "Wait until the operation is ready, then execute it.",
            ),
            Refusal(
                "AccessManagerExpired",
                WrongTimeError,
                "The scheduled operation was not executed within a week of being ready.",
                "Schedule it again.",
            ),
            Refusal(
                "AccessManagerBadConfirmation",
                TermsRefusedError,
                "To renounce a role, the caller must name itself.",
                "Pass the address that sends the call.",
            ),
            Refusal(
                "AccessManagerInvalidInitialAdmin",
                TermsRefusedError,
                "Governance cannot begin with the zero address as administrator.",
                "Name the deployer's address.",
            ),
            Refusal(
                "AccessManagerLockedRole",
                TermsRefusedError,
                "This role is fixed by AccessManager and cannot be changed.",
                "Leave ADMIN and PUBLIC as they are.",
            ),
            Refusal(
                "AddressEmptyCode",
                TermsRefusedError,
                "The target of the operation is an account without code.",
                "Check the target's address and the chain.",
            ),
            Refusal(
                "FailedCall",
                UnknownRevertError,
                "The operation's target failed without saying why.",
                "Call the target directly to see the reason; do not repeat the operation.",
            ),
            Refusal(
                "InsufficientBalance",
                InsufficientFundsError,
                "Governance does not hold the ether that the operation would send along.",
                "Send no ether with the operation.",
            ),
            Refusal(
                "SafeCastOverflowedUintDowncast",
                TermsRefusedError,
                "A number is too large for its field.",
                "Give a smaller number.",
            ),
        ),
        "Governance": (
            Refusal(
                "LastAdmin",
                WrongStateError,
                "The last administrator cannot be removed and cannot leave.",
                "Grant ADMIN to a successor first.",
            ),
        ),
        "SettlementToken: accounts, holds and balances": (
            Refusal(
                "AccountNotActive",
                NotPermittedError,
                "The participant's account is not active, so it takes on no new obligation.",
                "Look at its status: admit it, or have it reinstated.",
            ),
            Refusal(
                "AccountCannotReceive",
                NotPermittedError,
                "The payee is not a participant of this currency, or its account is closed.",
                "Have the payee admitted, or choose another account.",
            ),
            Refusal(
                "AccountStatusMismatch",
                WrongStateError,
                "The account is not in the status that this step starts from.",
                "Look at its status; the step may have been taken already.",
            ),
            Refusal(
                "AccountHoldsOpen",
                WrongStateError,
                "Something is still held of this account, so it cannot be closed.",
                "Capture, void or reclaim its open payments first.",
            ),
            Refusal(
                "InsufficientAvailable",
                InsufficientFundsError,
                "The participant's available amount is too low.",
                "Fund the participant, or wait until holds are released.",
            ),
            Refusal(
                "InsufficientHold",
                InsufficientFundsError,
                "The module holds less of this participant than it is to pay or release.",
                "Reconcile the module's records with `heldFor`; do not repeat.",
            ),
            Refusal(
                "InsufficientAllowance",
                InsufficientFundsError,
                "The spender's allowance is too low.",
                "Have the owner approve more.",
            ),
            Refusal(
                "InvalidSpender",
                TermsRefusedError,
                "The zero address cannot be given an allowance.",
                "Name the spender.",
            ),
            Refusal(
                "InvalidAccount",
                TermsRefusedError,
                "The zero address cannot be an account or a module.",
                "Name the account.",
            ),
            Refusal(
                "InvalidAccountNonce",
                WrongStateError,
                "The nonce is not the account's next one.",
                "Read the current nonce and sign again.",
            ),
            Refusal(
                "PermitExpired",
                WrongTimeError,
                "The permit's deadline is over.",
                "Have a new permit signed.",
            ),
            Refusal(
                "InvalidSignature",
                TermsRefusedError,
                "The signature is not that of the account named.",
                "Sign with that account's key, for this contract and chain.",
            ),
            Refusal(
                "CallerNotPayee",
                NotPermittedError,
                "Only the payee may send this authorization.",
                "Let the payee send it, or use a transfer authorization.",
            ),
            Refusal(
                "AuthorizationConsumed",
                AlreadyDoneError,
                "This authorization was used or cancelled before.",
                "Look the transfer up by its nonce; do not send it again.",
            ),
            Refusal(
                "AuthorizationNotYetValid",
                WrongTimeError,
                "The authorization is not valid yet.",
                "Wait until after `validAfter`.",
            ),
            Refusal(
                "AuthorizationExpired",
                WrongTimeError,
                "The authorization is no longer valid and can never take effect.",
                "Have a new one signed.",
            ),
        ),
        "SettlementToken: reserve, issue, redeem, stopping, modules": (
            Refusal(
                "BankReferenceUsed",
                AlreadyDoneError,
                "An issue or redemption with this bank reference was made before.",
                "Look it up by its reference; do not send it again.",
            ),
            Refusal(
                "ReserveStale",
                WrongTimeError,
                "The attestation of the reserve has run out, or there is none.",
                "Have the reserve attested anew.",
            ),
            Refusal(
                "ReserveExceeded",
                LimitExceededError,
                "The supply would exceed the attested reserve.",
                "Issue less, or have a larger reserve attested.",
            ),
            Refusal(
                "AttestationPeriodInvalid",
                WrongTimeError,
                "An attestation must end in the future and within 35 days.",
                "Give a `validBefore` in that span of chain time.",
            ),
            Refusal(
                "AmountTooLarge",
                LimitExceededError,
                "More than the token can represent.",
                "Check the amount's unit: minor units.",
            ),
            Refusal(
                "TokenPaused",
                WrongStateError,
                "The currency is paused: no new obligations.",
                "Wait until it is unpaused; capture, void, reclaim and refund go on.",
            ),
            Refusal(
                "TokenNotPaused",
                AlreadyDoneError,
                "The currency is not paused.",
                "Nothing to do.",
            ),
            Refusal(
                "ModuleNotAdmitted",
                NotPermittedError,
                "The caller or named contract is not an admitted module of this currency.",
                "Have governance admit it.",
            ),
            Refusal(
                "ModuleAlreadyAdmitted",
                AlreadyDoneError,
                "The module is admitted already.",
                "Nothing to do.",
            ),
            Refusal(
                "NetLengthInvalid",
                TermsRefusedError,
                "Participants and changes differ in number, or there are too many or none.",
                "Split the settlement, and give one change each.",
            ),
            Refusal(
                "NetOrderInvalid",
                TermsRefusedError,
                "Participants are not in strictly ascending order.",
                "Sort by address and merge repeats.",
            ),
            Refusal(
                "NetSumNotZero",
                TermsRefusedError,
                "Debits and credits of the settlement differ.",
                "Compute the net positions again.",
            ),
        ),
        "PaymentEscrow: directory": (
            Refusal(
                "NotPermitted",
                NotPermittedError,
                "The caller is neither the participant nor its delegate for this verb.",
                "Call from the participant, or have it set a delegate with the verb.",
            ),
            Refusal(
                "ParticipantNotActive",
                NotPermittedError,
                "The participant's account in this currency is not active.",
                "Have it admitted or reinstated.",
            ),
            Refusal(
                "TokenNotAdmitted",
                NotPermittedError,
                "Payments do not run in this currency.",
                "Have governance admit the token.",
            ),
            Refusal(
                "TokenAlreadyAdmitted",
                AlreadyDoneError,
                "The token is admitted already.",
                "Nothing to do.",
            ),
            Refusal(
                "SchemeAccountMissing",
                WrongStateError,
                "The scheme account has no account in this token.",
                "Admit the scheme account there first.",
            ),
            Refusal(
                "VerbsInvalid",
                TermsRefusedError,
                "The set of verbs has bits that are no verb.",
                "Sum the constants of `Verbs`.",
            ),
            Refusal(
                "MerchantUnknown",
                TermsRefusedError,
                "No such merchant is registered.",
                "Check the merchant id, or register the merchant.",
            ),
            Refusal(
                "MerchantSignerInvalid",
                TermsRefusedError,
                "A merchant needs a signing key.",
                "Give the signer's address.",
            ),
            Refusal(
                "StatusInvalid",
                TermsRefusedError,
                "An entry can be set to active or blocked only.",
                "Give one of these.",
            ),
            Refusal(
                "CardInvalid",
                TermsRefusedError,
                "The zero address cannot be a card.",
                "Give the card's address.",
            ),
            Refusal(
                "EntriesTooMany",
                LimitExceededError,
                "Too many entries in one call.",
                "Split the list.",
            ),
        ),
        "PaymentEscrow: opening a payment": (
            Refusal(
                "PaymentExists",
                AlreadyDoneError,
                "A payment with these terms was opened before.",
                "Look at its state; do not send it again.",
            ),
            Refusal(
                "AmountZero",
                TermsRefusedError,
                "A payment, issue or redemption of nothing.",
                "Give an amount of at least one minor unit.",
            ),
            Refusal(
                "TermsNotCanonical",
                TermsRefusedError,
                "Bits that must be zero are not: an encoding fault.",
                "Encode with `tael.terms`.",
            ),
            Refusal(
                "DeadlinesInvalid",
                TermsRefusedError,
                "The deadlines are out of order or too far away.",
                "Keep their order; capture within 31 days, refund within 540 days after that.",
            ),
            Refusal(
                "AuthorizeTooLate",
                WrongTimeError,
                "The time to authorize or charge is over.",
                "Make new terms and have the card sign them.",
            ),
            Refusal(
                "InterchangeTooHigh",
                LimitExceededError,
                "The interchange share is above the scheme's cap.",
                "Make new terms within `interchangeCapBps`.",
            ),
            Refusal(
                "MerchantNotOfAcquirer",
                TermsRefusedError,
                "The acquirer in the terms does not vouch for this merchant in this currency.",
                "Check acquirer, merchant and currency against the directory.",
            ),
            Refusal(
                "MerchantNotActive",
                NotPermittedError,
                "The merchant does not accept this currency at present.",
                "Ask its acquirer to open it.",
            ),
            Refusal(
                "CardNotActive",
                NotPermittedError,
                "The card is not active in this currency.",
                "Ask its issuer to open it, or use another card.",
            ),
            Refusal(
                "CardPaymentLimitExceeded",
                LimitExceededError,
                "Above the card's limit per payment.",
                "Ask for less, or have the issuer raise the limit.",
            ),
            Refusal(
                "CardDayLimitExceeded",
                LimitExceededError,
                "Above what the card may spend in one UTC day.",
                "Wait for the next day, or have the issuer raise the limit.",
            ),
            Refusal(
                "CardSignatureInvalid",
                TermsRefusedError,
                "The terms are not signed by the card they name.",
                "Have the card sign this payment id.",
            ),
            Refusal(
                "DynamicCodeMissing",
                LimitExceededError,
                "Above the merchant's static limit without the merchant's signature.",
                "Ask the merchant for a dynamic code and use the full form.",
            ),
            Refusal(
                "DynamicCodeExpired",
                WrongTimeError,
                "The merchant's dynamic code has expired.",
                "Ask the merchant for a fresh code.",
            ),
            Refusal(
                "DynamicCodeAmountAbove",
                TermsRefusedError,
                "The dynamic code asks for more than the terms say.",
                "Make terms with at least the code's amount.",
            ),
            Refusal(
                "DynamicCodeSignatureInvalid",
                TermsRefusedError,
                "The dynamic code is not signed by the merchant's key.",
                "Treat the code as forged, and ask for a fresh one.",
            ),
            Refusal(
                "ConsentExpired",
                WrongTimeError,
                "The issuer's consent is no longer valid.",
                "Ask the issuer for a new consent.",
            ),
            Refusal(
                "ConsentSignatureInvalid",
                TermsRefusedError,
                "The consent is not signed by the account it names.",
                "Ask the issuer for a new consent.",
            ),
            Refusal(
                "ConsentsTooMany",
                TermsRefusedError,
                "More than one dynamic code or consent in one payment.",
                "Give at most one of each.",
            ),
            Refusal(
                "AvailableTooLow",
                InsufficientFundsError,
                "The issuer's available amount does not reach for this payment of the batch.",
                "Fund the issuer, then authorize this payment again.",
            ),
            Refusal(
                "BatchSizeInvalid",
                TermsRefusedError,
                "A batch takes at least one payment and at most the limit.",
                "Split the batch.",
            ),
        ),
        "PaymentEscrow: capture, void, reclaim, refund": (
            Refusal(
                "PaymentUnknown",
                WrongStateError,
                "No payment with these terms was opened.",
                "Check terms and contract; authorize first.",
            ),
            Refusal(
                "CaptureTooLate",
                WrongTimeError,
                "The time to capture is over; the money can be reclaimed.",
                "Agree on a new payment.",
            ),
            Refusal(
                "CaptureRepeated",
                AlreadyDoneError,
                "This much is captured already: the total is not above what it was.",
                "Read the captured total; do not send it again.",
            ),
            Refusal(
                "CaptureTooLarge",
                LimitExceededError,
                "The total exceeds the amount less what is voided.",
                "Capture at most the limit.",
            ),
            Refusal(
                "CaptureBelowFees",
                LimitExceededError,
                "The fees on this step would exceed what it captures.",
                "Capture more at once.",
            ),
            Refusal(
                "VoidRepeated",
                AlreadyDoneError,
                "This much is voided already: the total is not above what it was.",
                "Read the voided total; do not send it again.",
            ),
            Refusal(
                "VoidTooLarge",
                LimitExceededError,
                "The total exceeds the amount less what is captured.",
                "Void at most the limit; refund what is captured.",
            ),
            Refusal(
                "ReclaimTooEarly",
                WrongTimeError,
                "The acquirer may still capture.",
                "Wait until `captureBefore`.",
            ),
            Refusal(
                "ReclaimEmpty",
                AlreadyDoneError,
                "Nothing is held for this payment any more.",
                "Nothing to do.",
            ),
            Refusal(
                "RefundTooLate",
                WrongTimeError,
                "The time to refund through the escrow is over.",
                "Return the money by a transfer.",
            ),
            Refusal(
                "RefundRepeated",
                AlreadyDoneError,
                "This much is refunded already: the total is not above what it was.",
                "Read the refunded total; do not send it again.",
            ),
            Refusal(
                "RefundTooLarge",
                LimitExceededError,
                "The total exceeds what is captured.",
                "Refund at most the captured total; void what is still held.",
            ),
        ),
        "Set-up of contracts": (
            Refusal(
                "SchemeAccountInvalid",
                TermsRefusedError,
                "The escrow cannot be deployed without a scheme account.",
                "Correct the deployment plan.",
            ),
            Refusal(
                "SharesInvalid",
                TermsRefusedError,
                "Scheme fee and interchange cap exceed the whole.",
                "Correct the deployment plan.",
            ),
            Refusal(
                "InvalidShortString",
                TermsRefusedError,
                "A stored name does not decode.",
                "Report it: the deployment is damaged.",
            ),
            Refusal(
                "StringTooLong",
                TermsRefusedError,
                "A name is longer than 31 bytes.",
                "Choose a shorter name in the deployment plan.",
            ),
        ),
        "Solidity itself": (
            Refusal(
                "Error",
                UnknownRevertError,
                "Refused with words instead of a named error.",
                "Report it with the revert data.",
            ),
            Refusal(
                "Panic",
                UnknownRevertError,
                "An internal check of the contract failed.",
                "Report it with the revert data; do not repeat.",
            ),
        ),
    }
)
"""Every refusal there is, grouped for the reader of `docs/errors.md`."""

ERRORS: Mapping[str, Refusal] = MappingProxyType(
    {refusal.name: refusal for group in SECTIONS.values() for refusal in group}
)
"""The same by Solidity name."""

# Solidity's own two errors; no ABI lists them.
BUILT_IN = {
    bytes.fromhex("08c379a0"): ("Error", (("reason", "string"),)),
    bytes.fromhex("4e487b71"): ("Panic", (("code", "uint256"),)),
}

PANICS = MappingProxyType(
    {
        0x00: "a check the compiler put in",
        0x01: "an assertion",
        0x11: "an arithmetic overflow",
        0x12: "a division by zero",
        0x21: "a number that is no member of its enum",
        0x22: "a damaged byte array in storage",
        0x31: "taking from an empty array",
        0x32: "an index out of bounds",
        0x41: "too much memory",
        0x51: "a call of a function that was never set",
    }
)

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_HEX_INSIDE = re.compile(r"\b0x(?:[0-9a-fA-F]{2}){4,}", re.ASCII)


def decode_revert(data: bytes, *, transaction_hash: str | None = None) -> ContractRevertedError:
    """Turn revert data into the error to raise.

    Never fails: what is unknown, empty or malformed becomes an `UnknownRevertError`.

    Args:
        data: What the contract reverted with.
        transaction_hash: Of the transaction that was included and reverted, if there is one.

    Returns:
        The error; the caller raises it.
    """
    data = data[:MAX_REVERT_BYTES]
    if not data:
        return UnknownRevertError(
            "",
            meaning="The call was refused without a reason.",
            what_now="Check address, chain and gas; report it if they are right.",
            transaction_hash=transaction_hash,
        )
    name, inputs = _errors_by_selector(REGISTRY.names).get(data[:4], ("", ()))
    refusal = ERRORS.get(name)
    arguments = _arguments(inputs, data[4:])
    if refusal is None or arguments is None:
        return UnknownRevertError(
            name,
            {"selector": data[:4]},
            meaning="The call was refused with an error that this version does not know.",
            what_now="Report it with the revert data; do not repeat the call.",
            data=data,
            transaction_hash=transaction_hash,
        )
    meaning = refusal.meaning
    if name == "Panic":
        meaning = f"The contract stopped at {PANICS.get(arguments['code'], 'an internal check')}."
    return refusal.reaction(
        name,
        arguments,
        meaning=meaning,
        what_now=refusal.what_now,
        data=data,
        transaction_hash=transaction_hash,
    )


def revert_from(error: BaseException) -> ContractRevertedError | None:
    """Tell whether an exception means that a contract refused, and which refusal it is.

    Args:
        error: What web3, a provider or eth-tester raised.

    Returns:
        The typed error to raise from it; None if it is no revert.
    """
    data = find_revert_data(error)
    return None if data is None else decode_revert(data)


def find_revert_data(error: BaseException) -> bytes | None:
    """Find the bytes a contract reverted with inside whatever reports it.

    Args:
        error: What web3, a provider or eth-tester raised.

    Returns:
        The bytes, empty if the contract gave no reason; None if it is no revert.
    """
    response = getattr(error, "rpc_response", None)
    problem = response.get("error") if isinstance(response, Mapping) else None
    candidates: list[Any] = [getattr(error, "data", None)]
    if isinstance(problem, Mapping):
        candidates.append(problem.get("data"))
    if _is_revert(error, problem):
        # eth-tester hands the bytes over as an argument; some nodes only inside the message.
        candidates += [*error.args, *(_in_words(each) for each in error.args)]
        if isinstance(problem, Mapping):
            candidates.append(_in_words(problem.get("message")))
    elif not isinstance(problem, Mapping) or problem.get("code") != 3:
        return None
    found = [data for data in map(_bytes_of, candidates) if data is not None]
    # A node may give "0x" in one place and the bytes in another.
    return max(found, key=len, default=b"")


def _is_revert(error: BaseException, problem: Any) -> bool:
    # By name: eth-tester's class need not be installed, and web3's differ between versions.
    names = {each.__name__ for each in type(error).__mro__}
    if names & {"ContractLogicError", "TransactionFailed"}:
        return True
    message = problem.get("message") if isinstance(problem, Mapping) else None
    return isinstance(message, str) and bool(re.search(r"\breverte?d?\b", message))


def _bytes_of(value: Any, depth: int = 0) -> bytes | None:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        text = value.removeprefix("Reverted ").strip()
        return bytes.fromhex(text[2:]) if _HEX.fullmatch(text) else None
    if isinstance(value, Mapping) and depth < 3:
        # Ganache: result; Hardhat: data; older nodes: an entry per transaction hash.
        for key in ("result", "return", "data", "originalError"):
            found = _bytes_of(value.get(key), depth + 1)
            if found is not None:
                return found
        for nested in value.values():
            if isinstance(nested, Mapping):
                found = _bytes_of(nested, depth + 1)
                if found is not None:
                    return found
    return None


def _in_words(value: Any) -> str | None:
    match = _HEX_INSIDE.search(value) if isinstance(value, str) else None
    return match[0] if match else None


@cache
def _errors_by_selector(
    contracts: tuple[str, ...],
) -> Mapping[bytes, tuple[str, tuple[tuple[str, str], ...]]]:
    known: dict[bytes, tuple[str, tuple[tuple[str, str], ...]]] = dict(BUILT_IN)
    for contract in contracts:
        for entry in load(contract).errors:
            # Only elementary types occur in the contracts' errors; a test says so.
            inputs = tuple((each["name"], each["type"]) for each in entry["inputs"])
            known[keccak(text=signature_of(entry))[:4]] = (entry["name"], inputs)
    return known


def _arguments(inputs: tuple[tuple[str, str], ...], data: bytes) -> dict[str, Any] | None:
    try:
        values = decode([kind for _, kind in inputs], data)
    except (DecodingError, OverflowError, ValueError):
        return None
    return {
        name: to_checksum_address(value) if kind == "address" else value
        for (name, kind), value in zip(inputs, values, strict=True)
    }
