// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {
    AuthorizeItem,
    CaptureItem,
    CardSignature,
    Consents,
    DynamicCode,
    IPaymentEscrow,
    PackedTerms,
    Parties
} from "./interfaces/IPaymentEscrow.sol";
import {ISettlementToken} from "./interfaces/ISettlementToken.sol";
import {PaymentReview} from "./PaymentReview.sol";
import {Card} from "./libraries/CardLib.sol";
import {Payment, PaymentLib} from "./libraries/PaymentLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {Verbs} from "./libraries/Verbs.sol";
import {TypedData} from "./TypedData.sol";

/// @title Escrow of card and QR payments between banks
/// @dev Holds no money: it tells the token, which holds it, what to do, last in every verb; what is asked before that is in
///      PaymentReview. Needs no re-entrancy guard: the only calls to strangers are static and come before the first write;
///      batches make none. Amounts handed to the token are at most 200 uint64, so the casts to uint128 lose nothing.
contract PaymentEscrow is PaymentReview {
    using TermsLib for PackedTerms;
    using TermsLib for Parties;

    bytes32 private constant AUTHORIZE_CONSENT_TYPEHASH =
        keccak256("AuthorizeConsent(bytes32 paymentId,uint40 validBefore)");
    bytes32 private constant CHARGE_CONSENT_TYPEHASH = keccak256("ChargeConsent(bytes32 paymentId,uint40 validBefore)");

    uint256 private constant MAX_BATCH = 200;

    /// @param governance The AccessManager that may admit currencies.
    /// @param schemeAccount_ Who earns the scheme fee; needs an account in every admitted token.
    /// @param schemeBps_ Scheme fee, in 1/10,000 of what is captured.
    /// @param interchangeCapBps_ The most that terms may leave with the issuer, in 1/10,000.
    constructor(
        address governance,
        address schemeAccount_,
        uint256 schemeBps_,
        uint256 interchangeCapBps_
    )
        AccessManaged(governance)
        TypedData("Tael Payment Escrow")
        PaymentReview(schemeAccount_, schemeBps_, interchangeCapBps_)
    {}

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
            refusal = _reviewItemCode(parties, item, codes, id, staticLimit);
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

    function _reviewItemCode(
        Parties calldata parties,
        AuthorizeItem calldata item,
        DynamicCode[] calldata codes,
        bytes32 id,
        uint256 staticLimit
    ) private view returns (bytes memory refusal) {
        if (item.code == 0 || item.code > codes.length) {
            return abi.encodeWithSelector(DynamicCodeMissing.selector, id, item.terms.amount(), staticLimit);
        }
        return _reviewCode(codes[item.code - 1], item.terms, id, parties.tokenOf(), false);
    }

    // Internals: what is open

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

    function _requireBatch(uint256 items) private pure {
        if (items == 0 || items > MAX_BATCH) revert BatchSizeInvalid(items, MAX_BATCH);
    }
}
