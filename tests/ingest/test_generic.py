from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from ingest_making import ABSENT, Bench, flags, floats, line

from detector.ingest.probabilities import class_code
from detector.model import InputKind, Operation, ProbabilityKind, RowFlag


def test_a_plain_record_is_stored_as_it_is(bench: Bench) -> None:
    text = line()
    row = bench.one(text)
    key = hashlib.blake2b(text.encode(), digest_size=16).digest()
    expected = {
        "file_id": 1, "line": 1, "row_index": 0, "ts": 1794280455926535,
        "key_hi": int.from_bytes(key[:8], "little", signed=True),
        "key_lo": int.from_bytes(key[8:], "little", signed=True),
        "occurrence": 0, "request_id": "r1", "client_id": "alice", "source_ip": "192.0.2.7", "user_agent": "test/1",
        "model": "digits", "model_version": "2.1.0", "endpoint": "predict", "operation": "predict", "status": 200,
        "latency_ms": 3.5, "params": '{"return_probabilities":true}', "scored": 1, "label": "1", "confidence": 0.75,
        "value": None, "input_kind": InputKind.VECTOR, "input": np.array([0.5, 0.25], "<f4").tobytes(),
        "probability_kind": ProbabilityKind.POSITIONS, "probabilities": np.array([0.25, 0.75], "<f4").tobytes(),
        "output_extra": None, "sampling_rate": None, "flags": 0,
    }  # fmt: skip
    del row["id"], row["input_hash"]
    assert expected == row


def test_only_the_required_fields(bench: Bench) -> None:
    row = bench.one('{"timestamp": "2026-11-10T00:00:00Z", "client_id": "c", "model": "m"}')
    absent = {key for key, value in row.items() if value is None}
    expected = (
        "request_id source_ip user_agent model_version endpoint status latency_ms params scored label confidence value"
        " input input_hash probabilities output_extra sampling_rate"
    )
    assert set(expected.split()) == absent
    assert (row["input_kind"], row["probability_kind"], row["flags"], row["operation"]) == (0, 0, 0, "predict")


@pytest.mark.parametrize("name", ["timestamp", "client_id", "model"])
@pytest.mark.parametrize("value", [ABSENT, None])
def test_a_required_field_that_is_missing_rejects(bench: Bench, name: str, value: Any) -> None:
    result = bench.read(line(), line(**{name: value}, request_id="r2"))
    assert (result.read, result.stored, result.rejected) == (2, 1, 1)
    (found,) = bench.rejects()
    assert (found["line"], found["reason"]) == (2, f"{name}_missing")
    assert found["excerpt"] == line(**{name: value}, request_id="r2")
    assert found["expected"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "not_json"),
        ('{"timestamp": "2026-11-10T00:00:00Z", "client_id": "c", "model": "m"', "not_json"),
        ("{'timestamp': 1}", "not_json"),
        ("[1, 2]", "not_an_object"),
        ('"text"', "not_an_object"),
        ("17", "not_an_object"),
        ("null", "not_an_object"),
        (line(timestamp="yesterday"), "timestamp_unreadable"),
        (line(timestamp="2026-02-30T00:00:00Z"), "timestamp_unreadable"),
        (line(timestamp=1794280455), "timestamp_unreadable"),
        (line(timestamp={"s": 1}), "timestamp_unreadable"),
        (line(timestamp="2026-11-10T00:00:00"), "timestamp_without_zone"),
    ],
)
def test_one_bad_line_costs_itself_alone(bench: Bench, text: str, reason: str) -> None:
    result = bench.read(line(request_id="a"), text, line(request_id="b"))
    assert result.rejects == {reason: 1}
    assert [row["request_id"] for row in bench.rows()] == ["a", "b"]
    assert [found["line"] for found in bench.rejects()] == [2]


def test_blank_lines_are_no_records_and_keep_their_numbers(bench: Bench) -> None:
    result = bench.read("", line(request_id="a"), "  \r", "\t", line(request_id="b") + "\r", "")
    assert (result.read, result.stored) == (2, 2)
    assert [row["line"] for row in bench.rows()] == [2, 5]


def test_the_last_line_needs_no_newline(bench: Bench) -> None:
    path = bench.folder / "log.jsonl"
    path.write_text(line(request_id="a") + "\n" + line(request_id="b"))
    assert bench.load(path).stored == 2


