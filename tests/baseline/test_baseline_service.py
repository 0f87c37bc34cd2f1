from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baseline_making import benign, rows_of

from detector.baseline.model import BaselineKind
from detector.baseline.service import learn_from_nights, learn_from_reference, learn_provisional, load, standing
from detector.config import Settings
from detector.errors import BaselineError, ConfigError
from detector.features.schema import ModelSchema
from detector.incidents.service import apply
from detector.model import EntityKind, Finding, Horizon, InputKind, Segment, Severity, Technique
from detector.store import baselines, scanning, window_rows
from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

AS_OF = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
NIGHTS = [date(2026, 11, day) for day in range(10, 15)]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("baseline") / "empty.db"
    store = Store(f"sqlite:///{file}")
    upgrade(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return file.read_bytes()


@pytest.fixture
def connection(tmp_path: Path, migrated: bytes) -> Iterator[Connection]:
    file = tmp_path / "x.db"
    file.write_bytes(migrated)
    store = Store(f"sqlite:///{file}")
    with store.begin() as opened:
        yield opened
    store.close()


def _scanned(connection: Connection, *nights: date, clients: int = 10, model: str = "m") -> None:
    for night in nights:
        matrix = benign(clients, seed=night.day)
        rows = [row for horizon in Horizon for row in rows_of(matrix, horizon=horizon)]
        window_rows.replace_windows(connection, model, night.isoformat(), rows)
        row = scanning.NightRow(model, night.isoformat(), 100, False, None, 1, "{}", AS_OF.isoformat())
        scanning.replace_night(connection, row)


def _schema(connection: Connection) -> ModelSchema:
    reference = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    held = ModelSchema(
        "m", 1, "2026-11-10", InputKind.VECTOR, 3, 3, ("a", "b"), ((0, "a"), (1, "b")), (),
        np.ones(3, dtype=np.float32), reference,
    )  # fmt: skip
    scanning.add_schema(connection, scanning.StoredSchema("m", 1, held.night, held.body(), held.arrays()))
    return held


def test_without_a_baseline_a_night_is_judged_by_rules_alone(connection: Connection) -> None:
    told = standing(connection, "m", NIGHTS[0])
    assert told.baseline is None
    assert told.sentence == "judged by rules alone: this model has no baseline for this night yet"


def test_a_provisional_baseline_is_learned_before_the_fourth_night(connection: Connection) -> None:
    for number, night in enumerate(NIGHTS[:4]):
        learned = learn_provisional(connection, "m", night, AS_OF)
        assert (learned is not None) == (number == 3)
        _scanned(connection, night)
    assert learn_provisional(connection, "m", NIGHTS[4], AS_OF) is None
    (row,) = baselines.list_baselines(connection, "m")
    assert (row.id, row.kind, row.active, row.valid_after) == ("m@1", "provisional", True, "2026-11-12")
    assert load(row).nights == tuple(NIGHTS[:3])


def test_no_night_is_judged_by_a_provisional_baseline_that_it_helped_to_make(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:3])
    learn_provisional(connection, "m", NIGHTS[3], AS_OF)
    for night in NIGHTS[:3]:
        assert standing(connection, "m", night).baseline is None
    told = standing(connection, "m", NIGHTS[3])
    assert told.baseline is not None
    assert told.sentence == "judged by rules and by the provisional baseline m@1, learned from 3 nights"


def test_late_nights_do_not_become_a_past(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[2:])
    assert learn_provisional(connection, "m", NIGHTS[0], AS_OF) is None


def test_too_small_a_model_waits_without_an_error(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:3], clients=3)
    assert learn_provisional(connection, "m", NIGHTS[3], AS_OF) is None
    assert baselines.list_baselines(connection, "m") == []


def test_other_models_do_not_teach(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:3], model="other")
    assert learn_provisional(connection, "m", NIGHTS[3], AS_OF) is None


