"""Membership, attribute inference, extraction and evasion reach their own goals on real models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_attacks import asked, attacked

from detector.redteam import casting
from detector.redteam.attacks.active_extraction import ActiveExtraction
from detector.redteam.attacks.boundary_walk import BoundaryEvasion
from detector.redteam.attacks.copying import Copy, Features
from detector.redteam.attacks.jacobian import JacobianExtraction
from detector.redteam.attacks.membership_boundary import BoundaryMembership
from detector.redteam.attacks.membership_noise import NoiseMembership
from detector.redteam.attacks.membership_scores import ScoreMembership
from detector.redteam.attacks.nes_evasion import NesEvasion
from detector.redteam.attacks.square_attack import SquareEvasion
from detector.redteam.models import build
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.sessions import membership_quarry, outsider
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Attack
    from detector.redteam.models import TargetModel


@pytest.fixture(scope="module")
def overfit() -> TargetModel:
    return build("risk_overfit", 4)


@pytest.mark.parametrize(
    ("attack", "queries"),
    [
        (ScoreMembership(), 90),
        (NoiseMembership("scores"), 90 * 19),
        (NoiseMembership("labels"), 90 * 19),
        (BoundaryMembership(), None),
    ],
    ids=["score", "noise scores", "noise labels", "boundary"],
)
def test_membership_shows_in_a_model_that_knows_its_people_by_heart(
    attack: Attack, queries: int | None, overfit: TargetModel
) -> None:
    service = Service(overfit)
    _, verdict = attacked(attack, service, membership_quarry(overfit, 90, stream(2, "quarry")))
    assert verdict.success
    assert {block.asking for block in service.blocks} == {attack.asking}
    assert queries is None or asked(service) == queries


def test_one_query_a_record_is_the_record_itself(overfit: TargetModel) -> None:
    service, quarry = Service(overfit), membership_quarry(overfit, 30, stream(2, "quarry"))
    attacked(ScoreMembership(), service, quarry)
    assert np.array_equal(np.vstack([block.inputs for block in service.blocks]), quarry.known.rows)


@pytest.mark.parametrize("family", ["attr_fredrikson", "attr_confidence"])
def test_attributes_are_recovered_from_each_completed_record(family: str, clinic: TargetModel) -> None:
    attack, quarry = casting.role(family).cast(clinic, stream(3, "cast"))
    service = Service(clinic)
    _, verdict = attacked(attack, service, quarry)
    assert verdict.success
    assert asked(service) == 150 * 3


@pytest.mark.parametrize("attack", [JacobianExtraction(budget=1_200), ActiveExtraction(budget=600)])
def test_extraction_reads_labels_alone(attack: Attack, service: Service) -> None:
    _, verdict = attacked(attack, service)
    assert verdict.success
    assert {block.asking for block in service.blocks} == {Asking()}
    assert asked(service) == attack.budget  # type: ignore[attr-defined]


def test_active_extraction_never_asks_twice(service: Service) -> None:
    attacked(ActiveExtraction(budget=300), service)
    rows = np.vstack([block.inputs for block in service.blocks])
    assert len(np.unique(rows, axis=0)) == 300


@pytest.mark.parametrize("attack", [SquareEvasion(budget=600), NesEvasion(budget=600), BoundaryEvasion(budget=1_500)])
def test_evasion_ends_nearer_than_nature(attack: Attack, service: Service) -> None:
    outcome, verdict = attacked(attack, service)
    assert verdict.success
    assert asked(service) == pytest.approx(attack.budget, abs=1)  # type: ignore[attr-defined]
    assert outcome.source is not None
    pool = outsider(service.model, None, stream(1, "knowledge")).pool
    assert (pool == outcome.source).all(axis=1).any()


def test_evasion_leaves_categories_alone(clinic: TargetModel) -> None:
    service = Service(clinic)
    outcome, _ = attacked(NesEvasion(budget=200), service)
    assert outcome.best is not None
    assert outcome.source is not None
    assert outcome.best[6:].tolist() == outcome.source[6:].tolist()


@pytest.mark.parametrize("name", ["digits", "clinic"])
def test_a_copys_slopes_are_those_of_its_score(name: str, request: pytest.FixtureRequest) -> None:
    model: TargetModel = request.getfixturevalue(name)
    knowledge = replace(outsider(model, None, stream(1, "knowledge")))
    rows = knowledge.pool[:200]
    labels = model.predict(model.form.clean(rows)).argmax(axis=1)
    copy = Copy.taught(knowledge, rows, labels, stream(1, "copy"), passes=5)
    assert copy.network is not None
    numbers = np.flatnonzero(np.array(model.form.levels) == 0)
    column, small = int(numbers[len(numbers) // 2]), 1e-7
    moved = rows.copy()
    moved[:, column] += small * Features.of(knowledge).span[column]
    (first, second), (offset, last) = copy.network.weights, copy.network.offsets

    def score(inputs: np.ndarray) -> np.ndarray:
        out = np.maximum(copy.features.unfold(inputs) @ first + offset, 0.0) @ second + last
        return out[np.arange(len(labels)), labels] if out.shape[1] > 1 else np.where(labels > 0, out[:, 0], -out[:, 0])

    grown = (score(moved) - score(rows)) / small
    assert copy.slopes(rows, labels)[:, column] == pytest.approx(grown, abs=1e-4)
