from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, feature, features_of, ordinary, quick, schema_of, states_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detector.features import kernels
from detector.features.schema import RecordField
from detector.model import InputKind

SCHEMA = schema_of(ordinary(512))
UNIT = SCHEMA.unit
GENES = RecordField("gene", ("a", "b", "c", "d"))
RECORDS = schema_of(
    ordinary(512, dimension=8), kind=InputKind.RECORD, fields=(RecordField("age"), GENES, RecordField("bmi"),
    RecordField("sex", ("f", "m")))
)  # fmt: skip
TRENDS = ("step_length_trend", "dispersion_trend")


def _noise(rows: int, seed: int = 0, dimension: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, dimension))


def _naive_neighbours(view: np.ndarray, hashes: np.ndarray, field_of: np.ndarray) -> list[tuple[float, int, int, int]]:
    """Return (squared distance to the nearest, its lag, the only field changed, equal but not exactly) by a loop."""
    out = []
    for i in range(len(view)):
        best, best_lag, field, below = np.inf, 0, -1, 0
        for lag in range(1, min(16, i) + 1):
            step = view[i] - view[i - lag]
            if np.isnan(step).any():
                continue
            changed = set(field_of[step != 0])
            if not changed:
                below |= int(hashes[i] != hashes[i - lag])
                continue
            if len(changed) == 1 and field < 0:
                field = changed.pop()
            if (step**2).sum() < best:
                best, best_lag = float((step**2).sum()), lag
        out.append((best, best_lag, field, below))
    return out


@quick
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.sampled_from([0, 1, 2, 3.5])),
    st.data(),
)
def test_neighbours_are_those_of_a_plain_loop(view: np.ndarray, data: st.DataObject) -> None:
    rows, width = view.shape
    hashes = np.array(data.draw(st.lists(st.integers(1, 3), min_size=rows, max_size=rows)), dtype=np.int64)
    unread = data.draw(st.lists(st.integers(0, rows - 1), max_size=4))
    # Two values a field at most: of a category's indicators, another category changes two.
    sizes = data.draw(st.lists(st.integers(1, 2), min_size=width, max_size=width))
    field_of = np.repeat(np.arange(width), sizes)[:width].astype(np.int32)
    view[unread] = np.nan
    distance, changed = np.empty(rows, np.float32), np.zeros((rows, 2), np.int32)
    field, below = np.empty(rows, np.int32), np.empty(rows, np.int8)
    starts = np.array([0, rows], dtype=np.int64)
    kernels.nearest_previous(view, starts, field_of, distance, changed, field, below, hashes)
    got = list(zip(distance.tolist(), changed[:, 0].tolist(), field.tolist(), below.tolist(), strict=True))
    assert got == _naive_neighbours(view, hashes, field_of)
    assert (changed[:, 1] == (field >= 0)).all()


def test_the_nearest_of_sixteen_gives_the_distance() -> None:
    view = np.zeros((40, 8))
    view[:, 0] = np.arange(40) * 0.5 * UNIT
    # A histogram of quarter octaves holds the median, exact to a ninth.
    assert feature(SCHEMA, "nearest_previous_distance", Stream(view)) == pytest.approx(0.5, rel=1 / 9)


@pytest.mark.parametrize(("step", "near"), [(0.24, 1.0), (0.26, 0.0)])
def test_near_is_a_quarter_of_a_pair_distance(step: float, near: float) -> None:
    view = np.zeros((40, 8))
    view[:, 0] = np.arange(40) * step * UNIT
    assert feature(SCHEMA, "near_duplicate_ratio", Stream(view)) == near


def test_exact_repetitions_are_neither_near_nor_compared() -> None:
    told = features_of(SCHEMA, Stream(np.repeat(ordinary(1), 100, axis=0)))
    for name in ("near_duplicate_ratio", "single_field_change_ratio", "nearest_previous_distance"):
        assert np.isnan(told[name].iloc[0])
    assert told["duplicate_ratio"].iloc[0] == 0.99


def test_ordinary_queries_vary_nothing_deliberately() -> None:
    told = features_of(SCHEMA, *(Stream(ordinary(400, seed)) for seed in range(10)))
    assert told["single_field_change_ratio"].max() == 0.0
    assert told["enumeration_ratio"].max() == 0.0
    assert told["collinearity_ratio"].max() < 0.02
    assert told["antithetic_ratio"].max() < 0.05
    assert told["bracketing_ratio"].max() < 0.02
    assert told["near_duplicate_ratio"].max() < 0.2
    assert told["nearest_previous_distance"].min() > 0.25


