"""QR images: drawn by segno, read by zxing-cpp and Pillow (extra ``images``).

A picture from a stranger is bounded before it is decoded: bytes of the file, then pixels by its
header. Only PNG and JPEG are opened.

Source: ISO/IEC 18004; EMVCo QRCPS Merchant-Presented Mode, 4.1.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import segno

from tael.errors import (
    ImageTooLargeError,
    ImageUnreadableError,
    InvalidInputError,
    MissingExtraError,
    OversizeCodeError,
    SeveralCodesError,
)
from tael.qr.names import show

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "is_image",
    "read_image",
    "read_images",
    "to_png",
    "to_svg",
    "to_terminal",
    "write_image",
]

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 24_000_000
QUIET_ZONE_MODULES = 4
_DEFAULT_SCALE = 8
_MAX_SCALE = 64
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# What Pillow's decoders raise on damaged files, beside its own OSError.
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def to_png(text: str, *, scale: int = _DEFAULT_SCALE) -> bytes:
    """Draw a payload as PNG, black on white with the quiet zone scanners need.

    Args:
        text: The payload of :func:`tael.qr.write` or :func:`tael.qr.write_consumer`.
        scale: Pixels per module, 1 to 64; below 3, cameras have trouble.

    Returns:
        The file's bytes.

    Raises:
        OversizeCodeError: More than a QR code of error correction M can hold.
        InvalidInputError: No text, or a scale out of range.
    """
    out = io.BytesIO()
    _draw(text, scale).save(out, kind="png", scale=scale, border=QUIET_ZONE_MODULES)
    return out.getvalue()


def to_svg(text: str, *, scale: int = _DEFAULT_SCALE) -> str:
    """Draw a payload as a standalone SVG document; arguments and errors as :func:`to_png`."""
    out = io.BytesIO()
    _draw(text, scale).save(
        out, kind="svg", scale=scale, border=QUIET_ZONE_MODULES, light="#fff", xmldecl=False
    )
    return out.getvalue().decode()


def to_terminal(text: str) -> str:
    """Draw a payload with half blocks for a terminal of any colours; errors as :func:`to_png`."""
    out = io.StringIO()
    _draw(text, 1).terminal(out=out, border=QUIET_ZONE_MODULES, compact=True)
    return out.getvalue()


def write_image(path: str | os.PathLike[str], text: str, *, scale: int = _DEFAULT_SCALE) -> Path:
    """Draw a payload into a file, ``.png`` or ``.svg`` by its name.

    Args:
        path: Where to write; an existing file is replaced.
        text: The payload.
        scale: Pixels per module, 1 to 64.

    Returns:
        The path.

    Raises:
        InvalidInputError: Another ending, or a scale out of range.
        OversizeCodeError: More than a QR code can hold.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind == ".png":
        target.write_bytes(to_png(text, scale=scale))
    elif kind == ".svg":
        target.write_text(to_svg(text, scale=scale), encoding="utf-8")
    else:
        raise InvalidInputError("Images are written as .png or .svg; choose one of the endings.")
    return target


def read_image(source: str | os.PathLike[str] | bytes) -> str:
    """Read the one QR code in a PNG or JPEG picture.

    Args:
        source: A path, or the file's bytes.

    Returns:
        The text of the code, for :func:`tael.qr.read` or :func:`tael.qr.recognize`.

    Raises:
        SeveralCodesError: More than one; they are listed, none is chosen.
        ImageUnreadableError: No such picture, damaged, or no code found.
        ImageTooLargeError: Above 8 MiB or 24 million pixels.
        MissingExtraError: The extra ``images`` is not installed.
    """
    texts = read_images(source)
    if len(texts) > 1:
        listed = "; ".join(f"“{show(text)}”" for text in texts)
        raise SeveralCodesError(
            f"The picture shows {len(texts)} different codes: {listed}. Crop it to the one to pay.",
            texts,
        )
    return texts[0]


