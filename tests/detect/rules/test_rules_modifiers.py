from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_making import NIGHT, query_rule, rules_of, window_rule, windows

from detector.detect.rules import QueryMatcher, evaluate_windows

NAN = float("nan")


def _hits(folder: Path, detection: str, rows: list[dict[str, object]]) -> list[str]:
    rules = rules_of(folder, window_rule(detection))
    return [finding.entity_id for finding in evaluate_windows(rules, windows(*rows)).findings]


def _query_hits(folder: Path, item: str, texts: list[str | None], field: str) -> list[str | None]:
    """Which of `texts` a rule with one item matches; each is a client of its own."""
    rules = rules_of(folder, query_rule(f"s:\n  {item}\ncondition: s"))
    matcher = QueryMatcher(rules, "m", NIGHT)
    clients = [f"{number:03d}" for number in range(len(texts))]
    matcher.update(pa.table({"client_id": clients, "ts": range(len(texts)), field: pa.array(texts, pa.string())}))
    return [texts[int(finding.entity_id)] for finding in matcher.result().findings]


@pytest.mark.parametrize(
    ("item", "values", "expected"),
    [
        ("confidence_ascent|gte: 0.5", [0.5, 0.4, NAN, 1.0], [0, 3]),
        ("confidence_ascent|gt: 0.5", [0.5, 0.4, NAN, 1.0], [3]),
        ("confidence_ascent|lte: 0.5", [0.5, 0.4, NAN, 1.0], [0, 1]),
        ("confidence_ascent|lt: 0.5", [0.5, 0.4, NAN, 1.0], [1]),
        ("confidence_ascent: 0.5", [0.5, 0.50001, NAN, 1.0], [0]),
        ("confidence_ascent: [0.5, 1]", [0.5, 0.4, NAN, 1.0], [0, 3]),
        ("confidence_ascent: null", [0.5, 0.4, NAN, 1.0], [2]),
        ("confidence_ascent|exists: true", [0.5, 0.4, NAN, 1.0], [0, 1, 3]),
        ("confidence_ascent|exists: false", [0.5, 0.4, NAN, 1.0], [2]),
        ("confidence_ascent|gte: 1.0e-8", [1e-9, 1e-8], [1]),
    ],
)
def test_numbers(tmp_path: Path, item: str, values: list[float], expected: list[int]) -> None:
    rows = [{"confidence_ascent": value} for value in values]
    assert _hits(tmp_path, f"s:\n  {item}\ncondition: s", rows) == [f"client-{number}" for number in expected]


def test_fields_of_a_mapping_must_all_hold_and_one_of_a_list(tmp_path: Path) -> None:
    rows = [{"confidence_ascent": a, "near_duplicate_ratio": b} for a, b in [(1, 1), (1, 0), (0, 1), (0, 0)]]
    both = "s:\n  confidence_ascent|gte: 0.5\n  near_duplicate_ratio|gte: 0.5\ncondition: s"
    assert _hits(tmp_path, both, rows) == ["client-0"]
    either = "s:\n  - confidence_ascent|gte: 0.5\n  - near_duplicate_ratio|gte: 0.5\ncondition: s"
    assert _hits(tmp_path, either, rows) == ["client-0", "client-1", "client-2"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a or b and not c", [0, 1, 3, 5, 7]),
        ("(a or b) and not c", [1, 3, 5]),
        ("1 of them", [0, 1, 2, 3, 4, 5, 7]),
        ("all of them", [0]),
        ("any of them and not all of them", [1, 2, 3, 4, 5, 7]),
        ("not a and (b or c)", [2, 4, 5]),
    ],
)
def test_conditions(tmp_path: Path, condition: str, expected: list[int]) -> None:
    table = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 0), (1, 0, 1)]
    names = ("confidence_ascent", "near_duplicate_ratio", "duplicate_ratio")
    rows = [dict(zip(names, row, strict=True)) for row in table]
    detection = "".join(f"{letter}:\n  {name}: 1\n" for letter, name in zip("abc", names, strict=True))
    wanted = [
        number
        for number, row in enumerate(table)
        if eval_reference(condition, dict(zip("abc", map(bool, row), strict=True)))
    ]
    assert wanted == expected
    found = _hits(tmp_path, f"{detection}condition: {condition}", rows)
    assert found == [f"client-{number}" for number in expected]


