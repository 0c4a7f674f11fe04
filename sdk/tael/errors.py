"""Every error the package raises, in one tree: one class per reaction of the caller.

Catch a class to react, log ``code`` (stable, never translated) and show the message, which says
what to do now. Nothing was sent to a chain when an :class:`InvalidInputError` is raised.

The classes under :class:`ContractRevertedError` are what `tael.chain.reverts` maps the contracts'
own errors to; `docs/errors.md` lists all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class TaelError(Exception):
    """Base of every error raised on purpose by this package.

    Args:
        message: What happened and what to do now, for a person. Untrusted text inside it has been
            made safe to print.
    """

    code: ClassVar[str] = "tael_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MissingExtraError(TaelError):
    """An optional dependency is not installed: install the extra the message names."""

    code = "missing_extra"


class InvalidInputError(TaelError):
    """The input is wrong and nothing was sent: correct it and call again."""

    code = "invalid_input"


class AmountError(InvalidInputError):
    """An amount is written in a way that could be misread, or out of range: write it plainly."""

    code = "amount_invalid"


class AmountTypeError(AmountError, TypeError):
    """A float, or another type that cannot hold money exactly: use text, Decimal or an integer."""

    code = "amount_type"


class CurrencyUnknownError(InvalidInputError):
    """No ISO 4217 currency that can be settled: correct the code."""

    code = "currency_unknown"


class AddressError(InvalidInputError):
    """No usable address: take it, checksummed, from the source you trust."""

    code = "address_invalid"


class InvalidTermsError(InvalidInputError):
    """A term does not fit its field: correct it; nothing was signed or sent."""

    code = "invalid_terms"


class ConfigurationError(TaelError):
    """Settings, files or network do not fit together: correct them; trying again will not help."""

    code = "configuration"


class NetworkMismatchError(ConfigurationError):
    """The node serves another chain than the one configured: never sign for it."""

    code = "network_mismatch"


class CodeMismatchError(ConfigurationError):
    """Code at a recorded address is not the code that was deployed: never send to it."""

    code = "code_mismatch"


class GenerationMismatchError(ConfigurationError):
    """The contracts are of another generation than this package speaks: use the version named."""

    code = "generation_mismatch"


class SigningKeyError(ConfigurationError):
    """A key is missing, unreadable, or must not be used on this chain: provide another."""

    code = "signing_key"


class TryAgainError(TaelError):
    """Make the same call with the same reference again, a little later: it acts once, not twice."""

    code = "try_again"


class NodeUnavailableError(TryAgainError):
    """The node did not answer, or not properly; nothing was changed: call again later."""

    code = "node_unavailable"


class TooMuchError(NodeUnavailableError):
    """The node will not answer so much at once: ask for less."""

    code = "node_answer_too_large"


class DisagreementError(NodeUnavailableError):
    """The nodes contradict each other, so nothing they say counts: find out which one is wrong."""

    code = "nodes_disagree"


class StoreError(TryAgainError):
    """The database took nothing, so nothing was sent: free space, a lock or the way, and repeat."""

    code = "store_unavailable"


class StoreUnsureError(StoreError):
    """The way to the database broke while it committed, so nobody knows what it took: repeat."""

    code = "store_unsure"


class StoreVersionError(ConfigurationError):
    """The database's tables are of a newer version of this package: use that version."""

    code = "store_version"


class AlreadyRunningError(TaelError):
    """Another process does this very work now: wait for it, or give this one a place of its own."""

    code = "already_running"


class NodeStartError(TaelError):
    """A local chain could not be started: do what the message says."""

    code = "node_start"


class NodeError(TaelError):
    """A local chain refused a request, or did not answer it: see its log, which the message names.

    Args:
        message: The node's own words.
        method: The JSON-RPC method that was refused.
        data: What the node added, for example the bytes of a revert; None if nothing.
    """

    code = "node_error"

    def __init__(self, message: str, *, method: str, data: Any = None) -> None:
        super().__init__(message)
        self.method = method
        self.data = data


class IdempotencyConflictError(TaelError):
    """The reference stands for another order already: nothing was sent; use a new reference."""

    code = "idempotency_conflict"


