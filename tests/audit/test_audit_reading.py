from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.audit.reading import columns_of, read_confidences, tells_confidence
from detector.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

VALUES = [0.25, 1.0, 0.0, 0.875, 1]
INCLUDED = [True, False, True, True, False]


def _lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def _records() -> list[dict[str, Any]]:
    return [
        {"id": f"r{i}", "confidence": v, "included": k} for i, (v, k) in enumerate(zip(VALUES, INCLUDED, strict=True))
    ]


def _table() -> bytes:
    rows = "".join(f'"r,{i}",{v},{str(k).lower()}\n' for i, (v, k) in enumerate(zip(VALUES, INCLUDED, strict=True)))
    return f"id,confidence,included\n{rows}".encode()


def _zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


@pytest.mark.parametrize(
    "content",
    [
        _lines(_records()),
        b"\xef\xbb\xbf" + _lines(_records()),
        gzip.compress(_lines(_records())[:60]) + gzip.compress(_lines(_records())[60:]),
        _zstd(_lines(_records())),
        _table(),
        b"\xef\xbb\xbf" + _table(),
        _table().replace(b"r,", b"r").replace(b",", b";"),
        _table().replace(b"r,", b"r").replace(b",", b"\t"),
        _table().replace(b"\n", b"\r\n"),
        gzip.compress(_table()),
    ],
    ids=[
        "jsonl",
        "jsonl-bom",
        "jsonl-gzip-members",
        "jsonl-zstd",
        "csv",
        "csv-bom",
        "semicolons",
        "tabs",
        "crlf",
        "csv-gzip",
    ],
)
def test_text_of_any_wrapping(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "without a telling name"
    file.write_bytes(content)
    found = read_confidences(file)
    np.testing.assert_array_equal(VALUES, found.values)
    assert found.included is not None
    np.testing.assert_array_equal(INCLUDED, found.included)


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(6, 3)])
def test_parquet_of_any_number(tmp_path: Path, kind: pa.DataType) -> None:
    file = tmp_path / "a*[b].parquet"
    column = pa.array(VALUES, pa.float64()).cast(kind)
    pq.write_table(pa.table({"confidence": column, "other": ["x"] * 5}), file, row_group_size=2)
    found = read_confidences(file)
    np.testing.assert_array_equal(VALUES, found.values)
    assert (found.name, found.included) == ("a*[b].parquet", None)


def test_another_column_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("confidence,p_true\nhigh,0.5\n")
    np.testing.assert_array_equal([0.5], read_confidences(file, "p_true").values)


LISTS = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [
        (pa.array(LISTS), pa.array([1, 0, 1])),
        (pa.array([[9.0], *LISTS]).slice(1), pa.array([7, 1, 0, 1]).slice(1)),
        (pa.array(LISTS), pa.array(["1", "0", "1"])),
        (pa.array(LISTS, pa.list_(pa.float64(), 2)), pa.array([1, 0, 1])),
        (pa.array([{"a": p, "b": q} for p, q in LISTS]), pa.array(["b", "a", "b"])),
        (
            pa.array([[("a", p), ("1", q)] for p, q in LISTS], pa.map_(pa.string(), pa.float64())),
            pa.array(["1", "a", "1"]),
        ),
    ],
    ids=["positions", "sliced", "positions as text", "fixed lists", "names", "map"],
)
def test_parquet_probabilities_of_the_true_class(tmp_path: Path, probabilities: pa.Array, label: pa.Array) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"probabilities": probabilities, "label": label}), file)
    np.testing.assert_allclose(read_confidences(file).values, [0.9, 0.8, 0.7])


