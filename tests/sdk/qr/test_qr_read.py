"""Merchant-presented codes: each ruling of docs/qr.md, in both modes."""

# ruff: noqa: RUF001  (characters that imitate others are what is tested)

from __future__ import annotations

import pytest

from tael import errors, qr
from tests.sdk.qr.qr_cases import body, payload, seal

BOTH, STRICT, NEITHER = "refused by both", "refused when strict", "accepted by both"


def judge(text: str | bytes) -> str:
    accepted = []
    for strict in (False, True):
        try:
            qr.read(text, strict=strict)
            accepted.append(True)
        except errors.QrError:
            accepted.append(False)
    return {(False, False): BOTH, (True, False): STRICT, (True, True): NEITHER}[tuple(accepted)]


RULINGS = [
    # payload format, initiation
    ({"t00": "02"}, BOTH),
    ({"t00": "1"}, BOTH),
    ({"t01": None}, NEITHER),
    ({"t01": "11"}, NEITHER),
    ({"t01": "13"}, BOTH),
    ({"t01": "1"}, BOTH),
    # accounts
    ({"t29": None}, STRICT),
    ({"t29": None, "t04": "x" * 99}, NEITHER),
    ({"t29": None, "t04": "é"}, STRICT),
    ({"t29": None, "t17": "reserved by EMVCo, allotted outside the document"}, NEITHER),
    ({"t29": "0106noguid"}, STRICT),
    ({"t29": "0033" + "g" * 33}, BOTH),
    ({"t29": "0032" + "g" * 32}, NEITHER),
    ({"t29": "0002é1"}, STRICT),
    ({"t29": "0001a0001b"}, BOTH),
    ({"t29": "0001a63040000"}, NEITHER),
    ({"t29": "plain"}, BOTH),
    # mandatory, numeric, ANS, lengths
    ({"t52": None}, STRICT),
    ({"t52": "0000"}, NEITHER),
    ({"t52": "411"}, BOTH),
    ({"t52": "41110"}, BOTH),
    ({"t52": "41a1"}, BOTH),
    ({"t52": "٤١١١"}, BOTH),
    ({"t53": None}, STRICT),
    ({"t53": "15"}, BOTH),
    ({"t53": "CNY"}, BOTH),
    ({"t53": "000"}, STRICT),
    ({"t53": "959"}, STRICT),
    ({"t58": None}, STRICT),
    ({"t58": "cn"}, BOTH),
    ({"t58": "C"}, BOTH),
    ({"t58": "CHN"}, BOTH),
    ({"t58": "C1"}, BOTH),
    ({"t58": "ZZ"}, STRICT),
    ({"t59": None}, STRICT),
    ({"t59": "N" * 25}, NEITHER),
    ({"t59": "N" * 26}, BOTH),
    ({"t59": "最佳运输"}, STRICT),
    ({"t60": None}, STRICT),
    ({"t60": "C" * 15}, NEITHER),
    ({"t60": "C" * 16}, BOTH),
    ({"t60": "北京"}, STRICT),
    ({"t61": "1234567890"}, NEITHER),
    ({"t61": "12345678901"}, BOTH),
    ({"t61": "邮编"}, STRICT),
    # amounts (Q11, Q12 have tests of their own)
    ({"t54": None}, NEITHER),
    ({"t54": "0"}, BOTH),
    ({"t54": "0.00"}, BOTH),
    ({"t54": "9999999999.99"}, NEITHER),
    ({"t54": "99999999999.99"}, BOTH),
    ({"t53": "000", "t54": "1.2345"}, STRICT),
    # additional data
    ({"t62": "0125" + "b" * 25}, NEITHER),
    ({"t62": "0126" + "b" * 26}, BOTH),
    ({"t62": "0103***0203***0303***0403***0503***0603***0703***0803***"}, NEITHER),
    ({"t62": "0503é**"}, STRICT),
    ({"t62": "0903AME"}, NEITHER),
    ({"t62": "0901M"}, NEITHER),
    ({"t62": "0902AA"}, STRICT),
    ({"t62": "0903amE"}, STRICT),
    ({"t62": "0904AMEM"}, BOTH),
    ({"t62": "1020" + "t" * 20}, NEITHER),
    ({"t62": "1021" + "t" * 21}, BOTH),
    ({"t62": "1103000"}, NEITHER),
    ({"t62": "1103733"}, NEITHER),
    ({"t62": "1103800"}, STRICT),
    ({"t62": "1103040"}, STRICT),
    ({"t62": "1103004"}, STRICT),
    ({"t62": "110200"}, BOTH),
    ({"t62": "1201x"}, STRICT),
    ({"t62": "0001x"}, STRICT),
    ({"t62": "4901x"}, STRICT),
    ({"t62": "50080004guid"}, NEITHER),
    ({"t62": "9904text"}, STRICT),
    ({"t62": "50050101x"}, STRICT),
    ({"t62": "50370033" + "g" * 33}, BOTH),
    ({"t62": "0101a0101b"}, BOTH),
    ({"t62": "0105abc"}, BOTH),
    ({"t62": "text"}, BOTH),
    # language
    ({"t64": "0002zh0101一"}, NEITHER),
    ({"t64": "0002ZH0101一0202北京"}, NEITHER),
    ({"t64": "0101一"}, BOTH),
    ({"t64": "0002ZH"}, BOTH),
    ({"t64": "0003zho0101一"}, BOTH),
    ({"t64": "0002z10101一"}, BOTH),
    ({"t64": "0002ZH0125" + "一" * 25}, NEITHER),
    ({"t64": "0002ZH0126" + "一" * 26}, BOTH),
    ({"t64": "0002ZH0101一0216" + "北" * 16}, BOTH),
    ({"t64": "0002ZH0101一0301x"}, STRICT),
    # reserved and unreserved
    ({"t65": "x"}, STRICT),
    ({"t79": "x"}, STRICT),
    ({"t80": "0004guid0199" + "x" * 83}, STRICT),
    ({"t80": "0004guid0101x"}, NEITHER),
    ({"t80": "0106noguid"}, STRICT),
    ({"t80": "00480065006C006C006F"}, STRICT),
    ({"t99": "0033" + "g" * 33}, BOTH),
]


