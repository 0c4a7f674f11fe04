// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Acceptance, CardLimits, EntryStatus, IDirectory, Merchant} from "./interfaces/IDirectory.sol";
import {AccountStatus, ISettlementToken} from "./interfaces/ISettlementToken.sol";
import {AcceptanceLib, AcceptanceWord} from "./libraries/AcceptanceLib.sol";
import {Card, CardLib} from "./libraries/CardLib.sol";
import {Verbs} from "./libraries/Verbs.sol";

/// @title Merchants, cards and delegates
/// @dev A base of PaymentEscrow, in the same deployment: docs/decisions/0003 has the gas of the alternative. An entry for
///      a token can only be made once governance admitted the token, so whoever finds an entry need not ask again.
abstract contract Directory is IDirectory, AccessManaged {
    uint256 private constant MAX_ENTRIES = 256;

    /// @dev A word in a struct of its own, so that a pointer to it is computed once and passed on.
    struct CardEntry {
        Card word;
    }

    mapping(bytes32 merchant => mapping(address token => AcceptanceWord word)) internal _acceptances;
    mapping(address issuer => mapping(address card => mapping(address token => CardEntry entry))) internal _cards;
    mapping(bytes32 merchant => Merchant entry) private _merchants;
    mapping(address participant => mapping(address delegate => uint256 verbs)) public verbsOf;
    mapping(address token => bool admitted) public isTokenAdmitted;

    /// @inheritdoc IDirectory
    function admitToken(address token) external restricted {
        if (isTokenAdmitted[token]) revert TokenAlreadyAdmitted(token);
        address account = _schemeAccount();
        if (ISettlementToken(token).statusOf(account) == AccountStatus.None) {
            revert SchemeAccountMissing(token, account);
        }
        isTokenAdmitted[token] = true;
        emit TokenAdmitted(token);
    }

    /// @inheritdoc IDirectory
    function setDelegate(address delegate, uint256 verbs) external {
        if (verbs > Verbs.ALL) revert VerbsInvalid(verbs);
        verbsOf[msg.sender][delegate] = verbs;
        emit DelegateSet(msg.sender, delegate, verbs);
    }

    /// @inheritdoc IDirectory
    function setMerchant(
        address acquirer,
        bytes32 commitment,
        address signer,
        uint16 categoryCode,
        bytes32 nameHash
    ) external returns (bytes32 merchant) {
        _requirePermitted(acquirer, Verbs.MERCHANTS);
        merchant = merchantId(acquirer, commitment);
        if (signer == address(0)) revert MerchantSignerInvalid(merchant);
        _merchants[merchant] = Merchant(acquirer, categoryCode, signer, nameHash);
        emit MerchantSet(merchant, acquirer, signer, categoryCode, nameHash);
    }

    /// @inheritdoc IDirectory
    function setAcceptances(bytes32 merchant, Acceptance[] calldata acceptances) external {
        address acquirer = _merchants[merchant].acquirer;
        if (acquirer == address(0)) revert MerchantUnknown(merchant);
        _requirePermitted(acquirer, Verbs.MERCHANTS);
        _requireBounded(acceptances.length);
        for (uint256 i; i < acceptances.length; ++i) {
            Acceptance calldata entry = acceptances[i];
            _requireEntry(acquirer, entry.token, entry.status);
            _acceptances[merchant][entry.token] = AcceptanceLib.pack(acquirer, entry.staticLimit, entry.status);
            emit AcceptanceSet(merchant, entry.token, entry.staticLimit, entry.status);
        }
    }

    /// @inheritdoc IDirectory
    function setCards(address issuer, CardLimits[] calldata cards) external {
        _requirePermitted(issuer, Verbs.CARDS);
        _requireBounded(cards.length);
        for (uint256 i; i < cards.length; ++i) {
            CardLimits calldata entry = cards[i];
            if (entry.card == address(0)) revert CardInvalid();
            _requireEntry(issuer, entry.token, entry.status);
            CardEntry storage slot = _cards[issuer][entry.card][entry.token];
            Card old = slot.word;
            slot.word = CardLib.pack(entry.paymentLimit, entry.dayLimit, old.spent(), old.day(), entry.status);
            emit CardSet(issuer, entry.card, entry.token, entry.paymentLimit, entry.dayLimit, entry.status);
        }
    }

    /// @inheritdoc IDirectory
    function merchantId(address acquirer, bytes32 commitment) public pure returns (bytes32) {
        return keccak256(abi.encode(acquirer, commitment));
    }

    /// @inheritdoc IDirectory
    function merchantOf(bytes32 merchant) external view returns (Merchant memory) {
        return _merchants[merchant];
    }

    /// @inheritdoc IDirectory
    function acceptanceOf(bytes32 merchant, address token) external view returns (Acceptance memory) {
        AcceptanceWord word = _acceptances[merchant][token];
        return Acceptance(token, word.staticLimit(), word.status());
    }

    /// @inheritdoc IDirectory
    function cardOf(address issuer, address card, address token) external view returns (CardLimits memory) {
        Card word = _cards[issuer][card][token].word;
        return CardLimits(card, token, word.paymentLimit(), word.dayLimit(), word.status());
    }

    /// @inheritdoc IDirectory
    function spentToday(address issuer, address card, address token) external view returns (uint256) {
        return _cards[issuer][card][token].word.spentOn(_today());
    }

    function _signerOf(bytes32 merchant) internal view returns (address) {
        return _merchants[merchant].signer;
    }

    function _schemeAccount() internal view virtual returns (address);

    function _today() internal view returns (uint256) {
        return block.timestamp / 1 days;
    }

    function _isPermitted(address caller, address participant, uint256 verb) internal view returns (bool) {
        return caller == participant || verbsOf[participant][caller] & verb != 0;
    }

    function _requirePermitted(address participant, uint256 verb) internal view {
        if (!_isPermitted(msg.sender, participant, verb)) revert NotPermitted(msg.sender, participant, verb);
    }

    function _requireEntry(address participant, address token, EntryStatus status) private view {
        if (status == EntryStatus.None) revert StatusInvalid();
        if (!isTokenAdmitted[token]) revert TokenNotAdmitted(token);
        // A participant that was stopped may still block its entries, not open any.
        if (status == EntryStatus.Active && ISettlementToken(token).statusOf(participant) != AccountStatus.Active) {
            revert ParticipantNotActive(participant, token);
        }
    }

    function _requireBounded(uint256 entries) private pure {
        if (entries > MAX_ENTRIES) revert EntriesTooMany(entries, MAX_ENTRIES);
    }
}
