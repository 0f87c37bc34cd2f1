"""The lane of plainly written records reads them as the general lane does, and leaves alone what is not plain."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.ingest.blocks import LinePiece
from detector.ingest.plain import plain_rows
from detector.ingest.plan import GENERIC
from detector.ingest.reading import Reader, read_block

WORDS = ["c", "10.0.0.7", "Größe", "a/b", "", "x" * 17, "with space", "{", "]", ",", "null", "1"]
finite = st.floats(allow_nan=False, allow_infinity=False)
scores = st.one_of(st.just(0.0), st.floats(1e-30, 1))
values = st.one_of(st.integers(-(10**6), 10**6), scores, st.sampled_from([-0.0, 0.1, 1e-7, 1e22, 123456.789]))
vectors = st.lists(values, min_size=1, max_size=6)
words = st.sampled_from(WORDS)
params = st.dictionaries(
    st.sampled_from(["return_probabilities", "a b", "temperature", "top_k"]),
    st.one_of(st.booleans(), st.none(), words, st.sampled_from([0, 5, -3, 0.7, 1.0, 0.25])),
    min_size=1,
)
outputs = st.fixed_dictionaries(
    {"label": st.one_of(words, st.integers(-5, 10**14))},
    optional={"confidence": scores, "value": values, "probabilities": vectors},
)
optional: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(
    ("request_id", "source_ip", "user_agent", "model_version", "endpoint", "operation"), st.one_of(words, st.none())
)
plain_records = st.fixed_dictionaries(
    {
        "timestamp": st.just("2026-11-10T03:14:15Z"),
        "client_id": words,
        "model": words,
        "input": vectors,
        "output": outputs,
    },
    optional=optional | {"status": st.sampled_from([200, 404, None]), "latency_ms": values, "params": params},
).flatmap(lambda record: st.permutations(list(record.items())).map(dict))
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])


def read(text: bytes) -> tuple[Any, bool]:
    table, done = plain_rows(pa.array([text.decode()]), np.zeros(1, np.int64))
    return table, bool(done[0])


def with_number(text: str) -> bytes:
    return (
        b'{"timestamp":"2026-11-10T00:00:00Z","client_id":"c","model":"m","input":[%s],"output":{"label":"1"}}'
        % text.encode()
    )


def lines_of(raw: bytes) -> Any:
    return LinePiece(raw, len(raw), raw.count(b"\n"), 1, 1 << 20).block()


def assert_lanes_agree(raw: bytes) -> None:
    block = lines_of(raw)
    general = read_block(block, Reader(GENERIC, fast=False, plain=False))
    quick = read_block(block, Reader(GENERIC, fast=False))
    assert general.rejects.to_pylist() == quick.rejects.to_pylist()
    for name in general.table.column_names:
        assert general.table[name].to_pylist() == quick.table[name].to_pylist(), name
    np.testing.assert_array_equal(general.ids, quick.ids)


@example(9007199254740993.0, "{!r}")
@example(2.2250738585072014e-40, "{!r}")
@example(1e23, "{:.1f}")
@given(finite, st.sampled_from(["{!r}", "{:.3e}", "{:.6f}"]))
def test_a_number_is_the_nearest_double(number: float, written: str) -> None:
    text = written.format(number)
    table, done = read(with_number(text))
    digits = text.lower().split("e")[0].strip("-").replace(".", "").lstrip("0")
    assert done or len(digits) > 19 or not 1e-40 < abs(number) < 1e40
    if done:
        (found,) = table["input_list"][0].as_py()
        assert struct.pack("<d", found) == struct.pack("<d", float(text))


@pytest.mark.parametrize("text", ["-0", "01", "1.", ".5", "1e", "1e+", "--1", "+1", "NaN", "1e400", "null", '"1"', ""])
def test_what_is_no_number_or_needs_care_is_left_to_others(text: str) -> None:
    assert read(with_number(text))[1] is False


@settings(deadline=None, max_examples=30)
@given(st.lists(plain_records, min_size=1, max_size=8), separators)
def test_plain_records_are_read_and_read_alike(batch: list[dict[str, Any]], between: tuple[str, str]) -> None:
    texts = [json.dumps(record, ensure_ascii=False, separators=between) for record in batch]
    _, done = plain_rows(pa.array(texts), np.arange(len(texts)))
    assert done.tolist() == [True] * len(texts)
    assert_lanes_agree("".join(text + "\n" for text in texts).encode())


@settings(deadline=None, max_examples=40)
@given(plain_records, st.floats(0, 1), st.integers(0, 4), st.sampled_from(list(b'"\\{}[],:0-.e \x00\x1f\xff\tn')))
def test_damaged_records_are_read_alike(record: dict[str, Any], place: float, cut: int, octet: int) -> None:
    text = bytearray(json.dumps(record, ensure_ascii=False).encode())
    at = int(place * (len(text) - 1))
    text[at : at + cut] = bytes([octet])
    assert_lanes_agree(bytes(text) + b"\n")
    assert_lanes_agree(bytes(text[: at + 1]) + b"\n" + bytes(text) + b"\n")


def test_a_text_that_names_its_fields_twice_or_more_is_not_plain() -> None:
    whole = '{"timestamp":"t","client_id":"c","model":"m","input":[1],"output":{"label":"1"}}'
    assert read(whole.encode())[1] is True
    for odd in (
        whole.replace('"model":"m"', '"model":"m","model":"n"'),
        whole.replace('"model":"m"', '"model":null'),
        whole.replace('"model":"m"', '"other":1,"model":"m"'),
        whole.replace('"label":"1"', '"label":null'),
        whole.replace('"label":"1"', '"label":1.0'),
        whole.replace('"label":"1"', '"label":"\\u0031"'),
        whole.replace('{"label":"1"}', '"1"'),
        whole.replace('"model"', '"label"'),
        whole + "}",
        whole + "x",
        whole[:-1],
    ):
        assert read(odd.encode())[1] is False, odd
