"""Rules over findings: across nights, clients and rules."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from detector.detect.rules.findings import finding_id, in_order
from detector.detect.rules.model import CorrelationType, RuleResult
from detector.model import EntityKind, Finding, Horizon, Segment, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from detector.detect.rules.model import Correlation, CountOperator, RuleSet

_COMPARE: dict[CountOperator, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
# every group is of one model, and a client and a network of the same name are two entities
_MODEL = "model"
_ENTITY = ("entity_kind", "entity_id")


@dataclass(frozen=True)
class _Group:
    """Findings that agree in the fields of a correlation's group-by, in time order."""

    key: tuple[tuple[str, str], ...]
    events: tuple[Finding, ...]


def evaluate_correlations(rules: RuleSet, findings: Sequence[Finding], night: date) -> RuleResult:
    """Put findings together.

    Args:
        rules: of which the correlations are used.
        findings: those of `night` and of as many nights before as the longest timespan; later ones are passed over.
        night: the night to report on: a correlation speaks only where a finding of this night is part of it.
    """
    past = [finding for finding in findings if finding.night <= night]
    found: list[Finding] = []
    for correlation in rules.correlations:
        events = _events(finding for finding in past if finding.rule in correlation.rules)
        for group in _groups(correlation, events):
            evidence = _evidence(correlation, group, night)
            if evidence:
                found.append(_finding(correlation, group, evidence, night))
    return RuleResult(in_order(found))


