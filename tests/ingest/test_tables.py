"""CSV and Parquet."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingest_making import ABSENT, Bench, flags, floats, line, record

from detector.ingest.options import FileStatus
from detector.model import InputKind, RowFlag

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("timestamp", "request_id", "client_id", "model", "user_agent", "status", "params", "input", "output")


def cells(**changes: Any) -> list[str]:
    """A record as CSV cells: objects and lists as JSON, nothing for what is absent."""
    found = record(**changes)
    values = (found.get(name) for name in COLUMNS)
    return ["" if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]


def table(*rows: list[str], delimiter: str = ",", end: str = "\n", columns: tuple[str, ...] = COLUMNS) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def put(bench: Bench, text: str | bytes, name: str = "log.csv") -> Any:
    path = bench.folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return bench.load(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_says_what_json_lines_say(new_bench: Callable[[], Bench], delimiter: str, end: str) -> None:
    kinds = [[0.5, 0.25], {"a": 1, "b": "x,y"}, 'text, with "quotes"\nand lines', None]
    changes = [{"request_id": f"r{i}", "input": value} for i, value in enumerate(kinds)]
    left, right = new_bench(), new_bench()
    put(left, table(*(cells(**change) for change in changes), delimiter=delimiter, end=end))
    absent = {"source_ip": ABSENT, "model_version": ABSENT, "endpoint": ABSENT, "latency_ms": ABSENT}
    right.read(*(line(**change, **absent) for change in changes))
    ignored = {"id", "line", "key_hi", "key_lo"}
    a, b = ([{k: v for k, v in row.items() if k not in ignored} for row in x.rows()] for x in (left, right))
    assert a == b
    assert [row["input_kind"] for row in a] == [1, 2, 3, 0]


def test_the_line_of_a_csv_row_is_the_physical_one(bench: Bench) -> None:
    rows = [cells(request_id="a", input="two\nlines"), cells(request_id="b"), cells(request_id="c", client_id=None)]
    put(bench, "\n" + table(*rows))
    assert [(row["request_id"], row["line"]) for row in bench.rows()] == [("a", 3), ("b", 5)]
    assert [(r["line"], r["reason"]) for r in bench.rejects()] == [(6, "client_id_missing")]


def test_output_may_be_one_column_a_field(bench: Bench) -> None:
    columns = ("timestamp", "client_id", "model", "output.label", "confidence", "output.probabilities", "value")
    put(bench, table(["2026-11-10T00:00:00Z", "c", "m", "1", "0.75", "[0.25, 0.75]", "2.5"], columns=columns))
    (row,) = bench.rows()
    assert (row["label"], row["confidence"], row["value"], row["scored"]) == ("1", 0.75, 2.5, 1)
    assert floats(row["probabilities"]) == [0.25, 0.75]


def test_rows_with_too_few_or_too_many_cells_are_read_as_far_as_they_go(bench: Bench) -> None:
    plain = cells(request_id="a")
    put(bench, table(plain, cells(request_id="b")[:6], [*cells(request_id="c"), "extra"]))
    assert {row["request_id"]: flags(row) for row in bench.rows()} == {
        "a": RowFlag(0),
        "b": RowFlag.FIELD_UNREADABLE,
        "c": RowFlag.FIELD_UNREADABLE,
    }


def test_a_quote_that_the_next_line_closes_costs_that_line_too(bench: Bench) -> None:
    good = [cells(request_id=f"r{i}") for i in range(20)]
    text = table(*good).splitlines(keepends=True)
    text.insert(5, '2026-11-10T00:00:00Z,"never closed,c,m\n')
    result = put(bench, "".join(text))
    assert result.read == result.stored + result.rejected == 20
    assert len({row["request_id"] for row in bench.rows()} & {f"r{i}" for i in range(20)}) == 19


@pytest.mark.parametrize("block_bytes", [400, 1 << 20])
def test_a_quote_that_nothing_closes_costs_its_own_line(bench: Bench, block_bytes: int) -> None:
    good = [f"2026-11-10T00:00:00Z,r{i},c,m\n" for i in range(60)]
    good.insert(5, '2026-11-10T00:00:00Z,"never closed,c,m\n')
    path = bench.folder / "log.csv"
    path.write_text("timestamp,request_id,client_id,model\n" + "".join(good))
    result = bench.load(path, block_bytes=block_bytes, max_line_bytes=1000)
    assert (result.stored, result.rejects) == (60, {"quote_not_closed": 1})
    assert [(found["line"], found["excerpt"]) for found in bench.rejects()] == [(7, good[5].strip())]


@pytest.mark.parametrize("block_bytes", [700, 5000, 1 << 20])
def test_csv_blocks_change_nothing(bench: Bench, block_bytes: int) -> None:
    rows = [cells(request_id=f"r{i}", user_agent='x"' * (i % 7), input="line\n" * (i % 5)) for i in range(60)]
    path = bench.folder / "log.csv"
    path.write_text(table(*rows))
    assert bench.load(path, block_bytes=block_bytes).stored == 60
    assert {row["request_id"] for row in bench.rows()} == {f"r{i}" for i in range(60)}


def test_csv_with_invalid_bytes(bench: Bench) -> None:
    text = table(cells(client_id="<#>")).encode().replace(b"#", b"\xff")
    put(bench, text)
    (row,) = bench.rows()
    assert (row["client_id"], flags(row)) == ("<\\xff>", RowFlag.TEXT_ESCAPED)


def test_compressed_csv_cut_off(bench: Bench) -> None:
    text = table(*(cells(request_id=f"r{i}", user_agent=f"{i * 7919}") for i in range(500)))
    result = put(bench, gzip.compress(text.encode())[:-200], "log.csv.gz")
    assert 100 < result.stored < 500
    assert result.files[0].damage


def test_a_csv_header_alone_holds_no_query(bench: Bench) -> None:
    assert put(bench, table()).read == 0


def parquet(bench: Bench, columns: dict[str, Any], name: str = "log.parquet", **options: Any) -> Any:
    pq.write_table(pa.table(columns), bench.folder / name, row_group_size=7)
    return bench.load(bench.folder / name, **options)


def columns_of(count: int) -> dict[str, Any]:
    start = dt.datetime(2026, 11, 10, 3, 14, 15, 926535, tzinfo=dt.UTC)
    return {
        "timestamp": pa.array([start + dt.timedelta(seconds=i) for i in range(count)], pa.timestamp("us", "UTC")),
        "request_id": [f"r{i}" for i in range(count)],
        "client_id": pa.array(["c"] * count).dictionary_encode(),
        "model": ["m"] * count,
        "status": pa.array([200] * count, pa.int16()),
        "input": pa.array([[0.1, float(i)] for i in range(count)], pa.list_(pa.float32())),
        "output": [{"label": "1", "confidence": 0.5, "probabilities": [0.5, 0.5]}] * count,
    }


def test_parquet_is_read_by_its_types(bench: Bench) -> None:
    assert parquet(bench, columns_of(20)).stored == 20
    rows = bench.rows()
    assert [row["line"] for row in rows] == list(range(1, 21))
    assert (rows[0]["ts"], rows[0]["status"], rows[0]["client_id"], rows[0]["label"]) == (
        1794280455926535,
        200,
        "c",
        "1",
    )
    np.testing.assert_array_equal(np.array([0.1, 19], "<f4"), np.frombuffer(rows[19]["input"], "<f4"))
    assert {row["flags"] for row in rows} == {0}


def test_parquet_columns_of_json_text_and_records(bench: Bench) -> None:
    columns = columns_of(2)
    columns["input"] = ['{"b": 1, "a": 2}', "plain text"]
    columns["output"] = ['{"label": "x"}', '{"value": 1.5}']
    parquet(bench, columns)
    a, b = bench.rows()
    assert (a["input"], a["label"], a["input_kind"]) == (b'{"a":2,"b":1}', "x", InputKind.RECORD)
    assert (b["input"], b["value"], b["input_kind"]) == (b"plain text", 1.5, InputKind.TEXT)


def test_parquet_times_without_zone(bench: Bench) -> None:
    columns = columns_of(3)
    columns["timestamp"] = columns["timestamp"].cast(pa.timestamp("ms"), safe=False)
    assert parquet(bench, columns).rejects == {"timestamp_without_zone": 3}
    assert parquet(bench, columns, assume_tz="UTC").stored == 3


def test_parquet_rows_are_known_again_in_another_file(bench: Bench) -> None:
    assert parquet(bench, columns_of(20)).stored == 20
    again = parquet(bench, columns_of(25), "again.parquet", block_bytes=1000)
    assert (again.stored, again.duplicate) == (5, 20)


def test_a_damaged_parquet_file(bench: Bench) -> None:
    parquet(bench, columns_of(50))
    raw = bytearray((bench.folder / "log.parquet").read_bytes())
    (bench.folder / "cut.parquet").write_bytes(bytes(raw[: len(raw) // 2]))
    result = bench.load(bench.folder / "cut.parquet")
    assert (result.files[0].status, result.read) == (FileStatus.FAILED, 0)
    assert "Parquet" in (result.files[0].damage or "")


def test_compressed_text_in_other_clothes(bench: Bench) -> None:
    path = bench.folder / "export"
    path.write_bytes(gzip.compress(table(cells()).encode()))
    assert bench.load(path).stored == 1


def test_parquet_texts_that_are_not_utf8(bench: Bench) -> None:
    columns = columns_of(3)
    raw = pa.array([b"a", b"<\xff>", b"c"], pa.binary())
    columns["client_id"] = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    assert parquet(bench, columns).stored == 3
    assert [(row["client_id"], row["flags"] != 0) for row in bench.rows()] == [
        ("a", False),
        ("<\\xff>", True),
        ("c", False),
    ]


def test_parquet_rows_of_a_megabyte_come_one_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.ingest import tables

    seen: list[int] = []
    genuine = tables.RowPiece.block

    def watched(self: tables.RowPiece) -> Any:
        seen.append(self.batch.num_rows)
        return genuine(self)

    monkeypatch.setattr(tables.RowPiece, "block", watched)
    columns = columns_of(5)
    columns["input"] = [f"{i}" + "x" * 300_000 for i in range(5)]
    pq.write_table(pa.table(columns), bench.folder / "big.parquet", use_dictionary=False, compression="none")
    assert bench.load(bench.folder / "big.parquet", block_bytes=1 << 19).stored == 5
    assert max(seen) == 1
