"""How spans, times and ids are read and shown."""

import time

import pytest

from tael.cli import values
from tael.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)]
)
def test_span_is_read_when_written_plainly(text, expected):
    assert values.seconds(text, name="it") == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1w", "1.5h", "1e3", "٣", "1 h", "9" * 10])
def test_span_is_refused_when_it_could_be_misread(text):
    with pytest.raises(InvalidInputError, match="a span such as"):
        values.seconds(text, name="it")


def test_time_is_read_when_it_names_its_offset():
    assert values.when("1800000000", name="it") == 1_800_000_000
    assert values.when("2027-01-15T16:00:00+08:00", name="it") == 1_800_000_000
    for text in ("2027-01-15T08:00:00", "tomorrow", "18e8", ""):
        with pytest.raises(InvalidInputError):
            values.when(text, name="it")


def test_time_is_shown_in_utc_and_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        shown = values.shown_time(1_800_000_000, now=1_800_000_000 - 90_000)
        assert shown == "2027-01-15 08:00:00 UTC · 2027-01-15 16:00:00 CST · in 1 d 1 h"
        assert values.shown_time(100, now=165).endswith("1 min 5 s ago")
        assert "Unix seconds" in values.shown_time(2**40)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "x" * 66, "0x" + "g" * 64, "0x" + "1" * 63])
def test_id_is_refused_when_it_is_no_32_bytes(text):
    with pytest.raises(InvalidInputError):
        values.bytes32(text, name="it")
