// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev What a delegate may do for its participant: one bit each.
library Verbs {
    uint256 internal constant AUTHORIZE = 1 << 0;
    uint256 internal constant CHARGE = 1 << 1;
    uint256 internal constant CAPTURE = 1 << 2;
    uint256 internal constant VOID = 1 << 3;
    uint256 internal constant REFUND = 1 << 4;
    uint256 internal constant CARDS = 1 << 5;
    uint256 internal constant MERCHANTS = 1 << 6;

    uint256 internal constant ALL = (1 << 7) - 1;
}
