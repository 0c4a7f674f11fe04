"""Pictures: what is drawn is read by two decoders, and what is hostile is bounded first."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import segno
from PIL import Image

from tael import errors, qr
from tael.qr import image as qr_image
from tests.sdk.qr.qr_cases import Merchant, payload

if TYPE_CHECKING:
    from pathlib import Path

CHINESE = payload(t64="0002ZH0104最佳运输0202北京")


def png(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def open_picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


def side_by_side(*texts: str) -> bytes:
    parts = [open_picture(qr.to_png(text)) for text in texts]
    sheet = Image.new("L", (sum(p.width for p in parts), max(p.height for p in parts)), 255)
    left = 0
    for picture in parts:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return png(sheet)


@pytest.mark.threat("Q18")
@pytest.mark.parametrize("scale", [4, 8])
def test_read_image_gives_text_when_drawn(merchant: Merchant, scale: int) -> None:
    """Q18: quiet zone, contrast and size are read by zxing-cpp and by OpenCV."""
    for text in (payload(), qr.write(merchant.sign_dynamic()), qr.write(merchant.sign_static())):
        data = qr.to_png(text, scale=scale)
        assert qr.read_image(data) == text
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert cv2.QRCodeDetector().detectAndDecode(pixels)[0] == text
        border = 4 * scale
        assert pixels[:border].min() == pixels[:, :border].min() == 255
        assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.threat("Q18")
def test_to_png_announces_utf8_when_not_ascii() -> None:
    """Q18: byte mode, ECI 26 exactly when needed, error correction M or better."""
    assert qr.read_image(qr.to_png(CHINESE)) == CHINESE
    for text, eci in ((CHINESE, True), (payload(), False)):
        code = qr_image._draw(text, 1)
        assert code.error in {"M", "Q", "H"}
        assert code.mode == "byte"
        expected = segno.make(text, error="m", mode="byte", encoding="utf-8", eci=eci, micro=False)
        assert code == expected


@pytest.mark.threat("Q17")
@pytest.mark.parametrize("seed", range(3))
def test_read_image_gives_text_when_noisy_blurred_turned_or_dirty(
    merchant: Merchant, seed: int
) -> None:
    """Q17: damage is corrected, or nothing is read; another text never comes out."""
    text = qr.write(merchant.sign_dynamic())
    generator = np.random.default_rng(seed)
    clean = np.asarray(open_picture(qr.to_png(text)), dtype=np.int16)
    noisy = np.clip(clean + generator.normal(0, 60, clean.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(noisy, (5, 5), 0)
    turned = np.rot90(blurred, seed + 1)
    jpeg = png(Image.fromarray(turned), "JPEG", quality=40)
    assert qr.read_image(jpeg) == text
    assert cv2.QRCodeDetector().detectAndDecode(blurred)[0] == text

    flipped = clean.astype(np.uint8).copy()
    modules = clean.shape[0] // 8
    for _ in range(30):
        row, column = generator.integers(14, modules - 14, 2) * 8
        flipped[row : row + 8, column : column + 8] ^= 255
    assert qr.read_image(png(Image.fromarray(flipped))) == text

    ruined = clean.astype(np.uint8).copy()
    ruined[200:, 200:] = generator.integers(0, 2, ruined[200:, 200:].shape) * 255
    with pytest.raises(errors.ImageUnreadableError):
        qr.read_image(png(Image.fromarray(ruined)))


@pytest.mark.threat("Q10")
def test_read_image_refuses_when_several_codes() -> None:
    """Q10: several codes are listed, never one chosen."""
    texts = tuple(payload(t54=f"{n}.00") for n in range(1, 4))
    sheet = side_by_side(*texts)
    with pytest.raises(errors.SeveralCodesError) as refused:
        qr.read_image(sheet)
    assert set(refused.value.texts) == set(texts)
    assert set(qr.read_images(sheet)) == set(texts)
    assert qr.describe(sheet)["error"]["code"] == "qr_several_codes"
    # The same code photographed twice is one code.
    assert qr.read_image(side_by_side(texts[0], texts[0])) == texts[0]


@pytest.mark.threat("Q10")
def test_read_image_refuses_before_decoding_when_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q10: 50 million pixels and a decompression bomb are refused from the header alone."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    def bomb(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        pixels = zlib.compress(bytes(10**6))
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", pixels)
            + chunk(b"IEND", b"")
        )

    def fail(*_: object) -> None:
        raise AssertionError("decoded a picture that is too large")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "convert", fail)
        patch.setattr("PIL.ImageFile.ImageFile.load", fail)
        for width, height in ((10_000, 5_000), (60_000, 60_000), (2**31 - 1, 1)):
            with pytest.raises(errors.ImageTooLargeError):
                qr.read_image(bomb(width, height))
    big = tmp_path / "big.png"
    with big.open("wb") as file:
        file.truncate(qr_image.MAX_FILE_BYTES + 1)
    with pytest.raises(errors.ImageTooLargeError):
        qr.read_image(big)
    with pytest.raises(errors.ImageTooLargeError):
        qr.read_image(b"\xff\xd8\xff" * qr_image.MAX_FILE_BYTES)


def test_read_image_refuses_when_no_picture_or_no_code(tmp_path: Path) -> None:
    whole = qr.to_png(payload())
    gif = png(Image.new("L", (8, 8)), "GIF")
    cases: list[Any] = [
        b"",
        b"text",
        gif,
        b"\x89PNG\r\n\x1a\n",
        whole[:60],
        whole[: len(whole) // 2],
        b"\xff\xd8\xff\xe0rest",
        png(Image.new("L", (300, 300), 255)),
        png(Image.new("L", (1, 1), 0)),
        tmp_path / "missing.png",
        tmp_path,
        "nul\0byte.png",
    ]
    for source in cases:
        with pytest.raises(errors.ImageUnreadableError):
            qr.read_image(source)


def test_read_image_is_total_when_any_byte_is_damaged() -> None:
    whole = bytearray(qr.to_png(payload(), scale=3))
    for position in range(8, len(whole), 7):
        damaged = bytes(whole[:position]) + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]
        try:
            assert qr.read_image(damaged) == payload()
        except errors.QrError:
            continue


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "transparent"])
def test_read_image_gives_text_when_colour_mode(mode: str) -> None:
    picture = open_picture(qr.to_png(payload()))
    if mode == "I;16":
        sixteen = np.asarray(picture, dtype=np.uint16) * 257
        data = png(Image.fromarray(sixteen))
    elif mode == "transparent":
        alpha = picture.point(lambda level: 255 - level)
        black = Image.new("L", picture.size, 0)
        data = png(Image.merge("LA", (black, alpha)))
    else:
        data = png(picture.convert(mode))
    assert qr.read_image(data) == payload()


def test_read_image_gives_text_when_code_is_no_utf8() -> None:
    drawn = io.BytesIO()
    segno.make("Café", encoding="iso-8859-1", mode="byte", micro=False).save(
        drawn, kind="png", scale=8
    )
    assert qr.read_image(drawn.getvalue()) == "Café"


def test_write_image_writes_by_ending_when_asked(tmp_path: Path) -> None:
    assert qr.read_image(qr.write_image(tmp_path / "a.png", payload())) == payload()
    svg = qr.write_image(str(tmp_path / "a.svg"), payload(), scale=2).read_text("utf-8")
    assert svg.startswith("<svg")
    assert svg.strip() == qr.to_svg(payload(), scale=2).strip()
    with pytest.raises(errors.InvalidInputError, match="svg"):
        qr.write_image(tmp_path / "a.gif", payload())
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.threat("Q18")
def test_to_terminal_draws_readable_modules() -> None:
    """Q18: the half blocks of the terminal form decode too."""
    lines = qr.to_terminal(payload()).splitlines()
    light = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    rows = [[light[c][half] for c in line] for line in lines for half in (0, 1)]
    pixels = np.kron(np.array(rows, dtype=np.uint8), np.ones((8, 8), np.uint8))
    # On a light terminal the same characters are inverted; both have to be read.
    assert qr.read_image(png(Image.fromarray(pixels))) == payload()
    assert qr.read_image(png(Image.fromarray(255 - pixels))) == payload()


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("x" * 2332, 8, errors.OversizeCodeError),
        ("", 8, errors.InvalidInputError),
        (None, 8, errors.InvalidInputError),
        ("\ud800", 8, errors.InvalidInputError),
        ("x", 0, errors.InvalidInputError),
        ("x", 65, errors.InvalidInputError),
        ("x", 1.5, errors.InvalidInputError),
        ("x", True, errors.InvalidInputError),
    ],
)
def test_to_png_refuses_when_input_is_wrong(
    text: Any, scale: Any, expected: type[errors.TaelError]
) -> None:
    with pytest.raises(expected):
        qr.to_png(text, scale=scale)


@pytest.mark.parametrize("module", ["zxingcpp", "PIL"])
def test_read_image_names_the_extra_when_not_installed(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingExtraError, match=r"tael\[images\]"):
        qr.read_image(qr.to_png(payload()))
    described = qr.describe(qr.to_png(payload()))
    assert described["error"]["code"] == "missing_extra"
