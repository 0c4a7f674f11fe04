"""What constructors and Solidity itself refuse."""

from __future__ import annotations

from tael.contracts.refusals.refusal import Refusal, Sections
from tael.errors import (
    TermsRefusedError,
    UnknownRevertError,
)

SOLIDITY: Sections = {
    "Set-up of contracts": (
        Refusal(
            "SchemeAccountInvalid",
            TermsRefusedError,
            "The escrow cannot be deployed without a scheme account.",
            "Correct the deployment plan.",
        ),
        Refusal(
            "SharesInvalid",
            TermsRefusedError,
            "Scheme fee and interchange cap exceed the whole.",
            "Correct the deployment plan.",
        ),
        Refusal(
            "InvalidShortString",
            TermsRefusedError,
            "A stored name does not decode.",
            "Report it: the deployment is damaged.",
        ),
        Refusal(
            "StringTooLong",
            TermsRefusedError,
            "A name is longer than 31 bytes.",
            "Choose a shorter name in the deployment plan.",
        ),
    ),
    "Solidity itself": (
        Refusal(
            "Error",
            UnknownRevertError,
            "Refused with words instead of a named error.",
            "Report it with the revert data.",
        ),
        Refusal(
            "Panic",
            UnknownRevertError,
            "An internal check of the contract failed.",
            "Report it with the revert data; do not repeat.",
        ),
    ),
}
