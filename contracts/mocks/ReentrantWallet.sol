// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title A contract account that calls back while its signature is being checked
/// @dev Agrees exactly if the call inside went as expected, so the outcome of the call outside tells how it went.
contract ReentrantWallet {
    address public target;
    bytes public data;
    bool public expectsSuccess;
    bytes32 public expectedAnswerHash;

    /// @param expectedAnswerHash_ keccak256 of what the call must answer; zero if any answer will do.
    function plan(address target_, bytes calldata data_, bool expectsSuccess_, bytes32 expectedAnswerHash_) external {
        target = target_;
        data = data_;
        expectsSuccess = expectsSuccess_;
        expectedAnswerHash = expectedAnswerHash_;
    }

    function execute(address target_, bytes calldata data_) external returns (bytes memory answer) {
        bool ok;
        (ok, answer) = target_.call(data_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        (bool ok, bytes memory answer) = target.call(data);
        bool asExpected = ok == expectsSuccess && (expectedAnswerHash == 0 || keccak256(answer) == expectedAnswerHash);
        return asExpected ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
