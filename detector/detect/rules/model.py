"""Rules as the evaluators use them, and what an evaluation returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from detector.detect.rules.expressions import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from detector.detect.rules.expressions import Expression
    from detector.detect.rules.sentences import Sentence
    from detector.detect.rules.vocabulary import Category
    from detector.model import Finding, Severity, Technique


@dataclass(frozen=True)
class RuleTest:
    """An inline test: made-up events that a rule must, or must not, speak of.

    Attributes:
        name: what the events are.
        hit: whether the rule must fire.
        events: field values, an event each; fields left out are null.
        line: where the test stands.
    """

    name: str
    hit: bool
    events: tuple[Mapping[str, Any], ...]
    line: int


@dataclass(frozen=True, kw_only=True)
class About:
    """What every rule says of itself.

    Attributes:
        id: a UUID, as text.
        name: a short name that correlations and filters can use instead of the id.
        level: how severe a finding is by itself; Sigma's informational counts as low.
        atlas: MITRE ATLAS ids, in the form AML.T0024.001.
        family: the attack family that the rule knows, where it can tell.
        sentence: what a finding says.
        file, line: where the rule stands.
    """

    id: str
    name: str | None
    title: str
    description: str
    status: str
    level: Severity
    technique: Technique
    atlas: tuple[str, ...]
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    author: str
    date: date
    family: str | None
    sentence: Sentence
    tests: tuple[RuleTest, ...]
    file: Path
    line: int


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A site's exclusion: rules that it names do not speak of what its condition denies.

    Attributes:
        category: the log source that it is about.
        rules: ids and names of rules; empty is every rule of the log source.
        condition: must not be denied for a finding to stand. What it cannot answer, it does not exclude: a null must
            not hide an attack.
    """

    id: str
    title: str
    category: Category
    rules: frozenset[str]
    condition: Expression
    file: Path
    line: int


@dataclass(frozen=True, kw_only=True)
class Rule(About):
    """A rule over windows or queries.

    Attributes:
        category: which of the two.
        condition: when it speaks.
        filters: exclusions that a site made.
        minimum: for queries, how many must match in a night before a client is named.
    """

    category: Category
    condition: Expression
    filters: tuple[Filter, ...] = ()
    minimum: int = 1

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the rule, its filters or its sentence read."""
        filtered = (fields_of(exclusion.condition) for exclusion in self.filters)
        return fields_of(self.condition).union(self.sentence.fields, *filtered)


class CorrelationType(StrEnum):
    """How findings are put together."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


CountOperator = Literal["gt", "gte", "lt", "lte", "eq", "neq"]


@dataclass(frozen=True, kw_only=True)
class Correlation(About):
    """A rule over findings.

    Attributes:
        type: what is counted.
        rules: ids of the rules whose findings it looks at, in the order given.
        group_by: fields of a finding that must agree; the model always must.
        timespan: how far apart the findings may begin, in microseconds.
        operator, count: the condition on the count.
        counted: the field whose distinct values are counted, for value_count.
    """

    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: int
    operator: CountOperator
    count: float
    counted: str | None = None


@dataclass(frozen=True)
class RuleSet:
    """Rules that were loaded together, in a fixed order."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    filters: tuple[Filter, ...] = ()

    def of(self, category: Category) -> tuple[Rule, ...]:
        """Return the rules of one log source."""
        return tuple(rule for rule in self.rules if rule.category is category)

    @property
    def everything(self) -> tuple[Rule | Correlation, ...]:
        """Rules and correlations."""
        return self.rules + self.correlations


@dataclass(frozen=True)
class NotEvaluated:
    """A rule that could not have spoken, because fields that it needs are null in every row.

    Attributes:
        rule: the rule's id.
        title: the rule's title.
        missing: the fields that no row has.
    """

    rule: str
    title: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Excluded:
    """What a filter kept a rule from saying.

    Attributes:
        rule: the rule's id.
        filter: the filter's id.
        count: how many findings there would have been (for query rules: how many queries).
    """

    rule: str
    filter: str
    count: int


@dataclass(frozen=True)
class RuleResult:
    """What rules said of a night, what they could not say, and what filters kept back."""

    findings: tuple[Finding, ...] = ()
    not_evaluated: tuple[NotEvaluated, ...] = ()
    excluded: tuple[Excluded, ...] = ()
