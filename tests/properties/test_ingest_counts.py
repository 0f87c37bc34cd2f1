"""read = stored + duplicate + rejected, whatever is in the files and however they are cut."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ingest.options import IngestOptions, IngestResult
from detector.ingest.pipeline import ingest
from detector.store.engine import Store
from detector.store.migrate import upgrade


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blank") / "store.db"
    upgrade(Store(f"sqlite:///{path}"))
    return path


good = st.builds(
    lambda second, request, client, value: json.dumps(
        {
            "timestamp": f"2026-11-10T00:00:{second:02}Z",
            "client_id": client,
            "model": "m",
            "input": value,
        }
        | ({"request_id": request} if request else {})
    ).encode(),
    st.integers(0, 59),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["x", "y"]),
    st.one_of(st.none(), st.just([0.5]), st.just("t"), st.just({"a": 1}), st.just([[1], [2, 3]])),
)
bad = st.one_of(
    st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")),
    st.sampled_from([b"{", b"[]", b"", b"  ", b'{"timestamp": "2026-11-10T00:00:00"}', b'{"model": "m"}', b"null"]),
    good.map(lambda text: text[:-3]),
)
lines = st.lists(st.one_of(good, good, bad), max_size=25)


def _load(blank: Path, files: list[list[bytes]], block_bytes: int) -> tuple[IngestResult, int, int]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(f"sqlite:///{shutil.copy(blank, folder / 'store.db')}")
        paths = []
        for i, content in enumerate(files):
            paths.append(folder / f"{i}.jsonl")
            paths[-1].write_bytes(b"".join(line + b"\n" for line in content))
        result = ingest(store, paths, IngestOptions(block_bytes=block_bytes))
        with store.begin() as connection:
            queries = connection.exec_driver_sql("SELECT COUNT(*) FROM query").scalar_one()
            rejects = connection.exec_driver_sql("SELECT COUNT(*) FROM reject").scalar_one()
        return result, queries, rejects


@settings(deadline=None, max_examples=25)
@given(st.lists(lines, min_size=1, max_size=3), st.sampled_from([400, 1 << 20]))
def test_totals_add_up_and_match_the_tables(blank: Path, files: list[list[bytes]], block_bytes: int) -> None:
    result, queries, rejects = _load(blank, files, block_bytes)
    for file in (*result.files, result):
        assert file.read == file.stored + file.duplicate + file.rejected
        assert sum(file.rejects.values()) == file.rejected
    known = [file for file in result.files if file.status == "already_stored"]
    assert (queries, rejects) == (result.stored, result.rejected - sum(file.rejected for file in known))
    records = sum(bool(line.strip(bytes(range(33)))) for content in files for line in content)
    unread = sum(
        bool(line.strip(bytes(range(33))))
        for content, file in zip(files, result.files, strict=True)
        for line in content
        if file.damage
    )
    assert result.read == records - unread
