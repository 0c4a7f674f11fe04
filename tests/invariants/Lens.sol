// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev Asks many views in one call. Each question is the address (20 bytes), the length of the calldata (2 bytes) and
///      the calldata; back come the answers, one after the other. A view that reverts makes the whole call revert.
contract Lens {
    fallback() external {
        assembly {
            let end := 0
            for {
                let at := 0
            } lt(at, calldatasize()) {

            } {
                let head := calldataload(at)
                let size := and(shr(80, head), 0xffff)
                // Where the answer is written afterwards.
                calldatacopy(end, add(at, 22), size)
                if iszero(staticcall(gas(), shr(96, head), end, size, 0, 0)) {
                    revert(0, 0)
                }
                returndatacopy(end, 0, returndatasize())
                end := add(end, returndatasize())
                at := add(at, add(22, size))
            }
            return(0, end)
        }
    }
}
