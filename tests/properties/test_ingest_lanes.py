"""The fast lane and the general one say the same of every record, so that it does not matter which read it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ingest.blocks import LinePiece
from detector.ingest.plan import GENERIC
from detector.ingest.reading import Reader, read_block

TOKENS = {"<nan>": "NaN", "<inf>": "-Infinity", "<huge>": "1e999", "<big>": "123456789012345678901234567890"}
words = st.sampled_from(["", "a", "12", "1.5", "nan", "-inf", " 7 ", "1_0", "true", "é\0", "0x1", "1e400", "{", "[1]"])
numbers = st.sampled_from([0, -1, 200, 1.5, 1e300, 5e-324, True, "<nan>", "<inf>", "<huge>", "<big>"])
scalars = st.one_of(st.none(), words, numbers)
lists = st.lists(st.one_of(numbers, words, st.none()), max_size=4)
objects = st.dictionaries(st.sampled_from(["a", "b", "", "é"]), scalars, max_size=3)
values = st.one_of(scalars, lists, st.lists(lists, max_size=3), objects, st.lists(objects, max_size=2))
vectors = st.lists(st.sampled_from([0.25, 0.5, 1, 2]), max_size=4)
outputs = st.fixed_dictionaries(
    {},
    optional={
        "label": values,
        "confidence": values,
        "value": values,
        "probabilities": st.one_of(vectors, values),
        "items": values,
        "embedding": values,
        "text": values,
        "logprobs": values,
    },
)
records = st.fixed_dictionaries(
    {
        "timestamp": st.one_of(st.just("2026-11-10T03:14:15Z"), st.just("2026-11-10T03:14:15"), values),
        "client_id": st.one_of(st.just("c"), values),
        "model": st.one_of(st.just("m"), values),
    },
    optional={
        "request_id": values,
        "endpoint": values,
        "operation": values,
        "status": values,
        "latency_ms": values,
        "sampling_rate": values,
        "params": st.one_of(objects, st.just({"return_probabilities": True}), st.just({"logprobs": 0}), values),
        "input": st.one_of(vectors, values),
        "output": st.one_of(outputs, values),
    },
)


def _text(record: dict[str, Any]) -> bytes:
    text = json.dumps(record)
    for mark, token in TOKENS.items():
        text = text.replace(f'"{mark}"', token)
    return text.encode()


@settings(deadline=None, max_examples=60)
@given(st.lists(records, min_size=1, max_size=30))
def test_lanes_agree(batch: list[dict[str, Any]]) -> None:
    raw = b"".join(_text(record) + b"\n" for record in batch)
    block = LinePiece(raw, len(raw), len(batch), 1, 1 << 20).block()
    general = read_block(block, Reader(GENERIC, fast=False, plain=False))
    assert general.table.num_rows + general.rejects.num_rows == len(batch)
    for probability_list, plain in itertools.product((False, True), repeat=2):
        fast = read_block(block, Reader(GENERIC, probability_list=probability_list, plain=plain))
        assert fast.rejects.to_pylist() == general.rejects.to_pylist()
        assert fast.table.schema == general.table.schema
        for name in general.table.column_names:
            a, b = fast.table[name].to_pylist(), general.table[name].to_pylist()
            assert a == b, name
        np.testing.assert_array_equal(fast.ids, general.ids)