@pytest.mark.parametrize(("changes", "ruling"), RULINGS, ids=str)
def test_read_follows_ruling_when_object(changes: dict[str, str | None], ruling: str) -> None:
    assert judge(payload(**changes)) == ruling


@pytest.mark.parametrize("object_id", ["29", "52", "54", "59", "60", "61", "62", "64", "80"])
def test_read_refuses_when_object_is_empty(object_id: str) -> None:
    with pytest.raises(errors.MalformedCodeError, match=object_id):
        qr.read(seal(body(**{f"t{object_id}": None}) + f"{object_id}00"))


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        (" " + payload(), STRICT),
        (payload() + "\r\n", STRICT),
        ("\ufeff" + payload(), STRICT),
        (payload().encode(), NEITHER),
        (payload().encode() + b"\xff", BOTH),
        (payload(t59="A\x00B"), BOTH),
        (payload(t59="A\x1b[2JB"), BOTH),
        (payload(t64="0002ZH0103一\x85二"), BOTH),
        (payload()[:-8], BOTH),
        (payload() + "x", BOTH),
        ("", BOTH),
        ("\ufeff", BOTH),
        (payload()[:40] + "\ud800" + payload()[41:], BOTH),
        (seal(body()[6:]), BOTH),
        (seal(body()[6:12] + body()[:6] + body()[12:]), BOTH),
    ],
    ids=range(15),
)
def test_read_follows_ruling_when_text(text: str | bytes, ruling: str) -> None:
    assert judge(text) == ruling


