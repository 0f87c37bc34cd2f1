"""Rules over single queries: batches stream through, one finding a rule and client comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.rules.columns import TableColumns, Texts
from detector.detect.rules.expressions import Evaluation, fields_of
from detector.detect.rules.findings import finding_id, in_order, triggers
from detector.detect.rules.model import Excluded, RuleResult
from detector.detect.rules.vocabulary import Category, fields
from detector.detect.rules.windows import not_evaluated, standing
from detector.model import EntityKind, Finding, Horizon, Segment, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa

    from detector.detect.rules.expressions import Reason
    from detector.detect.rules.model import NotEvaluated, Rule, RuleSet

    Values = dict[str, float | str | None]


@dataclass(frozen=True)
class _Matches:
    """One client's queries that match one rule, so far.

    Attributes:
        reasons: what made the condition hold for the first of them.
        values: the first one's fields.
    """

    count: int
    first_ts: int
    last_ts: int
    reasons: tuple[Reason, ...]
    values: Values

    def joined(self, other: _Matches) -> _Matches:
        """Return both together; of two that begin at the same time, the one that came first keeps its values."""
        first = self if self.first_ts <= other.first_ts else other
        return _Matches(
            self.count + other.count, first.first_ts, max(self.last_ts, other.last_ts), first.reasons, first.values
        )


class QueryMatcher:
    """The query rules at work on one model's night.

    Args:
        rules: of which those over queries are used.
        model: the served model.
        night: the night that the queries belong to.
    """

    def __init__(self, rules: RuleSet, model: str, night: date) -> None:
        self._rules = rules.of(Category.QUERY)
        self._model = model
        self._night = night
        self._matches: dict[tuple[str, str], _Matches] = {}
        self._excluded: dict[tuple[str, str], int] = {}
        self._asked = frozenset[str]().union(*(fields_of(rule.condition) for rule in self._rules))
        self._seen: set[str] = set()
        self._rows = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `update` needs; empty where there is no rule over queries."""
        if not self._rules:
            return ()
        read = frozenset[str]().union(*(rule.fields for rule in self._rules))
        return tuple(sorted((read & fields(Category.QUERY).keys()) | {"client_id", "ts"}))

    def update(self, table: pa.Table) -> None:
        """Match one batch of queries; batches may come in any order."""
        if not self._rules or table.num_rows == 0:
            return
        evaluation = Evaluation(TableColumns(table))
        self._rows += table.num_rows
        self._seen |= self._asked - self._seen - evaluation.blind(self._asked - self._seen)
        for rule in self._rules:
            fired, excluded = standing(rule, evaluation)
            for kept_back in excluded:
                key = (kept_back.rule, kept_back.filter)
                self._excluded[key] = self._excluded.get(key, 0) + kept_back.count
            for client, matches in _by_client(rule, evaluation, np.flatnonzero(fired)):
                before = self._matches.get((rule.id, client))
                self._matches[rule.id, client] = before.joined(matches) if before else matches

    def result(self) -> RuleResult:
        """Return one finding for each rule and client with enough matching queries."""
        by_id = {rule.id: rule for rule in self._rules}
        findings = [
            self._finding(by_id[rule], client, matches)
            for (rule, client), matches in self._matches.items()
            if matches.count >= by_id[rule].minimum
        ]
        excluded = [Excluded(rule, exclusion, count) for (rule, exclusion), count in sorted(self._excluded.items())]
        return RuleResult(in_order(findings), tuple(self._silent()), tuple(excluded))

    def _silent(self) -> Iterator[NotEvaluated]:
        """Yield the rules whose fields no query of the night had."""
        for rule in self._rules if self._rows else ():
            missing = not_evaluated(rule, fields_of(rule.condition) - self._seen)
            if missing is not None:
                yield missing

    def _finding(self, rule: Rule, client: str, matches: _Matches) -> Finding:
        found = triggers(matches.reasons, matches.values.get, has_tail=False)
        kind, horizon = EntityKind.CLIENT, Horizon.NIGHT
        return Finding(
            id=finding_id(rule.id, self._model, entity_kind=kind, entity_id=client, horizon=horizon, night=self._night),
            rule=rule.id,
            title=rule.title,
            level=rule.level,
            technique=rule.technique,
            model=self._model,
            entity_kind=kind,
            entity_id=client,
            horizon=horizon,
            night=self._night,
            clients=(client,),
            trigger=(*found, Trigger("matches", float(matches.count), float(rule.minimum))),
            sentence=rule.sentence.render({**matches.values, "matches": float(matches.count)}),
            query_count=matches.count,
            segment=Segment(matches.first_ts, matches.last_ts),
            atlas=rule.atlas,
            family=rule.family,
        )


def _by_client(
    rule: Rule, evaluation: Evaluation, rows: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Iterator[tuple[str, _Matches]]:
    """Yield each client among the rows with what it did; loops over clients that fired, never over queries."""
    if not rows.size:
        return
    columns = evaluation.columns
    clients = columns.column("client_id")
    if not isinstance(columns, TableColumns) or not isinstance(clients, Texts):
        raise TypeError("query rules need a table of queries with their clients")
    times = columns.times()[rows]
    order = np.lexsort((rows, times, clients.codes[rows]))
    codes = clients.codes[rows][order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], codes.size]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        first = int(rows[order[start]])
        client = clients.at(first)
        if client is None:
            continue
        reasons = tuple(dict.fromkeys(evaluation.reasons(rule.condition, first)))
        wanted = fields_of(rule.condition) | (rule.sentence.fields & fields(Category.QUERY).keys())
        values = {field: columns.column(field).at(first) for field in sorted(wanted)}
        yield client, _Matches(end - start, int(times[order[start]]), int(times[order[end - 1]]), reasons, values)
