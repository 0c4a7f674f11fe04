"""Names: hashed in one form, shown safely, told apart from their imitations."""

# ruff: noqa: RUF001  (characters that imitate others are what is tested)

from __future__ import annotations

import html
import unicodedata

import pytest
from confusable_homoglyphs import confusables
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import errors, qr

MERCHANT_ID = bytes(range(32))
ANY_TEXT = st.text(st.characters(blacklist_categories=()), max_size=60)


def test_compute_name_hash_is_equal_when_name_is_canonically_equivalent() -> None:
    composed, decomposed = "Café", "Cafe\u0301"
    expected = keccak(MERCHANT_ID + composed.encode())
    assert qr.compute_name_hash(MERCHANT_ID, composed) == expected
    assert qr.compute_name_hash(MERCHANT_ID, decomposed) == expected
    assert qr.compute_name_hash(bytes(32), composed) != expected
    for merchant_id, name in ((b"short", "x"), (MERCHANT_ID, "\ud800")):
        with pytest.raises(errors.InvalidInputError):
            qr.compute_name_hash(merchant_id, name)


@pytest.mark.threat("Q06")
@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("РауРаl", "PayPal"),
        ("PayPaI", "PayPal"),
        ("B\u200bEST", "BEST"),
        ("Caf\u00e9", "Cafe"),
        ("ＢＥＳＴ", "BEST"),
        ("BE\u202eST", "BEST"),
        ("rnoon", "moon"),
        ("M00N", "MOON"),
        ("𝐁𝐄𝐒𝐓", "BEST"),
        ("best", "BEST"),
        ("BEST ", "BEST"),
    ],
)
def test_find_look_alike_finds_when_names_look_alike(name: str, known: str) -> None:
    """Q06: on registration and on sight, by skeleton."""
    assert qr.find_look_alike(name, ["OTHER", known]) == known
    assert qr.find_look_alike(known, [name]) == name
    assert qr.find_look_alike(known, [known, "OTHER", "最佳"]) is None


@pytest.mark.threat("Q06")
def test_find_look_alike_finds_when_any_listed_confusable_replaces_a_letter() -> None:
    """Q06: every letter's single-character confusables of Unicode's list."""
    missed, tried = [], 0
    for letter in "ABCEHKMNOPTXYaceijopsxy":
        for entry in confusables.confusables_data[letter]:
            other = entry["c"]
            if len(other) != 1 or unicodedata.normalize("NFC", other) == letter:
                continue
            tried += 1
            if qr.find_look_alike(f"SH{other}P", [f"SH{letter}P"]) is None:
                missed.append((letter, other))
    assert tried > 300
    assert missed == []


@pytest.mark.threat("Q06")
@pytest.mark.parametrize(
    ("name", "dangerous"),
    [
        ("BEST TRANSPORT", False),
        ("Café Müller & Søn", False),
        ("最佳运输", False),
        ("セブン-イレブン 7-Eleven 店", False),
        ("삼성 Samsung 三星", False),
        ("ចន ស្មីន", False),
        ("ร้านกาแฟ", False),
        ("می\u200cخواهم", False),
        ("МОСКВА", False),
        ("ВEST", True),
        ("Αlpha Bet", True),
        ("a\u202eb", True),
        ("a\u200bb", True),
        ("a\u200db", True),
        ("a\u2066b", True),
        ("a\ufeffb", True),
        ("a\u00adb", True),
        ("a\u3164b", True),
        ("a\u2028b", True),
        ("a\ue000b", True),
        ("a\x07b", True),
        ("a\u0301\u0301\u0301\u0301b", True),
        ("ＢEST", True),
        ("𝐁est", True),
        ("", False),
    ],
)
def test_find_name_danger_tells_when_characters_deceive(name: str, dangerous: bool) -> None:
    """Q06: what no honest name contains."""
    assert (qr.find_name_danger(name) is not None) == dangerous


@pytest.mark.threat("Q15")
@settings(max_examples=300)
@given(text=ANY_TEXT)
def test_escape_shows_every_hidden_character_when_any_text(text: str) -> None:
    """Q15: one line, nothing hidden, no markup; and still unambiguous."""
    shown = qr.escape(text)
    assert all(unicodedata.category(c)[0] != "C" for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    in_html = qr.escape_html(text)
    assert not set("<>\"'") & set(in_html)
    assert html.unescape(in_html) == shown


@pytest.mark.threat("Q15")
def test_escape_leaves_nothing_active_when_injected() -> None:
    """Q15: HTML, log lines, terminal sequences and SQL quotes."""
    assert qr.escape_html("<script>alert('x')</script>").count("<") == 0
    assert qr.escape("ok\nlevel=error") == "ok\\u{a}level=error"
    assert qr.escape("\x1b[2J") == "\\u{1b}[2J"
    assert qr.escape("a\\u{a}") == "a\\\\u{a}"
    assert qr.escape("最佳 运输\u3000店") == "最佳 运输\u3000店"
    assert qr.escape_html('" onload="x') == "&quot; onload=&quot;x"
    described = qr.describe("<img src=x onerror=alert(1)>\u202e'; DROP TABLE")
    assert "\u202e" not in described["error"]["message"]


@settings(max_examples=200)
@given(text=ANY_TEXT)
def test_compute_skeleton_is_total_and_stable_when_any_text(text: str) -> None:
    assert isinstance(qr.compute_skeleton(text), str)
    assert qr.compute_skeleton(text) == qr.compute_skeleton(text)
    danger = qr.find_name_danger(text)
    assert danger is None or isinstance(danger, str)
