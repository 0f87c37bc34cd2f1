"""The benign workloads that look like attacks: what all have in common, and what each one is."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from detector.errors import SimulationError
from detector.redteam.models import build
from detector.redteam.nights import HOUR, NIGHT, Nights
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.traffic import Asking, Client, Pace
from detector.redteam.workloads.base import Desk, Employment, Workload, carry_out
from detector.redteam.workloads.counterfactual import Counterfactual
from detector.redteam.workloads.dependence import IndividualExpectation, PartialDependence
from detector.redteam.workloads.fairness import FairnessAudit
from detector.redteam.workloads.importance import PermutationImportance
from detector.redteam.workloads.labelling import ActiveLabeller
from detector.redteam.workloads.lime import Lime
from detector.redteam.workloads.monitoring import Replay
from detector.redteam.workloads.occlusion import Occlusion
from detector.redteam.workloads.ordinary import OrdinaryTraffic
from detector.redteam.workloads.quality import EdgeValues, Fuzzer
from detector.redteam.workloads.registry import OCCUPATIONS, Occupation, occupations_for
from detector.redteam.workloads.schedule import Schedule
from detector.redteam.workloads.sensitivity import MorrisScreening, SobolIndices
from detector.redteam.workloads.shapley import Shapley
from detector.redteam.workloads.sorted_batch import SortedBatch
from detector.redteam.workloads.thresholds import WhatIf
from detector.redteam.workloads.tuning import Tuning
from detector.redteam.workloads.video import Video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Block
    from detector.redteam.workloads.routine import Dialogue

NIGHTS = Nights(date(2026, 11, 10), 2)
EVERYTHING = Asking(probabilities=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As a drill has it: with models this small, more threads wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def topics() -> TargetModel:
    return build("topics", 4)


def done(occupation: Occupation, model: TargetModel, name: str) -> tuple[Block, ...]:
    service, rng = Service(model), stream(3, occupation.family, name)
    carry_out(occupation.employ(model, rng), Desk(service, Client.draw(rng), rng), NIGHTS, rng)
    return service.blocks


def asked(dialogue: Dialogue, model: TargetModel, name: str = "dialogue") -> tuple[FloatArray, int]:
    """The inputs of one visit, and how often the client waited for answers."""
    service, rng = Service(model), stream(3, name)
    line = Desk(service, Client.draw(rng), rng).line(NIGHTS.begins, EVERYTHING, Pace(0.01))
    dialogue.visit(line.ask, model, rng)
    return np.vstack([block.inputs for block in service.blocks]), len(service.blocks)


@pytest.mark.parametrize("name", ["digits", "clinic", "topics"])
@pytest.mark.parametrize("occupation", OCCUPATIONS, ids=lambda each: each.family)
def test_every_workload_runs_where_it_fits(occupation: Occupation, name: str, request: pytest.FixtureRequest) -> None:
    model: TargetModel = request.getfixturevalue(name)
    if not occupation.fits(model):
        assert name in {"digits", "topics"}, "records have all that any of them needs"
        return
    blocks = done(occupation, model, "one")
    times = np.concatenate([block.times for block in blocks])
    assert 20 < len(times) < 12_000
    assert NIGHTS.begins <= times.min()
    assert times.max() < NIGHTS.ends
    assert all(np.isfinite(block.inputs).all() for block in blocks)


@pytest.mark.parametrize("occupation", OCCUPATIONS, ids=lambda each: each.family)
def test_no_two_clients_are_alike_but_each_is_like_itself(occupation: Occupation, clinic: TargetModel) -> None:
    sent = [np.vstack([block.inputs for block in done(occupation, clinic, name)]) for name in ("a", "a", "b")]
    assert np.array_equal(sent[0], sent[1])
    assert not np.array_equal(sent[0], sent[2])


def test_families_are_named_once_and_alike() -> None:
    families = [each.family for each in OCCUPATIONS]
    assert len(families) == len(set(families)) == 22
    assert [family for family in families if not family.startswith("benign_")] == []


def test_what_fits(digits: TargetModel, clinic: TargetModel, topics: TargetModel) -> None:
    everything = {each.family for each in OCCUPATIONS}
    fitting = [{each.family for each in occupations_for(model)} for model in (digits, clinic, topics)]
    assert everything - fitting[0] == {"benign_fairness_audit"}
    assert fitting[1] == everything
    assert "benign_pdp" not in fitting[2]
    assert "benign_lime" in fitting[2]


def test_an_employee_idles_first_and_keeps_its_old_work(digits: TargetModel) -> None:
    service, rng = Service(digits), stream(3, "employee")
    batch = Employment(
        main=done_by(SortedBatch(100), hour=5.0),
        idle=1,
        past=OrdinaryTraffic(30.0),
    )
    assert batch.family == "benign_sorted_batch"
    carry_out(batch, Desk(service, Client.draw(rng), rng), NIGHTS, rng)
    past, main = service.blocks
    assert set(NIGHTS.index_of(past.times).tolist()) == {0, 1}
    assert set(NIGHTS.index_of(main.times).tolist()) == {1}
    assert len(main.times) == 100


def done_by(study: SortedBatch, hour: float) -> Workload:
    from detector.redteam.workloads.routine import Routine

    return Routine(study, Schedule((hour,)))


def test_a_visit_never_runs_past_midnight() -> None:
    schedule = Schedule((21.9,), page=1, gap_s=5.0, pause_s=60.0)
    (start, _) = schedule.starts(NIGHTS, stream(3, "late"))
    times = schedule.times(start, 3_000, NIGHTS, stream(3, "times"))
    assert np.all(np.diff(times) >= 0)
    assert times[-1] < NIGHTS.midnight(1)
    waits = schedule.pace_for(start, 3_000, NIGHTS).gaps(3_000, stream(3, "gaps")).sum()
    assert start + waits < NIGHTS.midnight(1)


def test_at_least_one_visit_takes_place() -> None:
    schedule = Schedule((3.0, 9.0), kept=0.0)
    (start,) = schedule.starts(NIGHTS, stream(3, "seldom"))
    assert (start - NIGHTS.begins) % NIGHT // HOUR in {3, 9}


def test_shap_replaces_fields_by_the_background(clinic: TargetModel) -> None:
    inputs, rounds = asked(Shapley(records=2, samples=40, background=3), clinic)
    assert len(np.unique(inputs, axis=0)) > 80
    assert rounds > 3
    for column in range(inputs.shape[1]):
        # Three background rows and two records: nothing else is ever sent.
        assert len(np.unique(inputs[:, column])) <= 5


def test_shap_leaves_numpy_as_it_was(clinic: TargetModel) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - that generator is the one in question
    asked(Shapley(records=1, samples=40, background=1), clinic)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_shapley_orders_go_forth_and_back(clinic: TargetModel) -> None:
    inputs, _ = asked(Shapley(records=1, samples=19, background=1, explainer="permutation"), clinic, "orders")
    sent = inputs[np.append(True, np.any(np.diff(inputs, axis=0) != 0, axis=1))]
    assert np.array_equal(inputs[0], inputs[-1])
    assert np.all((np.diff(sent, axis=0) != 0).sum(axis=1) == 1)


def test_without_the_library_the_error_says_what_to_install(
    clinic: TargetModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(SimulationError, match=r"inversion-detector\[redteam\]"):
        asked(Shapley(records=1), clinic)


@pytest.mark.parametrize("around", ["population", "record", "quartiles", "superpixels"])
def test_lime_starts_each_cloud_with_its_record(clinic: TargetModel, around: str) -> None:
    cloud = next(Lime(records=3, perturbations=50, around=around).visits(clinic, stream(3, around)))  # type: ignore[arg-type]
    assert cloud.shape == (150, 9)
    numbers = cloud[:, :6].reshape(3, 50, 6)
    span = clinic.form.high[:6] - clinic.form.low[:6]
    if around == "record":
        assert np.all(np.abs(numbers.mean(axis=1) - numbers[:, 0]) < 0.2 * span)
    if around == "superpixels":
        assert np.all(np.any(numbers == numbers[:, :1], axis=2)[:, 0])
    levels = np.array(clinic.form.levels[6:])
    assert np.all((cloud[:, 6:] >= 0) & (cloud[:, 6:] < levels))


def test_occlusion_covers_one_square_at_a_time(digits: TargetModel) -> None:
    table = next(Occlusion(records=2, side=2, stride=2).visits(digits, stream(3, "occlusion")))
    assert table.shape == (2 * 17, 64)
    changed = (table[1:17] != table[0]).reshape(16, 8, 8)
    assert changed.any(axis=(1, 2)).sum() > 8
    assert np.all(changed.any(axis=1).sum(axis=1) <= 2)
    assert np.all(table[1:17][changed.reshape(16, 64)] == 0.0)


def test_dependence_goes_by_value_and_expectation_by_record(clinic: TargetModel) -> None:
    averaged = next(PartialDependence(records=7, fields=1, points=5).visits(clinic, stream(3, "pdp")))
    curves = next(IndividualExpectation(records=7, fields=1, points=5).visits(clinic, stream(3, "pdp")))
    (column,) = np.flatnonzero(np.all(averaged[:7] == averaged[0], axis=0) & (np.ptp(averaged, axis=0) > 0))
    points = len(averaged) // 7
    assert np.array_equal(averaged.reshape(points, 7, 9).transpose(1, 0, 2).reshape(-1, 9), curves)
    assert np.all(np.diff(curves.reshape(7, points, 9)[:, :, column], axis=1) > 0)


def test_permutation_keeps_every_columns_values(clinic: TargetModel) -> None:
    tables = next(PermutationImportance(records=12, repeats=2).visits(clinic, stream(3, "permutation")))
    tables = tables.reshape(1 + 9 * 2, 12, 9)
    assert np.array_equal(np.sort(tables, axis=1), np.repeat(np.sort(tables[:1], axis=1), 19, axis=0))
    assert np.all((tables[1:] != tables[0]).any(axis=1).sum(axis=1) <= 1)


def test_a_counterfactual_is_searched_by_the_answers(clinic: TargetModel) -> None:
    inputs, rounds = asked(Counterfactual(records=4, sphere=30), clinic)
    assert len(inputs) == pytest.approx(30 * rounds, rel=0.9)
    assert rounds > 8
    labels = clinic.predict(inputs).argmax(axis=1)
    assert set(labels.tolist()) == {0, 1}


def test_what_if_halves_down_to_where_the_label_changes(clinic: TargetModel) -> None:
    inputs, rounds = asked(WhatIf(records=6, fields=6, points=9, halvings=8), clinic)
    single = rounds - 36
    assert single > 0
    assert single % 8 == 0
    assert len(inputs) >= 36


def test_a_sorted_batch_climbs_though_nobody_does(digits: TargetModel) -> None:
    visits = SortedBatch(200, rising=True, changed=0.2).visits(digits, stream(3, "sorted"))
    scores = digits.predict(digits.form.clean(next(visits)))
    climbs = [np.corrcoef(np.arange(200), np.argsort(np.argsort(column)))[0, 1] for column in scores.T]
    assert max(climbs) > 0.9
    assert len(next(visits)) == 200


def test_a_fairness_audit_changes_one_category_and_nothing_else(clinic: TargetModel) -> None:
    rows = next(FairnessAudit(records=5, choice=0.9).visits(clinic, stream(3, "audit"))).reshape(5, 3, 9)
    assert np.all(np.ptp(rows[:, :, :-1], axis=1) == 0)
    assert np.array_equal(np.sort(rows[:, :, -1], axis=1), np.tile([0.0, 1.0, 2.0], (5, 1)))


def test_a_replay_sends_nothing_new(digits: TargetModel) -> None:
    rows = next(Replay(requests=10, rounds=7, shuffled=True).visits(digits, stream(3, "replay")))
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert counts.tolist() == [7] * 10


def test_a_labeller_asks_no_record_twice(digits: TargetModel) -> None:
    inputs, rounds = asked(ActiveLabeller(pool=120, batch=20, rounds=9), digits)
    assert (len(np.unique(inputs, axis=0)), rounds) == (120, 6)


def test_tuning_gets_better_at_what_it_climbs(digits: TargetModel) -> None:
    inputs, rounds = asked(Tuning(records=40, trials=30), digits)
    assert rounds == 30
    sets = digits.predict(inputs[: 40 * 30]).max(axis=1)
    assert sets[-400:].mean() > sets[:400].mean()


def test_frames_are_nearly_the_ones_before(digits: TargetModel) -> None:
    frames = next(Video(frames=300, scene=50.0, noise=0.005, shake=0.0).visits(digits, stream(3, "video")))
    steps = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    shuffled = np.linalg.norm(np.diff(frames[stream(3, "order").permutation(300)], axis=0), axis=1)
    assert np.median(steps) < 0.1 * np.median(shuffled)


def test_morris_moves_one_column_at_a_time(clinic: TargetModel) -> None:
    walks = next(MorrisScreening(walks=4).visits(clinic, stream(3, "morris"))).reshape(4, 10, 9)
    changes = np.abs(np.diff(walks, axis=1)) / (clinic.form.high - clinic.form.low)
    assert np.all((changes > 1e-9).sum(axis=2) == 1)
    assert changes[changes > 1e-9] == pytest.approx(2 / 3)
    assert np.all((walks >= clinic.form.low - 1e-9) & (walks <= clinic.form.high + 1e-9))


def test_sobol_crosses_two_tables(clinic: TargetModel) -> None:
    tables = next(SobolIndices(points=8).visits(clinic, stream(3, "sobol"))).reshape(11, 8, 9)
    first, second = tables[:2]
    for column in range(9):
        mixed = first.copy()
        mixed[:, column] = second[:, column]
        assert np.array_equal(mixed, tables[2 + column])


def test_edge_values_leave_the_range(digits: TargetModel) -> None:
    rows = next(EdgeValues(records=2, fields=3, beyond=0.5).visits(digits, stream(3, "edges")))
    assert len(rows) == 4 + 2 * 3 * 5
    assert (rows.min(), rows.max()) == (-0.5, 1.5)


def test_what_a_fuzzer_cannot_spell_is_refused(clinic: TargetModel) -> None:
    plan = Fuzzer(Schedule((3.0,)), inputs=400, malformed=0.3).plan(clinic, NIGHTS, stream(3, "fuzz"))
    assert set(plan.status.tolist()) == {200, 422}
    assert 0.2 < (plan.status == 422).mean() < 0.4


def test_heavy_tails_keep_the_volume() -> None:
    light = OrdinaryTraffic(400.0, session=10.0).arrivals(NIGHTS, stream(3, "light"))
    heavy = OrdinaryTraffic(400.0, session=10.0, tail=1.5).arrivals(NIGHTS, stream(3, "heavy"))
    assert 500 < len(heavy) < 1_200
    longest = [np.diff(times).max() / np.median(np.diff(times)) for times in (light, heavy)]
    assert longest[1] > longest[0]


def test_weekends_are_quieter() -> None:
    week = Nights(date(2026, 11, 9), 7)
    times = OrdinaryTraffic(300.0, weekend=0.3).arrivals(week, stream(3, "week"))
    counts = np.bincount(week.index_of(times), minlength=7)
    assert counts[5:].max() < 0.5 * counts[:5].min()
