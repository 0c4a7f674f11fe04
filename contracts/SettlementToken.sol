// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Attestation, ISettlementToken} from "./interfaces/ISettlementToken.sol";
import {IERC3009} from "./interfaces/IERC3009.sol";
import {AccountBook} from "./AccountBook.sol";
import {Account, AccountLib} from "./libraries/AccountLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {TypedData} from "./TypedData.sol";

/// @title Tokenized interbank balances in one ISO 4217 currency
/// @dev What holders, the attestor and the issuance desk do; accounts, holds and modules are in AccountBook. Calls nobody
///      but the authority (governance) and contract signers (static, bounded), so there is nothing to re-enter.
contract SettlementToken is AccountBook, TypedData, Nonces {
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant TRANSFER_TYPEHASH =
        keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
    bytes32 private constant RECEIVE_TYPEHASH =
        keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
    bytes32 private constant CANCEL_TYPEHASH = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    uint256 private constant MAX_ATTESTATION_SECONDS = 35 days;

    uint16 public immutable currencyCode;
    uint8 public immutable decimals;

    string public name;
    string public symbol;
    uint256 public totalSupply;

    Attestation private _attestation;

    mapping(address owner => mapping(address spender => uint256 amount)) public allowance;
    mapping(bytes32 bankReference => bool used) public isIssued;
    mapping(address participant => mapping(bytes32 bankReference => bool used)) public isRedeemed;

    /// @param governance The AccessManager that says who may call what, after which delay.
    /// @param isoCode ISO 4217 numeric code.
    /// @param isoExponent ISO 4217 exponent of the currency.
    constructor(
        address governance,
        string memory tokenName,
        string memory tokenSymbol,
        uint16 isoCode,
        uint8 isoExponent
    ) AccessManaged(governance) TypedData(tokenName) {
        name = tokenName;
        symbol = tokenSymbol;
        currencyCode = isoCode;
        decimals = isoExponent;
    }

    // ERC-20

    /// @inheritdoc IERC20
    function transfer(address to, uint256 value) external whenNotPaused returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function transferFrom(address from, address to, uint256 value) external whenNotPaused returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (value > allowed) revert InsufficientAllowance(msg.sender, allowed, value);
            unchecked {
                allowance[from][msg.sender] = allowed - value;
            }
        }
        _transfer(from, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    // ERC-2612

    /// @inheritdoc IERC20Permit
    function permit(
        address owner,
        address spender,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (block.timestamp > deadline) revert PermitExpired(block.timestamp, deadline);
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _useNonce(owner), deadline));
        if (!SignatureLib.isValidVrs(owner, _digest(structHash), v, r, s)) revert InvalidSignature(owner);
        _approve(owner, spender, value);
    }

    // ERC-3009

    /// @inheritdoc IERC3009
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
    ) external {
        bytes32 digest = _authorizationDigest(TRANSFER_TYPEHASH, validAfter, validBefore);
        if (!SignatureLib.isValidVrs(from, digest, v, r, s)) _requireContractSigned(from, digest, v, r, s);
        _transferAuthorized(from, to, value, nonce);
    }

    /// @inheritdoc IERC3009
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 digest = _authorizationDigest(TRANSFER_TYPEHASH, validAfter, validBefore);
        _requireSigned(from, digest, signature);
        _transferAuthorized(from, to, value, nonce);
    }

    /// @inheritdoc IERC3009
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
    ) external {
        if (msg.sender != to) revert CallerNotPayee(msg.sender, to);
        bytes32 digest = _authorizationDigest(RECEIVE_TYPEHASH, validAfter, validBefore);
        if (!SignatureLib.isValidVrs(from, digest, v, r, s)) _requireContractSigned(from, digest, v, r, s);
        _transferAuthorized(from, to, value, nonce);
    }

    /// @inheritdoc IERC3009
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        if (msg.sender != to) revert CallerNotPayee(msg.sender, to);
        bytes32 digest = _authorizationDigest(RECEIVE_TYPEHASH, validAfter, validBefore);
        _requireSigned(from, digest, signature);
        _transferAuthorized(from, to, value, nonce);
    }

    /// @inheritdoc IERC3009
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
        bytes32 digest = _cancelDigest(authorizer, nonce);
        if (!SignatureLib.isValidVrs(authorizer, digest, v, r, s)) {
            _requireContractSigned(authorizer, digest, v, r, s);
        }
        _cancel(authorizer, nonce);
    }

    /// @inheritdoc IERC3009
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        _requireSigned(authorizer, _cancelDigest(authorizer, nonce), signature);
        _cancel(authorizer, nonce);
    }

    // Reserve, issue, redeem

    /// @inheritdoc ISettlementToken
    function attest(uint256 amount, bytes32 documentHash, uint256 validBefore) external restricted {
        if (validBefore <= block.timestamp || validBefore > block.timestamp + MAX_ATTESTATION_SECONDS) {
            revert AttestationPeriodInvalid(block.timestamp, validBefore);
        }
        if (amount > AccountLib.MAX_SUPPLY) revert AmountTooLarge(amount, AccountLib.MAX_SUPPLY);
        // Both fit: the amount was compared, the time is at most 35 days ahead.
        _attestation = Attestation(uint128(amount), uint40(validBefore), documentHash);
        emit ReserveAttested(amount, validBefore, documentHash);
    }

    /// @inheritdoc ISettlementToken
    function issue(address participant, uint256 amount, bytes32 bankReference) external restricted whenNotPaused {
        if (amount == 0) revert AmountZero(bankReference);
        if (amount > AccountLib.MAX_SUPPLY) revert AmountTooLarge(amount, AccountLib.MAX_SUPPLY);
        if (isIssued[bankReference]) revert BankReferenceUsed(bankReference);
        uint256 validBefore = _attestation.validBefore;
        if (block.timestamp >= validBefore) revert ReserveStale(block.timestamp, validBefore);
        uint256 supply = totalSupply + amount;
        uint256 reserve = _attestation.amount;
        if (supply > reserve) revert ReserveExceeded(supply, reserve);
        AccountEntry storage entry = _accounts[participant];
        Account account = entry.word;
        if (!account.isActive()) revert AccountNotActive(participant, account.status());

        isIssued[bankReference] = true;
        totalSupply = supply;
        emit Issued(bankReference, participant, amount);
        _credit(entry, account, address(0), participant, amount);
    }

    /// @inheritdoc ISettlementToken
    function redeem(uint256 amount, bytes32 bankReference) external whenNotPaused {
        if (amount == 0) revert AmountZero(bankReference);
        if (isRedeemed[msg.sender][bankReference]) revert BankReferenceUsed(bankReference);
        isRedeemed[msg.sender][bankReference] = true;
        _spend(msg.sender, amount);
        totalSupply -= amount;
        emit Redeemed(bankReference, msg.sender, amount);
        emit Transfer(msg.sender, address(0), amount);
    }

    // Views

    /// @inheritdoc ISettlementToken
    function attestation() external view returns (Attestation memory) {
        return _attestation;
    }

    /// @inheritdoc IERC3009
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool) {
        return _accounts[authorizer].authorizations[nonce].consumed != 0;
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(IERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @inheritdoc IERC20Permit
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _approve(address owner, address spender, uint256 value) private {
        if (spender == address(0)) revert InvalidSpender(spender);
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    // Internals

    /// @dev All four forms of transfer and receive begin with the six values that are signed, so these are hashed where they
    ///      lie: 200 gas less than abi.encode of stack values.
    function _authorizationDigest(
        bytes32 typehash,
        uint256 validAfter,
        uint256 validBefore
    ) private view returns (bytes32) {
        if (block.timestamp <= validAfter) revert AuthorizationNotYetValid(block.timestamp, validAfter);
        if (block.timestamp >= validBefore) revert AuthorizationExpired(block.timestamp, validBefore);
        bytes32 structHash;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            calldatacopy(add(words, 32), 4, 192)
            structHash := keccak256(words, 224)
        }
        return _digest(structHash);
    }

    function _cancelDigest(address authorizer, bytes32 nonce) private view returns (bytes32) {
        return _digest(keccak256(abi.encode(CANCEL_TYPEHASH, authorizer, nonce)));
    }

    function _requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (!SignatureLib.isValid(signer, digest, signature)) revert InvalidSignature(signer);
    }

    function _requireContractSigned(address signer, bytes32 digest, uint8 v, bytes32 r, bytes32 s) private view {
        if (!SignatureLib.isValidForContract(signer, digest, abi.encodePacked(r, s, v)))
            revert InvalidSignature(signer);
    }

    /// @dev `_transfer` and `_credit` written out, 120 gas less: the pointer to the payer's entry serves its nonce and its
    ///      account, and nothing is passed on.
    function _transferAuthorized(address from, address to, uint256 value, bytes32 nonce) private {
        if (paused) revert TokenPaused();
        AccountEntry storage debtor = _accounts[from];
        AuthorizationEntry storage authorization = debtor.authorizations[nonce];
        if (authorization.consumed != 0) revert AuthorizationConsumed(from, nonce);
        authorization.consumed = 1;
        emit AuthorizationUsed(from, nonce);
        debtor.word = debtor.word.spend(from, value);
        AccountEntry storage creditor = _accounts[to];
        Account account = creditor.word;
        if (!account.isOpen()) revert AccountCannotReceive(to, account.status());
        creditor.word = account.credit(value);
        emit Transfer(from, to, value);
    }

    function _consume(AuthorizationEntry storage entry, address authorizer, bytes32 nonce) private {
        if (entry.consumed != 0) revert AuthorizationConsumed(authorizer, nonce);
        entry.consumed = 1;
    }

    function _cancel(address authorizer, bytes32 nonce) private {
        _consume(_accounts[authorizer].authorizations[nonce], authorizer, nonce);
        emit AuthorizationCanceled(authorizer, nonce);
    }
}
