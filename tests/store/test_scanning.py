from __future__ import annotations

import json
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import func, select
from store_making import HOSTILE_TEXTS, add, add_many, query

from detector.errors import StoreError
from detector.store import scanning, window_rows
from detector.store import tables as t
from detector.store.engine import Store

if TYPE_CHECKING:
    from pathlib import Path

ALL = tuple(scanning._SELECT)
FOREVER = 10**15


def _stream(store: Store, model: str = "m", columns: tuple[str, ...] = ALL, every: int = 1) -> list[pa.Table]:
    return list(scanning.stream_queries(store, model, 0, FOREVER, columns, every=every))


def _rows(store: Store, model: str = "m", columns: tuple[str, ...] = ALL, every: int = 1) -> list[dict[str, object]]:
    tables = _stream(store, model, columns, every)
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    return sorted(rows, key=lambda row: row[columns[0]])


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_a_model_may_have_any_name(store: Store, name: str) -> None:
    add(store, [query(1, model=name), query(2, model="another"), query(3, model=name + "x")])
    assert [row["ts"] for row in _rows(store, name)] == [1_000_000]
    with store.begin() as connection:
        assert scanning.count_queries(connection, name, 0, FOREVER) == 1
        assert scanning.models_between(connection, 0, FOREVER) == tuple(sorted([name, "another", name + "x"]))


def test_a_model_without_queries_gives_none(store: Store) -> None:
    add(store, [query(1)])
    assert _stream(store, "other") == []
    assert _stream(store, "") == []


def test_values_come_back_as_they_were_stored(store: Store) -> None:
    told = {
        "source_ip": "::1", "user_agent": "ü", "model_version": "v", "endpoint": "/p", "params": '{"k":1}',
        "label": "cat", "status": 200, "latency_ms": 1.0, "confidence": 0.1, "value": -3.0, "scored": 0,
        "input": b"\x00\xff'", "input_hash": -(2**63), "probabilities": b"\x00\x00\x80?",
    }  # fmt: skip
    add(store, [query(1, **told, input_kind=1, probability_kind=1, flags=3, row_index=7)])
    (row,) = _rows(store)
    assert {name: row[name] for name in told} == told
    assert (row["input_kind"], row["probability_kind"], row["flags"], row["row_index"]) == (1, 1, 3, 7)
    assert row["key_lo"] == 1


SENTINELS = {
    "source_ip": "", "user_agent": "", "model_version": "", "endpoint": "", "params": "", "label": "", "status": -1,
    "latency_ms": scanning.NO_NUMBER, "confidence": scanning.NO_NUMBER, "value": scanning.NO_NUMBER, "scored": -1,
    "input": b"", "input_hash": 0, "probabilities": b"",
}  # fmt: skip


def test_nulls_come_as_sentinels_of_the_same_type(store: Store) -> None:
    add(store, [query(1)])
    (row,) = _rows(store)
    assert {name: row[name] for name in SENTINELS} == SENTINELS


