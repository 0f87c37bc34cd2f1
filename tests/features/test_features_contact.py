from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, feature, ordinary, schema_of

from detector.features.contact import Contacts

SCHEMA = schema_of(ordinary(512))
TRAINING = ordinary(300, 40)
CANARIES = ordinary(5, 41)
BOTH = Contacts(TRAINING, CANARIES)


def test_records_of_the_training_set_are_hits() -> None:
    view = ordinary(64, 42)
    view[::4] = TRAINING[:16]
    assert feature(SCHEMA, "training_hit_ratio", Stream(view), BOTH) == 0.25
    assert feature(SCHEMA, "canary_hits", Stream(view), BOTH) == 0.0


def test_a_step_beside_a_record_is_no_hit() -> None:
    view = TRAINING[:64] + 0.01 * SCHEMA.unit
    assert feature(SCHEMA, "training_hit_ratio", Stream(view), BOTH) == 0.0


def test_canaries_are_counted() -> None:
    view = ordinary(40, 43)
    view[[3, 17, 30]] = CANARIES[:3] + 0.001
    assert feature(SCHEMA, "canary_hits", Stream(view), BOTH) == 3.0


@pytest.mark.parametrize("dimension", [8, 64, 800])
def test_one_contact_among_thousands_of_queries_is_seen(dimension: int) -> None:
    schema = schema_of(ordinary(512, dimension=dimension))
    canaries = ordinary(5, 41, dimension)
    view = ordinary(20_000, 46, dimension)
    beside = np.random.default_rng(2).normal(size=dimension)
    step = beside / np.linalg.norm(beside) * schema.unit
    view[12_345] = canaries[3] + 0.009 * step
    view[12_346] = canaries[3] + 0.011 * step
    assert feature(schema, "canary_hits", Stream(view), Contacts(None, canaries)) == 1.0


@pytest.mark.parametrize("offset", [20.0, 400.0])
def test_hits_are_found_however_far_from_zero_a_field_lies(offset: float) -> None:
    far = np.array([offset] + [0.0] * 7)
    schema = schema_of(ordinary(512) + far)
    records = (TRAINING + far).astype(np.float32)
    contacts = Contacts(records, records[:5])
    assert feature(schema, "training_hit_ratio", Stream(records[:64]), contacts) == 1.0
    assert feature(schema, "canary_hits", Stream(records[:5]), contacts) == 5.0
    assert feature(schema, "training_hit_ratio", Stream(ordinary(64, 44) + far), contacts) == 0.0


@pytest.mark.parametrize("direction", [1, -1])
def test_the_trend_says_whether_a_search_approaches(direction: int) -> None:
    away = np.linspace(20.0, 0.0, 400)[::direction, None]
    view = TRAINING[0] + away * np.random.default_rng(1).normal(size=8)
    got = feature(SCHEMA, "training_distance_trend", Stream(view), BOTH)
    assert got == pytest.approx(-1.0 * direction, abs=1e-9)


def test_what_the_site_did_not_declare_is_null() -> None:
    names = ("training_hit_ratio", "training_distance_trend", "canary_hits")
    stream = Stream(ordinary(200, 45))
    assert [np.isnan(feature(SCHEMA, n, stream)) for n in names] == [True, True, True]
    assert [np.isnan(feature(SCHEMA, n, stream, Contacts(TRAINING))) for n in names] == [False, False, True]
    assert [np.isnan(feature(SCHEMA, n, stream, Contacts(None, CANARIES))) for n in names] == [True, True, False]


def test_inputs_that_cannot_be_read_are_no_contact() -> None:
    view = TRAINING[:64].copy()
    view[::2] = np.nan
    assert feature(SCHEMA, "training_hit_ratio", Stream(view), BOTH) == 1.0
    assert np.isnan(feature(SCHEMA, "training_hit_ratio", Stream(np.full((64, 8), np.nan)), BOTH))
    assert np.isnan(feature(SCHEMA, "canary_hits", Stream(length=64), BOTH))
