// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Something that is no SettlementToken and answers every call as it pleases
/// @dev May count the calls that could have changed its state: a system that refuses it makes none.
contract HostileToken {
    bytes public answer;
    bool public reverts;
    bool public counts;
    uint256 public callsThatMayWrite;

    constructor(bytes memory answer_, bool reverts_, bool counts_) {
        answer = answer_;
        reverts = reverts_;
        counts = counts_;
    }

    function count() external {
        ++callsThatMayWrite;
    }

    fallback() external {
        // In a static call the attempt fails and takes all the gas it was given.
        if (counts) try this.count{gas: 50_000}() {} catch {}
        bytes memory reply = answer;
        if (reverts) {
            assembly ("memory-safe") {
                revert(add(reply, 32), mload(reply))
            }
        }
        assembly ("memory-safe") {
            return(add(reply, 32), mload(reply))
        }
    }
}
