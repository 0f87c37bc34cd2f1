from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_making import NIGHT, query_rule, rules_of, window_rule

from detector.detect.rules import QueryMatcher, RuleResult, RuleSet
from detector.detect.rules.model import Excluded, NotEvaluated
from detector.model import EntityKind, Horizon, InputKind, RowFlag, Segment, Trigger

if TYPE_CHECKING:
    from pathlib import Path

GRADIENTS = query_rule("s:\n  operation: gradients\ncondition: s", minimum=2)
RULE = "22222222-2222-4222-8222-222222222222"


def _table(rows: list[tuple[str, int, str]]) -> pa.Table:
    clients, times, operations = zip(*rows, strict=True)
    return pa.table({"client_id": clients, "ts": times, "operation": operations})


ROWS = [("a", 5, "gradients"), ("b", 1, "gradients"), ("a", 3, "gradients"), ("a", 9, "predict"), ("c", 2, "predict")]


def test_one_finding_a_client_with_count_and_times(tmp_path: Path) -> None:
    matcher = QueryMatcher(rules_of(tmp_path, GRADIENTS), "m", NIGHT)
    matcher.update(_table(ROWS))
    (found,) = matcher.result().findings
    assert (found.entity_kind, found.entity_id, found.horizon) == (EntityKind.CLIENT, "a", Horizon.NIGHT)
    assert (found.query_count, found.clients, found.segment) == (2, ("a",), Segment(3, 5))
    assert found.trigger == (Trigger("operation", "gradients", "gradients"), Trigger("matches", 2.0, 2.0))
    assert found.sentence == "a did it 2 times with gradients."
    assert (found.p, found.night, found.model) == (None, NIGHT, "m")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.sampled_from(["gradients", "predict"])), max_size=12
    ),
    st.data(),
)
def test_however_the_night_is_cut_into_batches(
    tmp_path: Path, rows: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    rules = rules_of(tmp_path, GRADIENTS)
    whole, parts = QueryMatcher(rules, "m", NIGHT), QueryMatcher(rules, "m", NIGHT)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    if rows:
        whole.update(_table(rows))
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        if rows[first:last]:
            parts.update(_table(rows[first:last]))
    assert parts.result() == whole.result()
    wanted = {c for c in "abc" if sum(row[0] == c and row[2] == "gradients" for row in rows) >= 2}
    assert {f.entity_id for f in whole.result().findings} == wanted


def test_only_the_columns_that_rules_read_are_asked_for(tmp_path: Path) -> None:
    assert QueryMatcher(rules_of(tmp_path, GRADIENTS), "m", NIGHT).columns == ("client_id", "operation", "ts")
    no_query_rules = QueryMatcher(
        rules_of(tmp_path, window_rule("s:\n  confidence_ascent|gte: 1\ncondition: s")), "m", NIGHT
    )
    assert no_query_rules.columns == ()
    no_query_rules.update(_table(ROWS))
    assert no_query_rules.result() == RuleResult()


def test_a_field_that_no_query_has_makes_a_rule_not_evaluated(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, query_rule("s:\n  user_agent|contains: garak\ncondition: s"))
    matcher = QueryMatcher(rules, "m", NIGHT)
    assert matcher.result() == RuleResult()
    matcher.update(_table(ROWS))
    assert matcher.result().not_evaluated == (NotEvaluated(RULE, "Query rule", ("user_agent",)),)
    with_agents = _table(ROWS[:1]).append_column("user_agent", pa.array(["curl"]))
    matcher.update(with_agents)
    assert matcher.result().not_evaluated == ()


def test_the_stores_spellings_of_null_are_null(tmp_path: Path) -> None:
    table = pa.table(
        {
            "client_id": ["a", "b", "c", "d"],
            "ts": [1, 2, 3, 4],
            "status": [-1, 200, -1, 500],
            "value": [-9e300, 1.0, -5.0, None],
            "endpoint": ["", "x", "", None],
            "scored": [-1, 0, 1, 1],
        }
    )

    def clients(item: str) -> list[str]:
        matcher = QueryMatcher(rules_of(tmp_path, query_rule(f"s:\n  {item}\ncondition: s")), "m", NIGHT)
        matcher.update(table)
        return [f.entity_id for f in matcher.result().findings]

    assert clients("status|exists: false") == ["a", "c"]
    assert clients("status|lt: 400") == ["b"]
    assert clients("value|lt: 2") == ["b", "c"]
    assert clients("endpoint: null") == ["a", "c", "d"]
    assert clients("scored: true") == ["c", "d"]
    assert clients("scored: false") == ["b"]


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.int16()])
def test_flags_and_kinds_go_by_their_names(tmp_path: Path, kind: pa.DataType) -> None:
    flags = [RowFlag.ID_REUSED | RowFlag.NON_FINITE, RowFlag.ID_REUSED, 0]
    table = pa.table(
        {
            "client_id": ["a", "b", "c"],
            "ts": [1, 2, 3],
            "flags": pa.array([int(flag) for flag in flags], kind),
            "input_kind": pa.array([int(InputKind.VECTOR), int(InputKind.TEXT), 99], kind),
        }
    )

    def clients(detection: str) -> list[str]:
        matcher = QueryMatcher(rules_of(tmp_path, query_rule(detection)), "m", NIGHT)
        matcher.update(table)
        return [f.entity_id for f in matcher.result().findings]

    assert clients("s:\n  flags|contains: id_reused\ncondition: s") == ["a", "b"]
    assert clients("s:\n  flags|contains: id_reused\ncondition: not s") == ["c"]
    assert clients("s:\n  input_kind: text\ncondition: s") == ["b"]
    assert clients("s:\n  input_kind: '99'\ncondition: s") == ["c"]


