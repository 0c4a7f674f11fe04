// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EntryStatus} from "../interfaces/IDirectory.sol";

/// @dev A card's limits in one currency and what it spent, in one storage word, low bits first:
///
///      paymentLimit 64 | dayLimit 64 | spent 64 | day 24 | status 8
///
///      `day` counts UTC days since 1970 and says which day `spent` belongs to.
type Card is uint256;

using CardLib for Card global;

library CardLib {
    function pack(
        uint64 paymentLimit_,
        uint64 dayLimit_,
        uint64 spent_,
        uint24 day_,
        EntryStatus status_
    ) internal pure returns (Card) {
        return
            Card.wrap(
                uint256(paymentLimit_) |
                    (uint256(dayLimit_) << 64) |
                    (uint256(spent_) << 128) |
                    (uint256(day_) << 192) |
                    (uint256(status_) << 216)
            );
    }

    function paymentLimit(Card card) internal pure returns (uint64) {
        return uint64(Card.unwrap(card));
    }

    function dayLimit(Card card) internal pure returns (uint64) {
        return uint64(Card.unwrap(card) >> 64);
    }

    function spent(Card card) internal pure returns (uint64) {
        return uint64(Card.unwrap(card) >> 128);
    }

    function day(Card card) internal pure returns (uint24) {
        return uint24(Card.unwrap(card) >> 192);
    }

    function status(Card card) internal pure returns (EntryStatus) {
        return EntryStatus(Card.unwrap(card) >> 216);
    }

    /// @dev Compared as a number: converting to the enum costs a range check.
    function isActive(Card card) internal pure returns (bool) {
        return Card.unwrap(card) >> 216 == uint256(EntryStatus.Active);
    }

    function spentOn(Card card, uint256 today) internal pure returns (uint256) {
        return day(card) == today ? spent(card) : 0;
    }

    /// @dev `spent_` and `today` fit: the first is at most the day limit, the second is block.timestamp / 86,400.
    function withSpent(Card card, uint256 spent_, uint256 today) internal pure returns (Card) {
        uint256 kept = Card.unwrap(card) & ~(uint256(type(uint88).max) << 128);
        return Card.wrap(kept | (spent_ << 128) | (today << 192));
    }
}