def _events(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in time order, repetitions and bystanders left out.

    A trailing window tells for seven nights what happened in one of them; counted each time, one evening would look
    like a habit. It counts only where no finding of the same rule and entity overlaps it in time. Of the clients of a
    network only those count that drew a finding of their own: sharing an address is not taking part.
    """
    kept: dict[tuple[str, str, str, str], list[Finding]] = {}
    # single nights first, then trailing windows from the oldest on
    for finding in sorted(findings, key=lambda f: (f.horizon is not Horizon.NIGHT, f.night, f.segment.first_ts, f.id)):
        same = kept.setdefault((finding.rule, finding.model, finding.entity_kind, finding.entity_id), [])
        if finding.horizon is Horizon.NIGHT:
            repeated = any(finding.id == other.id for other in same)
        else:
            repeated = any(_overlap(finding.segment, other.segment) for other in same)
        if not repeated:
            same.append(finding)
    events = [finding for same in kept.values() for finding in same]
    alone = {client for event in events if event.entity_kind is EntityKind.CLIENT for client in event.clients}
    taking_part = (
        replace(event, clients=tuple(client for client in event.clients if client in alone))
        if event.entity_kind is EntityKind.NETWORK
        else event
        for event in events
    )
    return sorted(taking_part, key=lambda f: (f.segment.first_ts, f.segment.last_ts, f.id))


def _overlap(one: Segment, other: Segment) -> bool:
    return one.first_ts <= other.last_ts and other.first_ts <= one.last_ts


def _values(finding: Finding, field: str) -> tuple[str, ...]:
    """Return what a finding says under a field's name: several clients, at most one of anything else."""
    if field == "clients":
        return finding.clients
    if field == "target":
        return (finding.segment.target,) if finding.segment.target is not None else ()
    value = getattr(finding, field)
    return (str(value),) if value is not None else ()


def _groups(correlation: Correlation, events: Sequence[Finding]) -> Iterator[_Group]:
    grouping = [field for field in correlation.group_by if field != _MODEL]
    if _ENTITY[1] in grouping:
        grouping = [*_ENTITY, *(field for field in grouping if field not in _ENTITY)]
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for event in events:
        # the accounts of a campaign are one actor already: counted one by one, two campaigns with one aim would be one
        if correlation.counted == "clients" and event.entity_kind is EntityKind.CAMPAIGN:
            continue
        # a finding about several clients belongs to the group of each; one without the field to none
        for key in product(*(_values(event, field) for field in (_MODEL, *grouping))):
            groups.setdefault(key, []).append(event)
    for key in sorted(groups):
        yield _Group(tuple(zip((_MODEL, *grouping), key, strict=True)), tuple(groups[key]))


def _evidence(correlation: Correlation, group: _Group, night: date) -> tuple[Finding, ...]:
    """Return the events of the last stretch of time that meets the condition and reaches into the night."""
    best: tuple[Finding, ...] = ()
    start = 0
    for end, last in enumerate(group.events):
        while group.events[start].segment.first_ts < last.segment.first_ts - correlation.timespan:
            start += 1
        stretch = group.events[start : end + 1]
        if any(event.night == night for event in stretch) and _meets(correlation, stretch):
            best = stretch
    return best


def _meets(correlation: Correlation, stretch: Sequence[Finding]) -> bool:
    if correlation.type is CorrelationType.TEMPORAL_ORDERED:
        return _ordered(correlation.rules, stretch)
    return _COMPARE[correlation.operator](_count(correlation, stretch), correlation.count)


def _count(correlation: Correlation, stretch: Sequence[Finding]) -> int:
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return len(stretch)
        case CorrelationType.VALUE_COUNT:
            return len({value for event in stretch for value in _values(event, correlation.counted or "")})
        case _:
            return len({event.rule for event in stretch})


def _ordered(rules: Sequence[str], stretch: Sequence[Finding]) -> bool:
    """Return whether the rules spoke one after the other, each beginning later than the one before it."""
    reached = -1
    for rule in rules:
        later = [event.segment.first_ts for event in stretch if event.rule == rule and event.segment.first_ts > reached]
        if not later:
            return False
        reached = min(later)
    return True


def _finding(correlation: Correlation, group: _Group, evidence: Sequence[Finding], night: date) -> Finding:
    model = evidence[0].model
    kind, entity = _entity(correlation, group, evidence)
    clients = tuple(sorted({client for event in evidence for client in event.clients}))
    if kind is EntityKind.CLIENT:
        clients = (entity,)
    targets = {event.segment.target for event in evidence} - {None}
    target = next(iter(targets)) if len(targets) == 1 else None
    count = float(_count(correlation, evidence))
    values: dict[str, float | str | None] = {
        **dict(group.key),
        "entity_id": entity,
        "count": count,
        "client_count": float(len(clients)),
        "night_count": float(len({event.night for event in evidence})),
        "rule_titles": ", ".join(dict.fromkeys(event.title for event in evidence)),
        "target": target,
    }
    return Finding(
        id=finding_id(correlation.id, model, entity_kind=kind, entity_id=entity, horizon=Horizon.TRAILING, night=night),
        rule=correlation.id,
        title=correlation.title,
        level=correlation.level,
        technique=correlation.technique,
        model=model,
        entity_kind=kind,
        entity_id=entity,
        horizon=Horizon.TRAILING,
        night=night,
        clients=clients,
        trigger=(
            Trigger("count", count, correlation.count),
            *(Trigger("finding", event.id) for event in evidence),
        ),
        sentence=correlation.sentence.render(values),
        query_count=_queries(evidence),
        segment=Segment(
            min(event.segment.first_ts for event in evidence), max(event.segment.last_ts for event in evidence), target
        ),
        atlas=correlation.atlas,
        family=correlation.family,
    )


def _queries(evidence: Sequence[Finding]) -> int:
    """Return the queries behind the evidence; several findings of one window look at the same queries."""
    windows: dict[tuple[str, str, date], int] = {}
    for event in evidence:
        key = (event.entity_kind, event.entity_id, event.night)
        windows[key] = max(windows.get(key, 0), event.query_count)
    return sum(windows.values())


def _entity(correlation: Correlation, group: _Group, evidence: Sequence[Finding]) -> tuple[EntityKind, str]:
    """Return whom a correlation is about: the entity or client it groups by, otherwise everybody in it together."""
    key = dict(group.key)
    if "entity_id" in key:
        return EntityKind(key["entity_kind"]), key["entity_id"]
    if "clients" in key:
        return EntityKind.CLIENT, key["clients"]
    only = {(event.entity_kind, event.entity_id) for event in evidence}
    if len(only) == 1:
        return next(iter(only))
    # named by the group and not by its clients, so that the name stays as more clients join
    text = "\x00".join([correlation.id, *(part for pair in group.key for part in pair)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return EntityKind.CAMPAIGN, f"correlation-{digest}"