def test_a_byte_order_mark_is_no_content(bench: Bench) -> None:
    assert bench.one(b"\xef\xbb\xbf" + line().encode())["flags"] == 0


def test_scored_comes_from_the_answer_first(bench: Bench) -> None:
    cases = [
        ({"label": "1"}, {"return_probabilities": False}, 0),
        ({"label": "1"}, None, 0),
        ({"label": "1"}, {"return_probabilities": True}, 1),
        ({"label": "1", "confidence": 0.5}, {"return_probabilities": False}, 1),
        ({"label": "1", "probabilities": [0.5, 0.5]}, None, 1),
        ({"items": [{"id": "a", "score": 1}]}, None, 1),
        ({"text": "a", "logprobs": [-1.0]}, None, 1),
        ({"text": "a"}, {"logprobs": 5}, 1),
        ({"text": "a"}, None, 0),
        ({"value": 3.0}, None, None),
        (None, {"return_probabilities": False}, 0),
        (None, None, None),
    ]
    lines = [
        line(request_id=str(i), timestamp=f"2026-11-10T00:00:{i:02}Z", output=output, params=params)
        for i, (output, params, _) in enumerate(cases)
    ]
    bench.read(*lines)
    assert [row["scored"] for row in bench.rows()] == [expected for *_, expected in cases]


@pytest.mark.parametrize(
    ("endpoint", "operation"),
    [
        ("predict", Operation.PREDICT),
        ("/v1/models/digits:predict", Operation.PREDICT),
        ("/v1/chat/completions", Operation.PREDICT),
        ("explain", Operation.EXPLAIN),
        ("/v1/models/digits:explain", Operation.EXPLAIN),
        ("gradients", Operation.GRADIENTS),
        ("/v1/embeddings", Operation.EMBED),
        ("/healthz", Operation.OTHER),
        (None, Operation.PREDICT),
    ],
)
def test_operation(bench: Bench, endpoint: str | None, operation: Operation) -> None:
    assert bench.one(line(endpoint=endpoint))["operation"] == operation


def test_named_probabilities_and_their_names(bench: Bench) -> None:
    row = bench.one(line(output={"label": "cat", "probabilities": {"dog": 0.25, "cat": 0.75, "owl": None}}))
    pairs = np.frombuffer(row["probabilities"], [("code", "<u4"), ("value", "<f4")])
    assert row["probability_kind"] == ProbabilityKind.NAMED
    assert [class_code(name) for name in ("dog", "cat", "owl")] == pairs["code"].tolist()
    np.testing.assert_array_equal([0.25, 0.75, np.nan], pairs["value"])
    code = int.from_bytes(hashlib.sha256(b"cat").digest()[:4], "little")
    with bench.store.begin() as connection:
        names = connection.exec_driver_sql("SELECT code, name FROM model_class WHERE model = 'digits'").all()
    assert (code, "cat") in {tuple(pair) for pair in names}
    assert len(names) == 3


def test_top_k_probabilities_are_absent_not_zero(bench: Bench) -> None:
    row = bench.one(line(output={"label": "2", "probabilities": [None, 0.125, 0.5]}))
    np.testing.assert_array_equal([np.nan, 0.125, 0.5], np.frombuffer(row["probabilities"], "<f4"))
    assert row["flags"] == 0


def test_a_vector_in_brackets_of_its_own_is_a_vector(bench: Bench) -> None:
    row = bench.one(line(output={"label": "2", "probabilities": [[0.25, 0.75]]}))
    assert (floats(row["probabilities"]), row["flags"]) == ([0.25, 0.75], 0)


def test_output_of_other_kinds_is_kept_as_json(bench: Bench) -> None:
    output = {
        "value": 3.25,
        "items": [{"id": "a", "score": 0.5}],
        "embedding": [0.5],
        "text": 'a "b"',
        "logprobs": [-1.5],
    }
    row = bench.one(line(output=output))
    assert row["value"] == 3.25
    assert {key: output[key] for key in ("items", "embedding", "text", "logprobs")} == json.loads(row["output_extra"])


