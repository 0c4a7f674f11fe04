// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EntryStatus, IDirectory} from "./IDirectory.sol";

/// @notice What a cardholder signs, field for field (EIP-712). Never stored.
/// @param issuer The payer's bank; pays.
/// @param acquirer The merchant's bank; is paid.
/// @param token SettlementToken of the currency.
/// @param merchant Merchant id in the Directory.
/// @param card The payer's key; signs.
/// @param amount Minor units, tip included.
/// @param authorizeBefore Unix seconds; authorize or charge strictly before.
/// @param captureBefore Unix seconds; capture strictly before, reclaim from then on.
/// @param refundBefore Unix seconds; refund strictly before.
/// @param interchangeBps Share of each capture that stays with the issuer, in 1/10,000.
/// @param uetr ISO 20022 unique end-to-end transaction reference (UUIDv4).
/// @param referenceHash Salted hash of the issuer's own reference.
/// @param funding Zero, or the hash of an FX quote and the most the payer accepts in its own currency. This escrow
///        settles without FX only, so it is zero in every payment here and does not travel.
struct Terms {
    address issuer;
    address acquirer;
    address token;
    bytes32 merchant;
    address card;
    uint64 amount;
    uint40 authorizeBefore;
    uint40 captureBefore;
    uint40 refundBefore;
    uint16 interchangeBps;
    bytes16 uetr;
    bytes32 referenceHash;
    bytes32 funding;
}

/// @notice Whom a payment, or all payments of a batch, are between: the first three terms.
struct Parties {
    address issuer;
    address acquirer;
    address token;
}

/// @notice The other terms as they travel in calls and in the events that open a payment: four words instead of ten.
/// @param cardAndAmount card 160 | amount 64 | interchangeBps 16 | zero 16, high bits first.
/// @param uetrAndDeadlines uetr 128 | authorizeBefore 40 | captureBefore 40 | refundBefore 40 | zero 8.
struct PackedTerms {
    bytes32 merchant;
    bytes32 referenceHash;
    bytes32 cardAndAmount;
    bytes32 uetrAndDeadlines;
}

/// @notice A merchant's dynamic code: what its signature says beyond the terms. Signed as
///         DynamicCode(bytes32 merchant,address token,uint64 amount,bytes16 uetr,uint40 expiresAt).
/// @param amount Minor units before a tip; the terms may say more, never less.
/// @param expiresAt Unix seconds; the code counts strictly before.
struct DynamicCode {
    uint64 amount;
    uint40 expiresAt;
    bytes signature;
}

/// @notice An issuer's consent that anyone may relay. Signed as AuthorizeConsent(bytes32 paymentId,uint40 validBefore)
///         or ChargeConsent(bytes32 paymentId,uint40 validBefore).
/// @param signer The issuer, or a delegate that has the verb when the consent is included.
struct IssuerConsent {
    address signer;
    uint40 validBefore;
    bytes signature;
}

/// @notice What the full form of a verb takes beyond the plain one.
/// @param cardSignature The card's signature over the payment id: 64 or 65 bytes of an ordinary key, or whatever a
///        contract account (ERC-1271) takes.
/// @param codes Empty, or the merchant's dynamic code: needed above its static limit, not looked at below.
/// @param consents Empty if the caller is the issuer or its delegate, else the issuer's consent.
struct Consents {
    bytes cardSignature;
    DynamicCode[] codes;
    IssuerConsent[] consents;
}

/// @notice An ordinary key's signature over the payment id, in ERC-2098 form: 64 bytes, low s.
struct CardSignature {
    bytes32 r;
    bytes32 vs;
}

/// @notice One payment of a batch.
/// @param code Zero, or one more than the index of the payment's dynamic code.
struct AuthorizeItem {
    PackedTerms terms;
    CardSignature signature;
    uint256 code;
}

struct CaptureItem {
    PackedTerms terms;
    uint64 capturedTotal;
}

/// @notice What is stored of a payment; all amounts cumulative, in minor units.
/// @param authorizedDay UTC days since 1970; the day whose card limit the payment counts against.
struct PaymentState {
    bool exists;
    uint64 captured;
    uint64 voided;
    uint64 refunded;
    uint24 authorizedDay;
}

