"""Bounds against their definitions and against textbook values; the resampling against what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from detector.evaluate.intervals import cluster_interval, lower_bound, upper_bound


def interval(found: list[int], clients: list[int], seed: int = 0) -> tuple[float, float, str]:
    one = cluster_interval(np.array(found), np.array(clients), np.random.default_rng(seed), 2000)
    return one.low, one.high, one.method


@pytest.mark.parametrize(
    ("hits", "total", "bound"),
    [(0, 1, 0.95), (0, 10, 1 - 0.05**0.1), (0, 300, 1 - 0.05 ** (1 / 300)), (10, 10, 1.0), (0, 0, 1.0)],
)
def test_bounds_that_have_a_closed_form(hits: int, total: int, bound: float) -> None:
    assert upper_bound(hits, total) == pytest.approx(bound, abs=1e-12)
    assert lower_bound(total - hits, total) == pytest.approx(1 - bound, abs=1e-12)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_at_the_bound_so_few_hits_are_just_improbable_enough(pair: tuple[int, int]) -> None:
    hits, total = pair
    assert binom.cdf(hits, total, upper_bound(hits, total)) == pytest.approx(0.05, abs=1e-9)


def test_fifty_accounts_of_one_attack_are_one_attack() -> None:
    assert interval([50], [50]) == pytest.approx((0.025, 1.0, "exact"))
    assert interval([1], [1]) == interval([50], [50])


def test_where_nothing_is_found_the_interval_is_exact_too() -> None:
    low, high, method = interval([0, 0, 0], [1, 1, 1])
    assert (low, method) == (0.0, "exact")
    assert high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_accounts_of_one_attack_make_the_interval_wider_than_as_many_attacks() -> None:
    alone = interval([1] * 20 + [0] * 20, [1] * 40)
    together = interval([10, 10, 0, 0], [10] * 4)
    assert alone[2] == together[2] == "bootstrap"
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    assert together[:2] == (0.0, 1.0)


def test_clients_of_an_attack_are_resampled_too() -> None:
    low, high, _ = interval([50, 50], [100, 100])
    spread = 1.96 * np.sqrt(0.25 / 200)
    assert low == pytest.approx(0.5 - spread, abs=0.015)
    assert high == pytest.approx(0.5 + spread, abs=0.015)


def test_the_seed_decides() -> None:
    found, clients = [1, 0, 2, 3], [2, 2, 3, 3]
    assert interval(found, clients, 1) == interval(found, clients, 1)
    assert interval(found, clients, 1)[0] <= 0.6 <= interval(found, clients, 1)[1]
