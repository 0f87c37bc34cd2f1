from __future__ import annotations

import gzip
import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ingest_making import ABSENT, Bench, flags, line

from detector.ingest.options import FileStatus
from detector.model import RowFlag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def lines_of(count: int, *, ids: bool = True, seconds: int = 60) -> list[str]:
    """Lines with some equal times, inputs and clients; with ids no two are equal."""
    rng = random.Random(5)  # noqa: S311 - a repeatable choice
    made = []
    for i in range(count):
        second = rng.randrange(seconds)
        changes: dict[str, Any] = {
            "timestamp": f"2026-11-10T00:{second // 60:02}:{second % 60:02}Z",
            "request_id": f"id{i}" if ids else ABSENT,
            "client_id": f"c{rng.randrange(3)}",
            "input": [rng.randrange(2)],
            "latency_ms": 1.0,
        }
        made.append(line(**changes))
    return made


def test_the_same_line_twice_is_one_query_with_an_id(bench: Bench) -> None:
    result = bench.read(line(), line(), line(request_id="b"), line())
    assert (result.read, result.stored, result.duplicate) == (4, 2, 2)
    assert [row["line"] for row in bench.rows()] == [1, 3]


def test_equal_lines_without_id_are_as_many_queries(bench: Bench) -> None:
    twice = line(request_id=ABSENT)
    result = bench.read(twice, line(request_id=ABSENT, client_id="b"), twice, twice)
    assert (result.read, result.stored, result.duplicate) == (4, 4, 0)
    assert sorted(row["occurrence"] for row in bench.rows()) == [0, 0, 1, 2]


def test_without_ids_a_rotated_copy_is_known_and_more_equal_lines_are_new(bench: Bench) -> None:
    one = line(request_id=ABSENT)
    other = line(request_id=ABSENT, client_id="b")
    assert bench.load(bench.write(one, one, name="a.jsonl")).stored == 2
    copy = bench.load(bench.write(other, one, one, name="a.jsonl.1"))
    assert (copy.stored, copy.duplicate) == (1, 2)
    more = bench.load(bench.write(one, one, one, name="b.jsonl"))
    assert (more.stored, more.duplicate) == (1, 2)
    fewer = bench.load(bench.write(one, other, name="c.jsonl"))
    assert (fewer.stored, fewer.duplicate) == (0, 2)
    assert len(bench.rows()) == 4


@pytest.mark.parametrize("block_bytes", [8000, 1 << 20])
def test_equal_lines_without_id_far_apart_in_an_unordered_file(bench: Bench, block_bytes: int) -> None:
    lines = lines_of(300, ids=False)
    expected = {text: lines.count(text) for text in lines}
    assert max(expected.values()) > 1
    result = bench.load(bench.write(*lines), block_bytes=block_bytes)
    assert (result.stored, result.duplicate) == (300, 0)
    again = bench.load(bench.write(*reversed(lines), name="b.jsonl"), block_bytes=6000)
    assert (again.stored, again.duplicate) == (0, 300)


@pytest.mark.parametrize("ids", [True, False])
def test_the_size_of_blocks_changes_nothing(new_bench: Callable[[], Bench], ids: bool) -> None:
    lines = [*lines_of(200, ids=ids), *lines_of(50, ids=ids), "broken", *lines_of(20, ids=ids)]
    contents = []
    for block_bytes in (3_000, 20_000, 1 << 24):
        bench = new_bench()
        result = bench.load(bench.write(*lines), block_bytes=block_bytes)
        contents.append((bench.content(), [r["line"] for r in bench.rejects()], result.stored, result.duplicate))
    assert contents[0] == contents[1] == contents[2]


def test_a_known_file_is_not_parsed_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.write(*lines_of(20), "broken")
    first = bench.load(path)
    monkeypatch.setattr("detector.ingest.storing.read_block", pytest.fail)
    again = bench.load(path)
    (file,) = again.files
    assert file.status is FileStatus.ALREADY_STORED
    assert (file.read, file.stored, file.duplicate, file.rejected) == (21, 0, 20, 1)
    assert (file.rejects, file.nights) == (first.files[0].rejects, first.files[0].nights)