/// @title Escrow of card and QR payments between banks
/// @notice A payment's id is the EIP-712 digest of its terms, so the same terms can be opened once, here, on this chain.
///         Totals are cumulative: a repeated capture, void or refund is refused by name and never pays twice. Who may
///         call what and when: docs/payments.md.
interface IPaymentEscrow is IDirectory {
    // Events. The first of a payment repeats its terms; later ones say the new total.

    event PaymentAuthorized(
        bytes32 indexed id,
        address indexed issuer,
        address indexed acquirer,
        address token,
        PackedTerms terms
    );
    event PaymentCharged(
        bytes32 indexed id,
        address indexed issuer,
        address indexed acquirer,
        address token,
        PackedTerms terms
    );
    event PaymentCaptured(bytes32 indexed id, uint256 capturedTotal);
    event PaymentVoided(bytes32 indexed id, uint256 voidedTotal);
    event PaymentReclaimed(bytes32 indexed id, uint256 voidedTotal);
    event PaymentRefunded(bytes32 indexed id, uint256 refundedTotal);
    /// @notice A payment of a batch was refused; the others went on.
    /// @param refusal The error, ABI-encoded as the verb alone would have reverted with.
    event PaymentSkipped(bytes32 indexed id, bytes refusal);

    // Errors

    error SharesInvalid(uint256 schemeBps, uint256 interchangeCapBps);
    error SchemeAccountInvalid();
    error PaymentExists(bytes32 id);
    error PaymentUnknown(bytes32 id);
    error AmountZero(bytes32 id);
    /// @notice Bits of parties or packed terms that must be zero are not: an encoding fault, of the whole call.
    error TermsNotCanonical();
    error DeadlinesInvalid(bytes32 id, uint256 authorizeBefore, uint256 captureBefore, uint256 refundBefore);
    error AuthorizeTooLate(bytes32 id, uint256 timestamp, uint256 authorizeBefore);
    error InterchangeTooHigh(bytes32 id, uint256 interchangeBps, uint256 capBps);
    error MerchantNotOfAcquirer(bytes32 id, bytes32 merchant, address acquirer);
    error MerchantNotActive(bytes32 id, bytes32 merchant, EntryStatus status);
    error CardNotActive(bytes32 id, address card, EntryStatus status);
    error CardPaymentLimitExceeded(bytes32 id, uint256 amount, uint256 limit);
    error CardDayLimitExceeded(bytes32 id, uint256 spent, uint256 limit);
    error CardSignatureInvalid(bytes32 id, address card);
    error DynamicCodeMissing(bytes32 id, uint256 amount, uint256 staticLimit);
    error DynamicCodeExpired(bytes32 id, uint256 timestamp, uint256 expiresAt);
    error DynamicCodeAmountAbove(bytes32 id, uint256 amount, uint256 codeAmount);
    error DynamicCodeSignatureInvalid(bytes32 id, bytes32 merchant);
    error ConsentExpired(bytes32 id, uint256 timestamp, uint256 validBefore);
    error ConsentSignatureInvalid(bytes32 id, address signer);
    error CaptureTooLate(bytes32 id, uint256 timestamp, uint256 captureBefore);
    error CaptureRepeated(bytes32 id, uint256 capturedTotal, uint256 captured);
    error CaptureTooLarge(bytes32 id, uint256 capturedTotal, uint256 limit);
    error VoidRepeated(bytes32 id, uint256 voidedTotal, uint256 voided);
    error VoidTooLarge(bytes32 id, uint256 voidedTotal, uint256 limit);
    error ReclaimTooEarly(bytes32 id, uint256 timestamp, uint256 captureBefore);
    error ReclaimEmpty(bytes32 id);
    error RefundTooLate(bytes32 id, uint256 timestamp, uint256 refundBefore);
    error RefundRepeated(bytes32 id, uint256 refundedTotal, uint256 refunded);
    error RefundTooLarge(bytes32 id, uint256 refundedTotal, uint256 captured);
    /// @notice Fee steps of so small a capture come to more than itself: capture more at once.
    error CaptureBelowFees(bytes32 id, uint256 amount, uint256 fees);
    error BatchSizeInvalid(uint256 items, uint256 limit);
    error ConsentsTooMany(uint256 codes, uint256 consents);
    error AvailableTooLow(bytes32 id, uint256 available, uint256 needed);