class LedgerError(TaelError):
    """The events contradict each other: some are missing, doubled, or of other contracts."""

    code = "ledger_contradiction"


class UnknownEventError(LedgerError):
    """A contract of ours emitted an event not known here: install the version that fits it."""

    code = "event_unknown"

    @classmethod
    def of(cls, log: Mapping[str, Any], block_number: object = None) -> UnknownEventError:
        """The error for a log as a node gives it; a block's number if it does not tell."""
        topic = log["topics"][0] if log["topics"] else "no topic"
        said = "0x" + topic.hex() if isinstance(topic, bytes) else str(topic)
        return cls(
            f"contract {log['address']} emitted an event that this version of tael does not know, "
            f"{said}, in block {log.get('blockNumber', block_number)}: install the version that "
            "fits the deployment, or find out why the node tells of it"
        )


class IndexStateError(ConfigurationError):
    """The index is missing, or of another version or other contracts: run it, or rebuild it."""

    code = "index_unusable"


class DeepReorgError(TaelError):
    """The chain took back what was final, or more than is known: find out why, then rebuild."""

    code = "reorg_too_deep"


class SubscriptionLostError(TaelError):
    """The block a reader of events stopped in is gone without a notice: say where to go on."""

    code = "subscription_lost"


class WebhookAddressError(ConfigurationError):
    """A webhook's address is none, or leads where it must not: correct it, or allow the network."""

    code = "webhook_address"


class WebhookGoneError(TaelError):
    """The receiver of a webhook says that it is gone for good: ask whoever runs it."""

    code = "webhook_gone"


class WebhookRefusedError(InvalidInputError):
    """A webhook that was received is not authentic, or too old: do not act on it."""

    code = "webhook_not_authentic"


class TransactionRefusedError(TaelError):
    """The node refused a transaction for good: it is on no chain. Mend the cause and call again.

    Args:
        message: What the node said and what to do.
        transaction_hash: Hash of what was refused, 0x-prefixed; empty if nothing was signed.
    """

    code = "transaction_refused"

    def __init__(self, message: str, *, transaction_hash: str = "") -> None:
        super().__init__(message)
        self.transaction_hash = transaction_hash


class OutcomeUnknownError(TryAgainError):
    """A transaction was handed to the network and its fate is open: resolve it, never send anew.

    Args:
        message: What happened.
        transaction_hash: 0x-prefixed hash to look up until it is found or can no longer be mined.
        reference: The caller's reference for the write.
    """

    code = "outcome_unknown"

    def __init__(self, message: str, *, transaction_hash: str, reference: str) -> None:
        super().__init__(message)
        self.transaction_hash = transaction_hash
        self.reference = reference


class ContractRevertedError(TaelError):
    """A contract refused: nothing changed on the chain. The subclasses say how to react.

    Args:
        name: Solidity name of the error, as in `CaptureTooLate`; empty if there was none.
        arguments: Its arguments by name.
        meaning: What it means.
        what_now: What the caller should do.
        data: The revert data as the chain gave it.
        transaction_hash: 0x-prefixed hash if the refusal was included in a block and so cost gas;
            None if it was found out before anything was sent.
    """

    code = "contract_reverted"

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        meaning: str = "",
        what_now: str = "",
        data: bytes = b"",
        transaction_hash: str | None = None,
    ) -> None:
        self.name = name
        self.arguments: Mapping[str, Any] = MappingProxyType(dict(arguments or {}))
        self.meaning = meaning
        self.what_now = what_now
        self.data = data
        self.transaction_hash = transaction_hash
        values = ", ".join(f"{key}={_shown(value)}" for key, value in self.arguments.items())
        sentence = " ".join(part for part in (meaning, what_now) if part)
        where = f" [transaction {transaction_hash}]" if transaction_hash else ""
        super().__init__(f"{name or 'reverted'}({values}): {sentence}{where}")


class NotPermittedError(ContractRevertedError):
    """The caller may not do this: use the account that may, or have its right granted."""

    code = "not_permitted"


