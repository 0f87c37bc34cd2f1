"""Every registered feature, on streams that nobody should send: within its range, null where the log cannot tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from feature_making import START, Stream, answers, features_of, ordinary, quick, schema_of, states_of
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.features import families
from detector.features.block import Merge
from detector.features.contact import Contacts
from detector.features.families import LAYOUT
from detector.features.registry import BY_NAME, FAMILIES, FEATURES, NAMES
from detector.features.schema import RecordField
from detector.features.state import stacked
from detector.model import InputKind

PLAIN = schema_of(ordinary(300))
CONSTANT = schema_of(np.full((30, 8), 2.0))
RECORDS = schema_of(
    np.abs(ordinary(300)).round() % 2, kind=InputKind.RECORD,
    fields=(RecordField("n"), RecordField("c", ("a", "b", "c")), RecordField("d", ("x", "y", "z")), RecordField("m")),
)  # fmt: skip
BLIND = schema_of(np.empty((0, 8)), classes=0)
CONTACTS = Contacts(ordinary(50, 1), ordinary(3, 2))
SCHEMAS = {"plain": PLAIN, "constant": CONSTANT, "records": RECORDS, "blind": BLIND}
# What a stream tells without inputs, answers, labels, scores, statuses and parameters.
TIMES_ALONE = {
    "query_count", "active_hours", "peak_rate_per_minute", "interarrival_cv", "interarrival_entropy", "explain_ratio",
    "gradient_ratio", "flagged_ratio", "id_reuse_ratio",
}  # fmt: skip
SUMS = LAYOUT.positions(Merge.SUM)


def _in_range(told: Any) -> None:
    assert list(told.columns) == list(NAMES)
    for name in NAMES:
        spec, values = BY_NAME[name], told[name].to_numpy()
        assert values.dtype == np.float64
        known = values[~np.isnan(values)]
        assert np.isfinite(known).all(), name
        # Rank correlations of long doubles end a rounding error beyond one.
        assert spec.low is None or (known >= spec.low - 1e-9).all(), (name, known.min())
        assert spec.high is None or (known <= spec.high + 1e-9).all(), (name, known.max())


def test_the_registry_is_complete() -> None:
    assert len(set(NAMES)) == len(FEATURES)
    assert {spec.family for spec in FEATURES} == set(FAMILIES)
    for spec in FEATURES:
        assert all((spec.formula, spec.signal, spec.looks_like, spec.source, spec.unit)), spec.name
        assert spec.low is None or spec.high is None or spec.low < spec.high
        assert spec.name == spec.name.lower()
        assert not spec.name.endswith("_tail")


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("contacts", [None, CONTACTS])
def test_ordinary_streams_of_any_length_stay_in_range(name: str, contacts: Contacts | None) -> None:
    schema = SCHEMAS[name]
    sizes = (1, 2, 3, 17, 39, 40, 63, 64, 128, 300, 1000)
    views = [ordinary(n, n) if schema.has_view else None for n in sizes]
    told = [answers(ordinary(n, n), classes=max(len(schema.classes), 1)) for n in sizes]
    streams = [
        Stream(v, p, status=np.full(len(p), 200), params=np.arange(len(p)) + 1)
        for v, p in zip(views, told, strict=True)
    ]
    _in_range(features_of(schema, *streams, contacts=contacts))


def _hostile() -> dict[str, Stream]:
    rng = np.random.default_rng(5)
    n = 300
    view, told = ordinary(n), answers(ordinary(n))
    holed = view.copy()
    holed[::3] = np.nan
    first = view.copy()
    first[0] = np.nan
    far = np.clip(view * 1e30, -1e4, 1e4)
    beyond = told * 1e30
    partly = told.copy()
    partly[rng.random(told.shape) < 0.4] = np.nan
    times = START + np.sort(rng.integers(0, 10**13, n))
    return {
        "one query": Stream(view[:1], told[:1]),
        "one unreadable query": Stream(np.full((1, 8), np.nan)),
        "unreadable": Stream(np.full((n, 8), np.nan), told),
        "partly unreadable": Stream(holed, told),
        "begins unreadable": Stream(first, told),
        "far away": Stream(far, told),
        "far and near": Stream(np.where(np.arange(n)[:, None] % 2, far, view), told),
        "constant": Stream(np.repeat(view[:1], n, axis=0), np.repeat(told[:1], n, axis=0)),
        "constant inputs": Stream(np.repeat(view[:1], n, axis=0), told),
        "constant answers": Stream(view, np.repeat(told[:1], n, axis=0)),
        "no inputs": Stream(probabilities=told),
        "no answers": Stream(view),
        "labels alone": Stream(label=rng.integers(-1, 3, n)),
        "times alone": Stream(ts=times),
        "one moment": Stream(view, told, ts=np.full(n, START)),
        "long before": Stream(view, told, ts=np.arange(n) - 10**15),
        "long after": Stream(view, told, ts=4 * 10**18 + np.arange(n)),
        "two moments": Stream(view, told, ts=np.repeat([0, 4 * 10**18], n // 2)),
        "partial answers": Stream(view, partly),
        "no sums to one": Stream(view, beyond),
        "negative answers": Stream(view, -told),
        "zero answers": Stream(view, np.zeros_like(told)),
        "infinite answers": Stream(view, np.where(rng.random(told.shape) < 0.1, np.inf, told)),
        "certain": Stream(view, np.eye(3)[rng.integers(0, 3, n)]),
        "everything flagged": Stream(view, told, flags=np.full(n, 2047), status=np.full(n, 599)),
        "unknown operations": Stream(view, told, operation=np.full(n, 4), scored=np.full(n, -1)),
        "alternating": Stream(np.where(np.arange(n)[:, None] % 2, view[:1], -view[:1]), told),
    }


HOSTILE = _hostile()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams_stay_in_range(name: str) -> None:
    for schema in (PLAIN, CONSTANT, RECORDS):
        states = states_of(schema, HOSTILE[name], contacts=CONTACTS)
        # A sum that is not a number would blind the week, or thin it out.
        assert np.isfinite(states.rows[:, SUMS]).all()
        _in_range(families.finish(states, schema))


def test_hostile_streams_do_not_touch_each_other() -> None:
    streams = [stream for name, stream in HOSTILE.items() if name != "one unreadable query"]
    together = features_of(PLAIN, *streams, contacts=CONTACTS).drop(columns="confidence_request_lift")
    _in_range(features_of(PLAIN, *streams, contacts=CONTACTS))
    for position, stream in enumerate(streams):
        alone = features_of(PLAIN, stream, contacts=CONTACTS).drop(columns="confidence_request_lift")
        if stream.view is None:
            # Beside others an entity without inputs has rows of a view that cannot be read: as null as no view.
            assert alone.iloc[0].isna().equals(together.iloc[position].isna())
        np.testing.assert_allclose(alone.iloc[0], together.iloc[position], rtol=1e-4, atol=1e-6)


def test_merging_hostile_streams_stays_in_range() -> None:
    states = [states_of(PLAIN, stream, contacts=CONTACTS) for stream in HOSTILE.values()]
    everything = stacked(states).merged(np.zeros(len(states), dtype=np.int64), 1)
    _in_range(families.finish(everything, PLAIN))


def test_a_log_of_times_tells_of_times_and_nothing_else() -> None:
    told = features_of(PLAIN, Stream(ts=START + 1_000_000 * np.arange(300))).iloc[0]
    assert {name for name in NAMES if not np.isnan(told[name])} == TIMES_ALONE


def test_a_log_of_labels_tells_of_times_and_labels() -> None:
    told = features_of(PLAIN, Stream(label=np.arange(300) % 3)).iloc[0]
    known = {name for name in NAMES if not np.isnan(told[name])}
    assert known == TIMES_ALONE | {"label_entropy", "label_balance"}


def test_one_query_tells_what_one_query_can() -> None:
    told = features_of(PLAIN, Stream(ordinary(1), answers(ordinary(1))), contacts=CONTACTS).iloc[0]
    assert {name for name in NAMES if not np.isnan(told[name])} == {
        "query_count", "active_hours", "peak_rate_per_minute", "duplicate_ratio", "off_manifold_ratio",
        "noise_likeness", "edge_value_ratio", "confidence_request_ratio", "confidence_request_lift", "explain_ratio",
        "gradient_ratio", "flagged_ratio", "id_reuse_ratio", "training_hit_ratio", "canary_hits",
    }  # fmt: skip


FLOATS = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 1e4, -1e4, 0.5, 1e-30, np.nan]), st.floats(-1e4, 1e4, width=32))
SHARES = st.one_of(st.sampled_from([0.0, 1.0, 0.5, np.nan]), st.floats(0, 1, width=32))


@settings(quick, max_examples=80)
@given(st.data())
def test_any_streams_stay_in_range(data: st.DataObject) -> None:
    streams = []
    for _ in range(data.draw(st.integers(1, 3))):
        rows = data.draw(st.integers(1, 150))
        seed = data.draw(st.integers(0, 2**32 - 1))
        rng = np.random.default_rng(seed)
        pool = np.array(data.draw(st.lists(FLOATS, min_size=1, max_size=6)), dtype=np.float32)
        view = rng.choice(pool, size=(rows, 8))
        unread = np.isnan(view)
        view[unread & ~unread.all(axis=1, keepdims=True)] = 0.0
        told = rng.choice(np.array(data.draw(st.lists(SHARES, min_size=1, max_size=5))), size=(rows, 3))
        gaps = rng.choice(data.draw(st.lists(st.integers(0, 10**11), min_size=1, max_size=3)), size=rows)
        streams.append(
            Stream(
                view if data.draw(st.booleans()) else None, told if data.draw(st.booleans()) else None,
                ts=START + np.cumsum(gaps), label=rng.integers(-1, 3, rows), hashes=rng.integers(0, 4, rows),
                scored=rng.integers(-1, 2, rows), operation=rng.integers(0, 5, rows),
                status=rng.choice([-1, 200, 500], rows), params=rng.integers(0, 3, rows),
                flags=rng.choice([0, 512], rows),
            )
        )  # fmt: skip
    schema = data.draw(st.sampled_from([PLAIN, CONSTANT, RECORDS]))
    states = states_of(schema, *streams, contacts=data.draw(st.sampled_from([None, CONTACTS])))
    assert np.isfinite(states.rows[:, SUMS]).all()
    _in_range(families.finish(states, schema))
