from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from evidence_making import NIGHT
from sqlalchemy import insert

from detector.model import EvidenceItem, EvidenceStatus
from detector.store import evidence as kept
from detector.store import evidence_queries as stored
from detector.store import tables
from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 3_000


def _row(number: int) -> dict[str, Any]:
    late = number >= 2_500
    return {
        "file_id": 1,
        "line": number + 1,
        "row_index": 0,
        "ts": 1_000 + number,
        "key_hi": number,
        "key_lo": -number,
        "occurrence": 0,
        "client_id": f"client-{number % 700}",
        "model": "m" if number % 2 else "other",
        "operation": "predict",
        # nothing but nulls in the first rows: the driver must not take the column for integers
        "label": "cat" if late else None,
        "confidence": 0.5 if late else None,
        "status": 200 if late else None,
        "input_kind": 1 if late else 0,
        "input": np.array([1, 2], dtype="<f4").tobytes() if late else None,
        "probability_kind": 1 if late else 0,
        "probabilities": np.array([0.5, 0.25], dtype="<f4").tobytes() if late else None,
        "flags": 0,
    }


def _filled(url: str) -> Store:
    store = Store(url)
    upgrade(store)
    with store.begin() as connection:
        connection.execute(insert(tables.query), [_row(number) for number in range(COUNT)])
    return store


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "sqlite":
        store = _filled(f"sqlite:///{tmp_path_factory.mktemp('store') / 'detector.db'}")
    else:
        store = _filled(request.getfixturevalue("postgres_url"))
    yield store
    store.close()


def _outline(store: Store, clients: list[str], first: int = 0, end: int = 10_000) -> pa.Table:
    return pa.Table.from_batches(list(stored.read_outline(store, "m", clients, first, end)))


def test_the_outline_is_of_these_clients_this_model_this_span(filled: Store) -> None:
    table = _outline(filled, ["client-1", "client-3", "nobody"], 1_000, 2_000)
    rows = sorted(zip(table["ts"].to_pylist(), table["client_id"].to_pylist(), strict=True))
    assert rows == [(1001, "client-1"), (1003, "client-3"), (1701, "client-1"), (1703, "client-3")]


def test_more_clients_than_a_statement_holds(filled: Store) -> None:
    many = _outline(filled, [f"client-{i}" for i in range(650)])
    expected = sum(1 for i in range(COUNT) if i % 2 and i % 700 < 650)
    assert many.num_rows == expected
    assert set(many["label"].to_pylist()) == {None, "cat"}


def test_columns_that_begin_with_nulls_keep_their_type(filled: Store) -> None:
    ids = stored.read_sample(filled, "m", 0, 10_000, 1)["id"].to_pylist()
    table = stored.read_details(filled, ids)
    assert table.num_rows == COUNT // 2
    assert table.schema.field("label").type == pa.large_string()
    assert table.schema.field("probabilities").type == pa.large_binary()
    assert table["confidence"].null_count == table["label"].null_count == 1_250
    assert table["ts"].to_pylist() == sorted(table["ts"].to_pylist())
    assert set(table["input_bytes"].to_pylist()) == {0, 8}
    inputs = stored.read_inputs(filled, ids[-3:])
    assert inputs["input"].to_pylist() == [np.array([1, 2], dtype="<f4").tobytes()] * 3


def test_nothing_asked_nothing_read(filled: Store) -> None:
    assert stored.read_details(filled, []).num_rows == 0
    assert stored.read_inputs(filled, []).num_rows == 0
    assert list(stored.read_outline(filled, "m", ["nobody"], 0, 10_000)) == []
    assert stored.read_sample(filled, "nothing", 0, 10_000, 1).num_rows == 0


def test_a_sample_is_chosen_by_content(filled: Store) -> None:
    table = stored.read_sample(filled, "m", 0, 10_000, 7)
    assert [ts - 1_000 for ts in table["ts"].to_pylist()] == [i for i in range(COUNT) if i % 2 and i % 7 == 0]
    assert stored.count_queries(filled, "m", 0, 10_000) == COUNT // 2


def test_pins_and_items_replace_what_was_kept(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'detector.db'}")
    upgrade(store)
    with store.begin() as connection:
        row = dict.fromkeys(("severity", "technique", "model", "entity_kind", "entity_id", "body"), "x")
        nights = {"first_night": NIGHT.isoformat(), "last_night": NIGHT.isoformat()}
        connection.execute(insert(tables.incident).values(id="INC-1", status="open", **row, **nights))
    pin = kept.PinnedLine("f" * 64, 3, 0, "log", 5, "c", "climb", None, None)
    kept.write_pins(store, "INC-1", [pin, pin.__class__("f" * 64, 2, 0, "log", 4, "c", "climb", "a", "raw")])
    kept.write_pins(store, "INC-1", [pin])
    assert kept.read_pins(store, "INC-1") == (pin,)
    item = EvidenceItem(1, "Title", EvidenceStatus.CAPTURED, "reason", (("a", "b"),))
    kept.write_items(store, "INC-1", [item, EvidenceItem(2, "T", EvidenceStatus.UNAVAILABLE, "why")])
    kept.write_items(store, "INC-1", [item])
    assert kept.read_items(store, "INC-1") == (item,)
    kept.write_pins(store, "INC-1", [])
    kept.write_items(store, "INC-1", [])
    assert (kept.read_pins(store, "INC-1"), kept.read_items(store, "INC-1")) == ((), ())
    store.close()


def test_queries_are_counted_by_client_and_hour(filled: Store) -> None:
    hour = 3_600_000_000
    # The first hour ends before ts 3,001: three of this client's five queries lie in it.
    found = stored.count_hours(filled, "m", 3_001 - hour, 10_000)
    mine = sorted((one.queries, one.scored) for one in found if one.client == "client-1")
    assert mine == [(2, 1), (3, 0)]
    assert sum(one.queries for one in found) == COUNT // 2
    assert sum(one.scored for one in found) == 250
    assert stored.count_hours(filled, "nobody", 0, 10_000) == []


def test_a_replay_is_kept_beside_the_checklist(filled: Store) -> None:
    with filled.begin() as connection:
        row = dict.fromkeys(("severity", "technique", "model", "entity_kind", "entity_id", "body"), "x")
        nights = {"first_night": NIGHT.isoformat(), "last_night": NIGHT.isoformat()}
        connection.execute(insert(tables.incident).values(id="INC-replayed", status="open", **row, **nights))
    assert kept.read_replay(filled, "INC-replayed") is None
    for body in ("{}", '{"a": 1}'):
        kept.write_replay(filled, "INC-replayed", body)
    kept.write_items(filled, "INC-replayed", [EvidenceItem(1, "title", EvidenceStatus.CAPTURED, "why")])
    assert kept.read_replay(filled, "INC-replayed") == '{"a": 1}'
    assert [item.number for item in kept.read_items(filled, "INC-replayed")] == [1]
