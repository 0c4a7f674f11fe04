"""The growth bench looks at every size, through the chain and in the journal alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import growth


@pytest.mark.slow
@pytest.mark.parametrize("way", growth.WAYS, ids=lambda way: way.name)
def test_every_size_is_looked_at(
    way: growth.Way, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(growth, "JOURNAL_SIZE", 600)
    monkeypatch.setattr(growth, "RESULT", tmp_path / "growth.json")
    told: list[int] = []
    looks = list(growth.measure(way, (20, 40, 600), told.append))
    assert told == [20, 40]
    assert [each.payments for each in looks] == ([20, 40, 600] if way.fills_journal else [20, 40])
    for look in looks:
        assert 0 < look.resolve_median_ms <= look.resolve_slowest_ms
        assert look.per_second > 0
        assert look.journal_mb > 0
    growth._write(looks)
    rows = json.loads(growth.RESULT.read_text())["rows"]
    assert [row["payments"] for row in rows] == [each.payments for each in looks]
    assert growth.table_of(looks).row_count == len(looks)