@pytest.mark.threat("Q01")
def test_read_refuses_when_crc_is_wrong_missing_or_not_last() -> None:
    """Q01: the check sum is right, there, last, and (when strict) in upper case."""
    assert qr.compute_crc("123456789") == "29B1"
    sound = payload()
    for broken in (sound[:-4] + "0000", payload(t54="9.99")[:-4] + sound[-4:]):
        with pytest.raises(errors.CrcMismatchError):
            qr.read(broken)
    no_crc = body()
    crc_length_two = f"{no_crc}6302{qr.compute_crc(no_crc + '6302')[:2]}"
    crc_in_the_middle = seal(f"{no_crc[:12]}6304ABCD{no_crc[12:]}")
    crc_at_the_end_of_another = seal(no_crc + "8012guid")
    for broken in (no_crc, crc_length_two, crc_in_the_middle, crc_at_the_end_of_another):
        with pytest.raises(errors.MalformedCodeError):
            qr.read(broken)
    lower = next(t for t in (payload(t54=str(n)) for n in range(1, 50)) if t[-4:].lower() != t[-4:])
    lower = lower[:-4] + lower[-4:].lower()
    assert [w.code for w in qr.read(lower).warnings] == ["crc_lower_case"]
    with pytest.raises(errors.NonConformingCodeError):
        qr.read(lower, strict=True)


@pytest.mark.threat("Q01")
def test_read_refuses_or_is_equal_when_one_character_flips() -> None:
    """Q01, Q17: no single changed character gives another payment."""
    sound = payload(t64="0002ZH0104最佳运输", t62="0503***")
    code = qr.read(sound)
    accepted = 0
    for position, character in enumerate(sound):
        for other in "09Aa. ٣输\x00":
            if other == character:
                continue
            try:
                found = qr.read(sound[:position] + other + sound[position + 1 :])
            except errors.QrError:
                continue
            accepted += 1
            assert found == code
    assert accepted <= 4


@pytest.mark.threat("Q07")
@pytest.mark.parametrize(
    "broken",
    [
        body() + "8099x",
        body() + "80",
        body() + "8",
        body() + "8001",
        body() + "80٠٣abc",
        body() + "٨٠03abc",
        body() + "80-1x",
        body() + "80 3abc",
        body() + "8000",
        body() + "AB03abc",
        body()[:8] + "0" + body()[8:],
    ],
)
def test_read_refuses_when_length_or_id_is_no_ascii_number(broken: str) -> None:
    """Q07: lengths that lie, zero, and digits of other scripts."""
    with pytest.raises(errors.MalformedCodeError):
        qr.read(seal(broken))


@pytest.mark.threat("Q08")
def test_read_refuses_when_templates_overflow_repeat_or_nest() -> None:
    """Q08: nested overflow, duplicates and depth; a 63 inside a template is no check sum."""
    for changes in ({"t29": "0012D1560000000005"}, {"t62": "0199x"}, {"t64": "0002ZH0199x"}):
        with pytest.raises(errors.MalformedCodeError):
            qr.read(payload(**changes))
    with pytest.raises(errors.MalformedCodeError, match="twice"):
        qr.read(seal(body() + "54041.00"))
    with pytest.raises(errors.MalformedCodeError, match="twice"):
        qr.read(seal(body() + "5913OTHER COMPANY"))
    bomb = "x"
    for _ in range(20):
        bomb = f"50{len(bomb):02d}{bomb}"
    # Depth is two by construction: what is inside an object of 62 stays text.
    fields = qr.describe(payload(t62=bomb))["fields"]
    assert fields["62"] == {"50": bomb[4:]}
    inner = qr.read(payload(t29="0004guid6304ABCD"))
    assert inner.accounts == (qr.Template.of("29", "guid", {"63": "ABCD"}),)


