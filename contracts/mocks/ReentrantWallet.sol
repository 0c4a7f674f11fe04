// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title A contract account that calls back while its signature is being checked
/// @dev Agrees exactly if the call inside went as expected, so the outcome of the call outside tells how it went.
contract ReentrantWallet {
    struct Plan {
        address target;
        bool expectsSuccess;
        address data;
        bytes32 expectedAnswerHash;
    }

    /// @dev Gas kept for the answer: a call that breaks the rules of a static call takes all it was given.
    uint256 private constant KEPT_GAS = 5_000;

    Plan private _plan;

    /// @param expectedAnswerHash keccak256 of what the call must answer; zero if any answer will do.
    function plan(address target, bytes calldata data, bool expectsSuccess, bytes32 expectedAnswerHash) external {
        _plan = Plan(target, expectsSuccess, _store(data), expectedAnswerHash);
    }

    function execute(address target, bytes calldata data) external returns (bytes memory answer) {
        bool ok;
        (ok, answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        Plan memory planned = _plan;
        bytes memory data = planned.data.code;
        (bool ok, bytes memory answer) = planned.target.call{gas: gasleft() - KEPT_GAS}(data);
        bool asExpected = ok == planned.expectsSuccess &&
            (planned.expectedAnswerHash == 0 || keccak256(answer) == planned.expectedAnswerHash);
        return asExpected ? IERC1271.isValidSignature.selector : bytes4(0);
    }

    /// @dev As code: reading it costs a tenth of reading storage, and the gas for a signature check is bounded.
    function _store(bytes calldata data) private returns (address at) {
        // Code that returns everything behind its own eleven bytes.
        bytes memory creation = abi.encodePacked(hex"600b5981380380925939f3", data);
        assembly ("memory-safe") {
            at := create(0, add(creation, 32), mload(creation))
        }
        require(at != address(0), "not stored");
    }
}
