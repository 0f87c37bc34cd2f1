"""SQLite's log is copied back while the writer goes on, and nothing depends on it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from detector.store import checkpoints as copying
from detector.store.checkpoints import checkpoints
from detector.store.engine import Store
from detector.store.ingesting import ingest_lane
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from detector.store.ingesting import IngestLane

_PATIENCE = 20.0


def _named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def _write(lane: IngestLane, first: int, count: int) -> None:
    codes = pa.array(range(first, first + count), pa.int64())
    names = pa.array(["x" * 200] * count, pa.string())
    lane.append("model_class", pa.table({"model": pa.array(["m"] * count), "code": codes, "name": names}))
    lane.commit()


def test_the_database_grows_while_the_writer_still_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "WORTH_A_COPY", 1)
    store = Store(f"sqlite:///{tmp_path / 'd.db'}")
    upgrade(store)
    store.close()
    before = (tmp_path / "d.db").stat().st_size
    with ingest_lane(store) as lane:
        until = time.monotonic() + _PATIENCE
        first = 0
        while (tmp_path / "d.db").stat().st_size == before and time.monotonic() < until:
            _write(lane, first, 2000)
            first += 2000
        assert (tmp_path / "d.db").stat().st_size > before
        assert len(lane.known_classes()) == first
    assert _named("checkpoint") == []
    with ingest_lane(store) as lane:
        assert len(lane.known_classes()) == first


def test_little_is_not_worth_a_thread(tmp_path: Path) -> None:
    with checkpoints(Store(f"sqlite:///{tmp_path / 'd.db'}")) as written:
        written(copying.WORTH_A_COPY - 1)
        assert _named("checkpoint") == []


def test_a_copy_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    with checkpoints(Store(f"sqlite:///{tmp_path / 'missing' / 'd.db'}")) as written:
        written(copying.WORTH_A_COPY)
        for thread in _named("checkpoint"):
            thread.join(_PATIENCE)
        written(copying.WORTH_A_COPY)
    assert _named("checkpoint") == []


def test_a_server_copies_its_own_log() -> None:
    with checkpoints(Store("postgresql://nobody@127.0.0.1:1/none")) as written:
        written(copying.WORTH_A_COPY)
        assert _named("checkpoint") == []
