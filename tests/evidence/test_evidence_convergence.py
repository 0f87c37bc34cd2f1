"""Which query an attacker kept: searches of several kinds, whose best answers are equal as they are rounded."""

from __future__ import annotations

import json

import numpy as np
import pytest
from evidence_making import inputs, no_inputs, queries

from detector.evidence import convergence, pursuit
from detector.evidence.context import Inputs, Pursuit
from detector.model import InputKind

NAMES = ("cat", "dog")
WIDTH = 12


def _found(cat: np.ndarray, held: Inputs) -> Pursuit:
    asked = queries(np.stack([cat, 1 - cat], axis=1), classes=NAMES)
    found, *_ = pursuit.find(asked, {"cat": (np.arange(len(asked)), "climb-1")})
    return convergence.settled(found, asked, held)


def _mutants(rng: np.random.Generator, count: int, *, replaces: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Return points and scores of a (1+1) search on a rounded slope, and which query it holds in the end."""
    parent, reached, held = np.full(WIDTH, 0.8), 0.0, 0
    points, scores = [], []
    for number in range(count):
        point = np.clip(parent + 0.05 * rng.standard_normal(WIDTH), 0.0, 1.0) if number else parent
        score = round(float(1 / (1 + np.exp(20 * (point.mean() - 0.6)))), 2)
        points.append(point)
        scores.append(score)
        if score > reached or (replaces and score == reached):
            parent, reached, held = point, score, number
    return np.array(points), np.array(scores), held


@pytest.mark.parametrize("seed", range(4))
def test_mutation_that_goes_on_from_equals_holds_the_last(seed: int) -> None:
    points, scores, last = _mutants(np.random.default_rng(seed), 500, replaces=True)
    found = _found(scores, inputs(points))
    assert (scores == scores.max()).sum() > 10
    assert found.best[0] == last


@pytest.mark.parametrize("seed", range(4))
def test_mutation_that_wants_better_ones_holds_the_first(seed: int) -> None:
    points, scores, first = _mutants(np.random.default_rng(seed), 500, replaces=False)
    assert _found(scores, inputs(points)).best[0] == first


@pytest.mark.parametrize("seed", range(4))
def test_a_population_on_a_plateau_holds_the_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre = np.linspace(0.8, 0.2, 40)[:, None, None] * np.ones((1, 1, WIDTH))
    points = (centre + 0.05 * rng.standard_normal((40, 15, WIDTH))).reshape(-1, WIDTH)
    scores = np.round(1 / (1 + np.exp(40 * (points.mean(axis=1) - 0.5))), 2)
    assert _found(scores, inputs(points)).best[0] == int(scores.argmax())


def test_a_search_that_begins_anew_at_each_summit_holds_the_first() -> None:
    rng = np.random.default_rng(1)
    climbs = [np.linspace(start, 0.3, 60) for start in rng.uniform(0.7, 0.9, (8, WIDTH))]
    points = np.concatenate(climbs) + 0.002 * rng.standard_normal((480, WIDTH))
    scores = np.tile(np.append(np.linspace(0.05, 0.99, 59), 1.0), 8)
    found = _found(scores, inputs(points))
    assert found.best[0] == 59
    # The summits of the other climbs are shown beside it.
    assert set(found.best) <= set(range(59, 480, 60))


def test_an_ordinary_query_among_the_climb_is_not_its_result() -> None:
    rng = np.random.default_rng(5)
    cat = np.interp(np.arange(60), [0, 45, 60], [0.02, 0.9, 0.9])
    points = np.cumsum(0.01 * rng.normal(size=(60, 8)), axis=0)
    points[55] += 30
    cat[55] = 1.0
    found = _found(cat, inputs(points))
    assert 55 not in found.best
    assert found.final == pytest.approx(0.9)
    assert np.isnan(found.probability[55])
    assert _found(cat, no_inputs()).best[0] == 55


def test_a_leap_of_a_search_that_leaps_is_no_ordinary_query() -> None:
    rng = np.random.default_rng(6)
    steps = 0.01 * rng.normal(size=(80, 8))
    steps[::7] *= 30
    cat = np.linspace(0.1, 0.8, 80)
    cat[49] = 0.95
    assert _found(cat, inputs(np.cumsum(steps, axis=0))).best[0] == 49


def test_the_same_input_is_shown_once() -> None:
    points = np.linspace(0, 1, 40)[:, None] * np.ones((1, 6))
    points[32:] = points[31]
    cat = np.append(np.linspace(0.1, 0.9, 32), np.full(8, 0.9))
    found = _found(cat, inputs(points))
    assert found.best[0] == 31
    assert not set(found.best) & set(range(32, 40))


def test_records_are_points_too() -> None:
    rng = np.random.default_rng(3)
    points, scores, last = _mutants(rng, 400, replaces=True)
    rows = tuple(json.dumps({f"field{k}": value for k, value in enumerate(row)}).encode() for row in points)
    held = Inputs(np.arange(len(rows)), InputKind.RECORD, np.empty((len(rows), 0), dtype=np.float32), rows)
    assert _found(scores, held).best[0] == last


def test_texts_and_records_that_are_none_do_no_harm() -> None:
    for kind, row in ((InputKind.TEXT, b"a word"), (InputKind.RECORD, b"[1]"), (InputKind.RECORD, b"no json")):
        held = Inputs(np.arange(40), kind, np.empty((40, 0), dtype=np.float32), (row,) * 40)
        assert _found(np.minimum(np.linspace(0.1, 1.2, 40), 0.9), held).best == (29,)