def test_a_learned_baseline_takes_over_and_judges_every_night(connection: Connection) -> None:
    _scanned(connection, *NIGHTS)
    learn_provisional(connection, "m", NIGHTS[3], AS_OF)
    learned = learn_from_nights(connection, "m", NIGHTS[1:], BaselineKind.LEARNED, AS_OF)
    assert (learned.id, len(learned.night)) == ("m@2", 40)
    assert [row.active for row in baselines.list_baselines(connection, "m")] == [False, True]
    for night in NIGHTS:
        judged = standing(connection, "m", night).baseline
        assert judged is not None
        assert judged.id == "m@2"


def test_a_night_that_was_not_scanned_cannot_teach(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:2])
    with pytest.raises(BaselineError, match="night 2026-11-12 of model 'm' was not scanned"):
        learn_from_nights(connection, "m", NIGHTS[:4], BaselineKind.LEARNED, AS_OF)


def _finding(client: str, level: Severity) -> Finding:
    return Finding(
        id=client.ljust(16, "0"), rule="climb", title="Climb", level=level, technique=Technique.INVERSION, model="m",
        entity_kind=EntityKind.CLIENT, entity_id=client, horizon=Horizon.NIGHT, night=NIGHTS[0], clients=(client,),
        trigger=(), sentence="It climbed.", query_count=100, segment=Segment(1, 2),
    )  # fmt: skip


def test_clients_of_incidents_are_no_teachers(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:3])
    findings = (_finding("c0001", Severity.HIGH), _finding("c0002", Severity.LOW))
    apply(connection, model="m", night=NIGHTS[0], findings=findings, settings=Settings(), as_of=AS_OF)
    learned = learn_from_nights(connection, "m", NIGHTS[:3], BaselineKind.LEARNED, AS_OF)
    assert learned.left_out == (("c0001", "in an incident"),)
    assert len(learned.night) == 27
    assert learned.clients == 9


def test_an_incident_of_other_nights_does_not_count(connection: Connection) -> None:
    _scanned(connection, *NIGHTS)
    apply(
        connection, model="m", night=NIGHTS[0], findings=(_finding("c0001", Severity.HIGH),), settings=Settings(),
        as_of=AS_OF,
    )  # fmt: skip
    assert learn_from_nights(connection, "m", NIGHTS[1:], BaselineKind.LEARNED, AS_OF).left_out == ()


def test_a_reference_file_gives_the_next_schema_and_baseline(connection: Connection, tmp_path: Path) -> None:
    _scanned(connection, *NIGHTS[:3])
    held = _schema(connection)
    file = tmp_path / "reference.parquet"
    pq.write_table(pa.table({"input_vector": (held.reference * 7).tolist()}), file)
    learned = learn_from_reference(connection, "m", file, [], AS_OF)
    assert (learned.kind, learned.nights) == (BaselineKind.REFERENCE, tuple(NIGHTS[:3]))
    stored = scanning.latest_schema(connection, "m")
    assert stored is not None
    fresh = ModelSchema.load("m", stored.version, stored.night, stored.body, stored.arrays)
    assert fresh.version == 2
    np.testing.assert_allclose(fresh.scale, 7 * held.reference.std(axis=0), rtol=1e-4)
    told = standing(connection, "m", NIGHTS[0]).sentence
    assert told == "judged by rules and by the reference baseline m@1, learned from 3 nights"


def test_a_model_never_scanned_has_nothing_to_compare_a_file_with(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="'m' was never scanned"):
        learn_from_reference(connection, "m", tmp_path / "x.parquet", [], AS_OF)
    _schema(connection)
    with pytest.raises(ConfigError, match="cannot be read"):
        learn_from_reference(connection, "m", tmp_path / "x.parquet", [], AS_OF)


def test_a_damaged_baseline_is_the_stages_own_error_where_it_judges(connection: Connection) -> None:
    _scanned(connection, *NIGHTS[:3])
    learn_from_nights(connection, "m", NIGHTS[:3], BaselineKind.LEARNED, AS_OF)
    (row,) = baselines.list_baselines(connection, "m")
    baselines.add_baseline(connection, replace(row, id="m@2", version=2, arrays=row.arrays[:100]))
    with pytest.raises(BaselineError, match="cannot be read"):
        standing(connection, "m", NIGHTS[4])
