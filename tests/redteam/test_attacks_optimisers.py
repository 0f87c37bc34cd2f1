"""Every optimiser climbs, on images and on records of named fields, from noise and from a record."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_attacks import asked, attacked, oracle_of

from detector.errors import SimulationError
from detector.redteam.attacks.annealing import AnnealingInversion
from detector.redteam.attacks.climbing import Climb
from detector.redteam.attacks.cma_es import CmaInversion
from detector.redteam.attacks.coordinate_search import CoordinateInversion
from detector.redteam.attacks.differential_evolution import DifferentialEvolutionInversion
from detector.redteam.attacks.natural_evolution import NaturalEvolutionInversion
from detector.redteam.attacks.particle_swarm import ParticleSwarmInversion
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.referee import Verdict
from detector.redteam.sessions import outsider
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Attack
    from detector.redteam.models import TargetModel

CLIMBS = (
    CmaInversion(9, budget=900),
    DifferentialEvolutionInversion(9, budget=1_500),
    DifferentialEvolutionInversion(9, budget=1_500, immediate=True),
    AnnealingInversion(9, budget=1_500),
    AnnealingInversion(9, budget=900, polished=True),
    ParticleSwarmInversion(9, budget=900),
    CoordinateInversion(9, budget=600),
    NaturalEvolutionInversion(9, budget=600),
)
RECORD_CLIMBS = (
    CmaInversion(1, budget=300, start="natural"),
    CmaInversion(1, budget=300, start="middle"),
    ParticleSwarmInversion(1, budget=300, start="middle"),
    DifferentialEvolutionInversion(1, budget=300, start="natural"),
    AnnealingInversion(1, budget=300, start="natural"),
    ParticleSwarmInversion(1, budget=300, start="natural"),
    CoordinateInversion(1, budget=300, start="natural"),
    NaturalEvolutionInversion(1, budget=300, start="natural"),
)


@pytest.mark.parametrize("attack", CLIMBS, ids=lambda attack: attack.family)
def test_every_optimiser_reaches_its_class_from_noise(attack: Attack, service: Service) -> None:
    outcome, verdict = attacked(attack, service)
    shown = np.concatenate([block.probabilities[:, 9] for block in service.blocks])
    assert (outcome.target, outcome.confidence) == ("9", shown.max())
    assert shown[0] < 0.5
    assert verdict == Verdict(success=True, resembles=False)
    assert asked(service) == attack.budget  # type: ignore[attr-defined]


@pytest.mark.parametrize("attack", RECORD_CLIMBS, ids=lambda attack: attack.family)
def test_every_optimiser_inverts_records_of_named_fields(attack: Attack, clinic: TargetModel) -> None:
    service = Service(clinic)
    outcome, verdict = attacked(attack, service)
    inputs = np.vstack([block.inputs for block in service.blocks])
    shown = np.concatenate([block.probabilities[:, 1] for block in service.blocks])
    levels = np.array(clinic.form.levels)
    assert verdict.success
    assert outcome.confidence == shown.max()
    assert shown[:20].min() < 0.5
    for column in np.flatnonzero(levels):
        assert set(inputs[:, column].tolist()) <= set(range(levels[column]))
    assert asked(service) == 300


def test_an_optimiser_leaves_the_generator_of_numpy_alone(service: Service) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    attacked(CmaInversion(9, budget=40), service)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_an_optimiser_that_is_not_installed_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(SimulationError, match="inv_cmaes needs the package cma"):
        attacked(CmaInversion(9, budget=40), service)


def test_the_same_seed_asks_the_same(digits: TargetModel) -> None:
    def inputs() -> np.ndarray:
        service = Service(digits)
        attacked(CmaInversion(9, budget=120), service)
        return np.vstack([block.inputs for block in service.blocks])

    assert np.array_equal(inputs(), inputs())


def test_a_search_from_the_middle_counts_in_the_units_of_the_records(clinic: TargetModel) -> None:
    knowledge = outsider(clinic, None, stream(1, "knowledge"))
    oracle = oracle_of(Service(clinic), Asking(probabilities=True))
    climb = Climb(oracle, knowledge, 1, 100, stream(1, "attack"), start="middle")
    numbers = np.array(clinic.form.levels) == 0
    mean, deviation = knowledge.pool.mean(axis=0), knowledge.pool.std(axis=0)
    middle, above = climb.inputs(np.array([[0.5] * climb.width, [0.8413447] * climb.width]))
    assert middle[numbers] == pytest.approx(mean[numbers])
    assert above[numbers] == pytest.approx((mean + deviation)[numbers], rel=1e-5)
    drawn = climb.inputs(stream(1, "points").random((4_000, climb.width)))
    assert (drawn >= knowledge.low).all()
    assert (drawn <= knowledge.high).all()
    for column in np.flatnonzero(~numbers):
        shares = [np.bincount(rows[:, column].astype(int), minlength=9) / len(rows) for rows in (drawn, knowledge.pool)]
        assert shares[0] == pytest.approx(shares[1], abs=0.03)


def test_levels_have_equal_parts_of_the_unit_interval(clinic: TargetModel) -> None:
    knowledge = outsider(clinic, None, stream(1, "knowledge"))
    climb = Climb(oracle_of(Service(clinic), Asking(probabilities=True)), knowledge, 1, 10, stream(1, "climb"))
    points = np.full((5, len(knowledge.low)), 0.5)
    points[:, -1] = [-0.2, 0.3, 0.34, 0.7, 1.0]
    assert climb.inputs(points)[:, -1].tolist() == [0.0, 0.0, 1.0, 2.0, 2.0]
    assert climb.inputs(points)[0, 0] == pytest.approx((knowledge.low[0] + knowledge.high[0]) / 2)
