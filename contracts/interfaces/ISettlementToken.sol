// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC3009} from "./IERC3009.sol";

/// @notice What a participant's account may do: see docs/statuses.md for the whole table.
enum AccountStatus {
    None,
    Active,
    Suspended,
    Closed
}

/// @notice Where a net settlement takes its debits from.
enum NetSource {
    Available,
    Hold
}

/// @notice Reserve the attestor vouches for.
/// @param amount Reserve, in minor units; the supply may not be raised above it.
/// @param validBefore Unix seconds; from then on nothing can be issued on it.
/// @param documentHash Hash of the attestation document.
struct Attestation {
    uint128 amount;
    uint40 validBefore;
    bytes32 documentHash;
}

/// @title Tokenized interbank balances in one ISO 4217 currency
/// @notice Amounts are integers in minor units; `decimals()` is the currency's ISO 4217 exponent. `balanceOf` is what a
///         participant owns (available and held together), `availableOf` what it can spend.
///
///         A hold is part of a balance set aside for one module: the escrow's in the account's own word, any other
///         module's per module and participant, so that no module can touch what another holds. Placing and releasing
///         a hold is not a `Transfer`; executing one is. Replaying `Transfer` gives every balance.
interface ISettlementToken is IERC20Metadata, IERC20Permit, IERC3009 {
    // Events

    event AccountAdmitted(address indexed participant);
    event AccountSuspended(address indexed participant, bytes32 reasonHash);
    event AccountReinstated(address indexed participant);
    event AccountClosed(address indexed participant);
    event ReserveAttested(uint256 amount, uint256 validBefore, bytes32 documentHash);
    event Issued(bytes32 indexed bankReference, address indexed participant, uint256 amount);
    event Redeemed(bytes32 indexed bankReference, address indexed participant, uint256 amount);
    event TransferForced(address indexed from, address indexed to, uint256 amount, bytes32 reasonHash);
    event Paused(address indexed by);
    event Unpaused(address indexed by);
    event EscrowAdmitted(address indexed escrow);
    event ModuleAdmitted(address indexed module);
    event ModuleCutOff(address indexed module);
    /// @notice A module other than the escrow placed a hold. The escrow's own events tell its holds.
    event HoldPlaced(address indexed module, address indexed participant, uint256 amount);
    /// @notice A module other than the escrow took `amount` out of its hold, `released` of it back to available.
    event HoldExecuted(address indexed module, address indexed participant, uint256 amount, uint256 released);

    // Errors

    error AccountNotActive(address participant, AccountStatus status);
    /// @notice The payee is not a participant of this currency, or its account is closed.
    error AccountCannotReceive(address participant, AccountStatus status);
    error AccountStatusMismatch(address participant, AccountStatus status);
    error AccountHoldsOpen(address participant, uint256 held);
    error InsufficientAvailable(address participant, uint256 available, uint256 needed);
    error InsufficientHold(address participant, uint256 held, uint256 needed);
    error InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
    error InvalidSpender(address spender);
    error InvalidAccount(address participant);
    error PermitExpired(uint256 timestamp, uint256 deadline);
    error InvalidSignature(address signer);
    error ReserveExceeded(uint256 supply, uint256 reserve);
    error ReserveStale(uint256 timestamp, uint256 validBefore);
    error AttestationPeriodInvalid(uint256 timestamp, uint256 validBefore);
    error BankReferenceUsed(bytes32 bankReference);
    /// @notice Nothing to issue or redeem; `id` is the bank reference, which stays unused.
    error AmountZero(bytes32 id);
    error AmountTooLarge(uint256 amount, uint256 limit);
    error TokenPaused();
    error TokenNotPaused();
    error ModuleNotAdmitted(address module);
    error ModuleAlreadyAdmitted(address module);
    error NetLengthInvalid(uint256 participants, uint256 changes, uint256 limit);
    error NetOrderInvalid(address previous, address participant);
    error NetSumNotZero(uint256 debits, uint256 credits);

    // Accounts

    /// @notice Opens an account. Restricted to the registrar.
    /// @dev Errors: AccountStatusMismatch if it was ever admitted; InvalidAccount for zero.
    function admit(address participant) external;

    /// @notice Stops an active participant: no new holds, no spending of available. What is held for it or by it still
    ///         executes and releases, and credits arrive. Restricted to the guardian, at once.
    /// @param reasonHash Hash of the document that says why.
    function suspend(address participant, bytes32 reasonHash) external;

    /// @notice Makes a suspended participant active again. Restricted, delayed.
    function reinstate(address participant) external;

    /// @notice Closes an account for ever. What is left in available, or arrives late, is swept by `forceTransfer`.
    ///         Restricted, delayed. Works while paused.
    /// @dev Errors: AccountHoldsOpen while anything is held; AccountStatusMismatch unless active or suspended.
    function close(address participant) external;

    /// @notice Moves available by order of law or after a closure; held amounts are out of its reach. Restricted,
    ///         delayed. Works while paused and whatever the status of `from`.
    /// @param reasonHash Hash of the order.
    function forceTransfer(address from, address to, uint256 amount, bytes32 reasonHash) external;