def test_renamed_and_recompressed_files_are_known(bench: Bench) -> None:
    lines = lines_of(20)
    path = bench.write(*lines)
    assert bench.load(path).stored == 20
    packed = bench.folder / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    subprocess.run(["zstd", "-q", str(path), "-o", str(bench.folder / "log.jsonl.zst")], check=True)
    path.rename(bench.folder / "other.name")
    for name in ("log.jsonl.gz", "log.jsonl.zst", "other.name"):
        assert bench.load(bench.folder / name).files[0].status is FileStatus.ALREADY_STORED


def test_a_file_that_grew_gives_only_its_new_lines(bench: Bench) -> None:
    lines = lines_of(40)
    assert bench.load(bench.write(*lines[:25])).stored == 25
    grown = bench.load(bench.write(*lines))
    assert (grown.stored, grown.duplicate) == (15, 25)


def test_any_split_order_and_repetition_gives_the_same_tables(new_bench: Callable[[], Bench]) -> None:
    lines = [*lines_of(150), line(request_id="id3", client_id="thief"), line(request_id="id3", client_id="other")]
    whole = new_bench()
    whole.load(whole.write(*lines))
    rng = random.Random(11)  # noqa: S311 - a repeatable choice
    for _ in range(3):
        bench = new_bench()
        shuffled = rng.sample(lines, len(lines))
        cuts = sorted(rng.sample(range(1, len(lines)), 4))
        parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
        parts.append(parts[1] + rng.sample(lines, 20))
        paths = [_packed(bench, part, f"part{i}.jsonl", rng) for i, part in enumerate(parts)]
        stored = bench.load(*paths[:2], block_bytes=6000).stored + bench.load(*paths[2:], block_bytes=20000).stored
        assert stored == len(lines)
        assert whole.content() == bench.content()


def _packed(bench: Bench, lines: list[str], name: str, rng: random.Random) -> Path:
    path = bench.write(*lines, name=name)
    if rng.random() < 0.5:
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


@pytest.mark.parametrize("apart", ["one block", "blocks", "files", "runs"])
def test_a_reused_id_is_evidence_on_both_records(bench: Bench, apart: str) -> None:
    first, second = line(request_id="x", client_id="a"), line(request_id="x", client_id="b")
    rest = [line(request_id=f"r{i}") for i in range(40)]
    other_model = line(request_id="x", model="other")
    next_night = line(request_id="x", client_id="a", timestamp="2026-11-11T00:00:00Z")
    if apart in {"one block", "blocks"}:
        bench.load(
            bench.write(first, *rest, first, second, other_model, next_night),
            block_bytes=3000 if apart == "blocks" else 1 << 20,
        )
    else:
        a = bench.write(first, *rest, next_night, name="a.jsonl")
        b = bench.write(second, first, other_model, name="b.jsonl")
        if apart == "runs":
            bench.load(a)
            bench.load(b)
        else:
            bench.load(a, b)
    flagged = {(row["request_id"], row["client_id"], row["model"], row["ts"]) for row in bench.rows() if row["flags"]}
    assert {(client, model) for _, client, model, _ in flagged} == {("a", "digits"), ("b", "digits")}
    assert len(flagged) == 2
    assert {flags(row) for row in bench.rows() if row["flags"]} == {RowFlag.ID_REUSED}
    assert {entry["status"] for entry in bench.ledger()} == {"stored"}


def test_many_ids_go_to_disk_and_are_still_compared(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.ingest.reuse._KEPT_IN_MEMORY", 16)
    monkeypatch.setattr("detector.ingest.reuse._AT_A_TIME", 32)
    lines = [line(request_id=f"r{i % 150}", client_id=f"c{i}") for i in range(200)]
    bench.load(bench.write(*lines), block_bytes=8000)
    assert sum(row["flags"] == RowFlag.ID_REUSED for row in bench.rows()) == 100
