// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {AccountStatus, Attestation, ISettlementToken, NetSource} from "./interfaces/ISettlementToken.sol";
import {IERC3009} from "./interfaces/IERC3009.sol";
import {Account, AccountLib} from "./libraries/AccountLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {TypedData} from "./TypedData.sol";

/// @title Tokenized interbank balances in one ISO 4217 currency
/// @dev Every unit that changes hands leaves an account through `AccountLib` (`spend`, `debit`, a hold executed) and
///      arrives through `_credit`, which emits `Transfer`. Calls nobody but the authority (governance) and contract
///      signers (static, bounded), so there is nothing to re-enter.
contract SettlementToken is ISettlementToken, AccessManaged, TypedData, Nonces {
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
    uint256 private constant MAX_NET_PARTICIPANTS = 256;

    uint16 public immutable currencyCode;
    uint8 public immutable decimals;

    string public name;
    string public symbol;
    uint256 public totalSupply;

    /// @dev Words in structs of their own, so that a pointer to one is computed once and used twice.
    struct AccountEntry {
        Account word;
        mapping(bytes32 nonce => AuthorizationEntry entry) authorizations;
    }

    /// @dev A whole word: a bool would be read again before it is written.
    struct AuthorizationEntry {
        uint256 consumed;
    }

    /// @dev Share a slot: what every movement has to know costs one read.
    address public escrow;
    bool public paused;

    Attestation private _attestation;

    mapping(address participant => AccountEntry entry) private _accounts;
    mapping(address module => mapping(address participant => uint256 amount)) private _reserved;
    mapping(address module => bool admitted) private _modules;
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

    modifier whenNotPaused() {
        if (paused) revert TokenPaused();
        _;
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

    // Accounts

    /// @inheritdoc ISettlementToken
    function admit(address participant) external restricted {
        if (participant == address(0)) revert InvalidAccount(participant);
        _changeStatus(participant, AccountStatus.None, AccountStatus.Active);
        emit AccountAdmitted(participant);
    }

    /// @inheritdoc ISettlementToken
    function suspend(address participant, bytes32 reasonHash) external restricted {
        _changeStatus(participant, AccountStatus.Active, AccountStatus.Suspended);
        emit AccountSuspended(participant, reasonHash);
    }

    /// @inheritdoc ISettlementToken
    function reinstate(address participant) external restricted {
        _changeStatus(participant, AccountStatus.Suspended, AccountStatus.Active);
        emit AccountReinstated(participant);
    }

    /// @inheritdoc ISettlementToken
    function close(address participant) external restricted {
        Account account = _accounts[participant].word;
        AccountStatus status = account.status();
        if (status != AccountStatus.Active && status != AccountStatus.Suspended) {
            revert AccountStatusMismatch(participant, status);
        }
        uint256 held = account.balance() - account.available();
        if (held != 0) revert AccountHoldsOpen(participant, held);
        _accounts[participant].word = account.withStatus(AccountStatus.Closed);
        emit AccountClosed(participant);
    }

    /// @inheritdoc ISettlementToken
    function forceTransfer(address from, address to, uint256 amount, bytes32 reasonHash) external restricted {
        emit TransferForced(from, to, amount, reasonHash);
        AccountEntry storage entry = _accounts[from];
        entry.word = entry.word.debit(from, amount);
        _creditOpen(from, to, amount);
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
        if (isRedeemed[msg.sender][bankReference]) revert BankReferenceUsed(bankReference);
        isRedeemed[msg.sender][bankReference] = true;
        _spend(msg.sender, amount);
        totalSupply -= amount;
        emit Redeemed(bankReference, msg.sender, amount);
        emit Transfer(msg.sender, address(0), amount);
    }

    // Stopping

    /// @inheritdoc ISettlementToken
    function pause() external restricted whenNotPaused {
        paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc ISettlementToken
    function unpause() external restricted {
        if (!paused) revert TokenNotPaused();
        paused = false;
        emit Unpaused(msg.sender);
    }

    // Modules

    /// @inheritdoc ISettlementToken
    function admitEscrow(address newEscrow) external restricted {
        if (newEscrow == address(0)) revert InvalidAccount(newEscrow);
        if (isModule(newEscrow)) revert ModuleAlreadyAdmitted(newEscrow);
        escrow = newEscrow;
        emit EscrowAdmitted(newEscrow);
    }

    /// @inheritdoc ISettlementToken
    function admitModule(address module) external restricted {
        if (module == address(0)) revert InvalidAccount(module);
        if (isModule(module)) revert ModuleAlreadyAdmitted(module);
        _modules[module] = true;
        emit ModuleAdmitted(module);
    }

    /// @inheritdoc ISettlementToken
    function cutOffModule(address module) external restricted {
        if (!isModule(module)) revert ModuleNotAdmitted(module);
        if (module == escrow) escrow = address(0);
        else delete _modules[module];
        emit ModuleCutOff(module);
    }

    /// @inheritdoc ISettlementToken
    function holdFunds(address participant, uint128 amount) external {
        bool isEscrow = _requireModuleNotPaused();
        AccountEntry storage entry = _accounts[participant];
        Account account = entry.word.spend(participant, amount);
        if (isEscrow) {
            entry.word = account.addEscrowed(amount);
        } else {
            entry.word = account.addReserved(amount);
            _reserved[msg.sender][participant] += amount;
            emit HoldPlaced(msg.sender, participant, amount);
        }
    }

    /// @inheritdoc ISettlementToken
    function releaseHold(address participant, uint128 amount) external {
        _takeHold(_requireModule(), participant, amount, amount);
    }

    /// @inheritdoc ISettlementToken
    function executeHold(
        address debtor,
        address creditor,
        uint128 amount,
        address feeRecipient,
        uint128 fee,
        uint128 released
    ) external {
        _takeHold(_requireModule(), debtor, uint256(amount) + fee + released, released);
        // Zero parts are skipped: a payment too small for a fee is still a payment.
        if (amount != 0) _creditOwed(debtor, creditor, amount);
        if (fee != 0) _creditOwed(debtor, feeRecipient, fee);
    }

    /// @inheritdoc ISettlementToken
    function pay(address debtor, address creditor, uint128 amount, address feeRecipient, uint128 fee) external {
        _requireModuleNotPaused();
        _spend(debtor, uint256(amount) + fee);
        if (amount != 0) _creditOpen(debtor, creditor, amount);
        if (fee != 0) _creditOwed(debtor, feeRecipient, fee);
    }

    /// @inheritdoc ISettlementToken
    function payBack(address debtor, address creditor, uint128 amount) external {
        _requireModule();
        _spend(debtor, amount);
        if (amount != 0) _creditOwed(debtor, creditor, amount);
    }

    /// @inheritdoc ISettlementToken
    function settleNet(address[] calldata participants, int256[] calldata changes, NetSource source) external {
        bool isEscrow = _requireModule();
        if (source == NetSource.Available && paused) revert TokenPaused();
        uint256 length = participants.length;
        if (length != changes.length || length > MAX_NET_PARTICIPANTS) {
            revert NetLengthInvalid(length, changes.length, MAX_NET_PARTICIPANTS);
        }

        // Debits before credits, so that a replay of the events never sees the module short.
        uint256 debits;
        address previous;
        for (uint256 i; i < length; ++i) {
            address participant = participants[i];
            if (participant <= previous) revert NetOrderInvalid(previous, participant);
            previous = participant;
            if (changes[i] >= 0) continue;
            uint256 amount;
            unchecked {
                amount = uint256(-changes[i]); // the least int256 gives 2^255, more than anyone has
            }
            if (source == NetSource.Hold) _takeHold(isEscrow, participant, amount, 0);
            else _spend(participant, amount);
            debits += amount;
            emit Transfer(participant, msg.sender, amount);
        }

        uint256 credits;
        for (uint256 i; i < length; ++i) {
            if (changes[i] <= 0) continue;
            uint256 amount = uint256(changes[i]);
            credits += amount; // below 2^255 + 2^88
            if (credits > debits) revert NetSumNotZero(debits, credits);
            _creditOwed(msg.sender, participants[i], amount);
        }
        if (debits != credits) revert NetSumNotZero(debits, credits);
    }

    // Views

    /// @inheritdoc IERC20
    function balanceOf(address participant) external view returns (uint256) {
        return _accounts[participant].word.balance();
    }

    /// @inheritdoc ISettlementToken
    function availableOf(address participant) external view returns (uint256) {
        return _accounts[participant].word.available();
    }

    /// @inheritdoc ISettlementToken
    function heldOf(address participant) external view returns (uint256) {
        Account account = _accounts[participant].word;
        return account.escrowed() + account.reserved();
    }

    /// @inheritdoc ISettlementToken
    function heldFor(address module, address participant) external view returns (uint256) {
        return
            module == escrow && module != address(0)
                ? _accounts[participant].word.escrowed()
                : _reserved[module][participant];
    }

    /// @inheritdoc ISettlementToken
    function statusOf(address participant) external view returns (AccountStatus) {
        return _accounts[participant].word.status();
    }

    /// @inheritdoc ISettlementToken
    function attestation() external view returns (Attestation memory) {
        return _attestation;
    }

    /// @inheritdoc ISettlementToken
    function isModule(address module) public view returns (bool) {
        return _modules[module] || (module == escrow && module != address(0));
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

    // Internals: the funnel

    function _transfer(address from, address to, uint256 amount) private {
        _spend(from, amount);
        _creditOpen(from, to, amount);
    }

    function _spend(address debtor, uint256 amount) private {
        AccountEntry storage entry = _accounts[debtor];
        entry.word = entry.word.spend(debtor, amount);
    }

    /// @dev For what participants and the operator send: a closed account takes nothing new.
    function _creditOpen(address from, address to, uint256 amount) private {
        AccountEntry storage entry = _accounts[to];
        Account account = entry.word;
        if (!account.isOpen()) revert AccountCannotReceive(to, account.status());
        _credit(entry, account, from, to, amount);
    }

    /// @dev For what modules owe: it arrives even after a closure, so nobody's closing blocks another's payment.
    function _creditOwed(address debtor, address creditor, uint256 amount) private {
        AccountEntry storage entry = _accounts[creditor];
        Account account = entry.word;
        if (!account.isAdmitted()) revert AccountCannotReceive(creditor, AccountStatus.None);
        _credit(entry, account, debtor, creditor, amount);
    }

    /// @dev The one place, with `_transferAuthorized`, where an available amount rises by another's loss or by issue.
    function _credit(
        AccountEntry storage entry,
        Account account,
        address debtor,
        address creditor,
        uint256 amount
    ) private {
        entry.word = account.credit(amount);
        emit Transfer(debtor, creditor, amount);
    }

    /// @dev Takes `amount` out of the calling module's hold, `released` of it back to available; the rest has left the
    ///      account and must be credited by the caller.
    function _takeHold(bool isEscrow, address participant, uint256 amount, uint256 released) private {
        AccountEntry storage entry = _accounts[participant];
        if (isEscrow) {
            entry.word = entry.word.executeEscrowed(participant, amount, released);
            return;
        }
        uint256 held = _reserved[msg.sender][participant];
        if (amount > held) revert InsufficientHold(participant, held, amount);
        unchecked {
            _reserved[msg.sender][participant] = held - amount;
        }
        entry.word = entry.word.executeReserved(amount, released);
        emit HoldExecuted(msg.sender, participant, amount, released);
    }

    // Internals: checks

    function _requireModule() private view returns (bool isEscrow) {
        isEscrow = msg.sender == escrow;
        if (!isEscrow && !_modules[msg.sender]) revert ModuleNotAdmitted(msg.sender);
    }

    /// @dev Both answers from one read of their slot.
    function _requireModuleNotPaused() private view returns (bool isEscrow) {
        (address currentEscrow, bool isPaused) = (escrow, paused);
        if (isPaused) revert TokenPaused();
        isEscrow = msg.sender == currentEscrow;
        if (!isEscrow && !_modules[msg.sender]) revert ModuleNotAdmitted(msg.sender);
    }

    function _changeStatus(address participant, AccountStatus from, AccountStatus to) private {
        Account account = _accounts[participant].word;
        AccountStatus status = account.status();
        if (status != from) revert AccountStatusMismatch(participant, status);
        _accounts[participant].word = account.withStatus(to);
    }

    function _approve(address owner, address spender, uint256 value) private {
        if (spender == address(0)) revert InvalidSpender(spender);
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    // Internals: ERC-3009

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
