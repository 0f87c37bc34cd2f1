"""The compiled loops against plain implementations of the same thing."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import itertools
import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.ingest.kernels.hashing import hash_ranges
from detector.ingest.kernels.lines import split_lines
from detector.ingest.kernels.mixing import mix_ranges
from detector.ingest.kernels.repair import not_utf8, printable, readable_json
from detector.ingest.kernels.shapes import canonical_objects, even_shapes
from detector.ingest.kernels.tables import records_as_json, split_records
from detector.ingest.kernels.texts import storable
from detector.ingest.kernels.times import TimeState, parse_epoch, parse_iso

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def laid(parts: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Byte strings in one buffer, with something between them."""
    data = b"|".join([*parts, b""])
    ends = np.cumsum([len(part) + 1 for part in parts], dtype=np.int64) - 1
    starts = ends - np.array([len(part) for part in parts], np.int64)
    return np.frombuffer(data or b" ", np.uint8), starts, ends


def cut(out: np.ndarray, offsets: np.ndarray) -> list[bytes]:
    raw = out.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(offsets)]


sizes = st.sampled_from([0, 1, 55, 127, 128, 129, 255, 256, 257, 1000])


@given(st.lists(st.one_of(st.binary(max_size=400), sizes.map(lambda n: bytes(i % 251 for i in range(n)))), max_size=6))
def test_blake2b_is_that_of_the_standard_library(parts: list[bytes]) -> None:
    digests = hash_ranges(*laid(parts))
    assert [hashlib.blake2b(part, digest_size=16).digest() for part in parts] == [row.tobytes() for row in digests]


def test_blake2b_of_the_empty_text() -> None:
    digest = hash_ranges(np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(1, np.int64))
    assert digest.tobytes().hex() == "cae66941d9efbd404e4d88758ea67670"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_equal_bytes_mix_alike_and_unequal_ones_apart(parts: list[bytes]) -> None:
    mixed = mix_ranges(*laid(parts)).tolist()
    assert len(set(parts)) == len(set(mixed))
    assert len(set(zip(parts, mixed, strict=True))) == len(set(parts))


@given(st.binary(max_size=200).map(lambda raw: raw.replace(b"\xff", b"\n").replace(b"\xfe", b"\r\n")))
def test_lines_are_those_of_split(raw: bytes) -> None:
    start, end, line, clean = split_lines(np.frombuffer(raw, np.uint8), raw.count(b"\n"))
    blank = bytes(range(33))
    expected = [(i, one.strip(blank)) for i, one in enumerate(raw.split(b"\n")) if one.strip(blank)]
    assert clean == all(one.strip(b" \t\r") == one.strip(blank) for one in raw.split(b"\n"))
    assert expected == [(i, raw[a:b]) for i, a, b in zip(line.tolist(), start, end, strict=True)]


moments = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))  # noqa: DTZ001 - the zone is drawn apart
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@given(st.lists(st.tuples(moments, offsets, st.sampled_from("Tt "), st.integers(0, 9)), max_size=8))
def test_iso_times_are_those_of_the_standard_library(cases: list[tuple[dt.datetime, int, str, int]]) -> None:
    texts, expected = [], []
    for naive, minutes, between, digits in cases:
        moment = naive.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
        text = naive.strftime("%Y").zfill(4) + naive.strftime(f"-%m-%d{between}%H:%M:%S")
        fraction = f"{naive.microsecond:06}789"[:digits]
        kept = int(f"{fraction:0<6}"[:6])
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        zone = f"{sign}{size // 60:02}:{size % 60:02}" if minutes else ["Z", "z", "+00", "-0000", " UTC"][digits % 5]
        texts.append((text + (f".{fraction}" if digits else "") + zone).encode())
        expected.append((moment.replace(microsecond=kept) - EPOCH) // dt.timedelta(microseconds=1))
    micros, state = parse_iso(*laid(texts))
    assert state.tolist() == [TimeState.READ] * len(texts)
    assert expected == micros.tolist()


@given(st.lists(st.text(alphabet="0123456789-+:.,TtZz U", max_size=32), max_size=8))
def test_what_is_read_as_a_time_is_one(texts: list[str]) -> None:
    micros, state = parse_iso(*laid([text.encode() for text in texts]))
    for text, value, kind in zip(texts, micros.tolist(), state.tolist(), strict=True):
        if kind == TimeState.UNREADABLE:
            continue
        head = text.strip(" ")[:10]
        day = dt.date.fromisoformat(head)
        assert abs(value / 86_400e6 - (day.toordinal() - dt.date(1970, 1, 1).toordinal())) <= 2


@given(st.lists(st.tuples(st.integers(-(10**11), 10**11), st.integers(0, 999_999_999)), max_size=8))
def test_numbers_since_1970_are_exact(cases: list[tuple[int, int]]) -> None:
    for digits in (0, 3, 6, 9):
        nanos = [second * 10**9 + nano for second, nano in cases]
        texts = []
        for value in nanos:
            sign, size = "-" if value < 0 else "", abs(value)
            unit = 10 ** (9 - digits)
            fraction = f"{size % unit:0{9 - digits}}" if digits < 9 else ""
            texts.append(f"{sign}{size // unit}{'.' + fraction if fraction else ''}".encode())
        micros, state = parse_epoch(*laid(texts), digits)
        readable = [-62_135_596_800_000_000 <= v // 1000 < 253_402_300_800_000_000 for v in nanos]
        in_range = [r and (digits < 9 or abs(v) < 2**63) for r, v in zip(readable, nanos, strict=True)]
        for value, got, kind, fits in zip(nanos, micros.tolist(), state.tolist(), in_range, strict=True):
            if fits:
                assert (value // 1000, TimeState.READ) == (got, kind)


raw_texts = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from([b"\xc3", b"\xa9", b"\xe2\x82", b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"a", b"\x00"]),
        max_size=8,
    ).map(b"".join),
)


@given(st.lists(raw_texts, max_size=8))
def test_utf8_is_judged_as_the_standard_library_does(parts: list[bytes]) -> None:
    def bad(part: bytes) -> bool:
        try:
            part.decode()
        except UnicodeDecodeError:
            return True
        return False

    assert [bad(part) for part in parts] == not_utf8(*laid(parts)).tolist()


@given(st.lists(raw_texts, max_size=8))
def test_printable_is_utf8_without_control_characters_and_loses_nothing(parts: list[bytes]) -> None:
    for part, shown in zip(parts, cut(*printable(*laid(parts))), strict=True):
        text = shown.decode()
        assert not any(ord(character) < 32 for character in text)
        assert len(text) >= len(part.decode("utf-8", "ignore"))
        if b"\\" not in part:
            back = shown.decode().encode("latin-1", "backslashreplace") if part.isascii() else None
            assert back is None or back.decode("unicode_escape").encode("latin-1") == part


@given(st.lists(st.dictionaries(raw_texts, raw_texts, max_size=3), max_size=5))
def test_strings_of_any_bytes_become_json(records: list[dict[bytes, bytes]]) -> None:
    def quoted(raw: bytes) -> bytes:
        return b'"' + raw.replace(b'"', b"'") + b'"'

    texts = [b"{" + b",".join(quoted(k) + b":" + quoted(v) for k, v in record.items()) + b"}" for record in records]
    # A backslash before the closing quote would take it away; that is another record, not a broken string.
    texts = [text.replace(b'\\"', b'/"') for text in texts]
    for text in cut(*readable_json(*laid(texts))):
        assert isinstance(json.loads(text.decode()), dict)


@given(st.lists(st.text(alphabet='ab"\\/nu0dD89cC{}', max_size=24), max_size=6))
def test_escapes_of_any_kind_become_json(bodies: list[str]) -> None:
    texts = []
    for body in bodies:
        clean = body.replace('"', "")
        clean += "\\" if (len(clean) - len(clean.rstrip("\\"))) % 2 else ""
        texts.append(f'["{clean}"]'.encode())
    for before, after in zip(texts, cut(*readable_json(*laid(texts))), strict=True):
        (text,) = json.loads(after.decode())
        text.encode()
        try:
            (plain,) = json.loads(before.decode())
            plain.encode()
        except (ValueError, UnicodeEncodeError):
            continue
        assert plain == text


scalars = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.text(max_size=6))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(st.lists(st.dictionaries(st.text(max_size=4), values, max_size=6), max_size=5))
def test_objects_are_put_in_order_and_keep_their_values(records: list[dict[str, Any]]) -> None:
    def compact(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    for record, text in zip(records, cut(*canonical_objects(*laid([compact(r) for r in records]))), strict=True):
        names = sorted(record, key=compact)
        assert compact({name: record[name] for name in names}) == text


nested = st.recursive(st.integers(-9, 9), lambda inner: st.lists(inner, max_size=3), max_leaves=12)


@given(st.lists(st.lists(nested, max_size=3), max_size=5))
def test_even_lists_are_those_that_numpy_stacks(lists: list[list[Any]]) -> None:
    def shape(value: Any) -> tuple[int, ...] | None:
        if not isinstance(value, list):
            return ()
        inner = {shape(one) for one in value}
        if len(inner) != 1 or None in inner:
            return None
        return (len(value), *inner.pop())  # type: ignore[misc]

    total, _ = even_shapes(*laid([json.dumps(one, separators=(",", ":")).encode() for one in lists]))
    expected = [shape(one) for one in lists]
    assert [-1 if s is None or 0 in s or not s else int(np.prod(s)) for s in expected] == total.tolist()


@given(
    st.lists(st.lists(st.text(alphabet='ab,;"\n \\\té', max_size=8), min_size=2, max_size=4), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
)
def test_tables_are_read_as_the_standard_library_reads_them(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    raw = out.getvalue().encode()
    data = np.frombuffer(raw, np.uint8)
    start, end, _, rest, _ = split_records(data, ord(delimiter), raw.count(b"\n"))
    assert rest == len(raw)
    names = [json.dumps(f"c{i}").encode() + b":" for i in range(4)]
    bounds = np.cumsum([0, *(len(name) for name in names)])
    joined = np.frombuffer(b"".join(names), np.uint8)
    text, places, cells = records_as_json(data, start, end, ord(delimiter), joined, bounds)
    assert [len(row) for row in rows] == cells.tolist()
    found = [json.loads(one.decode()) for one in cut(text, places)]
    assert [{f"c{i}": cell for i, cell in enumerate(row) if cell} for row in rows] == found


@given(st.lists(st.text(max_size=40), max_size=6), st.sampled_from([1, 600]))
def test_storable_texts_hold_no_nul_and_stay_different(texts: list[str], times: int) -> None:
    parts = [text.encode("utf-8", "replace") * times for text in texts]
    out, places, escaped, cut_off = storable(*laid(parts))
    for part, shown, was_escaped, was_cut in zip(parts, cut(out, places), escaped, cut_off, strict=True):
        shown.decode()
        assert b"\0" not in shown
        assert len(shown) <= 16_384
        assert was_escaped or was_cut or shown == part
        assert was_escaped == (b"\0" in part) or was_cut
    assert len(set(parts)) == len(set(cut(out, places)))