@pytest.mark.threat("Q08")
def test_read_accepts_any_order_when_first_and_last_stand() -> None:
    """Q08: only 00 and 63 have a fixed place."""
    mixed = (
        "0002015802CN6007BEIJING5914BEST TRANSPORT540523.72530315652044111"
        "29300510A93FO3230Q0012D15600000000010212"
    )
    assert qr.read(seal(mixed), strict=True) == qr.read(payload(), strict=True)


@pytest.mark.threat("Q09")
def test_read_counts_characters_when_text_is_not_ascii() -> None:
    """Q09: lengths are characters, the check sum is over bytes."""
    thai = "ร้านกาแฟ"
    text = payload(t64=f"0002th01{len(thai):02d}{thai}")
    code = qr.read(text, strict=True)
    assert code.language is not None
    assert code.language.name == thai
    counted_in_bytes = payload(t64=f"0002th01{len(thai.encode()):02d}{thai}")
    with pytest.raises(errors.MalformedCodeError):
        qr.read(counted_in_bytes)


@pytest.mark.threat("Q10")
def test_read_refuses_when_longer_than_a_code_can_be() -> None:
    """Q10: over 512 bytes is a warning, over a QR code's capacity a refusal."""
    filler = {f"t{number}": "0004guid0187" + "x" * 87 for number in range(80, 85)}
    long = payload(**filler)
    assert len(long) > 512
    assert [w.code for w in qr.read(long).warnings] == ["over_512_characters"]
    with pytest.raises(errors.NonConformingCodeError):
        qr.read(long, strict=True)
    for huge in ("0" * 2970, "0002" * 10**6, b"0" * 10**6, payload() + " " * 3000):
        with pytest.raises(errors.OversizeCodeError):
            qr.read(huge)
    with pytest.raises(errors.OversizeCodeError):
        qr.read("0002" + "最" * 1000)


@pytest.mark.threat("Q11")
@pytest.mark.parametrize(
    ("number", "text", "minor", "ruling"),
    [
        ("156", "98", 9800, NEITHER),
        ("156", "98.", 9800, NEITHER),
        ("156", "98.7", 9870, NEITHER),
        ("156", "98.73", 9873, NEITHER),
        ("156", "98.730", 9873, STRICT),
        ("156", "98.735", None, BOTH),
        ("392", "98", 98, NEITHER),
        ("392", "98.00", 98, STRICT),
        ("392", "98.01", None, BOTH),
        ("414", "1.234", 1234, NEITHER),
        ("990", "1.2345", 12345, NEITHER),
        ("156", "0.01", 1, NEITHER),
    ],
)
def test_read_follows_exponent_when_amount(
    number: str, text: str, minor: int | None, ruling: str
) -> None:
    """Q11: ISO 4217's exponent decides; surplus zeros are normalised, surplus digits refused."""
    sealed = payload(t53=number, t54=text)
    assert judge(sealed) == ruling
    if minor is not None:
        assert qr.read(sealed).amount_minor == minor


@pytest.mark.threat("Q12")
@pytest.mark.parametrize(
    "text",
    ["1e3", "1,000", "1,5", "+1", "-1", "00012", "01", ".5", ".", "1.2.3",
     "1_0", " 1", "1 ", "٩", "１", "NaN", "0x1", "1'000", "¥1", "Infinity", "00.5"],
)  # fmt: skip
def test_read_refuses_when_amount_is_written_otherwise(text: str) -> None:
    """Q12: one form of amounts; `5.` is EMVCo's own example and stays."""
    for strict in (False, True):
        with pytest.raises(errors.AmountFormatError):
            qr.read(payload(t54=text), strict=strict)
        with pytest.raises(errors.AmountFormatError):
            qr.read(payload(t55="02", t56=text), strict=strict)
    assert qr.read(payload(t54="5."), strict=True).amount_minor == 500


