// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

enum Villainy {
    ChangesItsMind,
    SaysNo,
    Reverts,
    Answers31Bytes,
    Answers33Bytes,
    Answers64Bytes,
    EatsGas,
    DirtyMagic
}

/// @title A contract account that answers a signature check in every way it should not
contract VillainWallet {
    Villainy public immutable villainy;
    bool public agrees;

    constructor(Villainy villainy_) {
        villainy = villainy_;
    }

    function changeMind(bool agrees_) external {
        agrees = agrees_;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        bytes4 magic = IERC1271.isValidSignature.selector;
        if (villainy == Villainy.ChangesItsMind) return agrees ? magic : bytes4(0);
        if (villainy == Villainy.SaysNo) return 0xffffffff;
        if (villainy == Villainy.Reverts) revert("no");
        if (villainy == Villainy.Answers31Bytes) _answer(magic, 31);
        if (villainy == Villainy.Answers33Bytes) _answer(magic, 33);
        if (villainy == Villainy.Answers64Bytes) _answer(magic, 64);
        if (villainy == Villainy.DirtyMagic) _answer(bytes32(magic) | bytes32(uint256(1)), 32);
        while (true) {}
        return magic;
    }

    function _answer(bytes32 word, uint256 length) private pure {
        assembly ("memory-safe") {
            let answer := mload(0x40)
            mstore(answer, word)
            mstore(add(answer, 32), 0)
            return(answer, length)
        }
    }
}
