"""Charts as inline SVG: no script, no request, sharp on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

INK, MUTED, GRID = "#1c2629", "#5b686d", "#dfe5e6"
COLOURS = {"CNY": "#11695a", "HKD": "#c98a2b"}
BAR = "#3d6f8e"
WIDTH = 760


@dataclass(frozen=True)
class Column:
    """One column of a stacked chart.

    Args:
        label: Below it; empty for none.
        parts: Heights by series, from the bottom up.
    """

    label: str
    parts: dict[str, int]


@dataclass(frozen=True)
class Bar:
    """One horizontal bar.

    Args:
        label: Before it.
        value: Its length; may be negative.
        shown: The value as text.
        colour: Of the bar.
    """

    label: str
    value: int
    shown: str
    colour: str = BAR


def stacked_columns(columns: Sequence[Column], title: str, unit: str) -> Markup:
    """Columns of several series on top of each other, with a scale on the left.

    Args:
        columns: From left to right.
        title: Read out instead of the picture.
        unit: What is counted.
    """
    height, left, bottom, top = 260, 44, 30, 34
    plot = height - bottom - top
    highest = max((sum(column.parts.values()) for column in columns), default=0)
    step = _round_step(highest)
    ceiling = max(step, -(-highest // step) * step)
    slot = (WIDTH - left) / max(1, len(columns))
    parts = []
    for level in range(0, ceiling + 1, step):
        y = top + plot - plot * level / ceiling
        parts.append(_line(left, y, WIDTH, y))
        parts.append(_text(left - 8, y + 4, str(level), anchor="end", colour=MUTED))
    for index, column in enumerate(columns):
        x, y = left + slot * index + slot * 0.15, float(top + plot)
        for series, value in column.parts.items():
            size = plot * value / ceiling
            y -= size
            parts.append(_rect(x, y, slot * 0.7, size, COLOURS.get(series, BAR)))
        if column.label:
            parts.append(_text(x - slot * 0.15, height - 10, column.label, colour=MUTED))
    x = float(left)
    for series in dict.fromkeys(name for column in columns for name in column.parts):
        parts.append(_rect(x, 6, 11, 11, COLOURS.get(series, BAR)))
        parts.append(_text(x + 17, 16, f"{series}, {unit}"))
        x += 60 + 7 * len(unit)
    return _svg(parts, height, title)


def bars(rows: Sequence[Bar], title: str) -> Markup:
    """Horizontal bars from a common zero, each with its value beside it.

    Args:
        rows: From top to bottom.
        title: Read out instead of the picture.
    """
    row, label, value = 24, 190, 120
    height = row * len(rows) + 8
    lowest = min((min(0, bar.value) for bar in rows), default=0)
    highest = max((max(0, bar.value) for bar in rows), default=0)
    span = max(1, highest - lowest)
    left = label + (value if lowest < 0 else 0)
    plot = WIDTH - left - value
    zero = left + plot * -lowest / span
    parts = []
    for index, bar in enumerate(rows):
        y = 4 + row * index
        size = plot * abs(bar.value) / span
        start = zero if bar.value >= 0 else zero - size
        parts.append(_text(0, y + 16, bar.label))
        parts.append(_rect(start, y + 4, max(size, 1), row - 8, bar.colour))
        if bar.value >= 0:
            parts.append(_text(zero + size + 6, y + 16, bar.shown, colour=MUTED))
        else:
            parts.append(_text(start - 6, y + 16, bar.shown, anchor="end", colour=MUTED))
    parts.append(_line(zero, 0, zero, height, colour=MUTED))
    return _svg(parts, height, title)


def _round_step(highest: int) -> int:
    for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000):
        if highest <= step * 6:
            return step
    return -(-highest // 6)


def _svg(parts: Sequence[Markup], height: int, title: str) -> Markup:
    head = Markup(
        '<svg viewBox="0 0 {} {}" role="img" xmlns="http://www.w3.org/2000/svg"><title>{}</title>'
    ).format(WIDTH, height, title)
    return head + Markup("").join(parts) + Markup("</svg>")


def _rect(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
        x, y, width, height, colour
    )


def _line(x1: float, y1: float, x2: float, y2: float, *, colour: str = GRID) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}"/>').format(
        x1, y1, x2, y2, colour
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK) -> Markup:
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" font-size="12" text-anchor="{}" fill="{}">{}</text>'
    ).format(x, y, anchor, colour, escape(text))
