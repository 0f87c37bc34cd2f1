"""Bytes that no honest client sends, and bytes that honest disks lose."""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from typing import TYPE_CHECKING

import pytest
from ingest_making import Bench, flags, line

from detector.ingest.options import FileStatus
from detector.model import RowFlag

if TYPE_CHECKING:
    from pathlib import Path


def test_ten_kilobytes_of_markup_and_control_characters_as_client_id(bench: Bench) -> None:
    client = ("<script>alert('x')</script>\x1b[31m\x07\u202e\U0001f600\n\t" * 200)[:10_000]
    row = bench.one(line(client_id=client))
    assert (row["client_id"], row["flags"]) == (client, 0)


def test_nul_is_spelled_out(bench: Bench) -> None:
    row = bench.one(line(client_id="a\0b\0", user_agent="\0"))
    assert (row["client_id"], row["user_agent"]) == ("a\\u0000b\\u0000", "\\u0000")
    assert flags(row) == RowFlag.TEXT_ESCAPED


def test_nul_in_a_model_and_class_name(bench: Bench) -> None:
    text = line(model="m\0", output={"label": "a\0", "probabilities": {"a\0": 1.0}})
    assert bench.one(text)["model"] == "m\\u0000"
    with bench.store.begin() as connection:
        names = connection.exec_driver_sql("SELECT model, name FROM model_class").all()
    assert [tuple(name) for name in names] == [("m\\u0000", "a\\u0000")]


@pytest.mark.parametrize(
    ("escape", "shown"),
    [
        (r"\ud800", r"\ud800"),
        (r"\udfff", r"\udfff"),
        (r"\udc00\ud800", r"\udc00\ud800"),
        (r"\ud800\u0041", r"\ud800A"),
        (r"\ud800\ud83d\ude00", "\\ud800\U0001f600"),
        (r"\\\ud800", "\\" + r"\ud800"),
        (r"\x41", r"\x41"),
        (r"\u12", r"\u12"),
    ],
)
def test_half_surrogates_and_unknown_escapes_are_spelled_out(bench: Bench, escape: str, shown: str) -> None:
    row = bench.one(line(client_id="<#>", request_id="\U0001f600\\").replace("#", escape))
    assert row["client_id"] == f"<{shown}>"
    assert row["request_id"] == "\U0001f600\\"
    assert flags(row) == RowFlag.TEXT_ESCAPED
    assert row["input"] is not None


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\xff", r"\xff"),
        (b"\xc3", r"\xc3"),
        (b"\xe2\x82", r"\xe2\x82"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        (b"\xc0\xaf", r"\xc0\xaf"),
        (b"\xf5\x80\x80\x80", r"\xf5\x80\x80\x80"),
        (b"\x00", "\\u0000"),
        (b"\x01\x1f\t", "\x01\x1f\t"),
    ],
)
def test_raw_bytes_that_json_forbids_cost_no_record(bench: Bench, raw: bytes, shown: str) -> None:
    result = bench.read(line(request_id="a"), line(client_id="<#>").encode().replace(b"#", raw), line(request_id="b"))
    assert (result.stored, result.rejected) == (3, 0)
    stored = next(row for row in bench.rows() if row["line"] == 2)
    assert stored["client_id"] == f"<{shown}>"
    assert flags(stored) == RowFlag.TEXT_ESCAPED
    assert [row["flags"] for row in bench.rows() if row["line"] != 2] == [0, 0]


def test_texts_over_16_kilobytes_are_cut_and_stay_different(bench: Bench) -> None:
    long = "é" * 20_000
    bench.read(line(request_id="a", user_agent=long + "1"), line(request_id="b", user_agent=long + "2"))
    a, b = (row["user_agent"] for row in bench.rows())
    assert a != b
    assert a[:8000] == long[:8000]
    assert len(a.encode()) <= 16_384
    assert {flags(row) for row in bench.rows()} == {RowFlag.TEXT_CUT}


def test_a_text_of_nul_grows_beyond_the_limit_and_is_cut(bench: Bench) -> None:
    row = bench.one(line(client_id="\0" * 5_000))
    assert len(row["client_id"]) <= 16_384
    assert flags(row) == RowFlag.TEXT_CUT | RowFlag.TEXT_ESCAPED


def test_a_long_input_text_is_kept_whole(bench: Bench) -> None:
    text = "word " * 50_000
    row = bench.one(line(input=text))
    assert (row["input"].decode(), row["flags"]) == (text, 0)


