from __future__ import annotations

import numpy as np
import pytest
from feature_making import quick
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detector.features.block import Merge, StateColumn
from detector.features.families import LAYOUT
from detector.features.state import Layout, States, entropy, ratio, stacked

SMALL = Layout(
    (
        StateColumn("n", Merge.SUM),
        StateColumn("lead", Merge.BEST, group="g"),
        StateColumn("hist", Merge.SUM, 3),
        StateColumn("first", Merge.MIN),
        StateColumn("where", Merge.BEST, group="g"),
        StateColumn("last", Merge.MAX),
        StateColumn("hours", Merge.MAX, 2),
        StateColumn("other", Merge.BEST, group="h"),
    )
)
# Whole numbers add up exactly in any order, as counts do.
NUMBERS = st.one_of(st.just(np.nan), st.integers(-5, 5).map(float))
SUMS = SMALL.positions(Merge.SUM)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[States, np.ndarray, int]:
    entities = draw(st.integers(1, 4))
    more = draw(st.lists(st.integers(0, entities - 1), max_size=10))
    owner = np.array(draw(st.permutations([*range(entities), *more])), dtype=np.int64)
    rows = draw(hnp.arrays(np.float64, (len(owner), SMALL.width), elements=NUMBERS))
    rows[:, SUMS] = np.nan_to_num(rows[:, SUMS])
    return States(SMALL, rows), owner, entities


def test_a_layout_lays_columns_side_by_side() -> None:
    assert SMALL.width == 11
    assert SMALL.places["hist"] == slice(2, 5)
    assert [places.tolist() for places in SMALL.best_groups] == [[1, 6], [10]]
    assert sorted(np.concatenate([SMALL.positions(merge) for merge in Merge]).tolist()) == list(range(11))


def test_no_two_columns_of_the_product_share_a_name() -> None:
    assert len(LAYOUT.places) == len(LAYOUT.columns)
    assert sum(place.stop - place.start for place in LAYOUT.places.values()) == LAYOUT.width


def test_columns_come_back_as_they_were_laid() -> None:
    columns = {c.name: np.arange(2.0 * c.width).reshape(2, c.width) + 100 * i for i, c in enumerate(SMALL.columns)}
    states = States.of(SMALL, columns, 2)
    for column in SMALL.columns:
        shape = (2,) if column.width == 1 else (2, column.width)
        np.testing.assert_array_equal(columns[column.name].reshape(shape), states[column.name])


def test_merging_adds_takes_extremes_and_lets_the_best_row_carry_its_group() -> None:
    nan = np.nan
    rows = np.array(
        [
            # n  lead hist      first where last hours   other
            [1, 0.5, 1, 0, 0, 10, 7, 20, 1, 0, nan],
            [2, 0.9, 0, 1, 0, 5, 8, nan, 0, 0, 3],
            [4, nan, 0, 0, 1, nan, 9, 30, 0, 1, nan],
            [8, nan, 1, 1, 1, nan, nan, nan, nan, nan, nan],
        ]
    )
    merged = States(SMALL, rows).merged(np.array([0, 0, 0, 1]), 2)
    np.testing.assert_array_equal(
        [[7, 0.9, 1, 1, 1, 5, 8, 30, 1, 1, 3], [8, nan, 1, 1, 1, nan, nan, nan, nan, nan, nan]], merged.rows
    )


@quick
@given(_cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(case: tuple[States, np.ndarray, int], random: object) -> None:
    states, owner, entities = case
    order = np.arange(len(owner))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = States(SMALL, states.rows[order]).merged(owner[order], entities)
    np.testing.assert_array_equal(states.merged(owner, entities).rows, shuffled.rows)


@quick
@given(_cases(), st.data())
def test_merging_in_steps_gives_what_merging_at_once_gives(
    case: tuple[States, np.ndarray, int], data: st.DataObject
) -> None:
    states, owner, entities = case
    half = np.array(data.draw(st.lists(st.booleans(), min_size=len(owner), max_size=len(owner))), dtype=np.int64)
    groups, step = np.unique(owner * 2 + half, return_inverse=True)
    in_steps = states.merged(step, len(groups)).merged(groups // 2, entities)
    np.testing.assert_array_equal(states.merged(owner, entities).rows, in_steps.rows)


@quick
@given(_cases(), st.integers(0, 3))
def test_a_null_row_changes_nothing(case: tuple[States, np.ndarray, int], whose: int) -> None:
    states, owner, entities = case
    null = np.full((1, SMALL.width), np.nan)
    null[:, SUMS] = 0.0
    more = States(SMALL, np.concatenate([states.rows, null]))
    merged = more.merged(np.append(owner, whose % entities), entities)
    np.testing.assert_array_equal(states.merged(owner, entities).rows, merged.rows)


@quick
@given(_cases())
def test_merging_single_rows_gives_them_back_in_order(case: tuple[States, np.ndarray, int]) -> None:
    states, _, _ = case
    count = len(states.rows)
    back = np.random.default_rng(count).permutation(count)
    np.testing.assert_array_equal(states.rows, States(SMALL, states.rows[back]).merged(back, count).rows)
    np.testing.assert_array_equal(states.rows[back], states.take(back).rows)


def test_stacking_keeps_the_rows_in_order() -> None:
    one, two = States(SMALL, np.zeros((2, SMALL.width))), States(SMALL, np.ones((1, SMALL.width)))
    np.testing.assert_array_equal([0, 0, 1], stacked([one, two])["n"])


def test_a_ratio_over_nothing_is_null() -> None:
    np.testing.assert_array_equal([0.5, np.nan, 0.0], ratio(np.array([1.0, 1.0, 0.0]), np.array([2.0, 0.0, 4.0])))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([1, 1, 1, 1], np.log(4)), ([9, 0, 0, 0], 0.0), ([0, 0, 0, 0], np.nan), ([2, 2, 0, 0], np.log(2))],
)
def test_entropy_is_shannons(counts: list[int], expected: float) -> None:
    np.testing.assert_allclose(expected, entropy(np.array(counts, dtype=float)))