def test_a_first_batch_of_nothing_but_nulls_does_not_decide_the_types(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BATCH_ROWS", 50)
    known = {
        "source_ip": "10.0.0.1", "label": "cat", "status": 200, "confidence": 0.25, "input": b"\x01\x02\x03\x04",
        "input_hash": 9, "probabilities": b"\x00\x00\x80?", "scored": 1, "latency_ms": 2.5, "value": 1.5,
        "user_agent": "x", "params": "{}", "model_version": "1", "endpoint": "/",
    }  # fmt: skip
    add_many(store, [query(n, **dict.fromkeys(known)) for n in range(1, 101)])
    add_many(store, [query(n, **known) for n in range(101, 121)])
    tables = _stream(store)
    if store.is_sqlite:
        assert len(tables) > 1
    assert {table.schema for table in tables} == {tables[0].schema}
    rows = _rows(store)
    assert [row["ts"] for row in rows] == [1_000_000 * n for n in range(1, 121)]
    assert {name: rows[0][name] for name in SENTINELS} == SENTINELS
    assert {name: rows[-1][name] for name in known} == known


def test_the_end_of_a_range_is_not_part_of_it(store: Store) -> None:
    add(store, [query(n) for n in (1, 2, 3)])
    got = pa.concat_tables(scanning.stream_queries(store, "m", 1_000_000, 3_000_000, ("ts",)))["ts"].to_pylist()
    assert sorted(got) == [1_000_000, 2_000_000]
    with store.begin() as connection:
        assert scanning.count_queries(connection, "m", 1_000_000, 3_000_000) == 2
        assert scanning.count_at_most(connection, 1_000_000, 3_000_000) == 2


def test_one_in_so_many_is_chosen_by_its_key_alone(store: Store) -> None:
    keys = [*range(-30, 0), *range(1, 31)]
    add_many(store, [query(n, key_lo=key) for n, key in enumerate(keys, 1)])
    got = [row["key_lo"] for row in _rows(store, columns=("key_lo",), every=3)]
    assert got == [key for key in keys if key % 3 == 0]


@pytest.mark.postgres
def test_a_night_comes_in_batches_on_postgresql_too(postgres_store: Store) -> None:
    with postgres_store.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO query (file_id, line, row_index, ts, key_hi, key_lo, occurrence, client_id, model, operation,"
            " input_kind, input, probability_kind, flags) SELECT 1, i, 0, i, 0, i, 0, 'c', 'm', 'predict', 1,"
            " decode(repeat('00', 4096), 'hex'), 0, 0 FROM generate_series(1, 10000) i"
        )
    batches = _stream(postgres_store, columns=("ts", "input"))
    assert sum(batch.num_rows for batch in batches) == 10_000
    # 40 MB: a driver that holds the result of a statement with parameters gives one batch.
    assert max(batch.num_rows for batch in batches) < 6_000


def test_a_table_that_is_not_there_is_the_stores_own_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the queries of model 'm' cannot be read"):
        _stream(Store(f"sqlite:///{tmp_path / 'empty.db'}"))


def _window(entity: str = "alice", **changes: object) -> window_rows.WindowRow:
    told = {
        "horizon": "night", "entity_kind": "client", "entity_id": entity, "query_count": 3, "first_ts": 1, "last_ts": 9,
        "clients": (), "features": '{"a":1.5}', "state": np.arange(5.0).tobytes(),
    }  # fmt: skip
    return window_rows.WindowRow(**(told | changes))  # type: ignore[arg-type]


NETWORK = _window("10.0.0.0/24", entity_kind="network", clients=("ü", "a'b"), state=b"")
TRAILING = _window(horizon="trailing", state=None, query_count=30)
NIGHTS = ("2026-11-10", "2026-11-11", "2026-11-12")


def _night(night: str, version: int = 1, **changes: object) -> scanning.NightRow:
    told = {
        "model": "m", "night": night, "query_count": 3, "stale": False, "baseline_id": None, "schema_version": version,
        "coverage": "{}", "scanned_at": "2026-11-13T00:00:00",
    }  # fmt: skip
    return scanning.NightRow(**(told | changes))  # type: ignore[arg-type]


def test_windows_come_back_as_they_were_stored(store: Store) -> None:
    with store.begin() as connection:
        window_rows.replace_windows(connection, "m", NIGHTS[0], [_window("zoe"), _window(), NETWORK, TRAILING])
        nightly = window_rows.load_windows(connection, "m", NIGHTS, "night")
        trailing = window_rows.load_windows(connection, "m", NIGHTS, "trailing")
    stateless = {"state": None}
    assert nightly == [
        (NIGHTS[0], _window("alice", **stateless)),
        (NIGHTS[0], _window("zoe", **stateless)),
        (NIGHTS[0], window_rows.WindowRow(**(NETWORK.__dict__ | stateless))),
    ]
    assert trailing == [(NIGHTS[0], TRAILING)]


def test_replacing_windows_twice_is_replacing_them_once(store: Store) -> None:
    for rows in ([_window(), NETWORK], [_window(query_count=5)], [_window(query_count=5)]):
        with store.begin() as connection:
            window_rows.replace_windows(connection, "m", NIGHTS[0], rows)
            window_rows.replace_windows(connection, "m", NIGHTS[1], [_window("other night")])
            window_rows.replace_windows(connection, "n", NIGHTS[0], [_window("other model")])
    with store.begin() as connection:
        assert [r.query_count for _, r in window_rows.load_windows(connection, "m", NIGHTS[:1], "night")] == [5]
        assert connection.execute(select(func.count()).select_from(t.window)).scalar_one() == 3
        window_rows.replace_windows(connection, "m", NIGHTS[0], [])
        assert window_rows.load_windows(connection, "m", NIGHTS[:1], "night") == []


def test_states_come_back_bit_by_bit_in_a_fixed_order(store: Store) -> None:
    odd = np.array([np.nan, -0.0, 1e-308, -9e300, 1.7e15 + 1]).tobytes()
    with store.begin() as connection:
        for night in reversed(NIGHTS[:2]):
            rows = [_window("zoe", state=odd), _window(), NETWORK, TRAILING]
            window_rows.replace_windows(connection, "m", night, rows)
            scanning.replace_night(connection, _night(night))
        states = window_rows.load_states(connection, "m", NIGHTS, 1)
    assert [row.entity_id for row in states] == ["alice", "zoe", "10.0.0.0/24"] * 2
    assert states[1].state == odd
    assert states[0] == _window()
    assert states[2] == NETWORK


def test_states_of_another_schema_or_of_a_night_not_scanned_are_left_out(store: Store) -> None:
    with store.begin() as connection:
        for night in NIGHTS:
            window_rows.replace_windows(connection, "m", night, [_window(night)])
        scanning.replace_night(connection, _night(NIGHTS[0], version=1))
        scanning.replace_night(connection, _night(NIGHTS[1], version=2))
        assert [row.entity_id for row in window_rows.load_states(connection, "m", NIGHTS, 2)] == [NIGHTS[1]]


def test_a_night_is_recorded_once(store: Store) -> None:
    with store.begin() as connection:
        for count in (3, 4):
            scanning.replace_night(connection, _night(NIGHTS[1], query_count=count))
        scanning.replace_night(connection, _night(NIGHTS[0], baseline_id="m@1"))
        scanning.replace_night(connection, _night(NIGHTS[0], model="n"))
        assert scanning.scanned_nights(connection, "m") == [
            _night(NIGHTS[0], baseline_id="m@1"),
            _night(NIGHTS[1], query_count=4),
        ]


def test_late_records_mark_scanned_nights_alone(store: Store) -> None:
    with store.begin() as connection:
        scanning.replace_night(connection, _night(NIGHTS[1]))
        scanning.replace_night(connection, _night(NIGHTS[0]))
        scanning.replace_night(connection, _night(NIGHTS[0], model="n"))
        scanning.mark_stale(connection, "m", [NIGHTS[0], NIGHTS[2]])
        assert scanning.stale_nights(connection) == [("m", NIGHTS[0])]
        scanning.mark_stale(connection, "n", NIGHTS)
        assert scanning.stale_nights(connection) == [("m", NIGHTS[0]), ("n", NIGHTS[0])]
        scanning.replace_night(connection, _night(NIGHTS[0]))
        assert scanning.stale_nights(connection) == [("n", NIGHTS[0])]


def test_the_newest_schema_is_the_models(store: Store) -> None:
    schemas = [scanning.StoredSchema("m'ü", number, NIGHTS[0], '{"a":1}', bytes([number, 0, 255])) for number in (1, 2)]
    with store.begin() as connection:
        assert scanning.latest_schema(connection, "m'ü") is None
        for schema in schemas:
            scanning.add_schema(connection, schema)
        assert scanning.latest_schema(connection, "m'ü") == schemas[1]
        assert scanning.latest_schema(connection, "m") is None


def test_class_names_are_the_models_own(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(
            t.model_class.insert(),
            [{"model": "m", "code": 2**32 - 1, "name": "cät"}, {"model": "n", "code": 1, "name": "dog"}],
        )
        assert scanning.class_names(connection, "m") == {2**32 - 1: "cät"}


def test_the_range_of_nights_is_that_of_the_queries(store: Store) -> None:
    with store.begin() as connection:
        assert scanning.night_range(connection) is None
    day = 86_400_000_000
    add(store, [query(1, ts=day - 1), query(2, ts=3 * day)])
    with store.begin() as connection:
        assert scanning.night_range(connection) == (date(1970, 1, 1), date(1970, 1, 4))


def test_clients_are_counted_within_both_ends(store: Store) -> None:
    add(store, [query(n, client_id=c) for n, c in enumerate(["a", "b", "a", "c", "a'; --", "a"], 1)])
    add(store, [query(9, client_id="a", model="other", ts=2_000_000)])
    with store.begin() as connection:
        counts = scanning.count_by_client(connection, "m", 1_000_000, 5_000_000, ["a", "a'; --", "nobody"])
    assert counts == {"a": 2, "a'; --": 1}


def test_where_a_client_has_windows_is_told_in_order(store: Store) -> None:
    with store.begin() as connection:
        for model, night in (("n", NIGHTS[1]), ("m", NIGHTS[2]), ("m", NIGHTS[0])):
            window_rows.replace_windows(connection, model, night, [_window(), TRAILING])
        window_rows.replace_windows(connection, "o", NIGHTS[0], [_window("alice", entity_kind="network")])
        assert window_rows.window_models(connection, "alice") == ("m", "n")
        assert window_rows.window_nights(connection, "m", "alice") == [NIGHTS[0], NIGHTS[2]]
        assert window_rows.window_nights(connection, "m", "bob") == []


def test_text_is_ordered_by_code_point_on_both_databases(store: Store) -> None:
    names = ["a", "B", "ä", "Z", "é", "e\u0301", "日", "_", "~"]
    with store.begin() as connection:
        window_rows.replace_windows(connection, "m", NIGHTS[0], [_window(name) for name in names])
        got = [row.entity_id for _, row in window_rows.load_windows(connection, "m", NIGHTS, "night")]
    assert got == sorted(names)
    assert all(one < two for one, two in pairwise(got))


def test_clients_of_a_network_are_stored_as_json(store: Store) -> None:
    with store.begin() as connection:
        window_rows.replace_windows(connection, "m", NIGHTS[0], [NETWORK, _window()])
        told = {row[0]: row[1] for row in connection.execute(select(t.window.c.entity_id, t.window.c.clients))}
    assert json.loads(told["10.0.0.0/24"]) == ["ü", "a'b"]
    assert told["alice"] is None