class WrongStateError(ContractRevertedError):
    """Not in the present state of account, payment or contract: look at it, then decide."""

    code = "wrong_state"


class AlreadyDoneError(WrongStateError):
    """The chain has this already and refuses a repeat: read what is there, do not send again."""

    code = "already_done"


class WrongTimeError(ContractRevertedError):
    """Too early or too late: wait, or make new terms."""

    code = "wrong_time"


class InsufficientFundsError(ContractRevertedError):
    """Not enough available, held or allowed: provide the funds and call again."""

    code = "insufficient_funds"


class LimitExceededError(ContractRevertedError):
    """Above a limit somebody set: ask for less, or have the limit raised."""

    code = "limit_exceeded"


class TermsRefusedError(ContractRevertedError):
    """Terms, signatures or arguments are not acceptable as they are: make them anew."""

    code = "terms_refused"


class UnknownRevertError(ContractRevertedError):
    """Reverted in a way this version does not know: report it with `data`; do not repeat it."""

    code = "unknown_revert"


class QrError(InvalidInputError):
    """A payment code was refused: do not pay it."""

    code = "qr_refused"


class NotPaymentCodeError(QrError):
    """Readable, yet no payment code: tell the payer what was scanned."""

    code = "qr_not_payment"


class MalformedCodeError(QrError):
    """The data objects do not add up or break their format: scan again or ask for a new code."""

    code = "qr_malformed"


class CrcMismatchError(QrError):
    """The check sum does not fit the text: scan again."""

    code = "qr_crc_mismatch"


class OversizeCodeError(QrError):
    """More text than a code or a template can hold: shorten it."""

    code = "qr_oversize"


class NonConformingCodeError(QrError):
    """Readable, yet outside EMVCo's rules: lenient reading accepts it with a warning."""

    code = "qr_not_conforming"


class AmountFormatError(QrError):
    """An amount or fee is written in a way that could be misread: ask for a new code."""

    code = "qr_amount_invalid"


class NotTaelCodeError(QrError):
    """A payment code of another scheme, or unsigned: it cannot be paid through the escrow."""

    code = "qr_not_tael"


class SignatureMismatchError(QrError):
    """What was signed is not what the code says: it was altered after signing."""

    code = "qr_signature_mismatch"


class WrongSignerError(QrError):
    """Signed consistently, but not by this merchant's key: another merchant's or an old key."""

    code = "qr_wrong_signer"


class CodeExpiredError(QrError):
    """The code's time is over: ask the merchant for a fresh one."""

    code = "qr_expired"


class WrongChainError(QrError):
    """The code is for another chain: connect to that chain or ask for another code."""

    code = "qr_wrong_chain"


class WrongContractError(QrError):
    """The code is for another escrow contract than the one configured."""

    code = "qr_wrong_contract"


class MerchantInactiveError(QrError):
    """The acquirer does not vouch for this merchant at present."""

    code = "qr_merchant_inactive"


class NameNotVouchedError(QrError):
    """The Directory does not vouch for the name in the code: show no name from it."""

    code = "qr_name_not_vouched"


class LookAlikeNameError(QrError):
    """The name imitates another or hides characters: treat the code as an attack."""

    code = "qr_name_look_alike"


class CurrencyMismatchError(QrError):
    """No settlement token stands for the code's currency."""

    code = "qr_currency_mismatch"


class StaticLimitError(QrError):
    """Above what the merchant may take without a dynamic code: ask for a dynamic one."""

    code = "qr_above_static_limit"


class ImageUnreadableError(QrError):
    """No PNG or JPEG, damaged, or nothing found in it: take another picture."""

    code = "qr_image_unreadable"


class ImageTooLargeError(QrError):
    """The file or picture is larger than the reader accepts: crop or shrink it."""

    code = "qr_image_too_large"


class SeveralCodesError(QrError):
    """More than one code in the picture: let the payer choose, never pick one.

    Args:
        message: What happened.
        texts: The text of each code found.
    """

    code = "qr_several_codes"

    def __init__(self, message: str, texts: tuple[str, ...]) -> None:
        super().__init__(message)
        self.texts = texts


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
