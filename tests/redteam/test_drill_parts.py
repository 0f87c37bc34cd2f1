"""The small parts that a drill is made of."""

from __future__ import annotations

import gzip
import json
import warnings
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from detector.errors import SimulationError
from detector.redteam.logfiles import write_nights
from detector.redteam.networks import fitted
from detector.redteam.nights import NIGHT, Nights, iso
from detector.redteam.randomness import hex_ids, stream
from detector.redteam.rounding import significant
from detector.redteam.traffic import Asking, Client, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Service


def test_rounding_prints_five_digits() -> None:
    rng = stream(1, "rounding")
    values = np.concatenate([[0.0, -0.0, 1.0, -3.0], rng.standard_normal(5_000) * 10.0 ** rng.integers(-17, 12, 5_000)])
    rounded = significant(values)
    assert rounded.tolist() == [float(f"{value:.5g}") for value in rounded.tolist()]
    assert np.abs(rounded - values).max() <= np.abs(values).max()
    assert rounded == pytest.approx(values, rel=5.1e-5)
    assert not np.signbit(rounded[1])


def test_rounding_drops_what_is_next_to_nothing() -> None:
    assert significant(np.array([1e-30, 123_456.0, 0.1 + 0.2])).tolist() == [0.0, 123_460.0, 0.3]


def test_streams_depend_on_their_names_alone() -> None:
    assert stream(1, "a", 2).random() == stream(1, "a", 2).random()
    assert (
        len({stream(1, "a").random(), stream(1, "b").random(), stream(2, "a").random(), stream(1, "a", "").random()})
        == 4
    )


def test_ids_are_hexadecimal() -> None:
    ids = hex_ids(stream(1, "ids"), 3, 20)
    assert [len(each) for each in ids] == [20, 20, 20]
    assert all(int(each, 16) >= 0 for each in ids)


def test_times_are_utc_microseconds() -> None:
    nights = Nights(date(2026, 11, 10), 2)
    assert iso(np.array([nights.begins, nights.ends - 1])) == [
        "2026-11-10T00:00:00.000000Z",
        "2026-11-11T23:59:59.999999Z",
    ]
    assert nights.index_of(np.array([nights.begins - 1, nights.begins, nights.begins + NIGHT])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("classes", [2, 4])
def test_a_network_answers_as_scikit_learn_does(classes: int) -> None:
    rng = stream(1, "network")
    rows, labels = rng.random((120, 5)), rng.integers(classes, size=120)
    network = fitted(rows, labels, hidden=6, passes=5, decay=0.1, seed=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = MLPClassifier((6,), alpha=0.1, batch_size=100, learning_rate_init=0.003, max_iter=5, random_state=7)
        learner.fit(rows, labels)
    assert network.predict_proba(rows) == pytest.approx(learner.predict_proba(rows), abs=1e-12)
    assert np.array_equal(network.predict(rows), learner.predict(rows))


def test_digits_fit_a_little_too_well(digits: TargetModel) -> None:
    train, holdout = (
        np.mean(digits.predict(sample.rows).argmax(axis=1) == sample.labels)
        for sample in (digits.train, digits.holdout)
    )
    assert train > 0.985
    assert 0.93 < holdout < train


def test_clinic_knows_its_patients_by_heart(clinic: TargetModel) -> None:
    train, holdout = (
        np.mean(clinic.predict(sample.rows).argmax(axis=1) == sample.labels)
        for sample in (clinic.train, clinic.holdout)
    )
    assert train > 0.99
    assert 0.65 < holdout < 0.9


@pytest.mark.parametrize("name", ["digits", "clinic"])
def test_samples_do_not_overlap(name: str, request: pytest.FixtureRequest) -> None:
    model: TargetModel = request.getfixturevalue(name)
    kinds = [{row.tobytes() for row in sample.rows} for sample in (model.train, model.holdout, model.field)]
    assert [kinds[0] & kinds[1], kinds[0] & kinds[2], kinds[1] & kinds[2]] == [set(), set(), set()]


def test_records_travel_on_their_levels(clinic: TargetModel) -> None:
    row = clinic.field.rows[:1].copy()
    row[0, -3:] = [2.4, -7.0, 9.0]
    (record,) = clinic.form.values(clinic.form.clean(row))
    assert isinstance(record, dict)
    assert list(record.values())[-3:] == ["c", "pre", "several"]
    assert json.loads(json.dumps(record)) == record


def test_a_query_outside_the_nights_is_an_error(service: Service, tmp_path: Path) -> None:
    nights = Nights(date(2026, 11, 10), 1)
    client = Client.draw(stream(1, "client"))
    service.serve(client, Plan.served(np.array([nights.ends]), service.model.field.rows[:1], Asking()))
    with pytest.raises(SimulationError, match="a session on digits leaves the drill"):
        write_nights(service, nights, tmp_path, stream(1, "log"))


def test_a_log_that_cannot_be_written_is_an_error(service: Service, tmp_path: Path) -> None:
    nights = Nights(date(2026, 11, 10), 1)
    with pytest.raises(SimulationError, match="No such file or directory"):
        write_nights(service, nights, tmp_path / "absent", stream(1, "log"))


def test_equal_times_keep_the_order_of_asking(service: Service, tmp_path: Path) -> None:
    nights = Nights(date(2026, 11, 10), 1)
    client = Client.draw(stream(1, "client"))
    rows = service.model.field.rows[:3]
    service.serve(client, Plan.served(np.full(3, nights.begins), rows, Asking()))
    (file,) = write_nights(service, nights, tmp_path, stream(1, "log"))
    logged = [json.loads(line)["input"] for line in gzip.decompress(file.path.read_bytes()).splitlines()]
    assert logged == service.model.form.clean(rows).tolist()
