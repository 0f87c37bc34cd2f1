"""What every built-in rule must keep, now and when thresholds move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from detector.detect.rules import load_rules
from detector.detect.rules.expressions import fields_of
from detector.detect.rules.loader import load_folder
from detector.detect.rules.model import Correlation, Rule, RuleTest
from detector.detect.rules.selftest import run_tests
from detector.detect.rules.sources import builtin_folder
from detector.detect.rules.vocabulary import TAIL, Category, fields
from detector.model import ATLAS_BY_TECHNIQUE, Severity, Technique

RULES = load_rules()
EVERYTHING = RULES.everything
OUTCOMES = list(run_tests(RULES))
KNOWN_ATLAS = {
    "AML.T0021", "AML.T0024", "AML.T0024.000", "AML.T0024.001", "AML.T0024.002", "AML.T0034.000", "AML.T0040",
    "AML.T0043.001", "AML.T0044",
}  # fmt: skip


def _name(rule: Rule | Correlation) -> str:
    return rule.name or rule.id


def test_there_are_rules_for_every_technique_and_two_correlations_at_least() -> None:
    assert len(RULES.rules) >= 20
    assert len(RULES.correlations) >= 2
    assert {rule.technique for rule in RULES.rules} == set(Technique)


def test_ids_names_and_titles_are_unique() -> None:
    for values in ([r.id for r in EVERYTHING], [r.name for r in EVERYTHING], [r.title for r in EVERYTHING]):
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("rule", EVERYTHING, ids=_name)
def test_a_rule_explains_itself(rule: Rule | Correlation) -> None:
    assert rule.name
    assert len(re.findall(r"[.?](\s|$)", rule.description)) >= 2
    assert rule.falsepositives
    assert rule.status in {"experimental", "test", "stable"}
    assert set(rule.atlas) <= KNOWN_ATLAS
    assert rule.file.parent.name == rule.technique
    assert not rule.title.endswith(".")


@pytest.mark.parametrize("rule", RULES.rules, ids=_name)
def test_a_rule_carries_the_atlas_id_of_its_technique(rule: Rule) -> None:
    assert set(ATLAS_BY_TECHNIQUE[rule.technique]) <= set(rule.atlas)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda o: f"{_name(o.rule)}: {o.test.name}")
def test_inline_tests_pass_and_sentences_have_no_holes(outcome: object) -> None:
    assert outcome.passed  # type: ignore[attr-defined]
    sentence = outcome.sentence  # type: ignore[attr-defined]
    assert sentence is None or ("unknown" not in sentence and "{" not in sentence)


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.category is Category.WINDOW], ids=_name)
def test_volume_and_pace_alone_never_fire(rule: Rule) -> None:
    pace = {"query_count", "active_hours", "peak_rate_per_minute", "interarrival_cv", "interarrival_entropy"}
    assert not fields_of(rule.condition) & (pace - {"query_count"})
    heavy = RuleTest("heavy", hit=False, events=({"query_count": 10_000_000},), line=1)
    from dataclasses import replace

    from detector.detect.rules.model import RuleSet

    (outcome,) = run_tests(RuleSet(rules=(replace(rule, tests=(heavy,)),)))
    assert outcome.passed


def test_each_technique_that_needs_no_secret_knowledge_is_found_without_a_baseline() -> None:
    without = {
        rule.technique
        for rule in RULES.rules
        if not any(field.endswith(TAIL) and field in fields(Category.WINDOW) for field in fields_of(rule.condition))
    }
    assert without == set(Technique)


def test_every_field_of_the_vocabulary_is_a_feature_or_documented() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    for field in fields(Category.QUERY):
        assert f"`{field}`" in guide
    for field in fields(Category.CORRELATION):
        assert f"`{field}`" in guide


def test_levels_are_spread_and_critical_is_kept_for_planted_records() -> None:
    assert {rule.level for rule in RULES.rules} == set(Severity)
    assert [rule.name for rule in RULES.rules if rule.level is Severity.CRITICAL] == ["membership_canary_contact"]


@pytest.mark.parametrize("guide", ["rules/filters/README.md", "docs/rules.md"])
def test_examples_in_the_guides_load(guide: str, tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / guide).read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        if isinstance(yaml.safe_load(example), dict) and "title:" in example:
            (tmp_path / f"{number}.yml").write_text(example, encoding="utf-8")
    rules, errors = load_folder([builtin_folder(), tmp_path])
    assert errors == ()
    mine = [rule for rule in rules.everything if rule.file.parent == tmp_path]
    assert all(outcome.passed for outcome in run_tests(rules, mine))
