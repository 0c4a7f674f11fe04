"""The checker finds what is wrong, by its rule."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.chaos.spoilt import SPOILT, Spoil, spoil_in_turn


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    # In a process of its own: a storm forks, and this one has threads.
    folder = tmp_path_factory.mktemp("verdict")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(spoil_in_turn, folder).result()


def test_nothing_is_found_where_nothing_is_wrong(found: dict[str, set[str]]) -> None:
    assert found[""] == set()
    assert found["no canary"] == set()


@pytest.mark.parametrize(
    ("rule", "spoil"), SPOILT, ids=lambda value: getattr(value, "__name__", value)
)
def test_what_is_wrong_is_found_by_its_rule(
    rule: str, spoil: Spoil, found: dict[str, set[str]]
) -> None:
    assert rule in found[spoil.__name__]


def test_a_key_in_a_log_is_found(found: dict[str, set[str]]) -> None:
    assert found["canary"] == {"the key of the issuer is in issuer.log"}
