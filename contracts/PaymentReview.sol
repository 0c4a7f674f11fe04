// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Directory} from "./Directory.sol";
import {
    DynamicCode,
    IPaymentEscrow,
    IssuerConsent,
    PackedTerms,
    Parties,
    PaymentState,
    Terms
} from "./interfaces/IPaymentEscrow.sol";
import {AcceptanceWord} from "./libraries/AcceptanceLib.sol";
import {Card} from "./libraries/CardLib.sol";
import {Payment} from "./libraries/PaymentLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TypedData} from "./TypedData.sol";

/// @title What is asked of a payment before anything changes
/// @dev Writes nothing and moves nothing. A refusal is a value here, the encoded error: a verb alone reverts with it, a
///      batch reports it and goes on.
abstract contract PaymentReview is IPaymentEscrow, Directory, TypedData {
    using TermsLib for PackedTerms;
    using TermsLib for Parties;

    /// @dev A word in a struct of its own, so that a pointer to it is computed once and passed on.
    struct PaymentEntry {
        Payment word;
    }

    bytes32 private constant CODE_TYPEHASH =
        keccak256("DynamicCode(bytes32 merchant,address token,uint64 amount,bytes16 uetr,uint40 expiresAt)");

    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_HOLD_SECONDS = 31 days;
    uint256 private constant MAX_REFUND_SECONDS = 540 days;

    address public immutable schemeAccount;
    uint256 public immutable schemeBps;
    uint256 public immutable interchangeCapBps;

    mapping(bytes32 id => PaymentEntry entry) internal _payments;

    constructor(address schemeAccount_, uint256 schemeBps_, uint256 interchangeCapBps_) {
        if (schemeAccount_ == address(0)) revert SchemeAccountInvalid();
        if (schemeBps_ > BPS || interchangeCapBps_ > BPS - schemeBps_) {
            revert SharesInvalid(schemeBps_, interchangeCapBps_);
        }
        schemeAccount = schemeAccount_;
        schemeBps = schemeBps_;
        interchangeCapBps = interchangeCapBps_;
    }

    // Views

    /// @inheritdoc IPaymentEscrow
    function paymentId(Parties calldata parties, PackedTerms calldata packed) external view returns (bytes32 id) {
        id = _idOf(parties, packed);
    }

    /// @inheritdoc IPaymentEscrow
    function termsOf(Parties calldata parties, PackedTerms calldata packed) external pure returns (Terms memory) {
        return TermsLib.unpack(parties, packed);
    }

    /// @inheritdoc IPaymentEscrow
    function paymentOf(bytes32 id) external view returns (PaymentState memory) {
        Payment payment = _payments[id].word;
        return
            PaymentState(
                payment.exists(),
                uint64(payment.captured()),
                uint64(payment.voided()),
                uint64(payment.refunded()),
                uint24(payment.day())
            );
    }

    // Internals: opening

    /// @dev Everything that opening asks for, short of signatures.
    /// @return refusal Empty if there is nothing against it.
    /// @return next The card's word with the payment counted.
    /// @return staticLimit Above it the merchant's dynamic code is needed.
    function _review(
        Parties calldata parties,
        PackedTerms calldata packed,
        bytes32 id,
        Payment payment,
        Card card
    ) internal view returns (bytes memory refusal, Card next, uint256 staticLimit) {
        if (payment.exists()) return (abi.encodeWithSelector(PaymentExists.selector, id), next, 0);
        refusal = _reviewTerms(packed, id);
        if (refusal.length != 0) return (refusal, next, 0);
        (refusal, next) = _reviewCard(packed, id, card);
        if (refusal.length != 0) return (refusal, next, 0);

        AcceptanceWord acceptance = _acceptances[packed.merchant][parties.tokenOf()];
        staticLimit = acceptance.staticLimit();
        if (acceptance.acquirer() != parties.acquirerOf()) {
            refusal = abi.encodeWithSelector(MerchantNotOfAcquirer.selector, id, packed.merchant, parties.acquirerOf());
        } else if (!acceptance.isActive()) {
            refusal = abi.encodeWithSelector(MerchantNotActive.selector, id, packed.merchant, acceptance.status());
        }
    }

    function _reviewTerms(PackedTerms calldata packed, bytes32 id) private view returns (bytes memory refusal) {
        if (packed.amount() == 0) return abi.encodeWithSelector(AmountZero.selector, id);
        if (packed.interchangeBps() > interchangeCapBps) {
            return abi.encodeWithSelector(InterchangeTooHigh.selector, id, packed.interchangeBps(), interchangeCapBps);
        }
        if (block.timestamp >= packed.authorizeBefore()) {
            return abi.encodeWithSelector(AuthorizeTooLate.selector, id, block.timestamp, packed.authorizeBefore());
        }
        unchecked {
            // Sums of a 40-bit time and less than two years: far below 2^256.
            if (
                packed.authorizeBefore() > packed.captureBefore() ||
                packed.captureBefore() > packed.refundBefore() ||
                packed.captureBefore() > block.timestamp + MAX_HOLD_SECONDS ||
                packed.refundBefore() > packed.captureBefore() + MAX_REFUND_SECONDS
            ) {
                return
                    abi.encodeWithSelector(
                        DeadlinesInvalid.selector,
                        id,
                        packed.authorizeBefore(),
                        packed.captureBefore(),
                        packed.refundBefore()
                    );
            }
        }
    }

    function _reviewCard(
        PackedTerms calldata packed,
        bytes32 id,
        Card card
    ) private view returns (bytes memory refusal, Card next) {
        uint256 amount = packed.amount();
        uint256 today = _today();
        unchecked {
            // Two 64-bit numbers.
            uint256 spent = card.spentOn(today) + amount;
            if (!card.isActive()) {
                refusal = abi.encodeWithSelector(CardNotActive.selector, id, packed.card(), card.status());
            } else if (amount > card.paymentLimit()) {
                refusal = abi.encodeWithSelector(CardPaymentLimitExceeded.selector, id, amount, card.paymentLimit());
            } else if (spent > card.dayLimit()) {
                refusal = abi.encodeWithSelector(CardDayLimitExceeded.selector, id, spent, card.dayLimit());
            }
            next = card.withSpent(spent, today);
        }
    }

    /// @param contractSigner Whether a merchant whose signer is a contract account is asked (ERC-1271).
    function _reviewCode(
        DynamicCode calldata code,
        PackedTerms calldata packed,
        bytes32 id,
        address token,
        bool contractSigner
    ) internal view returns (bytes memory refusal) {
        if (block.timestamp >= code.expiresAt) {
            return abi.encodeWithSelector(DynamicCodeExpired.selector, id, block.timestamp, code.expiresAt);
        }
        if (code.amount > packed.amount()) {
            return abi.encodeWithSelector(DynamicCodeAmountAbove.selector, id, packed.amount(), code.amount);
        }
        bytes32 digest = _digest(
            keccak256(abi.encode(CODE_TYPEHASH, packed.merchant, token, code.amount, packed.uetr(), code.expiresAt))
        );
        address signer = _signerOf(packed.merchant);
        if (
            contractSigner
                ? !SignatureLib.isValid(signer, digest, code.signature)
                : !SignatureLib.isValidForKey(signer, digest, code.signature)
        ) {
            return abi.encodeWithSelector(DynamicCodeSignatureInvalid.selector, id, packed.merchant);
        }
    }

    /// @dev The caller is the issuer or may act for it, or brings the consent of one who may.
    function _requireIssuer(
        address issuer,
        uint256 verb,
        bytes32 typehash,
        bytes32 id,
        IssuerConsent[] calldata consents
    ) internal view {
        if (consents.length == 0) {
            _requirePermitted(issuer, verb);
            return;
        }
        IssuerConsent calldata consent = consents[0];
        if (block.timestamp >= consent.validBefore) {
            revert ConsentExpired(id, block.timestamp, consent.validBefore);
        }
        if (!_isPermitted(consent.signer, issuer, verb)) revert NotPermitted(consent.signer, issuer, verb);
        bytes32 digest = _digest(keccak256(abi.encode(typehash, id, consent.validBefore)));
        if (!SignatureLib.isValid(consent.signer, digest, consent.signature)) {
            revert ConsentSignatureInvalid(id, consent.signer);
        }
    }

    // Internals: what is open

    function _find(bytes32 id) internal view returns (PaymentEntry storage entry, Payment payment) {
        entry = _payments[id];
        payment = entry.word;
        if (!payment.exists()) revert PaymentUnknown(id);
    }

    /// @return refusal Empty if there is nothing against capturing up to `total`.
    /// @return scheme What this capture adds to the scheme fee.
    /// @return interchange What this capture adds to the interchange share.
    function _reviewCapture(
        PackedTerms calldata packed,
        bytes32 id,
        Payment payment,
        uint256 total
    ) internal view returns (bytes memory refusal, uint256 scheme, uint256 interchange) {
        uint256 captured = payment.captured();
        uint256 limit = packed.amount() - payment.voided();
        if (!payment.exists()) {
            refusal = abi.encodeWithSelector(PaymentUnknown.selector, id);
        } else if (block.timestamp >= packed.captureBefore()) {
            refusal = abi.encodeWithSelector(CaptureTooLate.selector, id, block.timestamp, packed.captureBefore());
        } else if (total <= captured) {
            refusal = abi.encodeWithSelector(CaptureRepeated.selector, id, total, captured);
        } else if (total > limit) {
            refusal = abi.encodeWithSelector(CaptureTooLarge.selector, id, total, limit);
        } else {
            (scheme, interchange) = _fees(packed.interchangeBps(), captured, total);
            unchecked {
                // Both floors may step up over one minor unit; the acquirer's part must not go below zero.
                uint256 fees = scheme + interchange;
                if (fees > total - captured) {
                    refusal = abi.encodeWithSelector(CaptureBelowFees.selector, id, total - captured, fees);
                }
            }
        }
    }

    /// @dev What a capture from `captured` to `total` adds to the floor of each share: the sum over all captures is the
    ///      floor of the whole.
    function _fees(
        uint256 interchangeBps,
        uint256 captured,
        uint256 total
    ) internal view returns (uint256 scheme, uint256 interchange) {
        unchecked {
            // `captured` is below `total`, and so are its shares.
            scheme = _share(total, schemeBps) - _share(captured, schemeBps);
            interchange = _share(total, interchangeBps) - _share(captured, interchangeBps);
        }
    }

    function _share(uint256 amount, uint256 bps) internal pure returns (uint256) {
        unchecked {
            // A uint64 times at most 10,000.
            return (amount * bps) / BPS;
        }
    }

    function _idOf(Parties calldata parties, PackedTerms calldata packed) internal view returns (bytes32) {
        return _digest(TermsLib.hash(parties, packed));
    }

    function _refuse(bytes memory refusal) internal pure {
        assembly ("memory-safe") {
            revert(add(refusal, 32), mload(refusal))
        }
    }

    function _schemeAccount() internal view override returns (address) {
        return schemeAccount;
    }
}