def test_arrow_comes_in_many_shapes(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, query_rule("s:\n  operation: gradients\ncondition: s"))
    plain = _table(ROWS)
    encoded = plain.set_column(2, "operation", plain["operation"].dictionary_encode())
    large = plain.set_column(2, "operation", plain["operation"].cast(pa.large_string()))
    chunked = pa.concat_tables([plain.slice(0, 2), plain.slice(2)])
    nothing = plain.slice(0, 0)
    results = []
    for table in (plain, encoded, large, chunked):
        matcher = QueryMatcher(rules, "m", NIGHT)
        matcher.update(nothing)
        matcher.update(table)
        results.append(matcher.result())
    assert all(result == results[0] for result in results)
    assert [f.entity_id for f in results[0].findings] == ["a", "b"]


def test_a_column_of_nulls_is_null_whatever_its_type(tmp_path: Path) -> None:
    matcher = QueryMatcher(rules_of(tmp_path, query_rule("s:\n  endpoint: x\ncondition: s")), "m", NIGHT)
    matcher.update(_table(ROWS).append_column("endpoint", pa.nulls(len(ROWS))))
    assert [one.missing for one in matcher.result().not_evaluated] == [("endpoint",)]


def test_filters_count_what_they_keep_back(tmp_path: Path) -> None:
    exclusion = """\
title: Known client
id: 44444444-4444-4444-8444-444444444444
description: Agreed.
author: Tests
date: 2026-11-01
logsource: {product: ml_inference, category: query}
filter:
  rules: query_rule
  s:
    client_id: a
  condition: not s
"""
    rules: RuleSet = rules_of(tmp_path, query_rule("s:\n  operation: gradients\ncondition: s"), exclusion)
    matcher = QueryMatcher(rules, "m", NIGHT)
    matcher.update(_table(ROWS))
    matcher.update(_table(ROWS))
    result = matcher.result()
    assert [f.entity_id for f in result.findings] == ["b"]
    assert result.excluded == (Excluded(RULE, "44444444-4444-4444-8444-444444444444", 4),)


def test_a_query_without_a_client_is_nobodys(tmp_path: Path) -> None:
    matcher = QueryMatcher(rules_of(tmp_path, query_rule("s:\n  operation: gradients\ncondition: s")), "m", NIGHT)
    matcher.update(
        pa.table({"client_id": pa.array([None, "a"]), "ts": [1, 2], "operation": ["gradients", "gradients"]})
    )
    assert [f.entity_id for f in matcher.result().findings] == ["a"]
