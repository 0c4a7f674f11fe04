// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

enum EntryStatus {
    None,
    Active,
    Blocked
}

/// @notice What a merchant's till and its codes are known by.
/// @param acquirer The participant that vouches for it.
/// @param categoryCode ISO 18245 merchant category code.
/// @param signer Key, or contract account, that signs the merchant's codes.
/// @param nameHash keccak256 of the merchant id and the display name (UTF-8, NFC): a reader shows a name only if it hashes
///        to this, and no name is on the chain.
struct Merchant {
    address acquirer;
    uint16 categoryCode;
    address signer;
    bytes32 nameHash;
}

/// @notice On what terms a merchant takes a currency.
/// @param token SettlementToken of the currency.
/// @param staticLimit Minor units; a payment above it must carry the merchant's signature over its dynamic code.
struct Acceptance {
    address token;
    uint64 staticLimit;
    EntryStatus status;
}

/// @notice What an issuer lets a card spend in a currency.
/// @param card The payer's key; an ordinary key or, outside batches, a contract account.
/// @param paymentLimit Minor units per payment.
/// @param dayLimit Minor units per UTC day.
struct CardLimits {
    address card;
    address token;
    uint64 paymentLimit;
    uint64 dayLimit;
    EntryStatus status;
}

/// @title Merchants, cards and delegates
/// @notice Only the participant that vouches for an entry, or its delegate for that verb, may change it. An entry's key
///         contains its participant, so nobody can squat another's.
interface IDirectory {
    // Events

    event TokenAdmitted(address indexed token);
    event DelegateSet(address indexed participant, address indexed delegate, uint256 verbs);
    event MerchantSet(
        bytes32 indexed merchant,
        address indexed acquirer,
        address signer,
        uint16 categoryCode,
        bytes32 nameHash
    );
    event AcceptanceSet(bytes32 indexed merchant, address indexed token, uint256 staticLimit, EntryStatus status);
    event CardSet(
        address indexed issuer,
        address indexed card,
        address indexed token,
        uint256 paymentLimit,
        uint256 dayLimit,
        EntryStatus status
    );

    // Errors

    error NotPermitted(address caller, address participant, uint256 verb);
    error ParticipantNotActive(address participant, address token);
    error TokenNotAdmitted(address token);
    error TokenAlreadyAdmitted(address token);
    error SchemeAccountMissing(address token, address account);
    error VerbsInvalid(uint256 verbs);
    error MerchantUnknown(bytes32 merchant);
    error MerchantSignerInvalid(bytes32 merchant);
    error StatusInvalid();
    error CardInvalid();
    error EntriesTooMany(uint256 entries, uint256 limit);

    /// @notice Lets payments run in a currency. Restricted, delayed.
    /// @dev Errors: SchemeAccountMissing unless the token has an account for the scheme fee.
    function admitToken(address token) external;

    /// @notice Lets a key use some of the caller's verbs; zero takes all back, at once.
    /// @param verbs Sum of the constants of `Verbs`.
    function setDelegate(address delegate, uint256 verbs) external;

    /// @notice Registers a merchant or changes its key, category or name. Acquirer, or its delegate for MERCHANTS.
    /// @param commitment keccak256 of a salt and the acquirer's own reference for the merchant.
    /// @return merchant keccak256 of acquirer and commitment: the id that terms and codes carry.
    function setMerchant(
        address acquirer,
        bytes32 commitment,
        address signer,
        uint16 categoryCode,
        bytes32 nameHash
    ) external returns (bytes32 merchant);

    /// @notice Opens, limits or blocks a merchant per currency. At most 256 at once.
    function setAcceptances(bytes32 merchant, Acceptance[] calldata acceptances) external;

    /// @notice Opens, limits or blocks cards per currency; what a card spent today stays counted. Issuer, or its
    ///         delegate for CARDS. At most 256 at once.
    function setCards(address issuer, CardLimits[] calldata cards) external;

    function merchantId(address acquirer, bytes32 commitment) external pure returns (bytes32);

    function merchantOf(bytes32 merchant) external view returns (Merchant memory);

    function acceptanceOf(bytes32 merchant, address token) external view returns (Acceptance memory);

    function cardOf(address issuer, address card, address token) external view returns (CardLimits memory);

    /// @return Minor units spent in the UTC day of this block.
    function spentToday(address issuer, address card, address token) external view returns (uint256);

    function verbsOf(address participant, address delegate) external view returns (uint256);

    function isTokenAdmitted(address token) external view returns (bool);
}
