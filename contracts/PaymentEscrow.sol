// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Directory} from "./Directory.sol";
import {EntryStatus} from "./interfaces/IDirectory.sol";
import {
    AuthorizeItem,
    CaptureItem,
    CardSignature,
    Consents,
    DynamicCode,
    IPaymentEscrow,
    IssuerConsent,
    PackedTerms,
    Parties,
    PaymentState,
    Terms
} from "./interfaces/IPaymentEscrow.sol";
import {ISettlementToken} from "./interfaces/ISettlementToken.sol";
import {AcceptanceWord} from "./libraries/AcceptanceLib.sol";
import {Card} from "./libraries/CardLib.sol";
import {Payment, PaymentLib} from "./libraries/PaymentLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {Verbs} from "./libraries/Verbs.sol";
import {TypedData} from "./TypedData.sol";

/// @title Escrow of card and QR payments between banks
/// @dev Holds no money: it tells the token, which holds it, what to do, last in every verb. A refusal is a value here,
///      the encoded error: a verb alone reverts with it, a batch reports it and goes on. Needs no re-entrancy guard: the
///      only calls to strangers are static and come before the first write; batches make none.
/// Amounts handed to the token are at most 200 uint64, so the casts to uint128 lose nothing.
contract PaymentEscrow is IPaymentEscrow, Directory, TypedData {
    using TermsLib for PackedTerms;
    using TermsLib for Parties;

    /// @dev A word in a struct of its own, so that a pointer to it is computed once and passed on.
    struct PaymentEntry {
        Payment word;
    }

    bytes32 private constant CODE_TYPEHASH =
        keccak256("DynamicCode(bytes32 merchant,address token,uint64 amount,bytes16 uetr,uint40 expiresAt)");
    bytes32 private constant AUTHORIZE_CONSENT_TYPEHASH =
        keccak256("AuthorizeConsent(bytes32 paymentId,uint40 validBefore)");
    bytes32 private constant CHARGE_CONSENT_TYPEHASH = keccak256("ChargeConsent(bytes32 paymentId,uint40 validBefore)");

    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_HOLD_SECONDS = 31 days;
    uint256 private constant MAX_REFUND_SECONDS = 540 days;
    uint256 private constant MAX_BATCH = 200;

    address public immutable schemeAccount;
    uint256 public immutable schemeBps;
    uint256 public immutable interchangeCapBps;

    mapping(bytes32 id => PaymentEntry entry) private _payments;

    /// @param governance The AccessManager that may admit currencies.
    /// @param schemeAccount_ Who earns the scheme fee; needs an account in every admitted token.
    /// @param schemeBps_ Scheme fee, in 1/10,000 of what is captured.
    /// @param interchangeCapBps_ The most that terms may leave with the issuer, in 1/10,000.
    constructor(
        address governance,
        address schemeAccount_,
        uint256 schemeBps_,
        uint256 interchangeCapBps_
    ) AccessManaged(governance) TypedData("Tael Payment Escrow") {
        if (schemeAccount_ == address(0)) revert SchemeAccountInvalid();
        if (schemeBps_ > BPS || interchangeCapBps_ > BPS - schemeBps_) {
            revert SharesInvalid(schemeBps_, interchangeCapBps_);
        }
        schemeAccount = schemeAccount_;
        schemeBps = schemeBps_;
        interchangeCapBps = interchangeCapBps_;
    }

    // Authorize

    /// @inheritdoc IPaymentEscrow
    function authorize(
        CardSignature calldata signature,
        Parties calldata parties,
        PackedTerms calldata packed
    ) external returns (bytes32 id) {
        id = _idOf(parties, packed);
        _requirePermitted(parties.issuerOf(), Verbs.AUTHORIZE);
        _openPlain(parties, packed, id, signature, 0);
        _authorize(parties, packed, id);
    }

    /// @inheritdoc IPaymentEscrow
    function authorizeWith(
        Parties calldata parties,
        PackedTerms calldata packed,
        Consents calldata consents
    ) external returns (bytes32 id) {
        id = _idOf(parties, packed);
        _requireIssuer(parties.issuerOf(), Verbs.AUTHORIZE, AUTHORIZE_CONSENT_TYPEHASH, id, consents.consents);
        _openFull(parties, packed, id, consents, 0);
        _authorize(parties, packed, id);
    }

    /// @inheritdoc IPaymentEscrow
    function authorizeMany(
        Parties calldata parties,
        AuthorizeItem[] calldata items,
        DynamicCode[] calldata codes
    ) external returns (uint256 authorized) {
        _requirePermitted(parties.issuerOf(), Verbs.AUTHORIZE);
        _requireBatch(items.length);
        if (!isTokenAdmitted[parties.tokenOf()]) revert TokenNotAdmitted(parties.tokenOf());
        uint256 available = ISettlementToken(parties.tokenOf()).availableOf(parties.issuerOf());
        uint256 total;
        for (uint256 i; i < items.length; ++i) {
            (bytes32 id, bytes memory refusal) = _openItem(parties, items[i], codes, available - total);
            if (refusal.length != 0) {
                emit PaymentSkipped(id, refusal);
                continue;
            }
            emit PaymentAuthorized(id, parties.issuerOf(), parties.acquirerOf(), parties.tokenOf(), items[i].terms);
            unchecked {
                total += items[i].terms.amount(); // at most `available`
                ++authorized;
            }
        }
        if (total != 0) ISettlementToken(parties.tokenOf()).holdFunds(parties.issuerOf(), uint128(total));
    }

    // Charge

    /// @inheritdoc IPaymentEscrow
    function charge(
        CardSignature calldata signature,
        Parties calldata parties,
        PackedTerms calldata packed
    ) external returns (bytes32 id) {
        id = _idOf(parties, packed);
        _requirePermitted(parties.issuerOf(), Verbs.CHARGE);
        _openPlain(parties, packed, id, signature, packed.amount());
        _charge(parties, packed, id);
    }

    /// @inheritdoc IPaymentEscrow
    function chargeWith(
        Parties calldata parties,
        PackedTerms calldata packed,
        Consents calldata consents
    ) external returns (bytes32 id) {
        id = _idOf(parties, packed);
        _requireIssuer(parties.issuerOf(), Verbs.CHARGE, CHARGE_CONSENT_TYPEHASH, id, consents.consents);
        _openFull(parties, packed, id, consents, packed.amount());
        _charge(parties, packed, id);
    }

    // Capture

    /// @inheritdoc IPaymentEscrow
    function capture(Parties calldata parties, PackedTerms calldata packed, uint64 capturedTotal) external {
        bytes32 id = _idOf(parties, packed);
        _requirePermitted(parties.acquirerOf(), Verbs.CAPTURE);
        (PaymentEntry storage entry, Payment payment) = _find(id);
        (bytes memory refusal, uint256 scheme, uint256 interchange) = _reviewCapture(
            packed,
            id,
            payment,
            capturedTotal
        );
        if (refusal.length != 0) _refuse(refusal);

        entry.word = payment.withCaptured(capturedTotal);
        emit PaymentCaptured(id, capturedTotal);
        _execute(parties, capturedTotal - payment.captured(), scheme, interchange);
    }

    /// @inheritdoc IPaymentEscrow
    function captureMany(Parties calldata parties, CaptureItem[] calldata items) external returns (uint256 captured) {
        _requirePermitted(parties.acquirerOf(), Verbs.CAPTURE);
        _requireBatch(items.length);
        uint256 gross;
        uint256 schemes;
        uint256 interchanges;
        for (uint256 i; i < items.length; ++i) {
            CaptureItem calldata item = items[i];
            uint256 total = item.capturedTotal;
            bytes32 id = _idOf(parties, item.terms);
            PaymentEntry storage entry = _payments[id];
            Payment payment = entry.word;
            (bytes memory refusal, uint256 scheme, uint256 interchange) = _reviewCapture(
                item.terms,
                id,
                payment,
                total
            );
            if (refusal.length != 0) {
                emit PaymentSkipped(id, refusal);
                continue;
            }
            entry.word = payment.withCaptured(total);
            emit PaymentCaptured(id, total);
            gross += total - payment.captured();
            schemes += scheme;
            interchanges += interchange;
            ++captured;
        }
        if (gross != 0) _execute(parties, gross, schemes, interchanges);
    }

    // Void, reclaim

    /// @inheritdoc IPaymentEscrow
    function void(Parties calldata parties, PackedTerms calldata packed, uint64 voidedTotal) external {
        bytes32 id = _idOf(parties, packed);
        _requirePermitted(parties.acquirerOf(), Verbs.VOID);
        (PaymentEntry storage entry, Payment payment) = _find(id);
        uint256 voided = payment.voided();
        if (voidedTotal <= voided) revert VoidRepeated(id, voidedTotal, voided);
        uint256 limit = packed.amount() - payment.captured();
        if (voidedTotal > limit) revert VoidTooLarge(id, voidedTotal, limit);

        emit PaymentVoided(id, voidedTotal);
        _release(parties, packed, entry, payment, voidedTotal);
    }

    /// @inheritdoc IPaymentEscrow
    function reclaim(Parties calldata parties, PackedTerms calldata packed) external {
        bytes32 id = _idOf(parties, packed);
        (PaymentEntry storage entry, Payment payment) = _find(id);
        if (block.timestamp < packed.captureBefore()) {
            revert ReclaimTooEarly(id, block.timestamp, packed.captureBefore());
        }
        uint256 voidedTotal = packed.amount() - payment.captured();
        if (voidedTotal == payment.voided()) revert ReclaimEmpty(id);

        emit PaymentReclaimed(id, voidedTotal);
        _release(parties, packed, entry, payment, voidedTotal);
    }

    // Refund

    /// @inheritdoc IPaymentEscrow
    function refund(Parties calldata parties, PackedTerms calldata packed, uint64 refundedTotal) external {
        bytes32 id = _idOf(parties, packed);
        _requirePermitted(parties.acquirerOf(), Verbs.REFUND);
        (PaymentEntry storage entry, Payment payment) = _find(id);
        if (block.timestamp >= packed.refundBefore()) revert RefundTooLate(id, block.timestamp, packed.refundBefore());
        uint256 refunded = payment.refunded();
        if (refundedTotal <= refunded) revert RefundRepeated(id, refundedTotal, refunded);
        uint256 captured = payment.captured();
        if (refundedTotal > captured) revert RefundTooLarge(id, refundedTotal, captured);

        entry.word = payment.withRefunded(refundedTotal);
        emit PaymentRefunded(id, refundedTotal);
        uint256 interchange = _share(refundedTotal, packed.interchangeBps()) -
            _share(refunded, packed.interchangeBps());
        ISettlementToken(parties.tokenOf()).payBack(
            parties.acquirerOf(),
            parties.issuerOf(),
            uint128(refundedTotal - refunded - interchange)
        );
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

    // Internals: opening a payment

    function _authorize(Parties calldata parties, PackedTerms calldata packed, bytes32 id) private {
        emit PaymentAuthorized(id, parties.issuerOf(), parties.acquirerOf(), parties.tokenOf(), packed);
        ISettlementToken(parties.tokenOf()).holdFunds(parties.issuerOf(), uint128(packed.amount()));
    }

    function _charge(Parties calldata parties, PackedTerms calldata packed, bytes32 id) private {
        emit PaymentCharged(id, parties.issuerOf(), parties.acquirerOf(), parties.tokenOf(), packed);
        uint256 amount = packed.amount();
        // The interchange share never leaves the issuer.
        (uint256 scheme, uint256 interchange) = _fees(packed.interchangeBps(), 0, amount);
        ISettlementToken(parties.tokenOf()).pay(
            parties.issuerOf(),
            parties.acquirerOf(),
            uint128(amount - scheme - interchange),
            schemeAccount,
            uint128(scheme)
        );
    }

    function _openPlain(
        Parties calldata parties,
        PackedTerms calldata packed,
        bytes32 id,
        CardSignature calldata signature,
        uint256 captured
    ) private {
        PaymentEntry storage payment = _payments[id];
        CardEntry storage card = _cards[parties.issuerOf()][packed.card()][parties.tokenOf()];
        (bytes memory refusal, Card next, uint256 staticLimit) = _review(parties, packed, id, payment.word, card.word);
        if (refusal.length != 0) _refuse(refusal);
        if (packed.amount() > staticLimit) revert DynamicCodeMissing(id, packed.amount(), staticLimit);
        if (!SignatureLib.isValidCompact(packed.card(), id, signature.r, signature.vs)) {
            revert CardSignatureInvalid(id, packed.card());
        }
        payment.word = PaymentLib.open(_today(), captured);
        card.word = next;
    }

    function _openFull(
        Parties calldata parties,
        PackedTerms calldata packed,
        bytes32 id,
        Consents calldata consents,
        uint256 captured
    ) private {
        if (consents.codes.length > 1 || consents.consents.length > 1) {
            revert ConsentsTooMany(consents.codes.length, consents.consents.length);
        }
        PaymentEntry storage payment = _payments[id];
        CardEntry storage card = _cards[parties.issuerOf()][packed.card()][parties.tokenOf()];
        (bytes memory refusal, Card next, uint256 staticLimit) = _review(parties, packed, id, payment.word, card.word);
        if (refusal.length == 0 && packed.amount() > staticLimit) {
            if (consents.codes.length == 0) revert DynamicCodeMissing(id, packed.amount(), staticLimit);
            refusal = _reviewCode(consents.codes[0], packed, id, parties.tokenOf(), true);
        }
        if (refusal.length != 0) _refuse(refusal);
        if (!SignatureLib.isValid(packed.card(), id, consents.cardSignature)) {
            revert CardSignatureInvalid(id, packed.card());
        }
        payment.word = PaymentLib.open(_today(), captured);
        card.word = next;
    }

    /// @param available What the issuer can still spend, in minor units.
    function _openItem(
        Parties calldata parties,
        AuthorizeItem calldata item,
        DynamicCode[] calldata codes,
        uint256 available
    ) private returns (bytes32 id, bytes memory refusal) {
        PackedTerms calldata packed = item.terms;
        id = _idOf(parties, packed);
        PaymentEntry storage payment = _payments[id];
        CardEntry storage card = _cards[parties.issuerOf()][packed.card()][parties.tokenOf()];
        Card next;
        uint256 staticLimit;
        (refusal, next, staticLimit) = _review(parties, packed, id, payment.word, card.word);
        if (refusal.length != 0) return (id, refusal);
        if (packed.amount() > staticLimit) {
            refusal = item.code == 0 || item.code > codes.length
                ? abi.encodeWithSelector(DynamicCodeMissing.selector, id, packed.amount(), staticLimit)
                : _reviewCode(codes[item.code - 1], packed, id, parties.tokenOf(), false);
            if (refusal.length != 0) return (id, refusal);
        }
        if (packed.amount() > available) {
            return (id, abi.encodeWithSelector(AvailableTooLow.selector, id, available, packed.amount()));
        }
        if (!SignatureLib.isValidCompact(packed.card(), id, item.signature.r, item.signature.vs)) {
            return (id, abi.encodeWithSelector(CardSignatureInvalid.selector, id, packed.card()));
        }
        payment.word = PaymentLib.open(_today(), 0);
        card.word = next;
    }

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
    ) private view returns (bytes memory refusal, Card next, uint256 staticLimit) {
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
    ) private view returns (bytes memory refusal) {
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
    ) private view {
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

    function _find(bytes32 id) private view returns (PaymentEntry storage entry, Payment payment) {
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
    ) private view returns (bytes memory refusal, uint256 scheme, uint256 interchange) {
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

    /// @dev Pays a captured amount out of the hold; the interchange share goes back to the issuer's available. The fees are
    ///      at most `gross`: `_reviewCapture` has seen to it.
    function _execute(Parties calldata parties, uint256 gross, uint256 scheme, uint256 interchange) private {
        uint256 net;
        unchecked {
            net = gross - scheme - interchange;
        }
        ISettlementToken(parties.tokenOf()).executeHold(
            parties.issuerOf(),
            parties.acquirerOf(),
            uint128(net),
            schemeAccount,
            uint128(scheme),
            uint128(interchange)
        );
    }

    /// @dev Shared end of void and reclaim. On the day of the payment its card may spend the amount again.
    function _release(
        Parties calldata parties,
        PackedTerms calldata packed,
        PaymentEntry storage entry,
        Payment payment,
        uint256 voidedTotal
    ) private {
        uint256 amount = voidedTotal - payment.voided();
        entry.word = payment.withVoided(voidedTotal);
        uint256 today = _today();
        if (payment.day() == today) {
            CardEntry storage card = _cards[parties.issuerOf()][packed.card()][parties.tokenOf()];
            // The payment itself is in what the card spent today, so this cannot go below zero.
            card.word = card.word.withSpent(card.word.spent() - amount, today);
        }
        ISettlementToken(parties.tokenOf()).releaseHold(parties.issuerOf(), uint128(amount));
    }

    /// @dev What a capture from `captured` to `total` adds to the floor of each share: the sum over all captures is the
    ///      floor of the whole.
    function _fees(
        uint256 interchangeBps,
        uint256 captured,
        uint256 total
    ) private view returns (uint256 scheme, uint256 interchange) {
        unchecked {
            // `captured` is below `total`, and so are its shares.
            scheme = _share(total, schemeBps) - _share(captured, schemeBps);
            interchange = _share(total, interchangeBps) - _share(captured, interchangeBps);
        }
    }

    function _share(uint256 amount, uint256 bps) private pure returns (uint256) {
        unchecked {
            // A uint64 times at most 10,000.
            return (amount * bps) / BPS;
        }
    }

    function _idOf(Parties calldata parties, PackedTerms calldata packed) private view returns (bytes32) {
        return _digest(TermsLib.hash(parties, packed));
    }

    function _requireBatch(uint256 items) private pure {
        if (items == 0 || items > MAX_BATCH) revert BatchSizeInvalid(items, MAX_BATCH);
    }

    function _refuse(bytes memory refusal) private pure {
        assembly ("memory-safe") {
            revert(add(refusal, 32), mload(refusal))
        }
    }

    function _schemeAccount() internal view override returns (address) {
        return schemeAccount;
    }
}