    /// @notice Sets the amount aside for the acquirer. Sent by the issuer, or its delegate for AUTHORIZE.
    /// @param signature The card's, an ordinary key. Payments above the merchant's static limit: `authorizeWith`.
    function authorize(
        CardSignature calldata signature,
        Parties calldata parties,
        PackedTerms calldata packed
    ) external returns (bytes32 id);

    /// @notice The full form of `authorize`: with a dynamic code, for a card that is a contract account, or on the issuer's
    ///         signature, sent by anyone.
    function authorizeWith(
        Parties calldata parties,
        PackedTerms calldata packed,
        Consents calldata consents
    ) external returns (bytes32 id);

    /// @notice Authorizes up to 200 payments between one issuer and one acquirer, with one hold for all. A payment that
    ///         is refused is reported with `PaymentSkipped` and left out. Cards and merchants' signers must be ordinary
    ///         keys: a contract account could burn the gas of the others.
    /// @return authorized How many went through.
    function authorizeMany(
        Parties calldata parties,
        AuthorizeItem[] calldata items,
        DynamicCode[] calldata codes
    ) external returns (uint256 authorized);

    /// @notice Pays at once: authorize and capture in full, without a hold. Sent by the issuer, or its delegate for CHARGE.
    function charge(
        CardSignature calldata signature,
        Parties calldata parties,
        PackedTerms calldata packed
    ) external returns (bytes32 id);

    /// @notice The full form of `charge`: with a dynamic code, for a card that is a contract account, or on the issuer's
    ///         signature, sent by anyone.
    function chargeWith(
        Parties calldata parties,
        PackedTerms calldata packed,
        Consents calldata consents
    ) external returns (bytes32 id);

    /// @notice Pays out of the hold: the interchange share stays with the issuer, the scheme fee goes to the operator, the
    ///         rest to the acquirer. Sent by the acquirer, or its delegate for CAPTURE.
    /// @param capturedTotal New cumulative total, in minor units; fees are the floor of their share of it, so splitting a
    ///        capture never changes them.
    function capture(Parties calldata parties, PackedTerms calldata packed, uint64 capturedTotal) external;

    /// @notice Captures up to 200 payments between one issuer and one acquirer, with one `Transfer` for all. A payment
    ///         that is refused is reported with `PaymentSkipped` and left out.
    /// @return captured How many went through.
    function captureMany(Parties calldata parties, CaptureItem[] calldata items) external returns (uint256 captured);

    /// @notice Gives part or all of the hold back to the issuer. Sent by the acquirer, or its delegate for VOID.
    /// @param voidedTotal New cumulative total, in minor units.
    function void(Parties calldata parties, PackedTerms calldata packed, uint64 voidedTotal) external;

    /// @notice Gives all that is still held back to the issuer, from `captureBefore` on. Anyone may send it.
    function reclaim(Parties calldata parties, PackedTerms calldata packed) external;

    /// @notice Pays back out of the acquirer's available, less the interchange the issuer kept; the scheme fee stays.
    ///         Sent by the acquirer, or its delegate for REFUND.
    /// @param refundedTotal New cumulative total of what the cardholder gets back, in minor units.
    function refund(Parties calldata parties, PackedTerms calldata packed, uint64 refundedTotal) external;

    /// @return The EIP-712 digest of the terms: the payment's id and what the card signs.
    function paymentId(Parties calldata parties, PackedTerms calldata packed) external view returns (bytes32);

    /// @return What the packed terms say: what a wallet shows before the card signs.
    function termsOf(Parties calldata parties, PackedTerms calldata packed) external pure returns (Terms memory);

    function paymentOf(bytes32 id) external view returns (PaymentState memory);

    function schemeAccount() external view returns (address);

    function schemeBps() external view returns (uint256);

    function interchangeCapBps() external view returns (uint256);
}
