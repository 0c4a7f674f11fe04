// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AccountStatus, ISettlementToken, NetSource} from "./interfaces/ISettlementToken.sol";
import {Account} from "./libraries/AccountLib.sol";

/// @title Accounts and holds: where balances live and how they change
/// @dev Every unit that changes hands leaves an account through `AccountLib` (`spend`, `debit`, a hold executed) and
///      arrives through `_credit`, which emits `Transfer`.
abstract contract AccountBook is ISettlementToken, AccessManaged {
    uint256 private constant MAX_NET_PARTICIPANTS = 256;

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

    mapping(address participant => AccountEntry entry) internal _accounts;
    mapping(address module => mapping(address participant => uint256 amount)) private _reserved;
    mapping(address module => bool admitted) private _modules;
    modifier whenNotPaused() {
        if (paused) revert TokenPaused();
        _;
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
        if (escrow != address(0)) emit ModuleCutOff(escrow);
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
    function isModule(address module) public view returns (bool) {
        return _modules[module] || (module == escrow && module != address(0));
    }

    // Internals: the funnel

    function _transfer(address from, address to, uint256 amount) internal {
        _spend(from, amount);
        _creditOpen(from, to, amount);
    }

    function _spend(address debtor, uint256 amount) internal {
        AccountEntry storage entry = _accounts[debtor];
        entry.word = entry.word.spend(debtor, amount);
    }

    /// @dev For what participants and the operator send: a closed account takes nothing new.
    function _creditOpen(address from, address to, uint256 amount) internal {
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
    ) internal {
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
}
