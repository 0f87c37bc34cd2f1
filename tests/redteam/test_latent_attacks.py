"""Inversion in a latent space of the attacker's own."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from assault import assault, trained

from detector.errors import SimulationError
from detector.redteam.attacks.latent import LatentSpace
from detector.redteam.attacks.latent_genetic import LatentGenetic
from detector.redteam.attacks.latent_sweep import LatentSweep
from detector.redteam.attacks.record_genetic import RecordGenetic
from detector.redteam.attacks.sphere_sampling import SphereSampling
from detector.redteam.networks import Network
from detector.redteam.randomness import stream
from detector.redteam.sessions import outsider
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Attack, Knowledge
    from detector.redteam.models import TargetModel

SCORES = [LatentSweep(2), LatentSweep(2, climber="oneplusone", offline=False), LatentGenetic(2)]


def knowing(model: TargetModel) -> Knowledge:
    return outsider(model, None, stream(1, "knowledge"))


class TestLatentSpace:
    def test_enough_components_give_the_records_back(self) -> None:
        knowledge = knowing(trained("risk"))
        space = LatentSpace.learned(knowledge, 1_000)
        inside = np.clip(knowledge.pool, knowledge.low, knowledge.high)
        assert space.size <= 9 + 2 + 4 + 5 + 3 + 3 - 5
        assert space.decode(space.codes) == pytest.approx(inside, rel=1e-6, abs=1e-6)

    def test_latents_of_records_have_unit_variance(self) -> None:
        space = LatentSpace.learned(knowing(trained("digits")), 12)
        assert space.codes.std(axis=0) == pytest.approx(np.ones(12))
        assert space.codes.mean(axis=0) == pytest.approx(np.zeros(12), abs=1e-9)

    def test_what_it_draws_lies_among_the_records(self) -> None:
        model = trained("digits")
        knowledge = knowing(model)
        drawn = LatentSpace.learned(knowledge, 20)
        natural = drawn.decode(drawn.draw(100, stream(1, "draw")))
        noise = stream(1, "noise").random((100, 64))
        nearest = [
            np.median(np.linalg.norm(rows[:, None] - model.train.rows[None], axis=2).min(axis=1))
            for rows in (natural, noise)
        ]
        assert nearest[0] < 0.6 * nearest[1]

    @pytest.mark.parametrize("name", ["biopsy", "risk", "clinic"])
    def test_every_input_is_one_that_the_form_takes(self, name: str) -> None:
        model = trained(name)
        space = LatentSpace.learned(knowing(model), 8)
        rows = space.decode(5 * stream(1, "far").standard_normal((300, space.size)))
        low, high, levels = model.form.low, model.form.high, np.array(model.form.levels)
        assert (rows >= low - 1e-9).all()
        assert (rows <= high + 1e-9 * np.abs(high)).all()
        assert np.array_equal(rows[:, levels > 0], np.rint(rows[:, levels > 0]))


@pytest.mark.parametrize("name", ["numerals", "digits", "clinic", "risk"])
@pytest.mark.parametrize("attack", SCORES, ids=["cma", "oneplusone", "genetic"])
def test_scores_are_climbed_in_a_latent_space(attack: LatentSweep | LatentGenetic, name: str) -> None:
    model = trained(name)
    target = 2 % len(model.classes)
    seen = assault(model, replace(attack, target=target), target)
    assert seen.outcome.target == model.classes[target]
    assert seen.verdict.success
    assert seen.outcome.confidence == seen.shown.max() == pytest.approx(seen.final, abs=1e-4)
    assert seen.shown[:100].mean() < seen.final - 0.25
    assert 1_000 <= len(seen.rows) <= 4_000


@pytest.mark.parametrize("name", ["numerals", "digits", "clinic", "risk"])
def test_labels_alone_lead_into_the_class(name: str) -> None:
    model = trained(name)
    target = 2 % len(model.classes)
    seen = assault(model, SphereSampling(target), target)
    assert SphereSampling.asking == Asking()
    assert seen.outcome.confidence is None
    assert seen.verdict.success
    assert seen.final >= 0.9
    assert len(seen.rows) <= 3_000


def test_forests_are_climbed_over_their_plateaus() -> None:
    attacks: list[Attack] = [LatentSweep(1), LatentGenetic(1), SphereSampling(1)]
    finals = [assault(trained("biopsy"), attack, 1).final for attack in attacks]
    assert min(finals) > 0.9


def test_a_sweep_asks_in_bulk_and_climbs_shortly() -> None:
    seen = assault(trained("digits"), LatentSweep(4, sweep=900, climb=200, climber="oneplusone"), 4)
    assert len(seen.rows) == 1_100
    assert np.median(seen.shown[:900]) < 0.1
    assert np.median(seen.shown[900:]) > 0.9


def test_a_surrogate_starts_the_climb_higher_than_chance() -> None:
    starts = [
        assault(trained("digits"), LatentSweep(4, sweep=400, climb=1, climber="oneplusone", offline=offline), 4).shown
        for offline in (True, False)
    ]
    assert starts[0][400] > 0.9
    assert starts[1][400] == pytest.approx(starts[1][:400].max(), abs=1e-4)


def test_generations_have_one_size_and_repeat_their_elites() -> None:
    attack = LatentGenetic(4, sweep=200, population=30, generations=10, elite=5)
    seen = assault(trained("digits"), attack, 4)
    assert len(seen.rows) == 200 + 10 * 30
    generations = [{row.tobytes() for row in part} for part in np.split(seen.rows[200:], 10)]
    again = [len(before & after) for before, after in pairwise(generations)]
    assert min(again) >= 5
    best = [part.max() for part in np.split(seen.shown[200:], 10)]
    assert best == sorted(best)


def test_spheres_come_in_blocks_and_grow() -> None:
    attack = SphereSampling(4, budget=1_500)
    seen = assault(trained("digits"), attack, 4)
    space = LatentSpace.learned(seen.knowledge, attack.size)
    latents = ((seen.rows - space.centre) @ space.axes.T) / (space.axes**2).sum(axis=1)
    within = [np.ptp(latents[start : start + 32], axis=0).mean() for start in range(64, len(latents) - 32, 33)]
    assert max(within) > 3 * min(within)
    assert len(np.unique(seen.rows, axis=0)) == len(seen.rows)


def test_a_class_that_never_answers_is_not_inverted() -> None:
    model = trained("digits")
    offsets = np.zeros(10)
    offsets[0] = 1.0
    nothing = Network(np.arange(10), (np.zeros((64, 1)), np.zeros((1, 10))), (np.zeros(1), offsets))
    stubborn = replace(model, classifier=nothing)
    labels = assault(stubborn, SphereSampling(3, budget=320), 3)
    assert labels.outcome.best is None
    assert not labels.verdict.success
    assert len(labels.rows) == 320
    scores = assault(stubborn, LatentSweep(3, sweep=50, climb=40), 3)
    assert scores.outcome.confidence == scores.shown.max() < 0.2
    assert not scores.verdict.success


def test_the_same_chance_gives_the_same_queries() -> None:
    model = trained("digits")
    for attack in (LatentSweep(1, sweep=60, climb=60), LatentGenetic(1, sweep=60, generations=2), SphereSampling(1)):
        first, second, other = (assault(model, attack, 1, seed).rows for seed in (1, 1, 2))
        assert np.array_equal(first, second)
        assert not np.array_equal(first[:60], other[:60])


def test_without_the_optimiser_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(SimulationError, match=r"inv_latent_sweep needs the package cma .*\[redteam\]"):
        assault(trained("digits"), LatentSweep(1, sweep=20, climb=20), 1)


@pytest.mark.parametrize("name", ["risk", "clinic", "digits"])
def test_records_are_bred_from_values_that_records_hold(name: str) -> None:
    model = trained(name)
    seen = assault(model, RecordGenetic(1, population=30, generations=12, elite=3), 1)
    assert len(seen.rows) == 30 + 12 * 27
    pool = model.form.clean(seen.knowledge.pool)
    for column in range(seen.rows.shape[1]):
        assert set(seen.rows[:, column]) <= set(pool[:, column])
    assert seen.outcome.confidence == pytest.approx(seen.shown.max(), abs=1e-4)
    assert seen.shown[-27:].mean() > seen.shown[:30].mean() + 0.2
