"""Anything scanned: named if known, refused by name if not, never a crash."""

# ruff: noqa: RUF001  (characters that imitate others are what is tested)

from __future__ import annotations

import doctest
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tael import errors, qr
from tests.sdk.qr.qr_cases import VECTORS, Merchant, payload

LINK = "https://qr.95516.com/00010000/01012345678901234567890123456789"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (payload(), qr.MerchantCode),
        (LINK, qr.UnionPayLink),
        (LINK.upper().replace("HTTPS", "https"), qr.UnionPayLink),
        ("6236098835899996543", qr.ConsumerBarcode),
        (next(v["payload"] for v in VECTORS if v["id"] == "q099"), qr.ConsumerCode),
    ],
)
def test_recognize_gives_kind_when_known(text: str, kind: type) -> None:
    assert isinstance(qr.recognize(text), kind)
    assert isinstance(qr.recognize(text.encode()), kind)
    assert isinstance(qr.recognize(f" {text}\n"), kind)
    with pytest.raises(errors.NonConformingCodeError):
        qr.recognize(f" {text}\n", strict=True)


@pytest.mark.threat("Q14")
@pytest.mark.parametrize(
    "text",
    [
        "ethereum:0xe5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5@1337?value=1e18",
        "ethereum:pay-0xe5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5/transfer?address=0x1&uint256=1",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "upi://pay?pa=merchant@bank",
        "bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "WIFI:S:net;T:WPA;P:secret;;",
        "https://example.com",
        "http://qr.95516.com/00010000/01012345678901234567890123456789",
        "https://qr.95516.com.evil.example/00010000/0101234567",
        "https://qr.95516.com@evil.example/00010000/0101234567",
        "https://user@qr.95516.com/00010000/0101234567",
        "https://qr.95516.com:444/00010000/0101234567",
        "https://qr.95516.com/00010000/0101234567?next=evil",
        "https://qr.95516.com/00010000/0101234567#x",
        "https://qr.95516.com/00010000/../0101234567",
        "https://qr.95516.com/0001000/0101234567",
        "https://qr.95516.com/٠٠٠١٠٠٠٠/0101234567",
    ],
)
def test_recognize_refuses_by_name_when_link(text: str) -> None:
    """Q14: there are no payment links here: every URI but UnionPay's exact form is refused."""
    with pytest.raises(errors.NotPaymentCodeError, match="link"):
        qr.recognize(text)


@pytest.mark.parametrize(
    "text",
    ["hello", "ABC", "", " ", "12345", "62360988358999965430", "623609883589999654", "🙂", "=====",
     "6136098835899996543", "٦٢36098835899996543"],
)  # fmt: skip
def test_recognize_refuses_when_no_payment_code(text: str) -> None:
    with pytest.raises(errors.NotPaymentCodeError):
        qr.recognize(text)
    described = qr.describe(text)
    assert described["error"]["code"] == "qr_not_payment"


def test_read_barcode_refuses_when_not_unionpay() -> None:
    from tael.qr import unionpay

    with pytest.raises(errors.NotPaymentCodeError):
        unionpay.read_barcode("1234")
    assert "98835899996" not in repr(qr.ConsumerBarcode("6236098835899996543"))


@pytest.mark.parametrize(
    ("changes", "schemes"),
    [
        ({}, ("EMVCo",)),
        ({"t15": "2500034400020344100000000000006"}, ("UnionPay",)),
        ({"t29": "0016A000000677010111"}, ("PromptPay",)),
        ({"t30": "0016A000000677010112"}, ("PromptPay",)),
        ({"t26": "0014BR.GOV.BCB.PIX"}, ("Pix",)),
        ({"t26": "0014ID.CO.QRIS.WWW"}, ("QRIS",)),
        ({"t26": "0013ID.CO.BCA.WWW"}, ("QRIS",)),
        ({"t26": "0015SG.COM.DASH.WWW"}, ("EMVCo",)),
        ({"t51": "0007SG.SGQR", "t36": "0009SG.PAYNOW"}, ("SGQR", "PayNow")),
        ({"t26": "0009SG.PAYNOW"}, ("PayNow",)),
        ({"t26": "0014A0000006150001"}, ("DuitNow",)),
        ({"t26": "0012hk.com.hkicl"}, ("FPS",)),
        ({"t29": "0008abc@bank", "t58": "KH"}, ("KHQR",)),
        ({"t29": "0008abc@bank", "t58": "KH", "t15": "x", "t04": "y"},
         ("KHQR", "UnionPay", "Mastercard")),
        ({"t29": "0008abc@bank"}, ("EMVCo",)),
        ({"t38": "0010A000000727"}, ("VietQR",)),
        ({"t26": "0008org.tael"}, ("Tael",)),
        ({"t26": "0016A000000333010101"}, ("UnionPay",)),
    ],
    ids=str,
)  # fmt: skip
def test_recognize_schemes_names_them_when_known(
    changes: dict[str, str], schemes: tuple[str, ...]
) -> None:
    code = qr.read(payload(**changes))
    assert qr.recognize_schemes(code) == schemes
    assert qr.describe(payload(**changes))["scheme"] == schemes[0]
    assert all(qr.SCHEMES[name].title for name in schemes)


