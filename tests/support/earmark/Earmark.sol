// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ISettlementToken} from "../../../contracts/interfaces/ISettlementToken.sol";

/// @title Money set aside under a key, until the registrar has it paid: the smallest module there could be
/// @dev For tests alone: it shows what adding a contract to the package takes.
contract Earmark is AccessManaged {
    struct Entry {
        uint128 amount;
        bool isSpent;
    }

    /// @dev By participant: nobody can take another's key.
    mapping(ISettlementToken token => mapping(address participant => mapping(bytes32 key => Entry))) public entryOf;

    event Earmarked(
        bytes32 indexed key, address indexed participant, ISettlementToken indexed token, uint256 amount
    );
    event EarmarkSpent(
        bytes32 indexed key,
        address indexed participant,
        address indexed payee,
        ISettlementToken token,
        uint256 amount
    );
    event PurposeNoted(bytes32 indexed key, bytes32 purpose);

    error EarmarkExists(bytes32 key);
    error EarmarkNotOpen(bytes32 key);

    constructor(address governance) AccessManaged(governance) {}

    function earmark(ISettlementToken token, bytes32 key, uint128 amount, bytes32 purpose) external {
        require(entryOf[token][msg.sender][key].amount == 0, EarmarkExists(key));
        entryOf[token][msg.sender][key] = Entry(amount, false);
        emit Earmarked(key, msg.sender, token, amount);
        emit PurposeNoted(key, purpose);
        token.holdFunds(msg.sender, amount);
    }

    function spend(ISettlementToken token, address participant, bytes32 key, address payee) external restricted {
        Entry storage entry = entryOf[token][participant][key];
        require(entry.amount != 0 && !entry.isSpent, EarmarkNotOpen(key));
        entry.isSpent = true;
        emit EarmarkSpent(key, participant, payee, token, entry.amount);
        token.executeHold(participant, payee, entry.amount, address(0), 0, 0);
    }
}
