// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Transfer with authorization (ERC-3009), with v, r, s and with bytes signatures
interface IERC3009 {
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    /// @notice The nonce was used by a transfer or cancelled before. What was signed can never take effect again.
    error AuthorizationConsumed(address authorizer, bytes32 nonce);
    /// @notice Too early: valid strictly after `validAfter`.
    error AuthorizationNotYetValid(uint256 timestamp, uint256 validAfter);
    /// @notice Too late: valid strictly before `validBefore`.
    error AuthorizationExpired(uint256 timestamp, uint256 validBefore);
    /// @notice `receiveWithAuthorization` was sent by somebody else than the payee.
    error CallerNotPayee(address caller, address payee);

    /// @notice Moves `value` minor units from `from` to `to` on the signature of `from`; anyone may send it.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice The same with a bytes signature: 65 bytes, 64 bytes (ERC-2098), or whatever a contract account
    ///         (ERC-1271) takes.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice As `transferWithAuthorization`, but only the payee may send it, so nobody can run ahead of it.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice The same with a bytes signature.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Makes a signed but unused authorization void for ever. Works while paused.
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice The same with a bytes signature.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;

    /// @return Whether the nonce was used or cancelled.
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
}
