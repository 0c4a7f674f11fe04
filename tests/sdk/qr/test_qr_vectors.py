"""Published and derived payloads come out as their kind says, in both modes."""

from __future__ import annotations

from typing import Any

import pytest

from tael import qr
from tests.sdk.qr.qr_cases import VECTORS

ACCEPTED = {  # kind: (lenient, strict)
    "valid": (True, True),
    "lenient": (True, False),
    "invalid": (False, False),
    "invalid-strict": (True, False),
    "profile": (True, True),
    "not-payment": (False, False),
}


def assert_contains(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_contains(found[key], value)
    else:
        assert found == expected


def is_merchant_presented(vector: dict[str, Any]) -> bool:
    return vector["payload"].startswith("0002") and ACCEPTED[vector["kind"]][1]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_describe_follows_kind_when_vector(vector: dict[str, Any]) -> None:
    lenient = qr.describe(vector["payload"])
    strict = qr.describe(vector["payload"], strict=True)
    assert (lenient["accepted"], strict["accepted"]) == ACCEPTED[vector["kind"]]
    if lenient["accepted"]:
        assert lenient["error"] is None
        assert lenient["scheme"] in qr.SCHEMES
        assert bool(lenient["warnings"]) == (vector["kind"] != "valid")
        if vector["expected"] is not None:
            assert_contains(lenient["fields"], vector["expected"])
    if not strict["accepted"]:
        assert strict["error"]["code"].startswith("qr_")
        assert strict["error"]["message"].rstrip().endswith(".")
        assert strict["fields"] == {}


@pytest.mark.threat("Q16")
@pytest.mark.parametrize(
    "vector", list(filter(is_merchant_presented, VECTORS)), ids=lambda vector: vector["id"]
)
def test_write_gives_equal_code_when_vector_was_read(vector: dict[str, Any]) -> None:
    """Q16: what was read strictly can be written, and reads back equal."""
    code = qr.read(vector["payload"], strict=True)
    text = qr.write(code)
    assert qr.read(text, strict=True) == code
    # The canonical form is a fixed point.
    assert qr.write(qr.read(text)) == text


def test_vectors_cover_every_kind_but_not_payment() -> None:
    assert {vector["kind"] for vector in VECTORS} == set(ACCEPTED) - {"not-payment"}
