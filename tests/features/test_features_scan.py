from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from feature_making import START, answers, ordinary
from query_making import queries
from sqlalchemy import insert, text

from detector.config import Settings
from detector.errors import FeatureError
from detector.features import scan
from detector.features.contact import Contacts
from detector.features.registry import NAMES
from detector.features.scan import NightBounds, measure
from detector.features.windows import rows_of
from detector.model import EntityKind
from detector.store import scanning, window_rows
from detector.store import tables as t
from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NIGHT = NightBounds.of(date(2026, 11, 10), time(0))
_KEPT = {column.name for column in t.query.columns}


def _table(clients: int = 6, each: int = 60, day: int = 0) -> pa.Table:
    parts = []
    for number in range(clients):
        view = ordinary(each, 10 * day + number)
        told = answers(view)
        parts.append(
            queries(
                view, told, labels=["abc"[code] for code in told.argmax(axis=1)], client_id=f"c{number}",
                source_ip=f"10.0.0.{number}", first=100_000 * day + 1000 * number,
                ts=START + day * 86_400_000_000 + 60_000_000 * np.arange(each) + number,
            )
        )  # fmt: skip
    return pa.concat_tables(parts)


def _fill(store: Store, table: pa.Table, model: str = "m") -> None:
    upgrade(store)
    rows = []
    for row in table.to_pylist():
        told = {name: value for name, value in row.items() if name in _KEPT}
        told |= {"model": model, "key_hi": 0, "occurrence": 0}
        told["confidence"] = None if told["confidence"] == scanning.NO_NUMBER else told["confidence"]
        rows.append(told)
    with store.begin() as connection:
        connection.execute(insert(t.query), rows)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'x.db'}")
    yield opened
    opened.close()


@pytest.fixture
def other_store(postgres_url: str) -> Iterator[Store]:
    opened = Store(postgres_url)
    upgrade(opened)
    with opened.begin() as connection:
        connection.execute(text('TRUNCATE query, model_schema, night, "window"'))
    yield opened
    with opened.begin() as connection:
        connection.execute(text('TRUNCATE query, model_schema, night, "window"'))
    opened.close()


def test_a_night_is_a_day_from_the_hour_that_the_site_says() -> None:
    assert (NIGHT.first_ts, NIGHT.last_ts) == (START, START + 86_400_000_000)
    later = NightBounds.of(date(2026, 11, 10), time(6, 30))
    assert later.first_ts - NIGHT.first_ts == later.last_ts - NIGHT.last_ts == 23_400_000_000


def test_a_first_night_gives_a_schema_and_windows_of_everybody(store: Store) -> None:
    _fill(store, _table())
    scanned = measure(store, "m", NIGHT, Settings())
    assert scanned.is_new_schema
    assert scanned.queries == 360
    assert scanned.schema.classes == ("a", "b", "c")
    assert scanned.windows.frame["entity_id"].tolist() == [*(f"c{n}" for n in range(6)), "10.0.0.0/24"] * 2
    assert scanned.own.kinds == (EntityKind.CLIENT,) * 6 + (EntityKind.NETWORK,)


def test_a_later_night_is_read_by_the_schema_of_the_first(store: Store) -> None:
    _fill(store, pa.concat_tables([_table(), _table(day=1)]))
    first = measure(store, "m", NIGHT, Settings())
    s = first.schema
    with store.begin() as connection:
        scanning.add_schema(connection, scanning.StoredSchema("m", s.version, s.night, s.body(), s.arrays()))
        window_rows.replace_windows(connection, "m", "2026-11-10", rows_of(first.windows, first.own))
        scanning.replace_night(
            connection, scanning.NightRow("m", "2026-11-10", 360, False, None, s.version, "{}", "2026-11-11T00:00:00")
        )
    second = measure(store, "m", NightBounds.of(date(2026, 11, 11), time(0)), Settings())
    assert not second.is_new_schema
    np.testing.assert_array_equal(s.reference, second.schema.reference)
    counts = second.windows.frame.groupby("horizon")["query_count"].sum()
    assert counts.to_dict() == {"night": 720, "trailing": 1440}


def test_other_models_and_nights_are_left_alone(store: Store) -> None:
    _fill(store, _table(2))
    _fill(store, _table(4, day=1))
    with pytest.raises(FeatureError, match="has no query of model 'other'"):
        measure(store, "other", NIGHT, Settings())
    assert measure(store, "m", NIGHT, Settings()).queries == 120


def test_a_watcher_sees_every_query_with_its_own_columns(store: Store) -> None:
    _fill(store, _table(2))
    seen: list[pa.Table] = []
    measure(store, "m", NIGHT, Settings(), watch=seen.append, watch_columns=("endpoint", "ts"))
    assert sum(part.num_rows for part in seen) == 120
    assert {"endpoint", *scanning.SCAN_COLUMNS} == set(seen[0].column_names)


def test_declared_records_are_met(store: Store) -> None:
    _fill(store, _table(2))
    scanned = measure(
        store, "m", NIGHT, Settings(), contacts_of=lambda schema: Contacts(schema.reference[:40], schema.reference[:1])
    )
    frame = scanned.windows.frame
    assert frame["training_hit_ratio"].max() > 0.1
    assert frame["canary_hits"].max() >= 1.0


@pytest.mark.parametrize("rows", [50, 10_000])
def test_the_sample_of_a_model_in_a_crowd_is_large_enough(
    store: Store, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    _fill(store, _table(2), model="m")
    crowd = _table(6)
    keys = pa.array(range(10**6, 10**6 + crowd.num_rows))
    _fill(store, crowd.set_column(crowd.column_names.index("key_lo"), "key_lo", keys), model="crowd")
    monkeypatch.setattr(scan, "SAMPLE_ROWS", rows)
    monkeypatch.setattr(scan, "_FEWEST_SAMPLED", 40)
    sampled = scan._sample(store, "m", NIGHT, 480)
    # One in nine of all models' queries would leave 13; of its own, one in two leaves about 60.
    assert 40 <= sampled.num_rows <= 120


def test_the_sample_does_not_depend_on_how_the_database_hands_it_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(store, _table(6))
    whole = scan._sample(store, "m", NIGHT, 360).sort_by("key_lo")
    monkeypatch.setattr(scanning, "BATCH_ROWS", 7)
    assert scan._sample(store, "m", NIGHT, 360).sort_by("key_lo") == whole


@pytest.mark.postgres
def test_both_databases_give_the_same_schema_windows_and_states(store: Store, other_store: Store) -> None:
    for one in (store, other_store):
        _fill(one, _table())
    here, there = (measure(one, "m", NIGHT, Settings()) for one in (store, other_store))
    assert here.schema.body() == there.schema.body()
    assert here.schema.arrays() == there.schema.arrays()
    np.testing.assert_array_equal(here.own.states.rows, there.own.states.rows)
    assert rows_of(here.windows, here.own) == rows_of(there.windows, there.own)
    assert here.windows.frame[list(NAMES)].equals(there.windows.frame[list(NAMES)])
