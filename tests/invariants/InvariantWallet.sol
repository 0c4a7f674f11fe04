// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev A contract account (ERC-1271) of one owner, with answers an honest one would not give.
contract InvariantWallet {
    enum Answer {
        Honest,
        WrongMagic,
        Revert,
        ShortWord,
        LongWord,
        DirtyWord,
        BurnGas,
        AlwaysYes
    }

    address private immutable owner;
    Answer private immutable answer;

    constructor(address owner_, Answer answer_) {
        owner = owner_;
        answer = answer_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 magic = bytes4(0x1626ba7e);
        if (answer == Answer.WrongMagic) return 0x1626ba7f;
        if (answer == Answer.Revert) {
            assembly {
                mstore(0, magic)
                revert(0, 32)
            }
        }
        if (answer == Answer.ShortWord) {
            assembly {
                mstore(0, magic)
                return(0, 31)
            }
        }
        if (answer == Answer.LongWord) {
            assembly {
                mstore(0, magic)
                return(0, 33)
            }
        }
        if (answer == Answer.DirtyWord) {
            assembly {
                mstore(0, or(magic, 1))
                return(0, 32)
            }
        }
        if (answer == Answer.BurnGas) {
            while (gasleft() > 0) {}
        }
        if (answer == Answer.AlwaysYes) return bytes4(magic);
        if (signature.length != 65) return 0xffffffff;
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        return ecrecover(digest, uint8(signature[64]), r, s) == owner ? bytes4(magic) : bytes4(0xffffffff);
    }
}
