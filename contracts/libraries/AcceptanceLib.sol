// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EntryStatus} from "../interfaces/IDirectory.sol";

/// @dev All that opening a payment has to know of a merchant, in one storage word, low bits first:
///
///      acquirer 160 | staticLimit 64 | status 8
type AcceptanceWord is uint256;

using AcceptanceLib for AcceptanceWord global;

library AcceptanceLib {
    function pack(address acquirer_, uint64 staticLimit_, EntryStatus status_) internal pure returns (AcceptanceWord) {
        return
            AcceptanceWord.wrap(
                uint256(uint160(acquirer_)) | (uint256(staticLimit_) << 160) | (uint256(status_) << 224)
            );
    }

    function acquirer(AcceptanceWord word) internal pure returns (address) {
        return address(uint160(AcceptanceWord.unwrap(word)));
    }

    function staticLimit(AcceptanceWord word) internal pure returns (uint64) {
        return uint64(AcceptanceWord.unwrap(word) >> 160);
    }

    function status(AcceptanceWord word) internal pure returns (EntryStatus) {
        return EntryStatus(AcceptanceWord.unwrap(word) >> 224);
    }

    /// @dev Compared as a number: converting to the enum costs a range check.
    function isActive(AcceptanceWord word) internal pure returns (bool) {
        return AcceptanceWord.unwrap(word) >> 224 == uint256(EntryStatus.Active);
    }
}
