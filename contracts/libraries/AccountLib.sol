// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccountStatus, ISettlementToken} from "../interfaces/ISettlementToken.sol";

/// @dev One participant's account in one storage word, low bits first:
///
///      available 80 | escrowed 80 | reserved 80 | status 8 | unused 8
///
///      `escrowed` is held for the escrow, `reserved` for all other modules together. The supply never exceeds
///      2^80 - 1 and is the sum of all accounts, so no field of any account can overflow into its neighbour: additions
///      below are unchecked on that ground, subtractions are guarded by the comparison beside them.
type Account is uint256;

using AccountLib for Account global;

library AccountLib {
    uint256 internal constant MAX_SUPPLY = type(uint80).max;

    uint256 private constant ESCROWED = 1 << 80;
    uint256 private constant RESERVED = 1 << 160;
    uint256 private constant STATUS_AT = 240;

    // Views

    function available(Account account) internal pure returns (uint256) {
        return uint80(Account.unwrap(account));
    }

    function escrowed(Account account) internal pure returns (uint256) {
        return uint80(Account.unwrap(account) >> 80);
    }

    function reserved(Account account) internal pure returns (uint256) {
        return uint80(Account.unwrap(account) >> 160);
    }

    function balance(Account account) internal pure returns (uint256) {
        unchecked {
            return available(account) + escrowed(account) + reserved(account);
        }
    }

    function status(Account account) internal pure returns (AccountStatus) {
        return AccountStatus(Account.unwrap(account) >> STATUS_AT);
    }

    // Compared as numbers: converting to the enum costs a range check each time.

    function isActive(Account account) internal pure returns (bool) {
        return Account.unwrap(account) >> STATUS_AT == uint256(AccountStatus.Active);
    }

    function isAdmitted(Account account) internal pure returns (bool) {
        return Account.unwrap(account) >> STATUS_AT != uint256(AccountStatus.None);
    }

    /// @dev Admitted and not closed: `status - 1` is 0 for active, 1 for suspended, and wraps for none.
    function isOpen(Account account) internal pure returns (bool) {
        unchecked {
            return (Account.unwrap(account) >> STATUS_AT) - 1 < 2;
        }
    }

    // Changes

    function withStatus(Account account, AccountStatus next) internal pure returns (Account) {
        uint256 kept = Account.unwrap(account) & ((1 << STATUS_AT) - 1);
        return Account.wrap(kept | (uint256(next) << STATUS_AT));
    }

    function credit(Account account, uint256 amount) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) + amount);
        }
    }

    /// @dev Takes from available, whatever the status.
    function debit(Account account, address participant, uint256 amount) internal pure returns (Account) {
        uint256 spendable = available(account);
        if (amount > spendable) revert ISettlementToken.InsufficientAvailable(participant, spendable, amount);
        unchecked {
            return Account.wrap(Account.unwrap(account) - amount);
        }
    }

    /// @dev Takes from available, as only an active participant may.
    function spend(Account account, address participant, uint256 amount) internal pure returns (Account) {
        if (!isActive(account)) revert ISettlementToken.AccountNotActive(participant, status(account));
        uint256 spendable = available(account);
        if (amount > spendable) revert ISettlementToken.InsufficientAvailable(participant, spendable, amount);
        unchecked {
            return Account.wrap(Account.unwrap(account) - amount);
        }
    }

    /// @dev Takes from the escrow's hold and puts `released` of it back to available.
    function executeEscrowed(
        Account account,
        address participant,
        uint256 amount,
        uint256 released
    ) internal pure returns (Account) {
        uint256 held = escrowed(account);
        if (amount > held) revert ISettlementToken.InsufficientHold(participant, held, amount);
        unchecked {
            return Account.wrap(Account.unwrap(account) - amount * ESCROWED + released);
        }
    }

    function addEscrowed(Account account, uint256 amount) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) + amount * ESCROWED);
        }
    }

    function addReserved(Account account, uint256 amount) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) + amount * RESERVED);
        }
    }

    /// @dev The caller has compared `amount` with the module's own hold, which is part of `reserved`.
    function executeReserved(Account account, uint256 amount, uint256 released) internal pure returns (Account) {
        unchecked {
            return Account.wrap(Account.unwrap(account) - amount * RESERVED + released);
        }
    }
}