INPUTS = [
    ([1, 2.5], InputKind.VECTOR, [1.0, 2.5]),
    ([], InputKind.VECTOR, []),
    (7, InputKind.VECTOR, [7.0]),
    (["1", "2.5"], InputKind.VECTOR, [1.0, 2.5]),
    (["a[b", "{"], InputKind.RECORD, b'{"0":"a[b","1":"{"}'),
    ([[1, 2], [3, 4]], InputKind.VECTOR, [1.0, 2.0, 3.0, 4.0]),
    ([[[1], [2]], [[3], [4]]], InputKind.VECTOR, [1.0, 2.0, 3.0, 4.0]),
    ({"b": 1, "a": "x"}, InputKind.RECORD, b'{"a":"x","b":1}'),
    ({"b": {"z": [1, "}"]}, 'a"': None}, InputKind.RECORD, b'{"a\\"":null,"b":{"z":[1,"}"]}}'),
    ({}, InputKind.RECORD, b"{}"),
    (["red", 3.5, None], InputKind.RECORD, b'{"0":"red","1":3.5,"2":null}'),
    ("a text \u00e9", InputKind.TEXT, "a text \u00e9".encode()),
    ("", InputKind.TEXT, b""),
    ({"text": "a \u00e9"}, InputKind.TEXT, "a \u00e9".encode()),
    ({'we"ird.$': ""}, InputKind.TEXT, b""),
    ({"text": None}, InputKind.RECORD, b'{"text":null}'),
    ({"text": "a", "lang": "en"}, InputKind.RECORD, b'{"lang":"en","text":"a"}'),
    ([{"role": "user", "content": "hi"}], InputKind.TEXT, b'[{"role":"user","content":"hi"}]'),
    ([["a", "b"], ["c"]], InputKind.TEXT, b'[["a","b"],["c"]]'),
    (None, InputKind.NONE, None),
]


@pytest.mark.parametrize(("value", "kind", "stored"), INPUTS)
def test_inputs_of_every_shape(bench: Bench, value: Any, kind: InputKind, stored: Any) -> None:
    row = bench.one(line(input=value))
    assert row["input_kind"] == kind
    assert row["flags"] == 0
    assert stored == (floats(row["input"]) if kind is InputKind.VECTOR else row["input"])
    assert (row["input_hash"] is None) == (kind is InputKind.NONE)


def test_inputs_of_every_shape_in_one_file_keep_their_rows(bench: Bench) -> None:
    lines = [
        line(request_id=str(i), timestamp=f"2026-11-10T00:{i // 60:02}:{i % 60:02}Z", input=INPUTS[i % len(INPUTS)][0])
        for i in range(300)
    ]
    assert bench.read(*lines).stored == 300
    for i, row in enumerate(bench.rows()):
        _, kind, stored = INPUTS[i % len(INPUTS)]
        assert (row["request_id"], row["input_kind"]) == (str(i), kind)
        assert stored == (floats(row["input"]) if kind is InputKind.VECTOR else row["input"])


def test_equal_float32_values_under_different_hashes(bench: Bench) -> None:
    bench.read(
        line(request_id="a", input=[0.5]), line(request_id="b", input=[0.5 + 1e-8]), line(request_id="c", input=[0.5])
    )
    a, b, c = bench.rows()
    assert a["input"] == b["input"]
    assert a["input_hash"] == c["input_hash"] != b["input_hash"]


def test_a_record_means_the_same_in_any_order(bench: Bench) -> None:
    bench.read(line(request_id="a", input={"x": 1, "y": "b"}), line(request_id="b", input={"y": "b", "x": 1}))
    a, b = bench.rows()
    assert (a["input"], a["input_hash"]) == (b["input"], b["input_hash"])


def test_files_and_folders_in_a_fixed_order(bench: Bench) -> None:
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl.gz", ".hidden.jsonl", "notes.txt", "sub/.git/x.jsonl"):
        bench.write(line(request_id=name), name=name)
    result = bench.load(bench.folder)
    assert [str(file.path.relative_to(bench.folder)) for file in result.files] == [
        "a.jsonl",
        "b.jsonl",
        "sub/c.jsonl.gz",
    ]
    pattern = bench.folder / "*.jsonl"
    assert [file.path.name for file in bench.load(pattern).files] == ["a.jsonl", "b.jsonl"]


def test_labels_beside_logs_are_skipped_and_named_tables_are_not(bench: Bench) -> None:
    bench.write(line())
    labels = bench.write("client_id,model,is_attack", "a,digits,0", name="labels.csv")
    result = bench.load(bench.folder)
    assert ([file.path.name for file in result.files], [s.path.name for s in result.skipped]) == (
        ["log.jsonl"],
        ["labels.csv"],
    )
    named = bench.load(labels)
    assert named.rejects == {"timestamp_missing": 1}


