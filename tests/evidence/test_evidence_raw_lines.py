from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.evidence import raw
from detector.evidence.raw import reread
from detector.store.evidence import SourceFile

if TYPE_CHECKING:
    from pathlib import Path

LINES = [b'{"a":1}', b"", b"third \xff\x00 line", b"x" * 3000, b"last without a line feed"]


def _source(path: Path, content: bytes) -> SourceFile:
    digest = hashlib.sha256(content).hexdigest()
    return SourceFile(1, str(path), digest, "jsonl", path.stat().st_size, 5, 5, 0, 0, None, "stored", "{}")


def _packed(path: Path, content: bytes, packing: str) -> Path:
    if packing == "gzip":
        path.write_bytes(gzip.compress(content))
    elif packing == "zstd":
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd"])
def test_lines_come_back_from_any_packing(tmp_path: Path, packing: str) -> None:
    content = b"\n".join(LINES)
    reading = reread(_source(_packed(tmp_path / "log", content, packing), content), {1, 3, 5})
    assert reading.problem is None
    assert sorted(reading.lines) == [1, 3, 5]
    assert reading.lines[3].text == "third \\xff\\x00 line"
    assert reading.lines[3].sha256 == hashlib.sha256(LINES[2]).hexdigest()
    assert reading.lines[5].text == "last without a line feed"


@given(lines=st.lists(st.binary(max_size=12).filter(lambda one: b"\n" not in one), max_size=12), data=st.data())
def test_chunks_may_cut_anywhere(lines: list[bytes], data: st.DataObject) -> None:
    content = b"\n".join(lines)
    size = data.draw(st.integers(1, 9))
    wanted = data.draw(st.sets(st.integers(1, len(lines) + 2)))
    chunks = (content[i : i + size] for i in range(0, len(content), size))
    digest = hashlib.sha256()
    got = dict(raw._lines(chunks, sorted(wanted), digest))
    # an empty line at the very end is no line: nothing follows the last line feed
    whole = content.split(b"\n")
    expected = {i: line for i, line in enumerate(whole, 1) if i in wanted and (line or i < len(whole))}
    assert got == expected
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


def test_a_line_without_end_is_kept_short_and_hashed_whole(tmp_path: Path) -> None:
    content = b"y" * 200_000
    path = tmp_path / "log"
    path.write_bytes(content)
    line = reread(_source(path, content), {1}).lines[1]
    assert len(line.text) == 65_537
    assert line.text.endswith("…")
    assert line.sha256 == hashlib.sha256(content).hexdigest()


def test_why_lines_cannot_be_had(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    source = _source(path, b"one\n")
    missing = reread(replace(source, path=str(tmp_path / "gone")), {1})
    assert missing.problem == "the source is no longer at hand: No such file or directory"
    changed = reread(replace(source, sha256="0" * 64), {1})
    assert (changed.lines, changed.problem) == ({}, "the file at that place no longer holds what was read")


def test_a_broken_archive_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"one\n" * 1000)[:-20])
    reading = reread(_source(path, b""), {1})
    assert reading.lines == {}
    assert str(reading.problem).startswith("the source is no longer at hand")


def test_parquet_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert reread(_source(path, b""), {1}).problem == "the source is Parquet, which has rows and no lines"
