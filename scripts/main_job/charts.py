"""Charts as inline SVG: no script, no request, sharp on paper, as wide as a phone.

Each has one axis and one unit; the page's style sheet gives the colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

WIDTH = 360


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        label: What it stands for; empty for none.
        value: Its length; may be negative where bars lie.
        shown: The value as text, where bars lie.
    """

    label: str
    value: int
    shown: str = ""


class Chart(NamedTuple):
    """A picture and what stands above it."""

    title: str
    picture: Markup


def columns(bars: Sequence[Bar], title: str) -> Chart:
    """Columns side by side, with a scale on the left.

    Args:
        bars: From left to right, none negative.
        title: What they show, in which unit.
    """
    height, left, bottom, top = 170, 34, 22, 8
    plot = height - bottom - top
    highest = max((bar.value for bar in bars), default=0)
    step = _round_step(highest)
    ceiling = max(step, -(-highest // step) * step)
    slot = (WIDTH - left) / max(1, len(bars))
    parts = []
    for level in range(0, ceiling + 1, step):
        y = top + plot - plot * level / ceiling
        parts.append(_line(left, y, WIDTH, y))
        parts.append(_text(left - 6, y + 4, str(level), anchor="end"))
    for index, bar in enumerate(bars):
        x, size = left + slot * index, plot * bar.value / ceiling
        parts.append(_rect(x + slot * 0.15, top + plot - size, slot * 0.7, size))
        if bar.label:
            parts.append(_text(x, height - 6, bar.label))
    return _chart(title, parts, height)


def bars(rows: Sequence[Bar], title: str) -> Chart:
    """Lying bars from a common zero, each below its label and its value.

    Args:
        rows: From top to bottom.
        title: What they show, in which unit.
    """
    row, thickness = 36, 12
    height = row * len(rows) + 2
    lowest = min((min(0, bar.value) for bar in rows), default=0)
    highest = max((max(0, bar.value) for bar in rows), default=0)
    span = max(1, highest - lowest)
    zero = WIDTH * -lowest / span
    parts = []
    for index, bar in enumerate(rows):
        y, size = row * index, max(1, WIDTH * abs(bar.value) / span)
        parts.append(_text(0, y + 13, bar.label))
        parts.append(_text(WIDTH, y + 13, bar.shown, anchor="end"))
        parts.append(_rect(zero if bar.value >= 0 else zero - size, y + 18, size, thickness))
        parts.append(_line(zero, y + 16, zero, y + 20 + thickness))
    return _chart(title, parts, height)


def _round_step(highest: int) -> int:
    for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000):
        if highest <= step * 6:
            return step
    return -(-highest // 6)


def _chart(title: str, parts: Sequence[Markup], height: int) -> Chart:
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        WIDTH, height, title
    )
    return Chart(title, head + Markup("").join(parts) + Markup("</svg>"))


def _rect(x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        x, y, width, height
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(x1, y1, x2, y2)


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )
