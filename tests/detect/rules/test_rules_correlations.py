from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from rule_making import HOUR, correlation, finding, query_rule, rules_of, window_rule

from detector.detect.rules import RuleSet, evaluate_correlations
from detector.model import EntityKind, Finding, Horizon, Severity, Technique, Trigger

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NIGHT = date(2026, 11, 12)


def _rules(folder: Path, block: str) -> RuleSet:
    one = window_rule("s:\n  confidence_ascent|gte: 0.5\ncondition: s")
    other = query_rule("s:\n  operation: gradients\ncondition: s")
    return rules_of(folder, one, other, correlation(block))


def _found(folder: Path, block: str, findings: list[Finding], night: date = NIGHT) -> tuple[Finding, ...]:
    return evaluate_correlations(_rules(folder, block), findings, night).findings


def _entities(folder: Path, block: str, findings: list[Finding]) -> list[str]:
    return [found.entity_id for found in _found(folder, block, findings)]


COUNT = "type: event_count\nrules: [test_rule]\ngroup-by: [entity_id]\ntimespan: 2d\ncondition:\n  gte: 2"


def test_a_finding_over_findings_names_its_evidence(tmp_path: Path) -> None:
    parts = [finding(night=11, at=1, target="6"), finding(night=12, at=3, target="6", queries=50)]
    (found,) = _found(tmp_path, COUNT, parts)
    assert (found.title, found.level, found.technique) == ("Correlation", Severity.HIGH, Technique.INVERSION)
    assert (found.entity_kind, found.entity_id, found.clients) == (EntityKind.CLIENT, "a", ("a",))
    assert (found.horizon, found.night, found.query_count) == (Horizon.TRAILING, NIGHT, 150)
    assert found.segment.first_ts == parts[0].segment.first_ts
    assert found.segment.last_ts == parts[1].segment.last_ts
    assert found.segment.target == "6"
    assert found.trigger == (
        Trigger("count", 2.0, 2.0),
        Trigger("finding", parts[0].id),
        Trigger("finding", parts[1].id),
    )
    assert found.sentence == "a: 2 on 2 nights by 1 (Title of 11111111)."
    assert found.p is None


def test_it_speaks_only_of_the_night_at_hand(tmp_path: Path) -> None:
    past = [finding(night=10), finding(night=11)]
    assert _found(tmp_path, COUNT, past) == ()
    assert len(_found(tmp_path, COUNT, [*past, finding(night=13)])) == 0
    assert len(_found(tmp_path, COUNT, [*past, finding(night=12)])) == 1


def test_the_order_of_findings_does_not_matter(tmp_path: Path) -> None:
    parts = [finding(entity=entity, night=night) for entity in "ab" for night in (11, 12)]
    assert _found(tmp_path, COUNT, parts) == _found(tmp_path, COUNT, parts[::-1])
    assert _entities(tmp_path, COUNT, parts) == ["a", "b"]


def test_the_timespan_is_between_beginnings(tmp_path: Path) -> None:
    one_day = COUNT.replace("2d", "24h")
    assert _entities(tmp_path, one_day, [finding(night=11, at=1), finding(night=12, at=1)]) == ["a"]
    assert _entities(tmp_path, one_day, [finding(night=11, at=1), finding(night=12, at=1.01)]) == []


@pytest.mark.parametrize(
    ("condition", "speaks"),
    [
        ("gte: 3", True),
        ("gt: 3", False),
        ("gt: 2", True),
        ("eq: 3", True),
        ("neq: 3", True),
        ("lte: 2", True),
        ("lt: 1", False),
    ],
)
def test_conditions(tmp_path: Path, condition: str, speaks: bool) -> None:
    # a stretch ends at each finding: of three, stretches hold one, two and three
    parts = [finding(night=12, at=at, horizon=Horizon.NIGHT, entity="a", model="m") for at in (1, 3, 5)]
    distinct = [Finding(**{**part.__dict__, "id": f"{number:016x}"}) for number, part in enumerate(parts)]
    block = COUNT.replace("gte: 2", condition)
    assert bool(_found(tmp_path, block, distinct)) is speaks


def test_models_are_never_mixed_and_kinds_of_entity_neither(tmp_path: Path) -> None:
    parts = [finding(night=11), finding(night=12, model="other"), finding(night=12, kind=EntityKind.NETWORK)]
    assert _found(tmp_path, COUNT, parts) == ()


def test_trailing_windows_do_not_tell_one_evening_twice(tmp_path: Path) -> None:
    nights = COUNT.replace("event_count", "value_count").replace("gte: 2", "gte: 2\n  field: night")
    evening = finding(night=11, at=1)
    again = finding(night=12, at=-23, horizon=Horizon.TRAILING)
    assert _found(tmp_path, nights, [evening, again]) == ()
    assert _found(tmp_path, nights, [finding(night=11, at=1, horizon=Horizon.TRAILING), again]) == ()
    assert len(_found(tmp_path, nights, [evening, again, finding(night=12)])) == 1
    slow = finding(night=12, at=1, horizon=Horizon.TRAILING)
    assert len(_found(tmp_path, nights, [evening, slow])) == 1


VALUES = (
    "type: value_count\nrules: [test_rule]\ngroup-by: [target]\ntimespan: 2d\ncondition:\n  gte: 3\n  field: clients"
)


def test_distinct_values_are_counted_and_findings_without_the_field_belong_to_no_group(tmp_path: Path) -> None:
    parts = [finding(entity=entity, target="6") for entity in "abc"]
    (found,) = _found(tmp_path, VALUES, parts)
    assert (found.entity_kind, found.clients) == (EntityKind.CAMPAIGN, ("a", "b", "c"))
    assert found.entity_id.startswith("correlation-")
    (joined,) = _found(tmp_path, VALUES, [*parts, finding(entity="d", target="6")])
    assert joined.entity_id == found.entity_id
    assert joined.id == found.id
    assert _found(tmp_path, VALUES, [finding(entity=entity) for entity in "abc"]) == ()
    assert _found(tmp_path, VALUES, [finding(entity=entity, target=entity) for entity in "abc"]) == ()


def test_of_a_networks_clients_only_those_with_findings_of_their_own_count(tmp_path: Path) -> None:
    network = finding(entity="10.0.0.0/24", kind=EntityKind.NETWORK, clients=("a", "b", "c", "d"), target="6")
    assert _found(tmp_path, VALUES, [network]) == ()
    assert _found(tmp_path, VALUES, [network, finding(entity="a", target="6")]) == ()
    by_entity = VALUES.replace("[target]", "[entity_id]")
    parts = [network, *(finding(entity=entity, target="6") for entity in "abc")]
    (found,) = _found(tmp_path, by_entity, parts)
    assert (found.entity_id, found.clients) == ("10.0.0.0/24", ("a", "b", "c"))


def test_a_campaign_belongs_to_the_group_of_each_of_its_clients(tmp_path: Path) -> None:
    block = COUNT.replace("[entity_id]", "clients")
    campaign = finding(entity="c1", kind=EntityKind.CAMPAIGN, clients=("a", "b"))
    found = _found(tmp_path, block, [campaign, finding(entity="a", at=5)])
    assert [(f.entity_kind, f.entity_id, f.clients) for f in found] == [(EntityKind.CLIENT, "a", ("a",))]


def test_without_grouping_all_of_a_model_is_one_group(tmp_path: Path) -> None:
    block = "type: event_count\nrules: [test_rule]\ntimespan: 1d\ncondition:\n  gte: 2"
    (found,) = _found(tmp_path, block, [finding(entity="a"), finding(entity="b")])
    assert (found.entity_kind, found.clients) == (EntityKind.CAMPAIGN, ("a", "b"))
    alone = [finding(entity="a", at=1), Finding(**{**finding(entity="a", at=4).__dict__, "id": "0" * 16})]
    (found,) = _found(tmp_path, block, alone)
    assert (found.entity_kind, found.entity_id) == (EntityKind.CLIENT, "a")


TEMPORAL = "type: temporal\nrules: [test_rule, query_rule]\ngroup-by: [entity_id]\ntimespan: 2d"


def test_temporal_wants_every_rule_in_any_order(tmp_path: Path) -> None:
    assert _entities(tmp_path, TEMPORAL, [finding(SECOND, at=1), finding(FIRST, at=5)]) == ["a"]
    assert _entities(tmp_path, TEMPORAL, [finding(FIRST, at=1), finding(FIRST, night=11)]) == []
    any_of_them = TEMPORAL + "\ncondition:\n  gte: 1"
    assert _entities(tmp_path, any_of_them, [finding(FIRST)]) == ["a"]


def test_temporal_ordered_wants_the_order_given(tmp_path: Path) -> None:
    ordered = TEMPORAL.replace("temporal", "temporal_ordered")
    assert _entities(tmp_path, ordered, [finding(FIRST, at=1), finding(SECOND, at=5)]) == ["a"]
    assert _entities(tmp_path, ordered, [finding(SECOND, at=1), finding(FIRST, at=5)]) == []
    assert _entities(tmp_path, ordered, [finding(FIRST, at=1), finding(SECOND, at=1)]) == []
    later = [finding(SECOND, night=11, at=1), finding(FIRST, night=11, at=5), finding(SECOND, at=1)]
    assert _entities(tmp_path, ordered, later) == ["a"]
    assert _entities(tmp_path, ordered, [finding(FIRST, night=9), finding(SECOND)]) == []


def test_hours_are_what_the_tests_think_they_are() -> None:
    assert finding(at=2).segment.first_ts - finding(at=1).segment.first_ts == HOUR
