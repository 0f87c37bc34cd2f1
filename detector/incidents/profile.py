"""What the findings of one actor say together: techniques, members, counts, score, whom the incident is about."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.model import (
    ANOMALY_PREFIX,
    ATLAS_BY_TECHNIQUE,
    RESEMBLANCE,
    TRAILING_NIGHTS,
    EntityKind,
    Finding,
    Horizon,
    Member,
    Severity,
    Technique,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from detector.store.incident_bodies import StoredFinding

SCORE_BY_LEVEL: Mapping[Severity, float] = {
    Severity.LOW: 0.5,
    Severity.MEDIUM: 0.9,
    Severity.HIGH: 0.99,
    Severity.CRITICAL: 0.999,
}
_ORDER = list(Technique)


@dataclass(frozen=True)
class Entity:
    """Whom an incident is about."""

    kind: EntityKind
    id: str


def rank_techniques(findings: Iterable[Finding]) -> tuple[Technique, ...]:
    """Return the techniques that findings support, best first.

    The highest level decides; then what a comparison with attacks of all techniques said, since a rule knows but its
    own; then the number of different rules, then the order of `Technique`.
    """
    level: dict[Technique, int] = {}
    rules: dict[Technique, set[str]] = defaultdict(set)
    for finding in findings:
        level[finding.technique] = max(finding.level.rank, level.get(finding.technique, 0))
        rules[finding.technique].add(finding.rule)
    order = {one: (-level[one], RESEMBLANCE not in rules[one], -len(rules[one]), _ORDER.index(one)) for one in level}
    return tuple(sorted(order, key=lambda one: order[one]))


def score(findings: Iterable[Finding]) -> float:
    """Return 1 minus the smallest calibrated p of the findings.

    What a client's or a campaign's window resembles is calibrated on benign workloads that look like attacks. The p of
    a rule or of an anomaly is the tail of one feature among a model's customers, of whom those who study the model are
    the exception: it is never surer than its level, low 0.5, medium 0.9, high 0.99, critical 0.999, which stands in
    where there is no p. What is low, as all that a network resembles is, is never surer either.
    """
    return max(_surety(finding) for finding in findings)


def _surety(finding: Finding) -> float:
    if finding.p is None:
        return SCORE_BY_LEVEL[finding.level]
    sure = min(1.0, max(0.0, 1 - finding.p))
    calibrated = finding.rule == RESEMBLANCE and finding.level > Severity.LOW
    return sure if calibrated else min(sure, SCORE_BY_LEVEL[finding.level])


def rarity(findings: Iterable[Finding]) -> float | None:
    """Return how often benign windows look like this: by what they resemble where that was said, else by rules."""
    told = [(finding.rule != RESEMBLANCE, finding.p) for finding in findings if finding.p is not None]
    return min(told)[1] if told else None


def best_confidence(findings: Iterable[Finding], technique: Technique) -> float | None:
    """Return the highest final confidence that findings of a technique measured, None where none did."""
    values = [
        float(trigger.value)
        for finding in findings
        if finding.technique is technique
        for trigger in finding.trigger
        if trigger.feature == "final_confidence" and isinstance(trigger.value, (int, float))
    ]
    return max((value for value in values if math.isfinite(value)), default=None)


def atlas(findings: Sequence[Finding], techniques: Sequence[Technique]) -> tuple[str, ...]:
    """Return the ATLAS ids of the findings, those of the best supported technique first.

    A technique whose findings name none gets the ids that the technique stands for.
    """
    ids: dict[str, None] = {}
    for technique in techniques:
        usual = ATLAS_BY_TECHNIQUE[technique]
        named = {one for finding in findings if finding.technique is technique for one in finding.atlas}
        ids.update(dict.fromkeys(sorted(named, key=lambda one: (one not in usual, one)) or usual))
    return tuple(ids)


def entity(findings: Sequence[Finding]) -> Entity:
    """Return whom findings are about: the one client behind them, or else their campaign, or else their network.

    Args:
        findings: in the order of `StoredFinding.order`.
    """
    clients = {client for finding in findings for client in finding.clients}
    clients.update(finding.entity_id for finding in findings if finding.entity_kind is EntityKind.CLIENT)
    if len(clients) == 1:
        return Entity(EntityKind.CLIENT, clients.pop())
    for kind in (EntityKind.CAMPAIGN, EntityKind.NETWORK):
        pooled = [finding for finding in findings if finding.entity_kind is kind]
        if pooled:
            best = max(pooled, key=lambda finding: finding.level.rank)
            return Entity(kind, best.entity_id)
    return Entity(EntityKind.CLIENT, findings[0].entity_id)


def span(findings: Sequence[Finding]) -> tuple[int, int]:
    """Return when what findings tell of began and ended (UTC microseconds).

    The segment of a finding about a trailing window can reach back over a week of ordinary use, and an anomaly's is the
    whole window: they are asked only where the gravest findings are such.
    """
    spoken = [finding for finding in findings if not finding.rule.startswith(ANOMALY_PREFIX)] or findings
    gravest = max(finding.level.rank for finding in spoken)
    nightly = [finding for finding in spoken if finding.horizon is Horizon.NIGHT]
    asked = nightly if any(finding.level.rank == gravest for finding in nightly) else spoken
    return min(finding.segment.first_ts for finding in asked), max(finding.segment.last_ts for finding in asked)


@dataclass(frozen=True)
class _Stretch:
    """The nights that a window covers, as day numbers, and the queries in it."""

    first: int
    last: int
    count: int


def _stretch(finding: Finding, count: int) -> _Stretch:
    last = finding.night.toordinal()
    return _Stretch(last - TRAILING_NIGHTS + 1 if finding.horizon is Horizon.TRAILING else last, last, count)


def most_queries(stretches: Iterable[_Stretch]) -> int:
    """Return the largest number of queries that windows certainly hold together.

    Windows of one night overlap those of the seven nights around it, so their counts cannot be added up: this is the
    heaviest choice of windows of which no two share a night.
    """
    ordered = sorted(set(stretches), key=lambda one: (one.last, one.first, one.count))
    ends = [one.last for one in ordered]
    best = [0]
    for index, one in enumerate(ordered):
        before = bisect_right(ends, one.first - 1, hi=index)
        best.append(max(best[index], best[before] + one.count))
    return best[-1]


def members(findings: Sequence[StoredFinding]) -> tuple[Member, ...]:
    """Return the clients whose queries are evidence, the gravest first, then the busiest, then by id.

    A client's nights are those in which a finding of medium or higher names it, and all in which one does where none is
    that grave: on a night of weak signs alone nobody was accused.
    """
    nights: dict[str, set[date]] = defaultdict(set)
    firm: dict[str, set[date]] = defaultdict(set)
    level: dict[str, int] = {}
    stretches: dict[str, set[_Stretch]] = defaultdict(set)
    for stored in findings:
        finding = stored.finding
        shares = dict(stored.shares)
        for client in finding.clients:
            (nights if finding.level < Severity.MEDIUM else firm)[client].add(finding.night)
            level[client] = max(finding.level.rank, level.get(client, 0))
            stretches[client].add(_stretch(finding, shares.get(client, finding.query_count)))
    found = [
        Member(client, tuple(sorted(firm[client] or nights[client])), most_queries(told), Severity.at(level[client]))
        for client, told in stretches.items()
    ]
    return tuple(sorted(found, key=lambda member: (-member.severity.rank, -member.query_count, member.client)))


def query_count(findings: Sequence[StoredFinding], found: Sequence[Member]) -> int:
    """Return how many queries an incident's windows hold: its members', or the pools' where no client is named."""
    if found:
        return sum(member.query_count for member in found)
    return most_queries(_stretch(stored.finding, stored.finding.query_count) for stored in findings)