    // Reserve, issue, redeem

    /// @notice Replaces the attested reserve. Restricted to the attestor.
    /// @param validBefore Unix seconds, at most 35 days ahead.
    function attest(uint256 amount, bytes32 documentHash, uint256 validBefore) external;

    /// @notice Issues against the attested reserve. Restricted to the operator's issuance desk.
    /// @param bankReference Unique over all issues; the same one twice is refused.
    /// @dev Errors: TokenPaused, AmountZero, AmountTooLarge, BankReferenceUsed, ReserveStale, ReserveExceeded,
    ///      AccountNotActive.
    function issue(address participant, uint256 amount, bytes32 bankReference) external;

    /// @notice Gives back tokens of the caller for reserve money.
    /// @param bankReference Unique over the caller's redemptions.
    /// @dev Errors: TokenPaused, AmountZero, BankReferenceUsed, AccountNotActive, InsufficientAvailable.
    function redeem(uint256 amount, bytes32 bankReference) external;

    // Stopping

    /// @notice Stops new obligations: transfer, issue, redeem, placing holds, paying, netting from available.
    ///         What unwinds or completes older ones goes on. Restricted to the guardian, at once.
    function pause() external;

    /// @notice Restricted, delayed.
    function unpause() external;

    // Modules. A module is trusted with the consent of participants: it moves their money without asking this contract
    // for a signature. Each of the six functions below is for admitted modules only (ModuleNotAdmitted).

    /// @notice Admits the module whose holds live in the account word: a new escrow, or one cut off before. The holds
    ///         of its predecessor become its own; one still in office is cut off with it (`ModuleCutOff`, then
    ///         `EscrowAdmitted`). Restricted, delayed.
    /// @dev Warning: admit a successor only when it honours the predecessor's payments, or none is open.
    function admitEscrow(address escrow) external;

    /// @notice Admits any other module. Restricted, delayed.
    function admitModule(address module) external;

    /// @notice Takes every right from a module, the escrow included, at once. Its holds stay as they are until it or a
    ///         successor is admitted. Restricted to the guardian.
    function cutOffModule(address module) external;

    /// @notice Sets available aside for the calling module.
    /// @dev Errors: TokenPaused, AccountNotActive, InsufficientAvailable.
    function holdFunds(address participant, uint128 amount) external;

    /// @notice Gives back what the calling module holds. Works while paused and whatever the status.
    /// @dev Errors: InsufficientHold.
    function releaseHold(address participant, uint128 amount) external;

    /// @notice Pays out of what the calling module holds of `debtor`: `amount` to `creditor`, `fee` to `feeRecipient`,
    ///         and `released` back to the debtor's available. Works while paused and whatever the statuses, as long as
    ///         the payees were ever admitted.
    /// @dev Zero parts are skipped without an event. Errors: InsufficientHold, AccountCannotReceive.
    function executeHold(
        address debtor,
        address creditor,
        uint128 amount,
        address feeRecipient,
        uint128 fee,
        uint128 released
    ) external;

    /// @notice A new payment without a hold: `amount` to `creditor` and `fee` to `feeRecipient` out of available.
    /// @dev Zero parts are skipped without an event. The creditor's account must not be closed. Errors: TokenPaused,
    ///      AccountNotActive, InsufficientAvailable, AccountCannotReceive.
    function pay(address debtor, address creditor, uint128 amount, address feeRecipient, uint128 fee) external;

    /// @notice Undoes a payment made before, out of available of the one who was paid. Works while paused.
    /// @dev Errors: AccountNotActive (a suspended bank sends no refunds), InsufficientAvailable, AccountCannotReceive.
    function payBack(address debtor, address creditor, uint128 amount) external;

    /// @notice Settles net positions of many participants, all or none.
    /// @param participants Strictly ascending, at most 256.
    /// @param changes Minor units, negative for debtors; their sum is zero. Emits `Transfer` from each debtor to the
    ///        module, then from the module to each creditor.
    /// @param source Available (stopped by pause and suspension), or the module's own holds (not stopped).
    /// @dev Errors: NetLengthInvalid, NetOrderInvalid, NetSumNotZero, TokenPaused, AccountNotActive,
    ///      InsufficientAvailable, InsufficientHold, AccountCannotReceive.
    function settleNet(address[] calldata participants, int256[] calldata changes, NetSource source) external;

    // Views

    /// @return ISO 4217 numeric code, 156 for CNY.
    function currencyCode() external view returns (uint16);

    function availableOf(address participant) external view returns (uint256);

    /// @return What all modules together hold of the participant.
    function heldOf(address participant) external view returns (uint256);

    /// @return What one module holds of the participant.
    function heldFor(address module, address participant) external view returns (uint256);

    function statusOf(address participant) external view returns (AccountStatus);

    function attestation() external view returns (Attestation memory);

    function escrow() external view returns (address);

    function isModule(address module) external view returns (bool);

    function paused() external view returns (bool);

    function isIssued(bytes32 bankReference) external view returns (bool);

    function isRedeemed(address participant, bytes32 bankReference) external view returns (bool);
}