@pytest.mark.threat("Q13")
@pytest.mark.parametrize(
    ("changes", "ruling"),
    [
        ({"t55": "01"}, NEITHER),
        ({"t55": "02", "t56": "500"}, NEITHER),
        ({"t55": "03", "t57": "3.00"}, NEITHER),
        ({"t55": "03", "t57": "00.01"}, NEITHER),
        ({"t55": "03", "t57": "99.99"}, NEITHER),
        ({"t55": "03", "t57": "3"}, NEITHER),
        ({"t55": "03", "t57": "3."}, NEITHER),
        ({"t55": "03", "t57": "0.00"}, BOTH),
        ({"t55": "03", "t57": "0.009"}, BOTH),
        ({"t55": "03", "t57": "99.999"}, BOTH),
        ({"t55": "03", "t57": "100"}, BOTH),
        ({"t55": "03", "t57": "3%"}, BOTH),
        ({"t55": "03", "t57": ".5"}, BOTH),
        ({"t55": "03", "t57": "-3"}, BOTH),
        ({"t55": "04"}, BOTH),
        ({"t55": "00"}, BOTH),
        ({"t55": "1"}, BOTH),
        ({"t55": "02"}, BOTH),
        ({"t55": "03"}, BOTH),
        ({"t56": "1"}, BOTH),
        ({"t57": "1"}, BOTH),
        ({"t55": "01", "t56": "1"}, BOTH),
        ({"t55": "02", "t57": "1"}, BOTH),
        ({"t55": "02", "t56": "1", "t57": "1"}, BOTH),
        ({"t55": "03", "t56": "1", "t57": "1"}, BOTH),
        ({"t55": "02", "t56": "0"}, BOTH),
        ({"t55": "02", "t56": "1", "t53": "000"}, STRICT),
    ],
    ids=str,
)
def test_read_follows_ruling_when_tip(changes: dict[str, str], ruling: str) -> None:
    """Q13: 56 goes with 55 = 02 alone and 57 with 55 = 03 alone."""
    assert judge(payload(**changes)) == ruling


def test_read_gives_typed_values_when_everything_is_there() -> None:
    code = qr.read(
        payload(
            t15="2500034400020344100000000000006",
            t55="02",
            t56="1.5",
            t61="100000",
            t62="0104B-170902ME1103000",
            t64="0002ZH0102最佳0202北京",
            t80="0004guid0101x",
        ),
        strict=True,
    )
    assert code.unionpay == qr.UnionPayAccount("25000344", "00020344", "100000000000006")
    assert (code.tip, code.fee_minor, code.total_minor) == (qr.FixedFee(150), 150, 2522)
    assert code.additional == qr.AdditionalData(
        bill_number="B-17", consumer_data_request="ME", merchant_channel="000"
    )
    assert code.language == qr.LanguageTemplate(language="ZH", name="最佳", city="北京")
    assert code.unreserved == (qr.Template.of("80", "guid", {"01": "x"}),)
    assert code.templates[0].get("05") == "A93FO3230Q"
    assert code.templates[0].get("07") is None
    assert (code.initiation, code.country, code.postal_code) == (
        qr.Initiation.DYNAMIC,
        "CN",
        "100000",
    )


def test_read_warns_when_name_hides_characters_or_unionpay_layout_differs() -> None:
    codes = {w.code for w in qr.read(payload(t59="BEST\u202eTROP", t15="short")).warnings}
    assert codes == {"characters_outside_ans", "deceptive_characters", "unionpay_layout"}
    # UnionPay's layout is a profile of its own: EMVCo's rules are kept, so strict accepts.
    assert qr.read(payload(t15="short"), strict=True).unionpay is None


def test_read_refuses_by_name_when_no_merchant_code() -> None:
    for text in ("https://example.com", "ABC", "hQVDUFYwMQ=="):
        with pytest.raises(errors.NotPaymentCodeError):
            qr.read(text)
    with pytest.raises(errors.InvalidInputError):
        qr.read(None)  # type: ignore[arg-type]