def test_a_coordinate_search_changes_one_field_at_a_time() -> None:
    rng = np.random.default_rng(1)
    view = np.zeros((300, 8))
    for i in range(1, 300):
        view[i] = view[i - 1]
        view[i, rng.integers(8)] += rng.normal()
    assert feature(SCHEMA, "single_field_change_ratio", Stream(view)) == 1.0
    assert feature(SCHEMA, "enumeration_ratio", Stream(view)) < 0.3


def test_finite_differences_change_one_field_of_a_moving_point() -> None:
    rng = np.random.default_rng(2)
    steps, at = [], rng.normal(size=8)
    for _ in range(30):
        steps.extend([at, *(at + 0.01 * np.eye(8))])
        at = at + 0.1 * rng.normal(size=8)
    told = features_of(SCHEMA, Stream(np.array(steps))).iloc[0]
    assert told["single_field_change_ratio"] == pytest.approx(8 / 9, abs=0.01)
    assert told["enumeration_ratio"] < 0.05


def test_a_sweep_enumerates_the_values_of_a_field() -> None:
    view = np.repeat(ordinary(20, 3), 6, axis=0)
    view[:, 3] = np.tile(np.arange(6.0), 20)
    told = features_of(SCHEMA, Stream(view)).iloc[0]
    assert told["single_field_change_ratio"] == pytest.approx(5 / 6, abs=0.01)
    assert told["enumeration_ratio"] == pytest.approx(4 / 6, abs=0.01)


def _swept_records(people: int) -> np.ndarray:
    """Return records of age, gene (4 indicators), bmi and sex (2), each person's gene swept."""
    view = np.zeros((people * 4, 8))
    rng = np.random.default_rng(4)
    view[:, [0, 5]] = np.repeat(rng.normal(size=(people, 2)), 4, axis=0)
    view[np.arange(len(view)), 6 + np.repeat(rng.integers(0, 2, people), 4)] = 1.0
    view[np.arange(len(view)), 1 + np.tile(np.arange(4), people)] = 1.0
    return view


def test_another_category_is_one_field_changed() -> None:
    told = features_of(RECORDS, Stream(_swept_records(30))).iloc[0]
    assert told["single_field_change_ratio"] == pytest.approx(3 / 4, abs=0.01)
    assert told["enumeration_ratio"] == pytest.approx(2 / 4, abs=0.01)
    # Without its fields the same view would be two values changed.
    assert feature(SCHEMA, "single_field_change_ratio", Stream(_swept_records(30))) == 0.0


def test_two_categories_changed_are_two_fields() -> None:
    view = np.zeros((60, 8))
    view[:, [0, 5]] = np.repeat(_noise(30, 11, 2), 2, axis=0)
    view[::2, [1, 6]], view[1::2, [2, 7]] = 1.0, 1.0
    assert feature(RECORDS, "single_field_change_ratio", Stream(view)) == 0.0
    view[1::2, [6, 7]] = [1.0, 0.0]
    assert feature(RECORDS, "single_field_change_ratio", Stream(view)) == pytest.approx(0.5, abs=0.01)


def test_a_category_that_flips_back_and_forth_is_no_line() -> None:
    view = np.zeros((100, 8))
    view[:, 1:3] = np.tile([[1, 0], [0, 1]], (50, 1))
    assert np.isnan(feature(RECORDS, "collinearity_ratio", Stream(view)))


def test_a_line_search_is_collinear() -> None:
    rng = np.random.default_rng(5)
    lines = [rng.normal(size=8) + np.outer(np.arange(10) ** 1.5, rng.normal(size=8)) for _ in range(20)]
    assert feature(SCHEMA, "collinearity_ratio", Stream(np.concatenate(lines))) == pytest.approx(0.83, abs=0.04)


def test_single_field_steps_are_left_out_of_lines() -> None:
    view = np.zeros((100, 8))
    view[:, 2] = np.arange(100)
    assert np.isnan(feature(SCHEMA, "collinearity_ratio", Stream(view)))


@pytest.mark.parametrize("shrink", [0.5, 0.7])
def test_a_bisection_halves_its_steps_on_a_line(shrink: float) -> None:
    rng = np.random.default_rng(6)
    walks = []
    for _ in range(12):
        steps = 4.0 * shrink ** np.arange(10) * rng.choice([-1.0, 1.0], 10)
        walks.append(rng.normal(size=8) + np.outer(np.cumsum(steps), rng.normal(size=8)))
    got = feature(SCHEMA, "bracketing_ratio", Stream(np.concatenate(walks)))
    assert got == (pytest.approx(0.8, abs=0.03) if shrink == 0.5 else 0.0)


