// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev ECDSA first, ERC-1271 only if the recovered key is not the signer's: an ordinary key never pays for looking up
///      code. Nothing here is keyed by a signature, so its many encodings (65 bytes, ERC-2098, ERC-1271) replay nothing.
library SignatureLib {
    /// @dev Enough for a multisig of ten owners, too little to stall a batch.
    uint256 internal constant ERC1271_GAS = 150_000;

    /// @dev Half the order of secp256k1: above it lies the mirror image of every signature.
    uint256 private constant MAX_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        return isValidForKey(signer, digest, signature) || isValidForContract(signer, digest, signature);
    }

    /// @dev 64 bytes (ERC-2098) or 65.
    function isValidForKey(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        bytes32 r;
        bytes32 s;
        // Reads past a short signature give zeros or what follows it: no signature of anyone, or not used below.
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            s := calldataload(add(signature.offset, 32))
        }
        if (signature.length == 64) return isValidCompact(signer, digest, r, s);
        return signature.length == 65 && isValidVrs(signer, digest, uint8(signature[64]), r, s);
    }

    /// @dev Assembly: OpenZeppelin's ECDSA.tryRecover does the same for 100 gas more, on every payment. The precompile
    ///      writes nothing for an invalid signature, which leaves a word that is no address.
    function isValidVrs(address signer, bytes32 digest, uint8 v, bytes32 r, bytes32 s) internal view returns (bool ok) {
        if (uint256(s) > MAX_S) return false;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 32), v)
            mstore(add(input, 64), r)
            mstore(add(input, 96), s)
            mstore(0, not(0))
            pop(staticcall(gas(), 1, input, 128, 0, 32))
            ok := eq(mload(0), shr(96, shl(96, signer)))
        }
    }

    /// @dev ERC-2098.
    function isValidCompact(address signer, bytes32 digest, bytes32 r, bytes32 vs) internal view returns (bool) {
        uint8 v = uint8((uint256(vs) >> 255) + 27);
        return isValidVrs(signer, digest, v, r, (vs << 1) >> 1);
    }

    /// @dev At most ERC1271_GAS and exactly one word back, so a hostile wallet can neither burn the caller's gas nor
    ///      make it copy a long answer. Assembly, because Solidity copies whatever comes back. An address without code
    ///      answers with nothing, which is no.
    function isValidForContract(
        address signer,
        bytes32 digest,
        bytes memory signature
    ) internal view returns (bool ok) {
        bytes memory query = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            mstore(0, 0)
            ok := staticcall(ERC1271_GAS, signer, add(query, 32), mload(query), 0, 32)
            ok := and(and(ok, eq(returndatasize(), 32)), eq(mload(0), magic))
        }
    }
}
