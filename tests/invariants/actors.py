"""Who takes part, and what they are set up with."""

from __future__ import annotations

from .chain import address
from .messages import Key

SCHEME_BPS = 25
INTERCHANGE_CAP_BPS = 300

# Key numbers. The banks sign; everybody else that only sends is a bare address.
BANKS = tuple(Key(number) for number in (0xB001, 0xB002, 0xB003, 0xB004))
CARDS = tuple(Key(number) for number in (0xC001, 0xC002, 0xC003))
TILLS = tuple(Key(number) for number in (0xD001, 0xD002, 0xD003))
DELEGATES = tuple(Key(number) for number in (0xE001, 0xE002))
WALLET_OWNER = Key(0xF001)
STRANGER = Key(0xF002)

ISSUER, ACQUIRER, SECOND_ISSUER, SECOND_ACQUIRER = (bank.address for bank in BANKS)
OUTSIDER = STRANGER.address
SCHEME = address(0x5C4E)
DEPLOYER = address(0xDE)
ADMIN, SECOND_ADMIN = address(0xA0), address(0xA1)
CLEARING, QUEUE, SUCCESSOR = address(0x1001), address(0x1002), address(0x1003)

REGISTRAR, GUARDIAN, DESK, ATTESTOR, GOVERNOR = (address(0x200 + role) for role in range(1, 6))
HOLDERS = {1: REGISTRAR, 2: GUARDIAN, 3: DESK, 4: ATTESTOR, 5: GOVERNOR}
"""Who has which role."""

TOKEN_ROLES = {
    "admit": 1,
    "suspend": 2,
    "pause": 2,
    "cutOffModule": 2,
    "issue": 3,
    "attest": 4,
    "reinstate": 5,
    "close": 5,
    "forceTransfer": 5,
    "unpause": 5,
    "admitEscrow": 5,
    "admitModule": 5,
}
ESCROW_ROLES = {"admitToken": 5}

REFERENCES = tuple(bytes([0xBB]) * 31 + bytes([number]) for number in range(12))
NONCES = tuple(bytes([0x3E]) * 31 + bytes([number]) for number in range(3))
COMMITMENTS = tuple(bytes([0xCC]) * 31 + bytes([number]) for number in range(3))
HASH = bytes(range(32))
