"""The compiled loops and the block's folds against plain ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from feature_making import Stream, block_of, ordinary, quick, schema_of
from hypothesis import given
from hypothesis import strategies as st

from detector.features import kernels

SCHEMA = schema_of(ordinary(64))
SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=6)


def _sized(sizes: list[int]) -> tuple[np.ndarray, list[slice]]:
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return starts, [slice(int(a), int(b)) for a, b in itertools.pairwise(starts)]


@quick
@given(SIZES, st.integers(0, 99))
def test_a_block_folds_each_entitys_own_queries(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = block_of(*(Stream(length=size) for size in sizes), schema=SCHEMA)
    _, places = _sized(sizes)
    codes, keep = rng.integers(-1, 5, sum(sizes)), rng.random(sum(sizes)) < 0.5
    assert block.entities == len(sizes)
    assert block.counts.tolist() == sizes
    np.testing.assert_array_equal(block.sums(codes), [codes[place].sum() for place in places])
    expected = [[(codes[place] == code).sum() for code in range(5)] for place in places]
    np.testing.assert_array_equal(block.histogram(codes, 5), expected)
    np.testing.assert_array_equal(block.distinct(codes, keep), [len(set(codes[p][keep[p]])) for p in places])


@quick
@given(SIZES, st.integers(1, 20))
def test_a_sample_is_evenly_spaced_and_holds_no_query_twice(sizes: list[int], most: int) -> None:
    block = block_of(*(Stream(length=size) for size in sizes), schema=SCHEMA)
    picked = block.sample(most)
    _, places = _sized(sizes)
    for place, size in zip(places, sizes, strict=True):
        mine = picked[(picked >= place.start) & (picked < place.stop)]
        assert len(mine) == min(size, most)
        assert mine[0] == place.start
        gaps = np.diff(mine)
        assert (gaps >= 1).all()
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
    assert len(picked) == sum(min(size, most) for size in sizes)


def _means(values: np.ndarray, stretches: int) -> list[float]:
    bounds = [s * len(values) // stretches for s in range(stretches + 1)]
    return [float(np.nanmean(values[a:b])) for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize("size", [64, 65, 100, 333])
def test_a_trend_is_the_correlation_of_the_stretches_means(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size) + np.linspace(0, 1, size)
    values[3] = np.nan
    out = np.empty(1)
    kernels.stretch_trend(values, np.array([0, size]), 32, out)
    assert out[0] == pytest.approx(kernels.midrank_correlation(np.array(_means(values, 32))), abs=1e-12)


def test_a_stretch_without_values_leaves_no_trend() -> None:
    values = np.arange(128.0)
    values[:4] = np.nan
    out = np.empty(1)
    kernels.stretch_trend(values, np.array([0, 128]), 32, out)
    assert np.isnan(out[0])


def test_a_spread_is_the_correlation_of_the_stretches_variances() -> None:
    view = ordinary(320, 3)
    variances = [part.var(axis=0, dtype=float).sum() for part in np.split(view, 32)]
    out = np.empty(1)
    kernels.stretch_spread(view, np.array([0, 320]), 32, out)
    assert out[0] == pytest.approx(kernels.midrank_correlation(np.array(variances)), abs=1e-12)


def _naive_alignment(view: np.ndarray, told: np.ndarray, size: int) -> np.ndarray:
    blocks = len(view) // size
    means = [view[b * size : (b + 1) * size].mean(axis=0) for b in range(blocks)]
    sums = np.zeros(3)
    for b in range(1, blocks - 1):
        part = slice(b * size, (b + 1) * size)
        slope = ((told[part] - told[part].mean())[:, None] * (view[part] - means[b])).sum(axis=0)
        ahead, behind = means[b + 1] - means[b], means[b] - means[b - 1]
        cosines = [slope @ step / np.linalg.norm(slope) / np.linalg.norm(step) for step in (ahead, behind)]
        gap = cosines[0] - cosines[1]
        sums += [1.0, gap, gap**2]
    return sums


def test_alignment_is_that_of_a_plain_loop() -> None:
    view, told = ordinary(200, 4), np.random.default_rng(4).random(200).astype(np.float32)
    out = np.zeros((1, 3))
    kernels.block_alignment(view, told[:, None], np.array([0, 200]), np.array([0]), 20, out)
    np.testing.assert_allclose(out[0], _naive_alignment(view.astype(float), told.astype(float), 20), rtol=1e-4)


def test_blocks_with_an_unreadable_query_are_left_out_of_the_alignment() -> None:
    view, told = ordinary(200, 4), np.random.default_rng(4).random((200, 1)).astype(np.float32)
    view[105] = np.nan
    out = np.zeros((1, 3))
    kernels.block_alignment(view, told, np.array([0, 200]), np.array([0]), 20, out)
    assert out[0, 0] == 8 - 3


@pytest.mark.parametrize("rows", [40, 150, 200, 777])
def test_the_steepest_segment_is_one_of_the_segments(rows: int) -> None:
    rng = np.random.default_rng(rows)
    told = rng.dirichlet(np.ones(4), rows).astype(np.float32)
    told[:, 0] += np.linspace(0, 0.3, rows, dtype=np.float32)
    out = np.empty((1, 10))
    kernels.best_segment(told, np.full(rows, -1, np.int32), np.array([0, rows]), out)
    _, rho, target, first, last, early, late, concentration = out[0, :8]
    width = min(200, rows)
    assert last - first + 1 == width
    assert first % 20 == 0 or last == rows - 1
    series = told[int(first) : int(last) + 1, int(target)].astype(float)
    assert rho == pytest.approx(kernels.midrank_correlation(series), abs=1e-12)
    assert early == pytest.approx(series[: width // 4].mean())
    assert late == pytest.approx(series[width - width // 4 :].mean())
    assert np.isnan(concentration)


def test_no_segment_is_much_steeper_than_the_one_that_is_told() -> None:
    # Three candidate classes a segment stand for all of them, and gain and level count besides the correlation.
    for seed in range(20):
        told = np.random.default_rng(seed).dirichlet(np.ones(10), 600).astype(np.float32)
        out = np.empty((1, 10))
        kernels.best_segment(told, np.full(600, -1, np.int32), np.array([0, 600]), out)
        steepest = max(
            kernels.midrank_correlation(told[at : at + 200, c].astype(float))
            for at in range(0, 401, 20) for c in range(10)
        )  # fmt: skip
        assert steepest - 0.08 <= out[0, 1] <= steepest + 1e-12


def test_series_are_followed_over_the_known_answers() -> None:
    told = np.stack([np.linspace(0, 1, 100), np.zeros(100)], axis=1).astype(np.float32)
    told[::3] = np.nan
    out = np.empty((3, 2))
    kernels.series_correlation(np.tile(told, (3, 1)), np.array([0, 100, 200, 300]), np.array([0, 1, -1]), out)
    assert out[0].tolist() == [pytest.approx(1.0), pytest.approx(98 / 99)]
    assert np.isnan(out[1, 0])
    assert out[1, 1] == 0.0
    assert np.isnan(out[2]).all()
