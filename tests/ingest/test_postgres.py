"""PostgreSQL holds what SQLite holds."""

from __future__ import annotations

from typing import Any

import pytest
from ingest_making import ABSENT, Bench, line
from test_generic import INPUTS

pytestmark = pytest.mark.postgres


def _lines() -> list[str | bytes]:
    varied: list[str | bytes] = [
        line(request_id=f"r{i}", timestamp=f"2026-11-10T00:00:{i:02}Z", input=value)
        for i, (value, *_) in enumerate(INPUTS)
    ]
    return [
        *varied,
        line(request_id=ABSENT),
        line(request_id=ABSENT),
        line(request_id="x", client_id="a"),
        line(request_id="x", client_id="b"),
        line(client_id="nul \0 and \U0001f600 <b>'\"\\", model="Ünïcode"),
        line(request_id="s").replace("alice", "\\ud800"),
        line(request_id="u").encode().replace(b"alice", b"\xff\xc3"),
        line(request_id="n", latency_ms="#", input=["#", 1.0]).replace('"#"', "NaN"),
        line(request_id="p", output={"label": "cat", "probabilities": {"dog": 0.25, "cat": 0.75, "a\0": None}}),
        line(request_id="y", timestamp="2200-01-01T00:00:00Z", status=-5, sampling_rate=0.5),
        line(request_id="m", output={"items": [{"id": "\0", "score": 1}], "value": 2.5}),
        b"\x00\x01 broken \xff",
        line(client_id=ABSENT),
        "[]",
    ]


def _comparable(bench: Bench) -> dict[str, Any]:
    with bench.store.begin() as connection:
        classes = [tuple(row) for row in connection.exec_driver_sql("SELECT model, code, name FROM model_class")]
    rows = [{k: v for k, v in row.items() if k != "id"} for row in bench.rows()]
    ledger = [{k: v for k, v in row.items() if k not in {"id", "path", "ingested_at"}} for row in bench.ledger()]
    return {"query": rows, "reject": bench.rejects(), "source_file": ledger, "model_class": sorted(classes)}


def test_the_same_rows_on_both_databases(bench: Bench, postgres: Bench) -> None:
    lines = _lines()
    for one in (bench, postgres):
        one.load(one.write(*lines[:20]), block_bytes=4000)
        result = one.load(one.write(*lines, *lines[:5], name="more.jsonl"), block_bytes=4000)
        assert result.read == result.stored + result.duplicate + result.rejected == len(lines) + 5
        assert result.duplicate == 25
    assert _comparable(bench) == _comparable(postgres)


def test_stale_nights_and_known_files(postgres: Bench) -> None:
    path = postgres.write(line())
    assert postgres.load(path).stored == 1
    assert postgres.load(path).duplicate == 1
    with postgres.store.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO night (model, night, query_count, stale, schema_version, coverage, scanned_at)"
            " VALUES ('digits', '2026-11-10', 1, FALSE, 1, '{}', '')"
        )
    postgres.load(postgres.write(line(request_id="late"), name="late.jsonl"))
    with postgres.store.begin() as connection:
        assert connection.exec_driver_sql("SELECT stale FROM night").scalar_one() is True
