// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may call what, after which delay, and who may cancel it
/// @notice OpenZeppelin's AccessManager with one rule more: the last administrator cannot be removed or leave, so the
///         system can never be left without governance. A grant delay for administrators is refused: a member counted but
///         not yet in office would hollow that rule out, and their execution delay already announces every grant.
contract Governance is AccessManager {
    uint256 public adminCount;

    error LastAdmin(address admin);

    constructor(address initialAdmin) AccessManager(initialAdmin) {}

    function _grantRole(
        uint64 roleId,
        address account,
        uint32 grantDelay,
        uint32 executionDelay
    ) internal override returns (bool newMember) {
        newMember = super._grantRole(roleId, account, grantDelay, executionDelay);
        if (newMember && roleId == ADMIN_ROLE) ++adminCount;
    }

    function _revokeRole(uint64 roleId, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(roleId, account);
        if (revoked && roleId == ADMIN_ROLE && --adminCount == 0) revert LastAdmin(account);
    }

    function _setGrantDelay(uint64 roleId, uint32 newDelay) internal override {
        if (roleId == ADMIN_ROLE) revert AccessManagerLockedRole(roleId);
        super._setGrantDelay(roleId, newDelay);
    }
}
