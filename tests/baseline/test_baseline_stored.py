from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from baseline_making import NIGHTS, baseline_of, benign
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.baseline.model import Baseline, BaselineKind, load_arrays
from detector.baseline.service import load
from detector.errors import BaselineError
from detector.features.registry import NAMES
from detector.store.baselines import BaselineRow

HELD = baseline_of(benign(25), benign(22, seed=1))


def _row(held: Baseline, **changes: object) -> BaselineRow:
    stored = BaselineRow(
        id=held.id, model=held.model, version=held.version, kind=held.kind.value, active=True, first_night=None,
        last_night=None, valid_after=None, body=held.body(), arrays=held.arrays(), created_at="2026-11-13T00:00:00",
    )  # fmt: skip
    return replace(stored, **changes)  # type: ignore[arg-type]


def test_a_baseline_comes_back_as_it_was_stored() -> None:
    back = load(_row(HELD))
    np.testing.assert_array_equal(HELD.night, back.night)
    np.testing.assert_array_equal(HELD.trailing, back.trailing)
    assert (back.nights, back.clients, back.left_out) == (NIGHTS, 25, HELD.left_out)
    assert back.kind is BaselineKind.LEARNED
    assert back.body() == HELD.body()


def test_a_baseline_of_an_older_registry_loads_with_nulls_for_the_features_added_since() -> None:
    told = json.loads(HELD.body())
    kept = [name for name in told["features"] if name not in {"query_count", "confidence_ascent"}]
    places = [NAMES.index(name) for name in kept]
    older = replace(HELD, night=HELD.night[:, places], trailing=HELD.trailing[:, places])
    back = load(_row(HELD, body=json.dumps(told | {"features": kept}), arrays=older.arrays()))
    for name in ("query_count", "confidence_ascent"):
        assert np.isnan(back.night[:, NAMES.index(name)]).all()
    np.testing.assert_array_equal(HELD.night[:, places], back.night[:, places])


def test_a_baseline_of_a_newer_registry_or_another_order_loads_by_name() -> None:
    told = json.loads(HELD.body())
    order = np.arange(len(NAMES))[::-1]
    names = ["a_feature_given_up", *(NAMES[p] for p in order)]
    night = np.column_stack([np.zeros(25), HELD.night[:, order]])
    trailing = np.column_stack([np.zeros(22), HELD.trailing[:, order]])
    other = replace(HELD, night=night, trailing=trailing)
    back = load(_row(HELD, body=json.dumps(told | {"features": names}), arrays=other.arrays()))
    np.testing.assert_array_equal(HELD.night, back.night)
    np.testing.assert_array_equal(HELD.trailing, back.trailing)


@settings(deadline=None, max_examples=60)
@given(where=st.integers(0, 100_000), to=st.integers(1, 255), kept=st.floats(0, 1))
def test_damaged_arrays_are_the_stages_own_error_or_are_read_unchanged(where: int, to: int, kept: float) -> None:
    blob = bytearray(HELD.arrays())
    blob[where % len(blob)] ^= to
    del blob[int(kept * len(blob)) :]
    try:
        night, _ = load_arrays(bytes(blob), list(NAMES))
    except BaselineError as error:
        assert "arrays" in str(error)  # noqa: PT017 - either outcome is right
    else:
        np.testing.assert_array_equal(HELD.night, night)


def test_arrays_of_other_features_are_refused() -> None:
    with pytest.raises(BaselineError, match="belong to other features"):
        load_arrays(HELD.arrays(), list(NAMES[:-1]))


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "null"},
        {"body": "{}"},
        {"body": "not json"},
        {"kind": "guessed"},
        {"arrays": b""},
        {"arrays": b"PK"},
        {"body": '{"features": 7, "nights": [], "left_out": [], "clients": 1}'},
        {"body": '{"features": [], "nights": ["yesterday"], "left_out": [], "clients": 1}'},
    ],
)
def test_a_damaged_row_is_the_stages_own_error(changes: dict[str, object]) -> None:
    with pytest.raises(BaselineError):
        load(_row(HELD, **changes))