def test_paired_sampling_mirrors_pairs_at_their_midpoint() -> None:
    rng, at, pairs = np.random.default_rng(7), np.zeros(8), []
    for _ in range(100):
        shift = 0.2 * rng.choice([-1.0, 1.0], 8)
        pairs.extend([at + shift, at - shift])
        at = at + 0.01 * rng.normal(size=8)
    # Every second pair of neighbours straddles two of the attack's own pairs.
    assert feature(SCHEMA, "antithetic_ratio", Stream(np.array(pairs))) == pytest.approx(0.5, abs=0.1)


def test_steps_below_the_resolution_show_by_their_hashes() -> None:
    base = np.repeat(ordinary(30, 8), 9, axis=0).astype(np.float64)
    moved = base + 1e-12 * np.tile(np.concatenate([np.zeros((1, 8)), np.eye(8)]), (30, 1))
    hashes = [hash(row.tobytes()) & 0x7FFFFFFFFFFFFFF for row in moved]
    assert (moved.astype(np.float32) == base.astype(np.float32)).all()
    got = states_of(SCHEMA, Stream(moved, hashes=np.array(hashes)))
    assert got["below"][0] == 30 * 8
    assert got["compared"][0] == 29 * 9
    assert feature(SCHEMA, "subresolution_change_ratio", Stream(moved, hashes=np.array(hashes))) == pytest.approx(
        min(1.0, 240 / 261)
    )


def test_exact_repetitions_are_no_steps_below_the_resolution() -> None:
    view = np.repeat(ordinary(30, 9), 3, axis=0)
    assert feature(SCHEMA, "subresolution_change_ratio", Stream(view)) == 0.0


@pytest.mark.parametrize("kind", [InputKind.TEXT, InputKind.RECORD])
def test_what_a_view_does_not_show_is_no_tiny_step(kind: InputKind) -> None:
    blurred = schema_of(ordinary(512), kind=kind, fields=tuple(RecordField(f"f{n}") for n in range(8)))
    stream = Stream(np.repeat(ordinary(30, 8), 9, axis=0), hashes=np.arange(1, 271))
    assert feature(SCHEMA, "subresolution_change_ratio", stream) == pytest.approx(240 / 261)
    assert np.isnan(feature(blurred, "subresolution_change_ratio", stream))


@pytest.mark.parametrize("offset", [0.0, 400.0])
def test_a_search_that_converges_shows_falling_steps_and_spread(offset: float) -> None:
    view = np.concatenate([_noise(640) * np.geomspace(3.0, 0.03, 640)[:, None], np.full((640, 1), offset)], axis=1)
    wide = schema_of(ordinary(128, dimension=9))
    for name in TRENDS:
        assert feature(wide, name, Stream(view[:, :9])) < -0.98
        assert feature(wide, name, Stream(view[::-1, :9])) > 0.98


def test_convergence_shows_where_32_bits_hold_it_however_far_from_zero() -> None:
    # Steps of an eighth to a thousandth around an age of 400 deviations.
    view = 400.0 + _noise(640) * np.geomspace(0.125, 0.001, 640)[:, None]
    assert feature(SCHEMA, "dispersion_trend", Stream(view)) < -0.95


def test_ordinary_queries_have_no_trend() -> None:
    told = features_of(SCHEMA, *(Stream(ordinary(640, seed)) for seed in range(40)))
    for name in TRENDS:
        assert told[name].abs().max() < 0.65
        assert abs(told[name].mean()) < 0.12


def test_one_input_that_cannot_be_read_does_not_hide_a_trend() -> None:
    view = _noise(640) * np.geomspace(3.0, 0.03, 640)[:, None]
    view[[0, 100, 639]] = np.nan
    for name in TRENDS:
        assert feature(SCHEMA, name, Stream(view)) < -0.98


def test_short_streams_have_no_trend() -> None:
    assert np.isnan(feature(SCHEMA, "step_length_trend", Stream(ordinary(63))))
    assert not np.isnan(feature(SCHEMA, "step_length_trend", Stream(ordinary(64))))
    assert np.isnan(feature(SCHEMA, "dispersion_trend", Stream(ordinary(127))))
    assert not np.isnan(feature(SCHEMA, "dispersion_trend", Stream(ordinary(128))))


def test_fewer_than_twenty_comparisons_tell_nothing() -> None:
    for rows, null in ((20, True), (21, False)):
        told = features_of(SCHEMA, Stream(ordinary(rows, 10))).iloc[0]
        for name in ("nearest_previous_distance", "near_duplicate_ratio", "single_field_change_ratio"):
            assert np.isnan(told[name]) == null