def test_parameters_over_a_mebibyte_are_left_out_not_broken(bench: Bench) -> None:
    row = bench.one(line(params={"logit_bias": {str(i): 1 for i in range(150_000)}}))
    assert (row["params"], flags(row)) == (None, RowFlag.TEXT_CUT)


def test_a_line_that_is_too_long(bench: Bench) -> None:
    long = line(request_id="long", user_agent="x" * 3000)
    path = bench.write(line(request_id="a"), long, long, line(request_id="b"))
    result = bench.load(path, block_bytes=512, max_line_bytes=2000)
    assert [row["request_id"] for row in bench.rows()] == ["a", "b"]
    assert result.rejects == {"line_too_long": 2}
    assert [found["line"] for found in bench.rejects()] == [2, 3]
    assert [row["line"] for row in bench.rows()] == [1, 4]
    assert bench.rejects()[0]["excerpt"] == long[:2048]


@pytest.mark.parametrize("block_bytes", [512, 1 << 20])
def test_too_long_means_the_same_at_any_block_size(bench: Bench, block_bytes: int) -> None:
    lines = [line(request_id=f"{n}", user_agent="x" * n) for n in (1600, 1700, 1800, 1900)]
    limit = len(lines[1])
    result = bench.load(bench.write(*lines), block_bytes=block_bytes, max_line_bytes=limit)
    assert [row["request_id"] for row in bench.rows()] == ["1600", "1700"]
    assert result.rejects == {"line_too_long": 2}


def test_the_excerpt_of_a_reject_is_short_and_printable(bench: Bench) -> None:
    bench.read(line(), b"#\x00\x1b\xff{" + b"x" * 5000)
    (found,) = bench.rejects()
    assert found["excerpt"].startswith("#\\x00\\x1b\\xff{xxx")
    assert len(found["excerpt"]) <= 2048


def test_an_empty_file(bench: Bench) -> None:
    result = bench.read()
    assert (result.read, result.files[0].status, result.damaged(0.01)) == (0, FileStatus.STORED, ())


def test_a_file_of_blank_lines(bench: Bench) -> None:
    result = bench.read("", "   ", "\t")
    assert (result.read, result.damaged(0.01)) == (0, ())


@pytest.mark.parametrize("name", ["x.bin", "x.jsonl", "x.csv"])
def test_a_binary_file_is_no_log(bench: Bench, name: str) -> None:
    path = bench.folder / name
    path.write_bytes(random.Random(1).randbytes(200_000))  # noqa: S311 - a repeatable choice
    result = bench.load(path)
    assert (result.files[0].status, result.read, result.stored) == (FileStatus.FAILED, 0, 0)
    assert result.damaged(1.0)


def test_utf16_is_told(bench: Bench) -> None:
    path = bench.folder / "wide.jsonl"
    path.write_bytes(line().encode("utf-16"))
    assert "UTF-16" in (bench.load(path).files[0].damage or "")


def test_a_text_that_is_no_log_is_rejected_line_by_line(bench: Bench) -> None:
    result = bench.read("# Title", "", "Some prose, with commas.")
    assert (result.read, result.rejects) == (2, {"not_json": 2})
    assert result.files[0].status is FileStatus.FAILED
    assert result.damaged(1.0)


def test_a_hole_of_nul_before_and_between_records(bench: Bench) -> None:
    path = bench.folder / "hole.jsonl"
    texts = [line(request_id=name).encode() for name in "abc"]
    path.write_bytes(b"\0" * 5000 + texts[0] + b"\0\0\n" + b"\0" * 300 + b"\n\x1a" + texts[1] + b"\n" + texts[2])
    result = bench.load(path)
    assert (result.stored, result.rejected, {row["flags"] for row in bench.rows()}) == (3, 0, {0})


def _lines(count: int) -> bytes:
    rng = random.Random(3)  # noqa: S311 - a repeatable choice
    texts = (line(request_id=f"r{i}", input=[rng.random() for _ in range(20)]) for i in range(count))
    return "".join(text + "\n" for text in texts).encode()


def test_a_gzip_file_of_many_members(bench: Bench) -> None:
    raw = _lines(30)
    path = bench.folder / "m.jsonl.gz"
    path.write_bytes(gzip.compress(raw[:3001]) + gzip.compress(b"") + gzip.compress(raw[3001:]) + b"\0" * 512)
    result = bench.load(path)
    assert (result.stored, result.files[0].damage) == (30, None)


