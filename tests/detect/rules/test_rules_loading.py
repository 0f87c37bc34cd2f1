from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_making import correlation, loaded, query_rule, rules_of, window_rule

from detector.detect.rules import examine_rules, load_rules
from detector.detect.rules.model import CorrelationType
from detector.errors import RuleError
from detector.model import Severity, Technique

if TYPE_CHECKING:
    from pathlib import Path

GOOD = window_rule("s:\n  confidence_ascent|gte: 0.5\ncondition: s")
NETWORK = "type: event_count\nrules: [test_rule]\ngroup-by: [entity_id]\ntimespan: 2d\ncondition:\n  gte: 2"
FILTER = """\
title: Known client
id: 44444444-4444-4444-8444-444444444444
description: Agreed.
author: Tests
date: 2026-11-01
logsource: {product: ml_inference, category: window}
filter:
  rules: any
  s:
    client: known
  condition: not s
"""


def _line(text: str, marker: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if marker in line)


def test_a_rule_says_what_it_says(tmp_path: Path) -> None:
    (rule,) = rules_of(tmp_path, GOOD).rules
    assert (rule.id, rule.name) == ("11111111-1111-4111-8111-111111111111", "test_rule")
    assert (rule.level, rule.technique) == (Severity.MEDIUM, Technique.INVERSION)
    assert rule.atlas == ("AML.T0024.001",)
    assert rule.fields == {"confidence_ascent", "target"}
    assert (rule.file, rule.line) == (tmp_path / "rule0.yml", 1)
    assert [test.hit for test in rule.tests] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("status: test", "status: good", "'good' is not a valid Sigma rule status"),
        ("level: medium", "level: fatal", "'fatal' is not a level"),
        ("level: medium", "levle: medium", "unknown field 'levle'"),
        ("level: medium", "level: [low]", "level is not a text"),
        ("name: test_rule", "name: a b", "'a b' cannot be a name"),
        ("id: 11111111-1111-4111-8111-111111111111", "id: 17", "id is not a text"),
        ("id: 11111111-1111-4111-8111-111111111111", "id: not-a-uuid", "'not-a-uuid' is not an id"),
        ("date: 2026-11-01", "date: yesterday", "'yesterday' is not a date"),
        ("date: 2026-11-01", "date: 2026-11-01 10:00:00", "is not a date"),
        ("falsepositives: [Tests]", "falsepositives: Tests", "falsepositives is not a list"),
        ("falsepositives: [Tests]", "falsepositives: []", "falsepositives is missing"),
        ("falsepositives: [Tests]", "falsepositives: [1]", "falsepositives holds something that is not a text"),
        ("tags: [atlas.aml-t0024.001, technique.inversion]", "tags: [technique.inversion]", "no tag names an ATLAS"),
        ("tags: [atlas.aml-t0024.001, technique.inversion]", "tags: [atlas.aml-t0024.001]", "0 tags name a technique"),
        (
            "tags: [atlas.aml-t0024.001, technique.inversion]",
            "tags: [atlas.t24, technique.inversion]",
            "malformed ATLAS tag",
        ),
        (
            "tags: [atlas.aml-t0024.001, technique.inversion]",
            "tags: [atlas.aml-t0024.001, technique.theft]",
            "unknown technique 'theft'",
        ),
        (
            "tags: [atlas.aml-t0024.001, technique.inversion]",
            "tags: [atlas.aml-t0024.001, technique.inversion, plain]",
            "tag 'plain' has no namespace",
        ),
        ("  product: ml_inference", "  product: windows", "unknown product 'windows'"),
        ("  category: window", "  category: process", "unknown category 'process'"),
        ("  category: window", "  service: x", "unknown field 'service'"),
        ("logsource:", "logsources:", "unknown field 'logsources'"),
        ("  s:", "  _s:", "'_s' cannot name a selection"),
        ("    confidence_ascent|gte: 0.5", "    confidence_asent|gte: 0.5", "unknown field 'confidence_asent'"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|base64: 0.5", "unknown modifier 'base64'"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|fieldref: x", "unknown modifier 'fieldref'"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte|lte: 0.5", "do not go together"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|all|gte: 0.5", "do not go together"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte: high", "'high' is not a finite number"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte: 1e-8", "'1e-8' is not a finite number"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte: .inf", "inf is not a finite number"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte: true", "True is not a finite number"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|contains: a", "contains needs a text"),
        (
            "    confidence_ascent|gte: 0.5",
            "    confidence_ascent: high",
            "confidence_ascent is a number, 'high' is not",
        ),
        ("    confidence_ascent|gte: 0.5", "    target|gte: 1", "gte needs a number, target is a text"),
        ("    confidence_ascent|gte: 0.5", "    target: true", "target is a text, True is not"),
        ("    confidence_ascent|gte: 0.5", "    target|contains: 1", "1 is not a text"),
        ("    confidence_ascent|gte: 0.5", "    target|re: '(a'", "is not an RE2 expression"),
        ("    confidence_ascent|gte: 0.5", "    target|re: '(?=a)'", "is not an RE2 expression"),
        ("    confidence_ascent|gte: 0.5", "    target|cidr: 10.0.0.0/40", "is not a network"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|exists: maybe", "exists takes true or false"),
        ("    confidence_ascent|gte: 0.5", "    confidence_ascent|gte: []", "empty list of values"),
        ("    confidence_ascent|gte: 0.5", "    - keyword", "a selection without fields"),
        ("    confidence_ascent|gte: 0.5", "    {}", "a selection without fields"),
        ("  condition: s", "  condition: s and t", "cannot be used as a condition"),
        ("  condition: s", "  condition: s | count() > 5", "cannot be used as a condition"),
        ("  condition: s", "  condition: 2 of s*", "cannot be used as a condition"),
        ("  condition: s", "  condition: 1 of t_*", "cannot be used as a condition"),
        ("  condition: s", "  condition: [s]", "condition is missing or not a text"),
        ("  condition: s", "  other: 5\n  condition: s", "a selection without fields"),
        ("  condition: s", "  t: {query_count: 1}\n  condition: s", "selection 't' is not used"),
        ("  sentence: Measured", "  sentence: Measured {confidence_asent}", "unknown field 'confidence_asent'"),
        ("  sentence: Measured", "  sentence: Measured {target.__class__}", "is not a field's name"),
        ("  sentence: Measured", "  sentence: Measured {target!r}", "is not a field's name"),
        ("  sentence: Measured", "  sentence: Measured {}", "is not a field's name"),
        ("  sentence: Measured", "  sentence: Measured {query_count:999999999}", "number format"),
        ("  sentence: Measured", "  sentence: Measured }", "ml.sentence"),
        ("  sentence: Measured", "  family: [x]\n  sentence: Measured", "ml.family is not a text"),
        ("  sentence: Measured", "  minimum: 3\n  sentence: Measured", "unknown field 'minimum'"),
        ("expect: hit", "expect: maybe", "a test expects neither hit nor miss"),
        ("expect: hit", "expect: miss", "tests lack a hit or a near-miss"),
        ("name: hit", "name: 1", "a test has no name"),
        ("name: hit", "name: miss", "two tests are named 'miss'"),
        ("{confidence_ascent: 1.0}", "{confidence_asent: 1.0}", "unknown field 'confidence_asent'"),
        ("{confidence_ascent: 1.0}", "{confidence_ascent: high}", "confidence_ascent is a number"),
        ("{confidence_ascent: 1.0}", "{target: [1]}", "target is a text"),
        ("{confidence_ascent: 1.0}", "17", "a test has no events"),
        ("{confidence_ascent: 1.0}", "[]", "a test has no events"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = GOOD.replace(old, new, 1)
    rules, errors = loaded(tmp_path, text)
    assert rules.rules == ()
    (error,) = errors
    assert message in error.message
    assert error.file == tmp_path / "rule0.yml"
    # the line of what was changed, or the block's own where it is the block that lacks something
    expected = _line(text, new.splitlines()[0])
    if message == "tests lack a hit or a near-miss":
        expected = _line(text, "tests:")
    elif message == "two tests are named 'miss'":
        expected += 1
    elif message == "a selection without fields" and new.startswith("    "):
        expected -= 1
    elif message.startswith(("ml.sentence", "number format", "is not a field's name")):
        expected = _line(text, "sentence:")
    assert error.line == expected


@pytest.mark.parametrize(
    "key", ["title", "id", "status", "description", "level", "tags", "author", "date", "ml", "tests"]
)
def test_what_every_rule_must_have_is_missed(tmp_path: Path, key: str) -> None:
    lines, kept, skipping = GOOD.splitlines(), [], False
    for line in lines:
        if not line.startswith(" "):
            skipping = line.startswith(f"{key}:")
        if not skipping:
            kept.append(line)
    _, (error,) = loaded(tmp_path, "\n".join(kept))
    assert error.message == f"{key} is missing"


@pytest.mark.parametrize(
    "condition", ["(" * 400 + "s" + ")" * 400, "not " * 240 + "s", "s and " * 150 + "s", "(" * 300]
)
def test_conditions_that_cost_time_end_soon(tmp_path: Path, condition: str) -> None:
    loaded(tmp_path, GOOD.replace("condition: s", f"condition: '{condition}'"))


def test_an_id_or_name_is_used_once(tmp_path: Path) -> None:
    same_id = GOOD.replace("name: test_rule", "name: other")
    same_name = GOOD.replace("8111-111111111111", "8111-111111111112")
    rules, errors = loaded(tmp_path, GOOD, same_id, same_name)
    assert [rule.name for rule in rules.rules] == ["test_rule"]
    assert [error.message for error in errors] == [
        f"id 11111111-1111-4111-8111-111111111111 is already used at {tmp_path / 'rule0.yml'}:1",
        f"name 'test_rule' is already used at {tmp_path / 'rule0.yml'}:1",
    ]
    assert [error.line for error in errors] == [2, 3]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(GOOD)
    rules = load_rules([tmp_path, tmp_path / "rule.yml"])
    assert [rule.id for rule in rules.rules].count("11111111-1111-4111-8111-111111111111") == 1


def test_a_broken_file_does_not_hide_the_others_errors(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("title: [")
    (tmp_path / "b.yml").write_text(GOOD.replace("level: medium", "level: fatal"))
    rules, errors = examine_rules([tmp_path, tmp_path / "missing"])
    assert len(rules.rules) >= 20
    assert [error.file for error in errors] == [tmp_path / "a.yml", tmp_path / "b.yml", tmp_path / "missing"]
    with pytest.raises(RuleError, match=r"a\.yml:1"):
        load_rules([tmp_path])


def test_a_correlation_finds_its_rules(tmp_path: Path) -> None:
    (found,) = rules_of(tmp_path, GOOD, correlation(NETWORK)).correlations
    assert found.type is CorrelationType.EVENT_COUNT
    assert found.rules == ("11111111-1111-4111-8111-111111111111",)
    assert (found.timespan, found.operator, found.count) == (2 * 86_400_000_000, "gte", 2.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type: event_count", "type: value_sum", "unknown correlation type 'value_sum'"),
        ("rules: [test_rule]", "rules: [no_such_rule]", "there is no rule 'no_such_rule'"),
        ("rules: [test_rule]", "rules: [33333333-3333-4333-8333-333333333333]", "there is no rule"),
        ("rules: [test_rule]", "rules: [test_rule, test_rule]", "names something twice"),
        ("rules: [test_rule]", "rules: []", "correlation.rules is missing"),
        ("group-by: [entity_id]", "group-by: [User]", "unknown field 'User'"),
        ("group-by: [entity_id]", "aliases: {}", "unknown field 'aliases'"),
        ("timespan: 2d", "timespan: 2 days", "correlation.timespan is missing or malformed"),
        ("timespan: 2d", "timespan: 99999999999999y", "correlation.timespan is too long"),
        ("timespan: 2d", "timespan: 2d\n  generate: false", "are always kept"),
        ("    gte: 2", "    gte: many", "'many' is not a number"),
        ("    gte: 2", "    gte: true", "True is not a number"),
        ("    gte: 2", "    gte: 2\n    lte: 5", "not exactly one comparison"),
        ("    gte: 2", "    gte: 2\n    field: night", "only value_count counts a field"),
        ("    gte: 2", "    above: 2", "unknown field 'above'"),
        ("condition:\n    gte: 2", "condition: test_rule", "correlation.condition is missing or not a mapping"),
        ("type: event_count", "type: value_count", "unknown field None to count"),
        ("type: event_count", "type: temporal_ordered", "temporal_ordered needs all of its rules"),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = correlation(NETWORK)
    assert old in text
    rules, (error,) = loaded(tmp_path, GOOD, text.replace(old, new, 1))
    assert rules.correlations == ()
    assert message in error.message
    assert error.file == tmp_path / "rule1.yml"
    assert error.line is not None
    assert error.line > _line(text, "correlation:") - 1


def test_a_filter_reaches_the_rules_that_it_names(tmp_path: Path) -> None:
    other = query_rule("s:\n  operation: gradients\ncondition: s")
    rules = rules_of(tmp_path, GOOD, other, FILTER)
    by_name = {rule.name: rule for rule in rules.rules}
    assert [exclusion.title for exclusion in by_name["test_rule"].filters] == ["Known client"]
    assert by_name["query_rule"].filters == ()
    named = rules_of(tmp_path, GOOD, other, FILTER.replace("rules: any", "rules: [test_rule]"))
    assert named.filters[0].rules == {"11111111-1111-4111-8111-111111111111"}


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("rules: any", "rules: [nobody]", "there is no rule 'nobody'", 8),
        ("rules: any", "rules: [query_rule]", "is not about category window", 8),
        ("rules: any", "rules: 5", "filter.rules is missing or malformed", 8),
        ("    client: known", "    clients: known", "unknown field 'clients'", 10),
        ("  condition: not s", "  condition: s s", "cannot be used as a condition", 11),
        ("author: Tests\n", "", "author is missing", 1),
        ("filter:\n", "level: low\nml: {}\nfilter:\n", "unknown field 'ml'", 8),
    ],
)
def test_a_filter_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, message: str, line: int) -> None:
    other = query_rule("s:\n  operation: gradients\ncondition: s")
    _, (error,) = loaded(tmp_path, GOOD, other, FILTER.replace(old, new, 1))
    assert message in error.message
    assert error.line == line


def test_several_documents_in_one_file_keep_their_lines(tmp_path: Path) -> None:
    wrong = correlation(NETWORK).replace("timespan: 2d", "timespan: soon")
    text = GOOD + "---\n" + wrong
    _, (error,) = loaded(tmp_path, text)
    assert error.line == _line(text, "timespan: soon")
