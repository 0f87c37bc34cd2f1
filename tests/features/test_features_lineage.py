from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, quick, schema_of
from hypothesis import given
from hypothesis import strategies as st

from detector.features import kernels_lineage as kernels

SCHEMA = schema_of(ordinary(512))


def _told(view: np.ndarray) -> np.ndarray:
    return answers(view, sharpness=0.15)


def _search(seed: int, rows: int = 400) -> np.ndarray:
    """Climb by a (1+1) evolution strategy in steps that are small for this model."""
    rng = np.random.default_rng(seed)
    at = 2.0 * rng.normal(size=8)
    best, asked = _told(at[None])[0, 0], [at]
    while len(asked) < rows:
        tried = at + 0.06 * rng.normal(size=8)
        asked.append(tried)
        if (reached := _told(tried[None])[0, 0]) > best:
            at, best = tried, reached
    return np.array(asked)


def _explainer(seed: int, rows: int = 400) -> np.ndarray:
    """Perturb one record after the other, fifty times each, whatever the answers are."""
    rng = np.random.default_rng(seed)
    records = ordinary(rows // 50, 100 + seed)
    return np.repeat(records, 50, axis=0) + 0.06 * rng.normal(size=(rows, 8))


def _features(views: list[np.ndarray], name: str) -> np.ndarray:
    return features_of(SCHEMA, *(Stream(view, _told(view)) for view in views))[name].to_numpy()


SEARCHES = [_search(seed) for seed in range(8)]
EXPLAINERS = [_explainer(seed) for seed in range(8)]
SHUFFLED = [np.random.default_rng(seed).permutation(view) for seed, view in enumerate(SEARCHES)]


def _covered(view: np.ndarray, share: int, seed: int) -> np.ndarray:
    """Put `share` ordinary queries before each of a search's."""
    cover = ordinary(len(view) * share, 50 + seed).reshape(len(view), share, -1)
    return np.concatenate([cover, view[:, None]], axis=1).reshape(-1, view.shape[1])


def test_a_search_is_one_thread_and_climbs_in_it() -> None:
    assert _features(SEARCHES, "thread_share").min() > 0.9
    assert _features(SEARCHES, "thread_ascent").min() > 0.6


def test_cover_traffic_does_not_hide_a_thread() -> None:
    covered = [_covered(view, 4, seed) for seed, view in enumerate(SEARCHES)]
    assert _features(covered, "confidence_ascent").max() < 0.6
    assert _features(covered, "thread_ascent").min() > 0.6


def test_an_explainer_leaves_threads_in_which_nothing_climbs() -> None:
    assert np.nanmax(_features(EXPLAINERS, "thread_ascent")) < 0.35


def test_improvements_have_the_offspring_of_a_search_and_of_nothing_else() -> None:
    assert np.median(_features(SEARCHES, "offspring_asymmetry")) > 3.0
    assert np.nanmax(np.abs(_features(EXPLAINERS, "offspring_asymmetry"))) < 3.0
    assert np.nanmax(_features(SHUFFLED, "offspring_asymmetry")) < 3.0


def test_what_a_search_varies_is_the_best_at_hand() -> None:
    assert _features(SEARCHES, "parent_rank_asymmetry").min() > 0.2
    assert np.nanmax(_features(EXPLAINERS, "parent_rank_asymmetry")) < 0.2
    assert np.nanmax(_features(SHUFFLED, "parent_rank_asymmetry")) < 0.2


def test_unrelated_queries_have_no_kin() -> None:
    stream = Stream(ordinary(300, 9), _told(ordinary(300, 9)))
    told = features_of(SCHEMA, stream)
    assert told["kin_ratio"][0] < 0.1
    assert told["thread_length"][0] == 0.0
    assert np.isnan(told["thread_ascent"][0])


def test_repetitions_are_one_thread_and_no_kin() -> None:
    view = np.repeat(ordinary(1, 3), 60, axis=0)
    told = features_of(SCHEMA, Stream(view, _told(view)))
    assert (told["kin_ratio"][0], told["thread_length"][0]) == (0.0, 60.0)


def test_no_inputs_give_no_lineage() -> None:
    told = features_of(SCHEMA, Stream(probabilities=_told(ordinary(80))))
    assert told[["kin_ratio", "thread_ascent", "offspring_selection", "parent_rank"]].isna().all(axis=None)


@pytest.mark.parametrize("copies", [1, 3])
def test_others_in_the_block_change_nothing(copies: int) -> None:
    alone = feature(SCHEMA, "thread_ascent", Stream(SEARCHES[0], _told(SEARCHES[0])))
    among = _features([*EXPLAINERS[:copies], SEARCHES[0], *EXPLAINERS[:copies]], "thread_ascent")
    assert among[copies] == alone


@quick
@given(st.integers(0, 10_000), st.integers(2, 160), st.booleans())
def test_the_parent_is_that_of_a_plain_loop(seed: int, rows: int, backwards: bool) -> None:
    rng = np.random.default_rng(seed)
    view = rng.integers(0, 4, size=(rows, 3)).astype(np.float32)
    p = rng.random((rows, 2)).astype(np.float32)
    parent, same = np.empty(rows, np.int64), np.empty(rows, np.int64)
    distance = np.empty(rows, np.float32)
    starts, nobody = np.array([0, rows], np.int64), np.array([-1], np.int64)
    kernels.nearest_kin(view, view, starts, p, nobody, 2.1, backwards, parent, distance, same)
    for i in range(rows):
        order = (
            range(i + 1, min(rows, i + 1 + kernels.REACH))
            if backwards
            else range(i - 1, max(-1, i - 1 - kernels.REACH), -1)
        )
        gaps = [(float(((view[i] - view[j]) ** 2).sum()), j) for j in order]
        equal = [j for gap, j in gaps if gap == 0.0]
        near = [(gap, j) for gap, j in gaps if 0.0 < gap < 2.1**2]
        assert same[i] == (equal[0] if equal else -1)
        assert (parent[i] >= 0) == bool(near)
        if near:
            assert distance[i] == min(gap for gap, _ in near)