def read_images(source: str | os.PathLike[str] | bytes) -> tuple[str, ...]:
    """Read every QR code in a picture; the same code seen twice counts once.

    Args:
        source: A path, or the file's bytes.

    Returns:
        At least one text, from top to bottom.

    Raises:
        ImageUnreadableError: No such picture, damaged, or no code found.
        ImageTooLargeError: Above 8 MiB or 24 million pixels.
        MissingExtraError: The extra ``images`` is not installed.
    """
    zxingcpp, pillow = _load_readers()
    picture = _decode_picture(_load(source), pillow)
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    ordered = sorted(found, key=lambda code: (code.position.top_left.y, code.position.top_left.x))
    texts = tuple(dict.fromkeys(_decode_text(code) for code in ordered))
    if not texts:
        raise ImageUnreadableError(
            "No QR code was found in the picture. Take it closer, straight on and in good light."
        )
    return texts


def is_image(data: bytes) -> bool:
    """Whether bytes begin like a PNG or JPEG file."""
    return data.startswith(_SIGNATURES)


def _draw(text: str, scale: int) -> Any:
    if not isinstance(text, str) or not text:
        raise InvalidInputError("There is no text to draw; write the code first.")
    if isinstance(scale, bool) or not isinstance(scale, int) or not 1 <= scale <= _MAX_SCALE:
        raise InvalidInputError(f"The scale is 1 to {_MAX_SCALE} whole pixels per module.")
    # ECI 26 announces UTF-8; for pure ASCII it would only confuse old readers.
    try:
        return segno.make(
            text, error="m", mode="byte", encoding="utf-8", eci=not text.isascii(), micro=False
        )
    except segno.DataOverflowError as error:
        raise OversizeCodeError(
            "The text is longer than a QR code of error correction M can hold; shorten it."
        ) from error
    except UnicodeEncodeError as error:
        raise InvalidInputError("The text has half a character in it; write it anew.") from error


def _load(source: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(source, bytes):
        data = source[: MAX_FILE_BYTES + 1]
    else:
        try:
            with Path(source).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ImageUnreadableError(
                f"The file {show(os.fspath(source))} cannot be opened. Check path and permissions."
            ) from error
    if len(data) > MAX_FILE_BYTES:
        raise ImageTooLargeError(
            f"The file has more than {MAX_FILE_BYTES} bytes. Crop or shrink the picture."
        )
    if not is_image(data):
        raise ImageUnreadableError("This is no PNG or JPEG picture. Convert or photograph it anew.")
    return data


def _decode_picture(data: bytes, pillow: Any) -> Any:
    try:
        with pillow.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            # Known from the header: nothing is decompressed before this.
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ImageTooLargeError(
                    f"The picture has {width} x {height} pixels, more than {MAX_PIXELS}. Shrink it."
                )
            if picture.mode.startswith("I"):
                return picture.convert("I").point(lambda level: level / 256).convert("L")
            if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
                # Transparent modules are meant to be paper.
                paper = pillow.new("RGBA", picture.size, "white")
                return pillow.alpha_composite(paper, picture.convert("RGBA")).convert("L")
            return picture.convert("L")
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise ImageTooLargeError(
            f"The picture has more than {MAX_PIXELS} pixels. Crop or shrink it."
        ) from error
    except _DECODER_ERRORS as error:
        raise ImageUnreadableError("The picture is damaged. Take or save it anew.") from error


def _decode_text(code: Any) -> str:
    # The bytes, not the reader's guess at their encoding: EMVCo's text is UTF-8.
    try:
        return bytes(code.bytes).decode("utf-8")
    except UnicodeDecodeError:
        return str(code.text)


def _load_readers() -> tuple[Any, Any]:
    try:
        import zxingcpp
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            "Reading pictures needs an extra that is not installed: pip install 'tael[images]'"
        ) from error
    return zxingcpp, Image
