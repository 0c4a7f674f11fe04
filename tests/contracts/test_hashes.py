"""Hashes: Solidity and Python give the same over random values."""

import pytest
from eth_utils import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from tael.terms import Terms
from tael.typed_data import Domain
from tests.contracts.chain import refused

ADDRESSES = st.binary(min_size=20, max_size=20).map(to_checksum_address)
WORDS = st.binary(min_size=32, max_size=32)
TIMES = st.integers(0, 2**40 - 1)
TERMS = st.builds(
    Terms,
    issuer=ADDRESSES,
    acquirer=ADDRESSES,
    token=ADDRESSES,
    merchant=WORDS,
    card=ADDRESSES,
    amount_minor=st.integers(1, 2**64 - 1),
    authorize_before=TIMES,
    capture_before=TIMES,
    refund_before=TIMES,
    interchange_bps=st.integers(0, 2**16 - 1),
    uetr=st.binary(min_size=16, max_size=16),
    reference_hash=WORDS,
)
RANDOM = settings(max_examples=150)


@RANDOM
@given(terms=TERMS)
def test_payment_id_is_the_same_in_both_languages_when_terms_are_random(w, terms):
    assert w.escrow.paymentId(terms.parties, terms.packed) == terms.payment_id(w.domain)


@RANDOM
@given(terms=TERMS)
def test_terms_of_gives_every_term_back_when_terms_are_random(w, terms):
    assert w.escrow.termsOf(terms.parties, terms.packed) == (
        terms.issuer,
        terms.acquirer,
        terms.token,
        terms.merchant,
        terms.card,
        terms.amount_minor,
        terms.authorize_before,
        terms.capture_before,
        terms.refund_before,
        terms.interchange_bps,
        terms.uetr,
        terms.reference_hash,
        bytes(32),
    )
    assert Terms.unpack(terms.parties, terms.packed) == terms


@settings(max_examples=40)
@given(terms=TERMS, bit=st.integers(0, 23))
def test_payment_id_is_refused_when_a_bit_of_no_term_is_set(w, terms, bit):
    merchant, reference, card, deadlines = terms.packed
    if bit < 16:
        card = (int.from_bytes(card, "big") | 1 << bit).to_bytes(32, "big")
    else:
        deadlines = (int.from_bytes(deadlines, "big") | 1 << (bit - 16)).to_bytes(32, "big")
    packed = (merchant, reference, card, deadlines)
    found = w.escrow.paymentId.refusal(terms.parties, packed)
    assert found == refused("TermsNotCanonical")


@pytest.mark.parametrize("symbol", ["CNY", "HKD"])
def test_domain_of_a_token_is_the_same_in_both_languages(w, symbol):
    token = w.tokens[symbol]
    domain = Domain(f"Tael {symbol}", w.node.chain_id, token.address)
    assert token.DOMAIN_SEPARATOR() == domain.separator
    assert token.eip712Domain()[1:5] == (domain.name, "1", w.node.chain_id, token.address)


def test_domain_of_a_token_is_the_same_when_its_name_is_longer_than_a_word(w):
    # OpenZeppelin keeps such a name in storage instead of an immutable.
    name = "Tael of a currency whose name does not fit into one word of thirty-two bytes"
    token = w.chain.deploy(
        w.project.SettlementToken, w.governance, name, "LONG", 1, 2, by=w.operator
    )
    domain = Domain(name, w.node.chain_id, token.address)
    assert token.DOMAIN_SEPARATOR() == domain.separator
    assert token.name() == name


def test_domain_of_the_escrow_is_the_same_in_both_languages(w):
    fields = w.escrow.eip712Domain()
    assert fields[1:5] == (w.domain.name, "1", w.node.chain_id, w.escrow.address)
