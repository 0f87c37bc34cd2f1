"""Each benign workload on its own."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.nights import HOUR, NIGHT, SECOND, Nights
from detector.redteam.randomness import stream
from detector.redteam.workloads.batch import NightlyBatch
from detector.redteam.workloads.ordinary import OrdinaryTraffic, own_records
from detector.redteam.workloads.probe import HealthProbe
from detector.redteam.workloads.retry import RetryStorm

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

NIGHTS = Nights(date(2026, 11, 10), 3)


def test_ordinary_traffic_keeps_its_hours_and_its_volume(digits: TargetModel) -> None:
    plan = OrdinaryTraffic(800.0, busiest_hour=14.0).plan(digits, NIGHTS, stream(1, "a"))
    hours = (plan.times - NIGHTS.begins) % NIGHT // HOUR
    by_day = np.isin(hours, range(10, 19)).sum()
    by_night = np.isin(hours, [22, 23, 0, 1, 2, 3, 4, 5, 6]).sum()
    assert 2_100 < len(plan) < 2_700
    assert by_day > 2 * by_night
    assert np.array_equal(np.unique(NIGHTS.index_of(plan.times)), [0, 1, 2])
    assert 0 < (plan.status != 200).mean() < 0.02


def test_ordinary_records_hardly_repeat_and_stay_in_range(digits: TargetModel) -> None:
    plan = OrdinaryTraffic(500.0).plan(digits, NIGHTS, stream(1, "b"))
    sent = digits.form.clean(plan.inputs)
    assert len(np.unique(sent, axis=0)) == len(plan)
    assert (sent.min(), sent.max()) == (0.0, 1.0)


def test_ordinary_records_are_classified_like_the_field(digits: TargetModel) -> None:
    records = digits.field.rows
    varied = digits.vary(records, stream(1, "c"))
    agreed = np.mean(digits.predict(varied).argmax(axis=1) == digits.field.labels)
    assert agreed > 0.9


def test_clients_own_different_records(digits: TargetModel) -> None:
    first, second = (own_records(digits, stream(1, name)) for name in "de")
    assert 60 <= len(first) < 240
    assert {row.tobytes() for row in first} != {row.tobytes() for row in second}


def test_batch_runs_once_a_night_and_repeats_half_its_table(digits: TargetModel) -> None:
    plan = NightlyBatch(size=200, hour=3.0).plan(digits, NIGHTS, stream(1, "f"))
    tables = [{row.tobytes() for row in plan.inputs[night * 200 : (night + 1) * 200]} for night in range(3)]
    hours = (plan.times - NIGHTS.begins) % NIGHT / HOUR
    assert len(plan) == 600
    assert 70 < len(tables[0] & tables[1]) < 130
    assert hours.min() >= 3.0
    assert hours.max() < 3.2


def test_probe_never_changes_its_mind(digits: TargetModel) -> None:
    plan = HealthProbe().plan(digits, NIGHTS, stream(1, "g"))
    assert len(plan) == 3 * 288
    assert len(np.unique(plan.inputs, axis=0)) == 1
    assert np.abs(np.diff(plan.times) - 300 * SECOND).max() < SECOND


def test_retries_repeat_the_request_within_seconds(digits: TargetModel) -> None:
    plan = RetryStorm().plan(digits, NIGHTS, stream(1, "h"))
    groups: dict[bytes, list[int]] = {}
    for time, row in zip(plan.times.tolist(), plan.inputs, strict=True):
        groups.setdefault(row.tobytes(), []).append(time)
    sizes = [len(times) for times in groups.values()]
    assert set(sizes) == {1, 2, 3}
    assert max(max(times) - min(times) for times in groups.values()) < 4 * SECOND
    assert set(plan.status.tolist()) == {200, 503}


def test_a_plan_can_be_cut_to_the_drill(digits: TargetModel) -> None:
    plan = HealthProbe().plan(digits, NIGHTS, stream(1, "i"))
    cut = plan.between(NIGHTS.midnight(1), NIGHTS.midnight(2))
    assert len(cut) == 288
    assert set(NIGHTS.index_of(cut.times).tolist()) == {1}