def test_text_probabilities_of_the_true_class(tmp_path: Path) -> None:
    lists, named, table = tmp_path / "lists", tmp_path / "named", tmp_path / "table"
    truth = [1, 0, 1]
    lists.write_bytes(_lines([{"probabilities": p, "label": y} for p, y in zip(LISTS, truth, strict=True)]))
    mixed = [{"x y": 0.1, "01": 0.9}, {"x y": 0.8}, {"01": 0.7, "new": 0.3}]
    named.write_bytes(
        _lines([{"probabilities": p, "label": ["x y", "01"][y]} for p, y in zip(mixed, truth, strict=True)])
    )
    table.write_text("label,probabilities\n" + "".join(f'{y},"{p}"\n' for p, y in zip(LISTS, truth, strict=True)))
    for file in (lists, named, table):
        np.testing.assert_allclose(read_confidences(file).values, [0.9, 0.8, 0.7])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no record"),
        (b"confidence\n", "holds no record"),
        (b"conf\n0.5\n", "no column 'confidence' (columns: 'conf')"),
        (b"confidence\n0.5\nhalf\n", "invalid value 'half'"),
        (b"confidence\n0.5\nnan\n", "record 2 is missing or no number (1 such records)"),
        (b"confidence,x\n0.5,1\n,2\n", "record 2 is missing"),
        (b"confidence\n0.5\n1.5\n-2\n", "record 2 is 1.5 (2 such records)"),
        (b"confidence,x\n0.5\n", "Expected 2 columns"),
        (b'{"label": 1}\n', "no column 'confidence' (columns: 'label')"),
        (b'{"confidence": 0.5}\n{"confidence": null}\n', "record 2 is missing"),
        (b'{"confidence": 0.5}\n{"confidence": "x"}\n', "in row 1"),
        (b'{"confidence": 0.5}\n{"confiden', "cannot be read"),
        (b'{"confidence": \n', "cannot be read"),
        (b'{"probabilities": [0.5, 0.5], "label": 2}\n', "record 1 is missing"),
        (b'{"probabilities": [0.5, 0.5], "label": -1}\n', "record 1 is missing"),
        (b'{"probabilities": [0.5, 0.5], "label": null}\n', "record 1 is missing"),
        (b'{"probabilities": null, "label": 0}\n', "record 1 is missing"),
        (b'{"probabilities": {"a": 1}, "label": "b"}\n', "record 1 is missing"),
        (b'{"confidence": 0.5, "included": null}\n', "`included` is missing"),
        (b"\x89PNG\0\0", "neither text nor Parquet"),
        (b"PAR1 and no more", "cannot be read"),
        (gzip.compress(_table() * 50, mtime=0)[:-40], "cannot be read"),
        (b"\xff\xfeconfidence\n", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_file(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "members"
    file.write_bytes(content)
    with pytest.raises(AuditError) as caught:
        read_confidences(file)
    assert told in caught.value.message
    assert (caught.value.file, caught.value.exit_code) == (file, 2)
    assert caught.value.expected


def test_missing_files_and_wrong_types_are_told(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="No such file"):
        read_confidences(tmp_path / "gone")
    with pytest.raises(AuditError, match="cannot be read"):
        read_confidences(tmp_path)
    odd = tmp_path / "odd.parquet"
    pq.write_table(pa.table({"confidence": [[0.5]], "label": ["a"]}), odd)
    with pytest.raises(AuditError, match="another type"):
        read_confidences(odd)
    assert columns_of(odd) == {"confidence", "label"}
    with pytest.raises(AuditError, match="as Parquet"):
        columns_of(tmp_path / "gone")


def test_the_rounding_of_stored_probabilities_is_forgiven(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("confidence\n1.0000001\n-1e-9\n")
    np.testing.assert_array_equal([1, 0], read_confidences(file).values)


def test_more_than_one_batch_keeps_every_record(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(size=150_000).round(6)
    table, lists = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("id,confidence\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    lists.write_bytes(_lines([{"probabilities": [v], "label": 0} for v in values[:25_000]]))
    np.testing.assert_array_equal(values, read_confidences(table).values)
    np.testing.assert_array_equal(values[:25_000], read_confidences(lists).values)


def test_which_columns_tell() -> None:
    assert tells_confidence(["label", "confidence"])
    assert tells_confidence(["label", "probabilities"])
    assert not tells_confidence(["probabilities"])
    assert not tells_confidence(["confidence"], "p")
