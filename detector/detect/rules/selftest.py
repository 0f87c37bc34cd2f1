"""Running the inline tests of rules: the same evaluators, on the events that a test makes up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from detector.detect.rules.correlations import evaluate_correlations
from detector.detect.rules.findings import finding_id
from detector.detect.rules.model import Correlation, Rule, RuleSet
from detector.detect.rules.queries import QueryMatcher
from detector.detect.rules.vocabulary import Category, Kind, fields
from detector.detect.rules.windows import evaluate_windows
from detector.model import EntityKind, Finding, Horizon, Segment, Severity, Windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detector.detect.rules.model import RuleTest

NIGHT = date(2026, 11, 10)
_MODEL = "model-under-test"
_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND


@dataclass(frozen=True)
class TestOutcome:
    """What came of one inline test.

    Attributes:
        fired: whether the rule spoke.
        sentence: what it said, where it did.
    """

    # it is about tests and not one, whatever its name suggests to pytest
    __test__ = False

    rule: Rule | Correlation
    test: RuleTest
    fired: bool
    sentence: str | None

    @property
    def passed(self) -> bool:
        """Whether the rule did what the test expects."""
        return self.fired is self.test.hit


def run_tests(rules: RuleSet, chosen: Sequence[Rule | Correlation] | None = None) -> Iterator[TestOutcome]:
    """Run inline tests, in order; filters play no part, they are the site's.

    Args:
        rules: all that are loaded, which correlations speak of.
        chosen: those to test; None tests all.
    """
    for rule in rules.everything if chosen is None else chosen:
        for test in rule.tests:
            findings = _findings(rule, test, rules)
            yield TestOutcome(rule, test, bool(findings), findings[0].sentence if findings else None)


def _findings(rule: Rule | Correlation, test: RuleTest, rules: RuleSet) -> tuple[Finding, ...]:
    if isinstance(rule, Correlation):
        events = [_event(rules, event) for event in test.events]
        night = max(event.night for event in events)
        return evaluate_correlations(RuleSet(correlations=(rule,)), events, night).findings

    alone = RuleSet(rules=(replace(rule, filters=()),))
    if rule.category is Category.WINDOW:
        return evaluate_windows(alone, _windows(test)).findings
    matcher = QueryMatcher(alone, _MODEL, NIGHT)
    matcher.update(_queries(test))
    return matcher.result().findings


def _text(field: str, value: Any, category: Category) -> Any:  # noqa: ANN401 - a test's value is anything YAML can say
    is_text = value is not None and fields(category)[field] is Kind.TEXT
    return str(value) if is_text else value


def _windows(test: RuleTest) -> Windows:
    """Return one window for each event; fields that no event names are left out, and so are null."""
    start = _microseconds(NIGHT, time(1))
    rows = []
    for event in test.events:
        row = {
            "entity_kind": "client", "entity_id": "client-under-test", "horizon": "night", "query_count": 1_000,
            "target": None, "first_ts": start, "last_ts": start + _HOUR, "clients": (event.get("client", "client-1"),),
        }  # fmt: skip
        rows.append(row | {field: _text(field, value, Category.WINDOW) for field, value in event.items()})
    frame = pd.DataFrame(rows)
    named = {field: kind for field, kind in fields(Category.WINDOW).items() if field in frame}
    return Windows(_MODEL, NIGHT, frame.astype({f: "float64" for f, kind in named.items() if kind is Kind.NUMBER}))


def _queries(test: RuleTest) -> pa.Table:
    start = _microseconds(NIGHT, time(1))
    columns: dict[str, pa.Array] = {}
    for field, kind in fields(Category.QUERY).items():
        values = [_text(field, event.get(field), Category.QUERY) for event in test.events]
        as_numbers = kind is Kind.NUMBER
        columns[field] = pa.array([float(v) if as_numbers and v is not None else v for v in values],
                                  type=pa.float64() if as_numbers else pa.string())  # fmt: skip
    clients = columns["client_id"].fill_null("client-under-test")
    times = pa.array([start + number * _SECOND for number in range(len(test.events))], type=pa.int64())
    return pa.table({**columns, "client_id": clients, "ts": times})


def _microseconds(night: date, at: time) -> int:
    moment = datetime.combine(night, at, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return moment // timedelta(microseconds=1)


def _event(rules: RuleSet, event: Mapping[str, Any]) -> Finding:
    """Return the finding that a correlation's test describes; `at` is its hour of the night."""
    named = {rule.name or rule.id: rule for rule in rules.rules} | {rule.id: rule for rule in rules.rules}
    rule = named[event["rule"]]
    night = event.get("night", NIGHT)
    start = _microseconds(night, time()) + round(float(event.get("at", 1)) * _HOUR)
    kind, entity = EntityKind(event.get("entity_kind", "client")), str(event.get("entity_id", "client-under-test"))
    horizon = Horizon(event.get("horizon", "night"))
    clients = event.get("clients", [entity])
    target = event.get("target")
    return Finding(
        id=finding_id(rule.id, _MODEL, entity_kind=kind, entity_id=entity, horizon=horizon, night=night),
        rule=rule.id,
        title=rule.title,
        level=Severity(rule.level),
        technique=rule.technique,
        model=str(event.get("model", _MODEL)),
        entity_kind=kind,
        entity_id=entity,
        horizon=horizon,
        night=night,
        clients=tuple(str(client) for client in clients),
        trigger=(),
        sentence="",
        query_count=1_000,
        segment=Segment(start, start + _HOUR, str(target) if target is not None else None),
        family=rule.family,
    )