def test_nights_that_files_touch(bench: Bench) -> None:
    path = bench.write(
        line(), line(timestamp="2026-11-11T01:00:00+02:00"), line(timestamp="2026-11-12T00:00:00Z", model="b")
    )
    first, again = bench.load(path), bench.load(path)
    expected = [("digits", "2026-11-10"), ("b", "2026-11-12")]
    assert [(model, str(night)) for model, night in first.nights] == expected
    assert first.nights == again.nights


def test_nights_may_begin_at_noon(bench: Bench) -> None:
    from datetime import time

    path = bench.write(line(timestamp="2026-11-10T11:59:59Z"), line(timestamp="2026-11-10T12:00:00Z"))
    assert [str(n) for _, n in bench.load(path, night_starts=time(12)).nights] == ["2026-11-09", "2026-11-10"]


def test_late_rows_make_scanned_nights_stale(bench: Bench) -> None:
    bench.read(line())
    nights = ["2026-11-03", "2026-11-04", "2026-11-10", "2026-11-16", "2026-11-17"]
    with bench.store.begin() as connection:
        for model in ("digits", "other"):
            for night in nights:
                connection.exec_driver_sql(
                    "INSERT INTO night (model, night, query_count, stale, schema_version, coverage, scanned_at)"
                    " VALUES (?, ?, 1, FALSE, 1, '{}', '')",
                    (model, night),
                )

    def stale() -> list[tuple[str, str]]:
        with bench.store.begin() as connection:
            found = connection.exec_driver_sql("SELECT model, night FROM night WHERE stale ORDER BY 1, 2").all()
        return [(model, night) for model, night in found]

    bench.load(bench.write(line(), name="again.jsonl"))
    bench.load(bench.write(line(), "{}", name="copy.jsonl"))
    assert stale() == []
    bench.load(bench.write(line(request_id="late"), name="late.jsonl"))
    assert stale() == [("digits", "2026-11-10"), ("digits", "2026-11-16")]


def test_fields_of_other_types_are_read_as_far_as_they_go(bench: Bench) -> None:
    row = bench.one(line(client_id=17, model=True, request_id=5, status="404", latency_ms="2.5", source_ip=["a"]))
    assert (row["client_id"], row["model"], row["request_id"]) == ("17", "true", "5")
    assert (row["status"], row["latency_ms"], row["source_ip"], row["flags"]) == (404, 2.5, '["a"]', 0)


@pytest.mark.parametrize(
    ("changes", "flag", "column"),
    [
        ({"status": "teapot"}, RowFlag.FIELD_UNREADABLE, "status"),
        ({"status": 200.5}, RowFlag.FIELD_UNREADABLE, "status"),
        ({"status": 10**30}, RowFlag.FIELD_UNREADABLE, "status"),
        ({"status": {"code": 200}}, RowFlag.FIELD_UNREADABLE, "status"),
        ({"latency_ms": "fast"}, RowFlag.FIELD_UNREADABLE, "latency_ms"),
        ({"sampling_rate": 2}, RowFlag.FIELD_UNREADABLE, "sampling_rate"),
        ({"output": "garbage"}, RowFlag.OUTPUT_UNREADABLE, "label"),
        ({"output": [0.5, 0.5]}, RowFlag.OUTPUT_UNREADABLE, "probabilities"),
        ({"output": {"label": "1", "confidence": "high"}}, RowFlag.OUTPUT_UNREADABLE, "confidence"),
        ({"output": {"value": []}}, RowFlag.OUTPUT_UNREADABLE, "value"),
        ({"output": {"probabilities": "many"}}, RowFlag.OUTPUT_UNREADABLE, "probabilities"),
        ({"output": {"probabilities": 0.5}}, RowFlag.OUTPUT_UNREADABLE, "probabilities"),
        ({"output": {"probabilities": [[0.5, 0.5], [0.5, 0.5]]}}, RowFlag.OUTPUT_UNREADABLE, "probabilities"),
        ({"input": [[1, 2], [3]]}, RowFlag.INPUT_RAGGED, "input"),
        ({"input": [[1, 2], 3]}, RowFlag.INPUT_RAGGED, "input"),
        ({"input": [1, [2]]}, RowFlag.INPUT_RAGGED, "input"),
        ({"input": [[], []]}, RowFlag.INPUT_RAGGED, "input"),
    ],
)
def test_what_cannot_be_read_is_null_and_flagged_never_rejected(
    bench: Bench, changes: dict[str, Any], flag: RowFlag, column: str
) -> None:
    row = bench.one(line(**changes))
    assert row[column] is None
    assert flags(row) == flag


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 2147483647])
def test_a_status_that_no_server_sends(bench: Bench, status: int) -> None:
    row = bench.one(line(status=status))
    assert (row["status"], flags(row)) == (status, RowFlag.STATUS_IMPLAUSIBLE)