@pytest.mark.parametrize("seed", range(6))
def test_a_gzip_file_cut_anywhere_gives_everything_before_the_cut(bench: Bench, seed: int) -> None:
    raw = _lines(400)
    packed = gzip.compress(raw)
    cut = random.Random(seed).randrange(20, len(packed) - 1)  # noqa: S311 - a repeatable choice
    readable = zlib.decompressobj(31).decompress(packed[:cut])
    path = bench.folder / "cut.jsonl.gz"
    path.write_bytes(packed[:cut])
    result = bench.load(path)
    (file,) = result.files
    assert file.stored == readable.count(b"\n")
    assert file.rejected <= 1
    assert file.read == file.stored + file.rejected
    assert file.damage == "the gzip stream is cut off"
    assert result.damaged(1.0)
    again = bench.load(path)
    assert (again.files[0].status, again.files[0].damage) == (FileStatus.ALREADY_STORED, file.damage)
    assert again.damaged(1.0)
    path.write_bytes(packed)
    assert bench.load(path).stored == 400 - file.stored


def test_a_gzip_file_with_a_broken_byte(bench: Bench) -> None:
    packed = bytearray(gzip.compress(_lines(400)))
    packed[len(packed) // 2] ^= 0xFF
    path = bench.folder / "broken.jsonl.gz"
    path.write_bytes(bytes(packed))
    result = bench.load(path)
    assert result.stored > 100
    assert "gzip stream" in (result.files[0].damage or "")


def test_a_gzip_file_whose_checksum_is_wrong_gives_all_its_lines(bench: Bench) -> None:
    packed = bytearray(gzip.compress(_lines(50)))
    packed[-6] ^= 1
    path = bench.folder / "sum.jsonl.gz"
    path.write_bytes(bytes(packed))
    result = bench.load(path)
    assert (result.stored, bool(result.damaged(1.0))) == (50, True)


def test_a_gzip_header_and_nothing_else(bench: Bench) -> None:
    path = bench.folder / "head.jsonl.gz"
    path.write_bytes(gzip.compress(b"")[:12])
    result = bench.load(path)
    assert (result.files[0].status, bool(result.damaged(1.0))) == (FileStatus.FAILED, True)


def test_rubbish_after_a_gzip_stream(bench: Bench) -> None:
    path = bench.folder / "tail.jsonl.gz"
    path.write_bytes(gzip.compress(_lines(10)) + b"rubbish")
    result = bench.load(path)
    assert (result.stored, bool(result.files[0].damage)) == (10, True)


def _zstd(raw: bytes, folder: Path) -> bytes:
    import pyarrow as pa

    path = folder / "tmp.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(raw)
    return path.read_bytes()


def test_a_zstd_file_of_two_frames(bench: Bench) -> None:
    raw = _lines(30)
    path = bench.folder / "z.jsonl.zst"
    path.write_bytes(_zstd(raw[:3001], bench.folder) + _zstd(raw[3001:], bench.folder))
    assert (bench.load(path).stored, bench.load(path).files[0].damage) == (30, None)


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_zstd_file_cut_off(bench: Bench, share: float) -> None:
    raw = os.urandom(300_000).hex().encode()
    lines = b"".join(line(request_id=raw[i : i + 900].decode()).encode() + b"\n" for i in range(0, len(raw), 900))
    packed = _zstd(lines, bench.folder)
    path = bench.folder / "cut.jsonl.zst"
    path.write_bytes(packed[: int(len(packed) * share)])
    result = bench.load(path)
    assert 0.1 * 667 < result.stored < 667
    assert "zstd stream" in (result.files[0].damage or "")


def test_broken_lines_in_number_do_not_slow_their_neighbours_down(bench: Bench) -> None:
    lines = [line(request_id=f"r{i}") if i % 2 else line(request_id=f"r{i}")[:-1] for i in range(20_000)]
    result = bench.read(*lines)
    assert (result.stored, result.rejected) == (10_000, 10_000)


def test_hostile_words_never_reach_sql(bench: Bench) -> None:
    word = "'; DROP TABLE query; --\"`$1 %s {x}"
    row = bench.one(line(client_id=word, model=word, endpoint=word, params={word: word}, input={word: word}))
    assert (row["client_id"], row["model"]) == (word, word)
    assert json.loads(row["params"]) == {word: word}
