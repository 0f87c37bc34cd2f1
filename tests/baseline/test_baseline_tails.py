from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from baseline_making import baseline_of, benign
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detector.baseline.model import FEWEST_WINDOWS, TRUSTED_DECADES, tail
from detector.features.registry import BY_NAME, NAMES
from detector.model import Horizon

SIDES = ("high", "low", "both")
NUMBERS = st.floats(-1e6, 1e6)
BENIGN = hnp.arrays(np.float64, st.integers(FEWEST_WINDOWS, 80), elements=NUMBERS).map(np.sort)
some = settings(deadline=None, max_examples=80)


@some
@given(BENIGN, hnp.arrays(np.float64, st.integers(2, 20), elements=NUMBERS))
def test_farther_out_is_never_less_surprising(held: np.ndarray, values: np.ndarray) -> None:
    ascending = np.sort(values)
    assert (np.diff(tail(ascending, held, "high")) >= 0).all()
    assert (np.diff(tail(ascending, held, "low")) <= 0).all()
    both = tail(ascending, held, "both")
    middle = (held[0] + held[-1]) / 2
    above = ascending > max(middle, np.median(held))
    assert (np.diff(both[above]) >= -1e-12).all()


@some
@given(BENIGN, st.sampled_from(SIDES), st.floats(0, 1e300))
def test_a_tail_is_bounded_beyond_the_largest_benign_value(held: np.ndarray, side: str, beyond: float) -> None:
    limit = np.log10(len(held) + 1.0) + TRUSTED_DECADES
    got = tail(np.array([held[-1] + beyond, held[0] - beyond, np.inf, -np.inf]), held, side)
    assert (got >= 0).all()
    assert (got <= limit + 1e-9).all()


@some
@given(BENIGN, st.sampled_from(SIDES))
def test_benign_values_are_told_by_their_rank(held: np.ndarray, side: str) -> None:
    got = 10.0 ** -tail(held, held, side)
    count = len(held)
    upper = np.array([((held >= v).sum() + 1) / (count + 1) for v in held])
    lower = np.array([((held <= v).sum() + 1) / (count + 1) for v in held])
    expected = {"high": upper, "low": lower, "both": np.minimum(2 * np.minimum(upper, lower), 1.0)}[side]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", ["normal", "lognormal", "beta", "ties"])
def test_surprise_is_uniform_on_benign_nights_held_out(side: str, shape: str) -> None:
    rng = np.random.default_rng(len(side) * 10 + len(shape))
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "lognormal": lambda n: rng.lognormal(0, 1, n),
        "beta": lambda n: rng.beta(2, 8, n),
        "ties": lambda n: np.round(rng.beta(2, 8, n), 1),
    }[shape]
    p = np.concatenate([10.0 ** -tail(draw(500), np.sort(draw(400)), side) for _ in range(40)])
    for level in (0.5, 0.2, 0.1, 0.05, 0.02):
        share = (p <= level).mean()
        # Ties may make a test too careful, never too bold.
        assert share <= level * 1.25 + 0.002, level
        if shape != "ties":
            assert share >= level * 0.75 - 0.002, level
    # One in a thousand lies beyond what 400 windows show; an exponential tail is trusted for what it is worth.
    assert (p <= 0.001).mean() <= 0.006


def test_nulls_come_in_and_go_out() -> None:
    held = np.arange(30.0)
    for side in SIDES:
        got = tail(np.array([np.nan, 5.0, np.nan]), held, side)
        assert np.isnan(got).tolist() == [True, False, True]


@pytest.mark.parametrize("count", [0, 1, FEWEST_WINDOWS - 1])
def test_without_enough_to_compare_nothing_is_told(count: int) -> None:
    assert np.isnan(tail(np.array([1.0, 1e9]), np.arange(float(count)), "high")).all()


def test_where_benign_windows_are_all_alike_something_else_is_a_surprise_but_a_hair_is_not() -> None:
    held = np.full(100, 0.5)
    same, hair, other = tail(np.array([0.5, 0.5 + 1e-7, 0.9]), held, "high")
    assert same == 0.0
    assert hair < 2.5
    assert other == pytest.approx(np.log10(101) + TRUSTED_DECADES)


def test_each_feature_is_judged_on_its_suspicious_side() -> None:
    held = baseline_of(benign(200))
    for side, expected in ((1e9, "high"), (-1e9, "low")):
        frame = pd.DataFrame(np.full((1, len(NAMES)), side), columns=list(NAMES))
        tails = held.tails(frame, Horizon.NIGHT).iloc[0]
        for name in NAMES:
            is_surprise = tails[f"{name}_tail"] > 2.0
            assert is_surprise == (BY_NAME[name].suspicious in {expected, "both"}), name


def test_tails_have_the_names_and_rows_of_the_features() -> None:
    frame = pd.DataFrame(benign(5, seed=2), columns=list(NAMES), index=[3, 1, 4, 15, 9])
    tails = baseline_of(benign(100)).tails(frame, Horizon.NIGHT)
    assert list(tails.columns) == [f"{name}_tail" for name in NAMES]
    assert tails.index.tolist() == [3, 1, 4, 15, 9]
    assert np.isfinite(tails.to_numpy()).all()


def test_trailing_windows_are_judged_by_trailing_ones_where_there_are_enough() -> None:
    night, trailing = benign(50), benign(50, seed=3) + 100.0
    frame = pd.DataFrame(benign(4, seed=4) + 50.0, columns=list(NAMES))
    enough, few = baseline_of(night, trailing), baseline_of(night, trailing[: FEWEST_WINDOWS - 1])
    assert few.tails(frame, Horizon.TRAILING).equals(few.tails(frame, Horizon.NIGHT))
    column = "confidence_ascent_tail"
    assert (enough.tails(frame, Horizon.TRAILING)[column] == 0.0).all()
    assert (enough.tails(frame, Horizon.NIGHT)[column] > 2.0).all()


def test_a_feature_null_in_the_baseline_has_no_tail() -> None:
    night = benign(60)
    night[:, 3] = np.nan
    night[FEWEST_WINDOWS - 1 :, 5] = np.nan
    tails = baseline_of(night).tails(pd.DataFrame(benign(3), columns=list(NAMES)), Horizon.NIGHT)
    null = [name for name in NAMES if tails[f"{name}_tail"].isna().all()]
    assert null == [NAMES[3], NAMES[5]]


def test_one_window_is_judged_the_same_beside_any_others() -> None:
    held = baseline_of(benign(300))
    frame = pd.DataFrame(benign(50, seed=5), columns=list(NAMES))
    shifted = pd.concat([frame, frame + 10.0] * 20, ignore_index=True)
    alone, beside = held.tails(frame, Horizon.NIGHT), held.tails(shifted, Horizon.NIGHT)
    assert beside.iloc[:50].equals(alone)
