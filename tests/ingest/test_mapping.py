"""Logs of other layouts through mapping files; the layouts are those that serving stacks write, the records our own."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ingest_making import Bench, flags, floats

from detector.errors import ConfigError
from detector.ingest.mapping import load_mapping, parse_path
from detector.model import InputKind, RowFlag

if TYPE_CHECKING:
    from pathlib import Path

    from detector.ingest.options import IngestResult

BASE = """
fields:
  timestamp: t
  client_id: who
  model: {const: m}
"""


def mapped(bench: Bench, mapping: str, *records: dict[str, Any] | str, **options: Any) -> IngestResult:
    file = bench.folder / "mapping.yaml"
    file.write_text(mapping)
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    return bench.load(bench.write(*lines), mapping=load_mapping(file), **options)


CAPTURE = """
fields:
  timestamp: eventMetadata.inferenceTime
  request_id: eventMetadata.eventId
  client_id: eventMetadata.customAttributes.0
  model: {const: churn}
  input: {path: captureData.endpointInput.data, decode: csv, rows: true}
  value: {path: captureData.endpointOutput.data, decode: csv, rows: true, each: "0"}
"""


def capture(data: str, out: str) -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"},
            "endpointOutput": {"mode": "OUTPUT", "data": out, "encoding": "CSV"},
        },
        "eventMetadata": {"eventId": "e1", "inferenceTime": "2026-01-02T03:04:05Z", "customAttributes": ["key-7"]},
        "eventVersion": "0",
    }


def test_a_capture_whose_record_holds_many_rows_of_csv(bench: Bench) -> None:
    result = mapped(bench, CAPTURE, capture("1,2.5,3\n4,5,6\r\n", "0.25\n0.75\n"), capture("7,8,9", "0.5"))
    assert (result.read, result.stored) == (3, 3)
    rows = bench.rows()
    assert [(row["line"], row["row_index"], floats(row["input"]), row["value"]) for row in rows] == [
        (1, 0, [1.0, 2.5, 3.0], 0.25),
        (1, 1, [4.0, 5.0, 6.0], 0.75),
        (2, 0, [7.0, 8.0, 9.0], 0.5),
    ]
    assert {(row["client_id"], row["model"], row["request_id"], row["flags"] & ~RowFlag.ID_REUSED) for row in rows} == {
        ("key-7", "churn", "e1", 0)
    }
    assert len({(row["key_hi"], row["key_lo"]) for row in rows}) == 3


def test_queries_of_one_record_do_not_reuse_its_id(bench: Bench) -> None:
    mapped(bench, CAPTURE, capture("1,2\n4,5\n1,2", "0.25\n0.75\n0.25"))
    assert [row["flags"] for row in bench.rows()] == [0, 0, 0]


def test_json_inside_json_with_parallel_rows(bench: Bench) -> None:
    mapping = """
    fields:
      timestamp: at
      client_id: {path: meta.caller}
      model: meta.model
      input: {path: req, decode: json, inside: instances, rows: true, each: features}
      label: {path: res, decode: json, inside: predictions, rows: true, each: predicted_label}
      confidence: {path: res, decode: json, inside: predictions, rows: true, each: score}
    """
    record = {
        "at": "2026-01-02T03:04:05Z",
        "meta": {"caller": "c", "model": "m"},
        "req": json.dumps({"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}),
        "res": json.dumps(
            {"predictions": [{"score": 0.9, "predicted_label": 1}, {"score": 0.5, "predicted_label": 0}]}
        ),
    }
    assert mapped(bench, mapping, record).stored == 2
    found = [(floats(row["input"]), row["label"], row["confidence"], row["scored"]) for row in bench.rows()]
    assert found == [([1.0, 2.0], "1", 0.9, 1), ([3.0, 4.0], "0", 0.5, 1)]


def test_rows_that_do_not_pair_up_are_flagged(bench: Bench) -> None:
    mapping = BASE + "  input: {path: in, rows: true}\n  label: {path: out, rows: true}\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "in": [[1], [2], [3]], "out": ["a"]})
    assert [(row["label"], flags(row)) for row in bench.rows()] == [
        ("a", RowFlag.OUTPUT_UNREADABLE),
        (None, RowFlag.OUTPUT_UNREADABLE),
        (None, RowFlag.OUTPUT_UNREADABLE),
    ]


def test_answers_without_inputs_are_flagged(bench: Bench) -> None:
    mapping = BASE + "  input: {path: in, rows: true}\n  label: {path: out, rows: true}\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "in": [[1]], "out": ["a", "b"]})
    assert [flags(row) for row in bench.rows()] == [RowFlag.OUTPUT_UNREADABLE, RowFlag.INPUT_UNREADABLE]


def test_a_request_without_answer_is_a_query(bench: Bench) -> None:
    mapping = BASE + "  input: {path: in, rows: true}\n  label: {path: out, rows: true}\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "in": [[1], [2]]})
    assert [(floats(row["input"]), row["label"], row["flags"]) for row in bench.rows()] == [
        ([1.0], None, 0),
        ([2.0], None, 0),
    ]


def test_a_rejected_record_of_many_rows_counts_its_queries(bench: Bench) -> None:
    mapping = BASE + "  input: {path: in, rows: true}\n"
    result = mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "in": [[1], [2], [3]]})
    assert (result.read, result.rejected) == (3, 3)
    assert [(r["line"], r["row_index"], r["reason"]) for r in bench.rejects()] == [
        (1, i, "client_id_missing") for i in range(3)
    ]


def test_named_columns_together_are_a_record(bench: Bench) -> None:
    mapping = BASE + "  input: {record: [age, job.title]}\n  request_id: id\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "job": {"title": "x"}, "age": 7, "id": "a"},
           {"t": "2026-01-02T03:04:06Z", "who": "c", "id": "b"})  # fmt: skip
    a, b = bench.rows()
    assert (a["input_kind"], a["input"]) == (InputKind.RECORD, b'{"age":7,"job.title":"x"}')
    assert (b["input_kind"], b["input"]) == (InputKind.NONE, None)


def test_numbered_columns_of_a_table_are_a_vector(bench: Bench) -> None:
    mapping = BASE + '  input: {vector: ["x{0..3}"]}\n'
    file = bench.folder / "mapping.yaml"
    file.write_text(mapping)
    path = bench.folder / "log.csv"
    path.write_text("t,who,x0,x1,x2,x3\n2026-01-02T03:04:05Z,c,1,2.5,,4\n")
    bench.load(path, mapping=load_mapping(file))
    (row,) = bench.rows()
    np.testing.assert_array_equal(np.array([1, 2.5, np.nan, 4], "<f4"), np.frombuffer(row["input"], "<f4"))


def test_base64_and_constants(bench: Bench) -> None:
    mapping = BASE + "  input: {path: b, decode: base64_json, inside: data.0}\n  sampling_rate: {const: 0.25}\n"
    body = base64.b64encode(json.dumps({"data": [[1, 2]]}).encode()).decode()
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "b": body})
    (row,) = bench.rows()
    assert (floats(row["input"]), row["sampling_rate"]) == ([1.0, 2.0], 0.25)


def test_what_does_not_decode_is_flagged_or_kept_as_text(bench: Bench) -> None:
    mapping = BASE + "  input: {path: in, decode: json}\n  output: {path: out, decode: json}\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "in": "not json", "out": "neither"})
    (row,) = bench.rows()
    assert (row["input"], row["input_kind"]) == (b"not json", InputKind.TEXT)
    assert flags(row) == RowFlag.OUTPUT_UNREADABLE


@pytest.mark.parametrize(
    ("unit", "value", "micros"),
    [
        ("s", 1794280455, 1794280455000000),
        ("s", 1794280455.926535, 1794280455926535),
        ("s", "1794280455.9265359", 1794280455926535),
        ("ms", 1794280455926, 1794280455926000),
        ("ms", 1794280455926.5, 1794280455926500),
        ("us", 1794280455926535, 1794280455926535),
        ("ns", 1794280455926535999, 1794280455926535),
        ("s", -1, -1000000),
    ],
)
def test_times_as_numbers(bench: Bench, unit: str, value: Any, micros: int) -> None:
    mapped(bench, f"timestamp_unit: {unit}\n" + BASE, {"t": value, "who": "c"})
    assert [row["ts"] for row in bench.rows()] == [micros]


@pytest.mark.parametrize("value", ["soon", "", "1e9", True, 10**30, [1]])
def test_times_that_are_no_numbers(bench: Bench, value: Any) -> None:
    result = mapped(bench, "timestamp_unit: s\n" + BASE, {"t": value, "who": "c"})
    assert result.rejects == {"timestamp_unreadable": 1}


def test_digests_and_embeddings(bench: Bench) -> None:
    mapping = "input_kind: digest\n" + BASE + "  input: hash\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", "who": "c", "hash": "9f86d0"})
    mapping = "input_kind: embedding\n" + BASE + "  input: e\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:06Z", "who": "c", "e": [0.5, 1]})
    digest, embedding = bench.rows()
    assert (digest["input_kind"], digest["input"]) == (InputKind.DIGEST, b"9f86d0")
    assert (embedding["input_kind"], floats(embedding["input"])) == (InputKind.EMBEDDING, [0.5, 1.0])


def test_operations_by_name(bench: Bench) -> None:
    mapping = 'operation: {"/score": explain, "/ab": embed}\n' + BASE + "  endpoint: path\n"
    mapped(
        bench, mapping, *({"t": "2026-01-02T03:04:05Z", "who": "c", "path": p} for p in ("/score", "/ab", "/predict"))
    )
    assert sorted((row["endpoint"], row["operation"]) for row in bench.rows()) == [
        ("/ab", "embed"), ("/predict", "predict"), ("/score", "explain"),
    ]  # fmt: skip


def test_a_gateway_payload_with_zoneless_times(bench: Bench) -> None:
    mapping = """
    fields:
      timestamp: startTime
      request_id: id
      client_id: metadata.user_api_key_hash
      source_ip: metadata.requester_ip_address
      model: model
      params: model_parameters
      input: messages
      text: response.choices.0.message.content
      logprobs: response.choices.0.logprobs
    """
    record = {
        "startTime": "2026-01-24 09:20:46.847371", "id": "x", "model": "big",
        "metadata": {"user_api_key_hash": "88dc", "requester_ip_address": "192.0.2.1"},
        "model_parameters": {"logprobs": True, "top_logprobs": 5},
        "messages": [{"role": "user", "content": "hi"}],
        "response": {"choices": [{"message": {"content": "hello"}, "logprobs": {"content": [{"logprob": -0.1}]}}]},
    }  # fmt: skip
    assert mapped(bench, mapping, record).rejects == {"timestamp_without_zone": 1}
    mapped(bench, mapping, record, assume_tz="America/New_York")
    (row,) = bench.rows()
    assert (row["ts"], row["scored"], row["input_kind"]) == (1769264446847371, 1, InputKind.TEXT)
    assert json.loads(row["output_extra"]) == {"text": "hello", "logprobs": {"content": [{"logprob": -0.1}]}}


def test_the_same_file_with_another_mapping_is_read_again_and_known(bench: Bench) -> None:
    record = {"t": "2026-01-02T03:04:05Z", "who": "c", "alias": "d"}
    assert mapped(bench, BASE, record).stored == 1
    again = mapped(bench, BASE.replace("who", "alias"), record)
    assert (again.stored, again.duplicate) == (0, 1)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("fields: {timestamp: t, client_id: c}", 1, "fields lacks model"),
        (BASE + "  surprise: x\n", 6, "surprise"),
        (BASE + "extra: 1\n", 6, "extra"),
        (BASE + "  input: {path: a, const: b}\n", 6, "exactly one"),
        (BASE + "  input: {decode: json}\n", 6, "exactly one"),
        (BASE + "  input: {path: a, decode: pickle}\n", 6, "decode"),
        (BASE + "  input: a..b\n", 6, "not a path"),
        (BASE + "  input: 7\n", 6, "input"),
        (BASE + "  input: {path: a, each: b}\n", 6, "each"),
        (BASE + '  input: {vector: ["x{0..999999}"]}\n', 6, "range"),
        (BASE + '  input: "a\\u0001b"\n', 6, "control"),
        ("timestamp_unit: fortnight\n" + BASE, 1, "timestamp_unit"),
        ("operation: {x: attack}\n" + BASE, 1, "operation.x"),
        ("format: xml\n" + BASE, 1, "format"),
        ("a: &x [1]\nb: *x\n", 2, "aliases"),
        ("fields: [", 1, "not YAML"),
        ("- 1\n", 1, ""),
        ("", None, ""),
        ("!!python/object/apply:os.system ['true']", 1, "not YAML"),
    ],
)
def test_a_mapping_that_cannot_be_used(tmp_path: Path, text: str, line: int | None, message: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_mapping(file)
    assert message in caught.value.message
    assert caught.value.file == file
    assert caught.value.line == line
    assert caught.value.expected


def test_a_mapping_file_that_is_missing_large_or_binary(tmp_path: Path) -> None:
    for raw in (None, b"\xff\xfe", b"#" * (2 << 20), b"a: " + b"[" * 20_000, b"- " * 20_000 + b"a"):
        file = tmp_path / "m.yaml"
        if raw is not None:
            file.write_bytes(raw)
        with pytest.raises(ConfigError):
            load_mapping(file)


def test_hostile_paths_stay_text(bench: Bench) -> None:
    key = "'; DROP TABLE query; --"
    mapping = 'fields:\n  timestamp: t\n  model: {const: "x\'); --"}\n  client_id: ' + json.dumps(f'"{key}"') + "\n"
    mapped(bench, mapping, {"t": "2026-01-02T03:04:05Z", key: "c"})
    (row,) = bench.rows()
    assert (row["client_id"], row["model"]) == ("c", "x'); --")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [("a", "/a"), ("a.b.0", "/a/b/0"), ('a."b.c".d', "/a/b.c/d"), ("a/b.~", "/a~1b/~0"), ('"\\""', '/"')],
)
def test_paths(path: str, pointer: str) -> None:
    assert parse_path(path) == pointer
