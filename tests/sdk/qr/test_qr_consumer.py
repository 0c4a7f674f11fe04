"""Consumer-presented codes: BER-TLV that keeps every object, and UnionPay's bar code."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tael import errors, qr
from tael.qr import ber
from tael.qr.findings import Findings
from tests.sdk.qr.qr_cases import VECTORS

PAYLOADS = {vector["id"]: vector["payload"] for vector in VECTORS}
FORMAT = "8505" + b"CPV01".hex()
AID = "4F07A0000000555555"
TRACK2 = "570F1234567890123458D191220112345F"
APPLICATION = f"6118{AID}{TRACK2}".replace("6118", f"61{(len(AID + TRACK2)) // 2:02X}")


def wrap(tag: str, *parts: str) -> str:
    inner = "".join(parts)
    size = len(inner) // 2
    return f"{tag}{size:02X}{inner}" if size < 128 else f"{tag}81{size:02X}{inner}"


def encode(*parts: str) -> str:
    return base64.b64encode(bytes.fromhex("".join(parts))).decode()


def judge(text: str) -> tuple[bool, bool]:
    found = []
    for strict in (False, True):
        try:
            qr.read_consumer(text, strict=strict)
            found.append(True)
        except errors.QrError:
            found.append(False)
    return found[0], found[1]


BOTH, STRICT, NEITHER = (False, False), (True, False), (True, True)


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        (encode(FORMAT, wrap("61", AID, TRACK2)), NEITHER),
        (encode(FORMAT, wrap("61", AID), wrap("62", "5A081234567890123458")), NEITHER),
        (encode(FORMAT, wrap("61", AID), wrap("61", AID, TRACK2)), STRICT),
        (encode(FORMAT, wrap("61", TRACK2)), BOTH),
        (encode(FORMAT), BOTH),
        (encode(wrap("61", AID, TRACK2), FORMAT), BOTH),
        (encode("8505" + b"CPV02".hex(), wrap("61", AID, TRACK2)), BOTH),
        (encode(FORMAT, FORMAT, wrap("61", AID, TRACK2)), BOTH),
        (encode(FORMAT, wrap("62", TRACK2), wrap("61", AID, TRACK2)), STRICT),
        (encode(FORMAT, wrap("61", AID), wrap("62", TRACK2), wrap("62", TRACK2)), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2), "9F3602000A"), STRICT),
        (encode(FORMAT, wrap("61", AID, AID, TRACK2)), BOTH),
        (encode(FORMAT, wrap("61", "4F04A0000000", TRACK2)), BOTH),
        (encode(FORMAT, wrap("61", "4F00", TRACK2)), BOTH),
        (encode(FORMAT, wrap("61", AID, "5700")), BOTH),
        (encode(FORMAT, wrap("61", AID, "5714" + "12" * 20)), BOTH),
        (encode(FORMAT, wrap("61", AID, "5708123456789012345F")), BOTH),
        (encode(FORMAT, wrap("61", AID, "5A0B" + "12" * 11)), BOTH),
        (encode(FORMAT, wrap("61", AID, "5A0212A4")), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "500141")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "5001E9")), STRICT),
        (encode(FORMAT, wrap("61", AID, TRACK2, "5F200141")), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "5F2D02656E")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F0801AA")), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F1906012345678901")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F190601234567890A")), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F241D" + "51" * 29)), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F241C" + "51" * 28)), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "9F25021234")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "5F340100")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "C10100")), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "C100")), STRICT),
        (encode(FORMAT, wrap("61", AID, TRACK2, wrap("63", "9F3602000A"))), NEITHER),
        (encode(FORMAT, wrap("61", AID, TRACK2, "6301FF")), BOTH),
        (encode(FORMAT, f"61{len(AID + TRACK2) // 2 + 1:02X}{AID}{TRACK2}"), BOTH),
        (encode(FORMAT, f"6181{len(AID + TRACK2) // 2:02X}{AID}{TRACK2}"), STRICT),
        (encode(FORMAT, f"6180{AID}{TRACK2}0000"), BOTH),
        (encode(FORMAT, f"6183000018{AID}"), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2), "61"), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2), "9F"), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2), "9F8181810100"), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2, "63066304630263" + "00")), BOTH),
        (encode(FORMAT, wrap("61", AID, TRACK2)).rstrip("="), STRICT),
        (encode(FORMAT, wrap("61", AID, TRACK2)) + "====", BOTH),
        ("", BOTH),
        ("hQVDUFYwMWE", BOTH),
        ("hQVDUFYwMQ=", BOTH),
        ("hQVDUFYwMR==", BOTH),
        ("hQVD-FYw", BOTH),
    ],
    ids=range(49),
)
def test_read_consumer_follows_ruling_when_payload(text: str, ruling: tuple[bool, bool]) -> None:
    assert judge(text) == ruling


def test_read_consumer_refuses_when_base64_has_a_second_spelling() -> None:
    sound = next(
        text
        for label in ("41", "4141", "414141")
        if (text := encode(FORMAT, wrap("61", AID, TRACK2, wrap("50", label)))).endswith("==")
    )
    assert judge(sound) == NEITHER
    # Four bits of the last letter are beyond the data: the next letter decodes to the same bytes.
    other = sound[:-3] + chr(ord(sound[-3]) + 1) + "=="
    assert base64.b64decode(other) == base64.b64decode(sound)
    assert judge(other) == BOTH


def test_read_consumer_keeps_both_when_two_applications() -> None:
    code = qr.read_consumer(PAYLOADS["q099"], strict=True)
    assert [application.aid for application in code.applications] == [
        "A0000000555555",
        "A0000000666666",
    ]
    assert [application.label for application in code.applications] == ["Product1", "Product2"]
    assert code.common is not None
    assert code.common.pan == "1234567890123458"
    assert code.common.cardholder_name == "CARDHOLDER/EMV"
    assert code.common.languages == ("ru", "es", "de", "en")
    assert [item.tag for item in code.common.transparent] == ["9F10", "9F26", "9F36", "9F37"]
    assert qr.write_consumer(code) == PAYLOADS["q099"]


@pytest.mark.threat("Q16")
@pytest.mark.parametrize(
    "vector_id", [v["id"] for v in VECTORS if "CPM" in v["standard"] and v["kind"] == "valid"]
)
def test_write_consumer_gives_equal_text_when_read(vector_id: str) -> None:
    """Q16: byte for byte."""
    text = PAYLOADS[vector_id]
    if text.isdigit():
        assert qr.recognize(text) == qr.ConsumerBarcode(text)
        return
    code = qr.read_consumer(text, strict=True)
    assert qr.write_consumer(code) == text


def test_write_consumer_gives_equal_code_when_built() -> None:
    code = qr.ConsumerCode(
        applications=(
            qr.ConsumerData.of(
                aid=bytes.fromhex("A000000333010101"),
                label=b"UnionPay",
                track2=bytes.fromhex("6292610358444335641D22102010000018801F"),
                issuer_url=b"https://bank.example",
                application_version=b"\x00\x01",
                token_requestor_id=bytes.fromhex("012345678901"),
                payment_account_reference=b"Q1" + b"A" * 27,
                pan_last_four=bytes.fromhex("5641"),
                transparent=("63", (qr.BerObject("9F26", bytes(8)), qr.BerObject("9F36", b"\0\1"))),
            ),
        ),
        common=qr.ConsumerData.of(languages=b"zhen", cardholder_name=b"CHEN/M"),
    )
    text = qr.write_consumer(code)
    found = qr.read_consumer(text, strict=True)
    assert found == code
    first = found.applications[0]
    assert first.issuer_url == "https://bank.example"
    assert first.application_version == "0001"
    assert first.token_requestor_id == "012345678901"
    assert first.payment_account_reference == "Q1" + "A" * 27
    assert first.pan_last_four == "5641"
    assert first.pan == "6292610358444335641"
    assert first.get("9F99") is None
    assert qr.recognize_schemes(found) == ("UnionPay",)
    # What names a card never shows in a repr, and so in no log line.
    assert "6292610358444335641" not in repr(found)
    assert "62926103584443" not in repr(found.applications)
    assert qr.ConsumerData(()).pan is None
    assert qr.ConsumerData(()).transparent == ()
    assert "pan=None" in repr(qr.ConsumerData(()))


def test_write_consumer_refuses_when_a_rule_would_break() -> None:
    good = qr.ConsumerData.of(aid=bytes(7), pan=bytes.fromhex("1234567890123458"))
    cases: list[tuple[Any, type[errors.TaelError]]] = [
        (qr.ConsumerCode(()), errors.MalformedCodeError),
        (qr.ConsumerCode((qr.ConsumerData(()),)), errors.QrError),
        (qr.ConsumerCode((qr.ConsumerData.of(aid=bytes(7)),)), errors.NonConformingCodeError),
        (
            qr.ConsumerCode((good,), reserved=(qr.BerObject("62", ()),)),
            errors.QrError,
        ),
        (
            qr.ConsumerCode((good,), reserved=(qr.BerObject("61", good.objects),)),
            errors.InvalidInputError,
        ),
    ]
    for tag, value in [("4f", b"x"), ("4F", ()), ("61", b"x"), ("", b"x"), ("50", bytes(70_000))]:
        data = qr.ConsumerData((qr.BerObject(tag, value),))
        cases.append((qr.ConsumerCode((data,)), errors.InvalidInputError))
    for code, expected in cases:
        with pytest.raises(expected):
            qr.write_consumer(code)
    with pytest.raises(errors.InvalidInputError, match="colour"):
        qr.ConsumerData.of(colour=b"x")


BER_OBJECTS = st.recursive(
    st.builds(
        ber.BerObject,
        st.sampled_from(["4F", "5A", "9F26", "5F2D", "DF8129"]),
        st.binary(min_size=1, max_size=300),
    ),
    lambda inner: st.builds(
        ber.BerObject,
        st.sampled_from(["61", "63", "BF0C", "70"]),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=5,
)


def measure_depth(item: ber.BerObject) -> int:
    return 1 + max(map(measure_depth, item.value)) if isinstance(item.value, tuple) else 1


@settings(max_examples=100)
@given(objects=st.lists(BER_OBJECTS, max_size=3))
def test_decode_gives_equal_objects_when_encoded(objects: list[ber.BerObject]) -> None:
    encoded = ber.encode(objects)
    if max(map(measure_depth, objects), default=0) > ber.MAX_DEPTH:
        with pytest.raises(errors.MalformedCodeError, match="deeper"):
            ber.decode(encoded, Findings(strict=True))
    else:
        assert ber.decode(encoded, Findings(strict=True)) == objects


@settings(max_examples=300)
@given(data=st.binary(max_size=120))
def test_read_consumer_is_total_when_any_bytes(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), encode(FORMAT) + base64.b64encode(data).decode()):
        # What is read strictly is read leniently too, and no other error than ours is raised.
        assert judge(text) in (BOTH, STRICT, NEITHER)


@pytest.mark.threat("Q08")
def test_decode_refuses_when_nested_too_deeply() -> None:
    """Q08: depth is bounded before Python's own stack is."""
    bomb = b""
    for _ in range(60):
        bomb = b"\x61" + bytes([len(bomb)]) + bomb
    with pytest.raises(errors.MalformedCodeError, match="deeper"):
        ber.decode(bomb, Findings(strict=False))
