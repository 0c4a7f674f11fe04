// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPaymentEscrow, PaymentState} from "../interfaces/IPaymentEscrow.sol";
import {AccountStatus, ISettlementToken} from "../interfaces/ISettlementToken.sol";

struct CardKey {
    address issuer;
    address card;
    address token;
}

struct Line {
    uint256 balance;
    uint256 available;
    uint256 held;
    uint256 escrowed;
    AccountStatus status;
}

/// @title Everybody's books in one call, so that a test can say that nothing else moved
contract Books {
    function read(
        IPaymentEscrow escrow,
        ISettlementToken[] calldata tokens,
        address[] calldata participants,
        bytes32[] calldata payments,
        CardKey[] calldata cards
    )
        external
        view
        returns (uint256[] memory supplies, Line[] memory lines, PaymentState[] memory states, uint256[] memory spent)
    {
        supplies = new uint256[](tokens.length);
        lines = new Line[](tokens.length * participants.length);
        for (uint256 i; i < tokens.length; ++i) {
            supplies[i] = tokens[i].totalSupply();
            for (uint256 j; j < participants.length; ++j) {
                lines[i * participants.length + j] = Line({
                    balance: tokens[i].balanceOf(participants[j]),
                    available: tokens[i].availableOf(participants[j]),
                    held: tokens[i].heldOf(participants[j]),
                    escrowed: tokens[i].heldFor(address(escrow), participants[j]),
                    status: tokens[i].statusOf(participants[j])
                });
            }
        }
        states = new PaymentState[](payments.length);
        for (uint256 i; i < payments.length; ++i) states[i] = escrow.paymentOf(payments[i]);
        spent = new uint256[](cards.length);
        for (uint256 i; i < cards.length; ++i) {
            spent[i] = escrow.spentToday(cards[i].issuer, cards[i].card, cards[i].token);
        }
    }
}