@pytest.mark.parametrize("vector", [[0.9, 0.9], [0.2, 0.2, 0.2], [1.5, -0.5], [-0.2, 0.6, 0.6]])
def test_probabilities_that_do_not_sum_to_one(bench: Bench, vector: list[float]) -> None:
    row = bench.one(line(output={"label": "0", "probabilities": vector}))
    np.testing.assert_array_equal(np.array(vector, "<f4"), np.frombuffer(row["probabilities"], "<f4"))
    assert flags(row) == RowFlag.PROBABILITIES_NOT_NORMALISED


def test_rounded_probabilities_are_not_flagged(bench: Bench) -> None:
    rng = np.random.default_rng(7)
    lines = [
        line(request_id=f"{i}", output={"probabilities": np.round(rng.dirichlet(np.ones(10)), 2).tolist()})
        for i in range(200)
    ]
    bench.read(*lines)
    assert {row["flags"] for row in bench.rows()} == {0}


def test_ten_thousand_classes(bench: Bench) -> None:
    row = bench.one(line(output={"label": "0", "probabilities": [0.0001] * 10_000}))
    assert (len(row["probabilities"]), row["flags"]) == (40_000, 0)


def test_ten_thousand_named_classes(bench: Bench) -> None:
    row = bench.one(line(output={"label": "0", "probabilities": {f"class {i}": 0.0001 for i in range(10_000)}}))
    assert (len(row["probabilities"]), row["flags"]) == (80_000, 0)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_tokens_that_are_no_numbers(bench: Bench, token: str) -> None:
    text = line(input=["#", 1.0]).replace('"#"', token)
    row = bench.one(text)
    assert (len(row["input"]), flags(row)) == (8, RowFlag.NON_FINITE)
    assert not np.isfinite(np.frombuffer(row["input"], "<f4")[0])
    text = line(latency_ms="#", output={"confidence": "#", "probabilities": ["#", 0.5]}).replace('"#"', token)
    bench.load(bench.write(text, name="b.jsonl"))
    row = next(row for row in bench.rows() if row["latency_ms"] is None)
    assert row["confidence"] is None
    assert flags(row) & RowFlag.NON_FINITE


def test_doubles_beyond_float32(bench: Bench) -> None:
    assert flags(bench.one(line(input=[1e300, 1.0]))) == RowFlag.NON_FINITE


def test_duplicated_names_mean_the_first(bench: Bench) -> None:
    text = line().replace('"client_id": "alice"', '"client_id": "alice", "client_id": "mallory"')
    assert bench.one(text)["client_id"] == "alice"
    text = line(input={"a": 1}, request_id="r2").replace('{"a": 1}', '{"a": 1, "b": 2, "a": 3}')
    bench.load(bench.write(text, name="b.jsonl"))
    assert bench.rows()[-1]["input"] == b'{"a":1,"b":2}'


@pytest.mark.parametrize("year", ["1970", "1999", "2100", "2200", "9999", "0001"])
def test_years_that_cannot_be_are_kept(bench: Bench, year: str) -> None:
    row = bench.one(line(timestamp=f"{year}-01-02T00:00:00Z"))
    assert flags(row) == RowFlag.TIME_IMPLAUSIBLE
    assert row["ts"] == int((np.datetime64(f"{year}-01-02", "us") - np.datetime64("1970-01-01", "us")).astype(int))


def test_deep_nesting(bench: Bench) -> None:
    deep = "[" * 50_000 + "]" * 50_000
    row = bench.one(line(params="#", input="#").replace('"#"', deep))
    assert flags(row) == RowFlag.INPUT_RAGGED
    assert row["params"] == deep
    objects = '{"a":' * 50_000 + "1" + "}" * 50_000
    bench.load(bench.write(line(input="#", request_id="x").replace('"#"', objects), name="b.jsonl"))
    assert bench.rows()[-1]["input"] == objects.encode()


def test_a_copy_of_a_path_is_read_once(bench: Bench) -> None:
    path = bench.write(line())
    assert len(bench.load(path, path, bench.folder).files) == 1