def eval_reference(condition: str, truth: dict[str, bool]) -> bool:
    """The same conditions in Python, for the parametrised texts only."""
    any_of, all_of = any(truth.values()), all(truth.values())
    a, b, c = (truth[name] for name in "abc")
    return {
        "a or b and not c": a or (b and not c),
        "(a or b) and not c": (a or b) and not c,
        "1 of them": any_of,
        "all of them": all_of,
        "any of them and not all of them": any_of and not all_of,
        "not a and (b or c)": not a and (b or c),
    }[condition]


@pytest.mark.parametrize(
    ("item", "texts", "expected"),
    [
        ("endpoint: Predict", ["predict", "PREDICT", "predict2", "", None], ["predict", "PREDICT"]),
        ("endpoint: pre*", ["predict", "pre", "a pre", None], ["predict", "pre"]),
        ("endpoint: pre?", ["pred", "pre", "predi"], ["pred"]),
        ("endpoint: 'a\\*b'", ["a*b", "axb", "ab"], ["a*b"]),
        ("endpoint: 'a.b'", ["a.b", "axb"], ["a.b"]),
        ("endpoint: 'x*z'", ["x\ny\nz", "xz", "xy"], ["x\ny\nz", "xz"]),
        ("endpoint: 5", ["5", "5.0", "15"], ["5"]),
        ("endpoint: [a, b]", ["a", "b", "c"], ["a", "b"]),
        ("endpoint|contains: B", ["abc", "xyz", None], ["abc"]),
        ("endpoint|contains|all: [a, c]", ["abc", "ab", "c"], ["abc"]),
        ("endpoint|startswith: ab", ["abc", "cab"], ["abc"]),
        ("endpoint|endswith: ab", ["abc", "cab"], ["cab"]),
        ("endpoint|re: '^a.c$'", ["abc", "ABC", "abcd"], ["abc"]),
        ("endpoint|re: '(?i)b'", ["aBc", "ac"], ["aBc"]),
        ("endpoint|exists: false", ["a", "", None], ["", None]),
        ("endpoint: null", ["a", None], [None]),
        ("source_ip|cidr: 10.0.0.0/8", ["10.1.2.3", "11.1.2.3", "x", "fe80::1"], ["10.1.2.3"]),
        ("source_ip|cidr: 10.0.0.0/8", ["::ffff:10.0.0.1", "::ffff:11.0.0.1"], ["::ffff:10.0.0.1"]),
        ("source_ip|cidr: 'fe80::/10'", ["fe80::1", "10.1.2.3", "2001::1"], ["fe80::1"]),
    ],
)  # fmt: skip
def test_texts(tmp_path: Path, item: str, texts: list[str | None], expected: list[str | None]) -> None:
    field = item.split(":", maxsplit=1)[0].split("|", maxsplit=1)[0]
    assert _query_hits(tmp_path, item, texts, field) == expected


def test_what_is_no_address_lies_outside_and_null_is_unknown(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, query_rule("s:\n  source_ip|cidr: 10.0.0.0/8\ncondition: not s"))
    matcher = QueryMatcher(rules, "m", NIGHT)
    matcher.update(pa.table({"client_id": ["a", "b", "c"], "ts": [1, 2, 3], "source_ip": ["10.0.0.1", "x", None]}))
    assert [finding.entity_id for finding in matcher.result().findings] == ["b"]


def test_a_window_of_a_network_can_be_matched_by_network(tmp_path: Path) -> None:
    rows = [{"entity_id": "10.1.2.0/24", "entity_kind": "network"}, {"entity_id": "11.0.0.0/24"}, {"entity_id": "x"}]
    assert _hits(tmp_path, "s:\n  entity_id|cidr: 10.0.0.0/8\ncondition: s", rows) == ["10.1.2.0/24"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12))
def test_any_text_matches_itself_and_nothing_longer(text: str) -> None:
    escaped = yaml.dump(re.sub(r"([\\*?])", r"\\\1", text), default_style='"', width=10_000).strip()
    with TemporaryDirectory() as folder:
        found = _query_hits(Path(folder), f"endpoint: {escaped}", [text, text + "x", "x" + text], "endpoint")
    assert found == [text]


def test_a_pattern_meant_to_take_for_ever_is_linear(tmp_path: Path) -> None:
    assert _query_hits(tmp_path, "endpoint|re: '^(a+)+$'", ["a" * 5_000 + "b"], "endpoint") == []
