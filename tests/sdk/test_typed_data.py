"""Our digests against eth-account's, over random messages of every type that is signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import typed_data
from tael.terms import Terms
from tael.typed_data import Domain, Message, escrow_domain

Values = tuple[Any, ...]

ADDRESSES = st.binary(min_size=20, max_size=20).map(to_checksum_address)
DOMAINS = st.builds(Domain, st.text(max_size=40), st.integers(1, 2**256 - 1), ADDRESSES)


def _terms(domain: Domain, *values: Any) -> bytes:
    # What funds a payment is zero as yet.
    return Terms(*values[:-1]).payment_id(domain)


DIGESTS: dict[str, Callable[..., bytes]] = {
    typed_data.TERMS_TYPE: _terms,
    typed_data.DYNAMIC_CODE_TYPE: lambda *values: typed_data.dynamic_code(*values).digest,
    typed_data.STATIC_CODE_TYPE: lambda *values: typed_data.static_code(*values).digest,
    typed_data.AUTHORIZE_CONSENT_TYPE: typed_data.authorize_consent_digest,
    typed_data.CHARGE_CONSENT_TYPE: typed_data.charge_consent_digest,
    typed_data.TRANSFER_TYPE: typed_data.transfer_digest,
    typed_data.RECEIVE_TYPE: typed_data.receive_digest,
    typed_data.CANCEL_TYPE: typed_data.cancel_digest,
    typed_data.PERMIT_TYPE: typed_data.permit_digest,
}


def members_of(declaration: str) -> list[tuple[str, str]]:
    """Type and name of each member, apart from how the package finds them."""
    inside = declaration[declaration.index("(") + 1 : -1]
    return [(member.split()[0], member.split()[1]) for member in inside.split(",")]


def values_of(declaration: str) -> st.SearchStrategy[Values]:
    def each(type_: str, name: str) -> st.SearchStrategy[Any]:
        if name == "funding":
            return st.just(bytes(32))
        if type_ == "address":
            return ADDRESSES
        if type_.startswith("bytes"):
            size = int(type_[5:])
            return st.binary(min_size=size, max_size=size)
        least = 1 if declaration == typed_data.TERMS_TYPE and name == "amount" else 0
        return st.integers(least, 2 ** int(type_[4:]) - 1)

    return st.tuples(*(each(*member) for member in members_of(declaration)))


def digest_of_eth_account(document: dict[str, Any]) -> bytes:
    signable = encode_typed_data(full_message=document)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def document_of(declaration: str, domain: Domain, values: Values) -> dict[str, Any]:
    """The message as the standard writes it, apart from how the package does."""
    kind, members = declaration.split("(")[0], members_of(declaration)
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            kind: [{"name": name, "type": type_} for type_, name in members],
        },
        "primaryType": kind,
        "domain": {
            "name": domain.name,
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": {name: value for (_, name), value in zip(members, values, strict=True)},
    }


def test_every_type_that_is_signed_is_compared() -> None:
    declared = {
        value
        for name, value in vars(typed_data).items()
        if name.endswith("_TYPE") and name != "DOMAIN_TYPE"
    }
    assert declared == set(DIGESTS)


@pytest.mark.parametrize("declaration", DIGESTS, ids=lambda text: text.split("(")[0])
def test_digest_and_document_are_those_of_eth_account(declaration: str) -> None:
    @settings(deadline=None)
    @given(DOMAINS, values_of(declaration))
    def check(domain: Domain, values: Values) -> None:
        wanted = document_of(declaration, domain, values)
        assert DIGESTS[declaration](domain, *values) == digest_of_eth_account(wanted)
        message = Message(domain, declaration, values)
        assert message.document() == wanted
        assert message.digest == digest_of_eth_account(wanted)

    check()


@pytest.mark.parametrize(
    "values",
    [
        (bytes(31), "0x" + "c1" * 20, 1, bytes(16), 1),
        (bytes(32), "0x" + "c1" * 19, 1, bytes(16), 1),
        (bytes(32), "0x" + "c1" * 20, 2**64, bytes(16), 1),
        (bytes(32), "0x" + "c1" * 20, -1, bytes(16), 1),
        (bytes(32), "0x" + "c1" * 20, True, bytes(16), 1),
        (bytes(32), "0x" + "c1" * 20, 1, bytes(17), 1),
        (bytes(32), "0x" + "c1" * 20, 1, bytes(15), 1),
        (bytes(32), "0x" + "c1" * 20, 1, bytes(16), 2**40),
    ],
)
def test_nothing_is_hashed_that_does_not_fit_its_member(values: Values) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        _ = typed_data.dynamic_code(escrow_domain(1337, "0x" + "e5" * 20), *values).digest
