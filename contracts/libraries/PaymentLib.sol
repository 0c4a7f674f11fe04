// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev All that is stored of a payment, in one storage word, low bits first:
///
///      captured 64 | voided 64 | refunded 64 | day 24 | exists 8
///
///      The authorized amount is in the terms, whose hash is the key. Being non-zero for ever is the replay guard.
type Payment is uint256;

using PaymentLib for Payment global;

library PaymentLib {
    uint256 private constant EXISTS = 1 << 216;
    uint256 private constant MASK = type(uint64).max;

    /// @dev `day_` fits: it is block.timestamp / 86,400.
    function open(uint256 day_, uint256 captured_) internal pure returns (Payment) {
        return Payment.wrap(EXISTS | (day_ << 192) | captured_);
    }

    function exists(Payment payment) internal pure returns (bool) {
        return Payment.unwrap(payment) != 0;
    }

    function captured(Payment payment) internal pure returns (uint256) {
        return uint64(Payment.unwrap(payment));
    }

    function voided(Payment payment) internal pure returns (uint256) {
        return uint64(Payment.unwrap(payment) >> 64);
    }

    function refunded(Payment payment) internal pure returns (uint256) {
        return uint64(Payment.unwrap(payment) >> 128);
    }

    function day(Payment payment) internal pure returns (uint256) {
        return uint24(Payment.unwrap(payment) >> 192);
    }

    // Totals below were compared with the amount of the terms, a uint64.

    function withCaptured(Payment payment, uint256 total) internal pure returns (Payment) {
        return Payment.wrap((Payment.unwrap(payment) & ~MASK) | total);
    }

    function withVoided(Payment payment, uint256 total) internal pure returns (Payment) {
        return Payment.wrap((Payment.unwrap(payment) & ~(MASK << 64)) | (total << 64));
    }

    function withRefunded(Payment payment, uint256 total) internal pure returns (Payment) {
        return Payment.wrap((Payment.unwrap(payment) & ~(MASK << 128)) | (total << 128));
    }
}
