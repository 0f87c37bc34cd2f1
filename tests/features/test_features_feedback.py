from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, schema_of

from detector.features import kernels

SCHEMA = schema_of(ordinary(512))


def _told(view: np.ndarray) -> np.ndarray:
    # So smooth that a climb does not use up the logged digits.
    return answers(view, sharpness=0.15)


def _one_plus_one(seed: int, rows: int = 300) -> np.ndarray:
    """Climb by a (1+1) evolution strategy: keep what raised the probability of the first class."""
    rng = np.random.default_rng(seed)
    at = 2.0 * rng.normal(size=8)
    best, asked = _told(at[None])[0, 0], [at]
    while len(asked) < rows:
        tried = at + 0.15 * rng.normal(size=8)
        asked.append(tried)
        if (reached := _told(tried[None])[0, 0]) > best:
            at, best = tried, reached
    return np.array(asked)


def _population(seed: int, rows: int = 300) -> np.ndarray:
    """Climb by generations of 20 around the mean of the best five."""
    rng = np.random.default_rng(seed)
    middle, asked = 2.0 * rng.normal(size=8), []
    while len(asked) < rows:
        tried = middle + 0.3 * rng.normal(size=(20, 8))
        asked.extend(tried)
        middle = tried[np.argsort(-_told(tried)[:, 0])[:5]].mean(axis=0)
    return np.array(asked[:rows])


def _features(views: list[np.ndarray], name: str) -> np.ndarray:
    return features_of(SCHEMA, *(Stream(view, _told(view)) for view in views))[name].to_numpy()


ONE_PLUS_ONE = [_one_plus_one(seed) for seed in range(12)]
POPULATIONS = [_population(seed) for seed in range(12)]


def _shuffled(views: list[np.ndarray]) -> list[np.ndarray]:
    return [np.random.default_rng(seed).permutation(view) for seed, view in enumerate(views)]


def test_a_search_that_keeps_what_is_better_reacts_to_answers() -> None:
    assert _features(ONE_PLUS_ONE, "accept_reject_asymmetry").min() > 1.5


def test_the_same_queries_in_shuffled_order_react_to_nothing() -> None:
    got = _features(_shuffled(ONE_PLUS_ONE + POPULATIONS), "accept_reject_asymmetry")
    # Most are null: a shuffled order has too few successes to compare.
    assert np.nanmax(got) < 0.5
    assert np.isnan(got).mean() > 0.5


def test_ordinary_queries_react_to_nothing() -> None:
    got = _features([ordinary(400, seed) for seed in range(30)], "accept_reject_asymmetry")
    # A new best lies farther out than the old one, and what follows is nearer to the old: the null is below zero.
    assert np.nanmax(got) < 0.3


def test_generations_follow_the_gradient_of_the_last_answers() -> None:
    got = _features(POPULATIONS, "feedback_alignment")
    assert got.min() > 0.1
    backwards = _features([view[::-1] for view in POPULATIONS], "feedback_alignment")
    assert backwards.max() < 0.0


def test_shuffled_generations_follow_nothing() -> None:
    got = _features(_shuffled(POPULATIONS), "feedback_alignment")
    assert abs(got.mean()) < 0.08


def test_a_stream_sorted_by_its_score_climbs_without_following_answers() -> None:
    views = [ordinary(800, seed) for seed in range(30)]
    ordered = [view[np.argsort(_told(view)[:, 0])] for view in views]
    got = _features(ordered, "feedback_alignment")
    assert _features(ordered, "confidence_ascent").min() > 0.99
    # Symmetric in time: none on the whole, though one stream's mean of 38 blocks still varies.
    assert abs(got.mean()) < 3.0 * got.std() / np.sqrt(len(got))
    assert np.isnan(_features(ordered, "accept_reject_asymmetry")).all()


def test_a_shuffled_attack_falls_to_the_benign_range_of_ascent() -> None:
    benign = _features([ordinary(300, seed) for seed in range(30)], "confidence_ascent")
    assert _features(ONE_PLUS_ONE, "confidence_ascent").min() > 0.95
    assert np.median(_features(_shuffled(ONE_PLUS_ONE), "confidence_ascent")) <= np.quantile(benign, 0.95)


def test_where_the_digits_are_used_up_nothing_more_is_read() -> None:
    view = ordinary(200)
    told = np.zeros((200, 3), dtype=np.float32)
    told[:, 0] = np.concatenate([np.linspace(0.1, 0.9, 60), np.full(140, 0.9995)])
    out = np.zeros((1, 6))
    kernels.accept_reject(view, told, np.array([0, 200]), np.array([0]), out)
    cut = np.zeros((1, 6))
    kernels.accept_reject(view[:62], told[:62], np.array([0, 62]), np.array([0]), cut)
    np.testing.assert_array_equal(cut, out)


def _naive_reactions(view: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Return count, sum and sum of squares of the log ratios after successes, then after failures."""
    logs: tuple[list[float], list[float]] = ([], [])
    best = 0
    for i in range(1, len(view) - 1):
        is_success = told[i] > told[best]
        near = np.linalg.norm(view[i + 1] - view[i])
        far = np.linalg.norm(view[i + 1] - view[best])
        if near > 0 and far > 0:
            logs[0 if is_success else 1].append(np.log(near / far))
        best = i if is_success else best
    return np.concatenate([[len(x), np.sum(x), np.sum(np.square(x))] for x in logs])


@pytest.mark.parametrize("seed", range(5))
def test_reactions_are_those_of_a_plain_loop(seed: int) -> None:
    view, told = ordinary(120, seed), np.random.default_rng(seed).random(120).astype(np.float32) * 0.9
    out = np.zeros((1, 6))
    kernels.accept_reject(view, told[:, None], np.array([0, 120]), np.array([0]), out)
    np.testing.assert_allclose(out[0], _naive_reactions(view.astype(float), told), rtol=1e-4)


def test_too_few_answers_or_blocks_tell_nothing() -> None:
    view = _population(1, 120)
    stream = Stream(view, _told(view))
    assert np.isnan(feature(SCHEMA, "feedback_alignment", stream))
    view = _population(1, 140)
    assert not np.isnan(feature(SCHEMA, "feedback_alignment", Stream(view, _told(view))))


@pytest.mark.parametrize("name", ["feedback_alignment", "accept_reject_asymmetry"])
def test_without_inputs_or_scores_nothing_is_told(name: str) -> None:
    view = ONE_PLUS_ONE[0]
    assert np.isnan(feature(SCHEMA, name, Stream(view)))
    assert np.isnan(feature(SCHEMA, name, Stream(probabilities=_told(view))))
    assert np.isnan(feature(SCHEMA, name, Stream(np.full((300, 8), np.nan), _told(view))))
