"""Inversion of the text model by exchanging words."""

from __future__ import annotations

import numpy as np
import pytest
from assault import assault, trained

from detector.redteam.attacks.token_substitution import TokenSubstitution
from detector.redteam.traffic import Asking


@pytest.mark.parametrize("attack", [TokenSubstitution(0), *(TokenSubstitution(n, start="words") for n in (1, 3, 5))])
def test_words_are_exchanged_until_the_class_is_certain(attack: TokenSubstitution) -> None:
    seen = assault(trained("topics"), attack, attack.target)
    assert seen.verdict.success
    assert seen.final > 0.99
    assert seen.outcome.confidence == seen.shown.max()
    assert np.median(seen.shown[:10]) < 0.8
    assert 1_480 <= len(seen.rows) <= 1_500


def test_one_word_differs_within_a_block() -> None:
    seen = assault(trained("topics"), TokenSubstitution(1, budget=121), 1)
    blocks = seen.rows[1:].reshape(10, 12, -1)
    places = [np.flatnonzero((block != block[0]).any(axis=0)) for block in blocks]
    assert {len(place) for place in places} == {1}
    for block, place in zip(blocks, places, strict=True):
        assert len(set(block[:, place[0]].tolist())) == 12
    assert len({int(place[0]) for place in places[:8]}) == 8


def test_the_climb_never_goes_back() -> None:
    seen = assault(trained("topics"), TokenSubstitution(3, budget=601), 3)
    best = np.maximum.accumulate(seen.shown)
    held = [row for row in seen.rows if np.isin(row, [*seen.knowledge.pool.ravel(), 0.0]).all()]
    assert len(held) == len(seen.rows)
    assert best[-1] > best[0]
    assert TokenSubstitution.asking == Asking(probabilities=True)


def test_random_words_are_as_many_as_asked_for() -> None:
    first = assault(trained("topics"), TokenSubstitution(3, budget=13, start="words", length=9), 3).rows[0]
    assert (first > 0).sum() == 9
    longest = assault(trained("topics"), TokenSubstitution(3, budget=13, start="words", length=99), 3).rows[0]
    assert (longest > 0).all()