def test_describe_warns_of_profile_when_khqr_is_dynamic_without_amount() -> None:
    text = payload(t29="0008abc@bank", t58="KH", t54=None)
    described = qr.describe(text, strict=True)
    assert described["accepted"]
    assert [w["code"] for w in described["warnings"]] == ["profile"]


def test_describe_has_one_shape_when_anything(merchant: Merchant, tmp_path: Path) -> None:
    image = qr.write_image(tmp_path / "CODE.PNG", qr.write(merchant.sign_dynamic()))
    sources: list[Any] = [
        payload(),
        payload().encode(),
        image,
        str(image),
        image.read_bytes(),
        "nonsense",
        b"\xff\xfe",
        "missing.png",
        None,
        7,
        LINK,
    ]
    for source in sources:
        described = qr.describe(source)
        assert list(described) == ["accepted", "scheme", "fields", "warnings", "error"]
        assert described["accepted"] == (described["error"] is None)
        assert json.loads(json.dumps(described)) == described
    assert qr.describe(image)["fields"]["59"] == "BEST TRANSPORT"
    assert "63" not in qr.describe(payload())["fields"]


def spoil(text: str) -> st.SearchStrategy[str]:
    """A real payload with a piece cut out, doubled or replaced, its check sum made right again."""

    def build(start: int, length: int, piece: str, reseal: bool) -> str:
        body = text[:-4]
        changed = body[:start] + piece + body[start + length :]
        return changed + (qr.compute_crc(changed) if reseal else text[-4:])

    pieces = st.text("0123456789ABX.é٣最*", max_size=6)
    return st.builds(build, st.integers(0, len(text)), st.integers(0, 8), pieces, st.booleans())


MERCHANT_PAYLOADS = [v["payload"] for v in VECTORS if v["payload"].startswith("0002")]


@settings(max_examples=500)
@given(
    source=st.text(st.characters(blacklist_categories=()))
    | st.binary()
    | st.sampled_from(MERCHANT_PAYLOADS).flatmap(spoil)
)
@example("\ud800")
@example(b"\x89PNG\r\n\x1a\n")
@example("000201٠٣")
def test_describe_is_total_when_any_text_or_bytes(source: str | bytes) -> None:
    """Every input gives a result or a refusal of the family; nothing else ever comes out."""
    lenient, strict = qr.describe(source), qr.describe(source, strict=True)
    assert lenient["accepted"] or not strict["accepted"]
    json.dumps(lenient)
    if isinstance(source, str) and strict["accepted"] and source.startswith("0002"):
        assert qr.read(source, strict=True).text == source


def count_lines(text: str) -> int:
    """Lines of this package's code that run while a text is described: work, not seconds."""
    folder = str(Path(inspect.getfile(qr)).parent)
    count = 0

    def trace(frame: Any, event: str, arg: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(folder):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        qr.describe(text)
    finally:
        sys.settrace(before)
    return count


def test_describe_works_linearly_when_input_grows() -> None:
    def many_objects(count: int) -> str:
        inner = "".join(f"{n:02d}01x" for n in range(1, 18))
        return payload(**{f"t{26 + n}": f"0004guid{inner}" for n in range(count)})

    def nested_bytes(count: int) -> str:
        import base64

        inner = b"\xc1\x01\x00" * count
        # A repeated tag is refused at the very end of the work, in the check of its template.
        data = b"\x85\x05CPV01\x61\x82" + len(inner).to_bytes(2, "big") + inner
        return base64.b64encode(data).decode()

    count_lines(payload())
    for make, sizes in ((many_objects, (3, 6, 12, 24)), (nested_bytes, (90, 180, 360, 720))):
        work = [count_lines(make(size)) for size in sizes]
        per_step = [
            (b - a) / (m - n)
            for a, b, n, m in zip(work[:-1], work[1:], sizes[:-1], sizes[1:], strict=True)
        ]
        assert max(per_step) < 1.3 * min(per_step), work
    # Beyond a code's capacity the work does not grow at all.
    assert count_lines("0" * 10**4) == count_lines("0" * 10**7) < 100


def test_errors_have_stable_distinct_codes() -> None:
    found = [c for c in vars(errors).values() if isinstance(c, type)]
    tree = [c for c in found if issubclass(c, errors.TaelError)]
    codes = [c.code for c in tree]
    assert len(set(codes)) == len(codes)
    assert all(c.replace("_", "").isalpha() and c == c.lower() for c in codes)
    assert all(c.__doc__ for c in tree)
    assert sum(issubclass(c, errors.QrError) for c in tree) >= 20
    error = errors.SeveralCodesError("two", ("a", "b"))
    assert (error.texts, str(error), error.message) == (("a", "b"), "two", "two")


def test_examples_in_docstrings_run() -> None:
    found = 0
    for module in [m for name, m in sorted(sys.modules.items()) if name.startswith("tael.qr")]:
        failed, tried = doctest.testmod(module)
        assert failed == 0, module
        found += tried
    assert found >= 7


def test_package_exports_what_it_says() -> None:
    assert len(set(qr.__all__)) == len(qr.__all__)
    for name in qr.__all__:
        assert getattr(qr, name) is not None
    public = {n for n, v in vars(qr).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert public == set(qr.__all__)
