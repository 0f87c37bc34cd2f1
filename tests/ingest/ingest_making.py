"""Records, files and a bench with a store for the tests of ingest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from detector.ingest.options import IngestOptions, IngestResult
from detector.ingest.pipeline import ingest
from detector.model import RowFlag
from detector.store.tables import query, reject, source_file

if TYPE_CHECKING:
    from pathlib import Path

    from detector.store.engine import Store

ABSENT = object()


def record(**changes: Any) -> dict[str, Any]:
    """A plain record of the generic log; a field set to ABSENT is left out."""
    fields: dict[str, Any] = {
        "timestamp": "2026-11-10T03:14:15.926535Z",
        "request_id": "r1",
        "client_id": "alice",
        "source_ip": "192.0.2.7",
        "user_agent": "test/1",
        "model": "digits",
        "model_version": "2.1.0",
        "endpoint": "predict",
        "status": 200,
        "latency_ms": 3.5,
        "params": {"return_probabilities": True},
        "input": [0.5, 0.25],
        "output": {"label": "1", "confidence": 0.75, "probabilities": [0.25, 0.75]},
    }
    return {key: value for key, value in (fields | changes).items() if value is not ABSENT}


def line(**changes: Any) -> str:
    return json.dumps(record(**changes))


class Bench:
    """A store, a folder, and the few steps that tests take again and again."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def write(self, *lines: str | bytes, name: str = "log.jsonl", end: bytes = b"\n") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = [one.encode() if isinstance(one, str) else one for one in lines]
        path.write_bytes(b"".join(one + end for one in raw))
        return path

    def load(self, *paths: Path, **options: Any) -> IngestResult:
        return ingest(self.store, paths, IngestOptions(**options))

    def read(self, *lines: str | bytes, **options: Any) -> IngestResult:
        return self.load(self.write(*lines), **options)

    def rows(self) -> list[dict[str, Any]]:
        with self.store.begin() as connection:
            found = connection.execute(
                select(query).order_by(query.c.ts, query.c.file_id, query.c.line, query.c.row_index)
            )
            return [dict(row._mapping) for row in found]

    def one(self, *lines: str | bytes, **options: Any) -> dict[str, Any]:
        """Read lines that give exactly one stored query, and return it."""
        result = self.read(*lines, **options)
        assert (result.stored, result.rejected) == (1, 0), result
        return self.rows()[-1]

    def rejects(self) -> list[dict[str, Any]]:
        with self.store.begin() as connection:
            found = connection.execute(select(reject).order_by(reject.c.file_id, reject.c.line, reject.c.row_index))
            return [dict(row._mapping) for row in found]

    def ledger(self) -> list[dict[str, Any]]:
        with self.store.begin() as connection:
            return [dict(row._mapping) for row in connection.execute(select(source_file).order_by(source_file.c.id))]

    def content(self) -> list[tuple[Any, ...]]:
        """What the store says of queries, whichever file each came from."""
        origin = {"id", "file_id", "line"}
        return sorted((tuple(v for k, v in row.items() if k not in origin) for row in self.rows()), key=repr)


def flags(row: dict[str, Any]) -> RowFlag:
    return RowFlag(row["flags"])


def floats(blob: bytes) -> list[float]:
    return [float(value) for value in np.frombuffer(blob, "<f4")]
