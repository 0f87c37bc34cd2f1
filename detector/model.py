"""Types that cross the stages' borders: vocabulary, the query schema, windows, findings, incidents, evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pandas as pd


# What findings of no rule carry in its place: the anomaly detectors' names begin with the first.
ANOMALY_PREFIX = "anomaly."
RESEMBLANCE = "learned.resemblance"


class Severity(StrEnum):
    """How much an incident or finding matters, in the order of the members, not of the alphabet."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for low."""
        return list(Severity).index(self)

    # All four, because the text that a StrEnum is brings its own alphabetical ones along.
    def __lt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, Severity) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank <= other.rank if isinstance(other, Severity) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank > other.rank if isinstance(other, Severity) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank >= other.rank if isinstance(other, Severity) else NotImplemented

    @classmethod
    def at(cls, rank: int) -> Severity:
        """Return the severity of `rank`, held between low and critical."""
        members = list(cls)
        return members[max(0, min(rank, len(members) - 1))]


class Technique(StrEnum):
    """What kind of attack a finding speaks of."""

    INVERSION = "inversion"
    MEMBERSHIP = "membership"
    ATTRIBUTE = "attribute"
    EXTRACTION = "extraction"
    EVASION = "evasion"
    PROBING = "probing"


ATLAS_BY_TECHNIQUE: Mapping[Technique, tuple[str, ...]] = {
    Technique.INVERSION: ("AML.T0024.001",),
    Technique.MEMBERSHIP: ("AML.T0024.000",),
    Technique.ATTRIBUTE: ("AML.T0024.001",),
    Technique.EXTRACTION: ("AML.T0024.002",),
    Technique.EVASION: ("AML.T0043.001",),
    Technique.PROBING: ("AML.T0040",),
}


class EntityKind(StrEnum):
    """What a window is about."""

    CLIENT = "client"
    NETWORK = "network"
    CAMPAIGN = "campaign"


class Horizon(StrEnum):
    """How long a window looks back."""

    NIGHT = "night"
    TRAILING = "trailing"


TRAILING_NIGHTS = 7


class InputKind(IntEnum):
    """What the log shows of a query's input."""

    NONE = 0
    VECTOR = 1
    RECORD = 2
    TEXT = 3
    DIGEST = 4
    EMBEDDING = 5


class ProbabilityKind(IntEnum):
    """How a query's class probabilities are stored.

    POSITIONS holds float32 values by class position; NAMED holds (uint32 class code, float32 value) pairs, whose codes
    the table `model_class` spells out.
    """

    NONE = 0
    POSITIONS = 1
    NAMED = 2


class RowFlag(IntFlag):
    """What was wrong with a stored query; rejecting it instead would let an attacker choose to vanish."""

    INPUT_UNREADABLE = 1
    OUTPUT_UNREADABLE = 2
    FIELD_UNREADABLE = 4
    NON_FINITE = 8
    PROBABILITIES_NOT_NORMALISED = 16
    TEXT_ESCAPED = 32
    TEXT_CUT = 64
    TIME_IMPLAUSIBLE = 128
    STATUS_IMPLAUSIBLE = 256
    ID_REUSED = 512
    INPUT_RAGGED = 1024


class Operation(StrEnum):
    """What a query asked the model to do."""

    PREDICT = "predict"
    EXPLAIN = "explain"
    GRADIENTS = "gradients"
    EMBED = "embed"
    OTHER = "other"


@dataclass(frozen=True)
class Windows:
    """The windows of one model and one night, a row each.

    Attributes:
        model: the served model.
        night: the night that the windows end with.
        frame: columns `entity_kind`, `entity_id`, `horizon`, `query_count`, `first_ts`, `last_ts` (UTC microseconds),
            then one float64 column a feature (NaN is null), then, with a baseline, `<feature>_tail` columns
            (minus log10 of the tail probability).
        baseline: id of the baseline that gave the tails, None where there is none yet.
    """

    model: str
    night: date
    frame: pd.DataFrame
    baseline: str | None = None


@dataclass(frozen=True)
class MixedWindows:
    """The windows of clients that do two things in a night.

    Attributes:
        apart: of the queries that vary earlier ones at length or lie off the reference's manifold.
        rest: of the others; the same clients in the same order.
    """

    apart: Windows
    rest: Windows


@dataclass(frozen=True)
class Trigger:
    """One measured value that made a rule or detector speak.

    Attributes:
        feature: a feature's or query field's name.
        value: what was measured.
        threshold: the bound that it crossed, where there is one.
        tail: minus log10 of its tail probability under the baseline, where there is one.
    """

    feature: str
    value: float | str
    threshold: float | str | None = None
    tail: float | None = None


@dataclass(frozen=True)
class Segment:
    """The stretch of an entity's queries that a finding rests on (UTC microseconds, both ends included)."""

    first_ts: int
    last_ts: int
    target: str | None = None


@dataclass(frozen=True)
class Finding:
    """One rule or detector saying that one window is suspicious.

    Attributes:
        id: 16 hexadecimal digits, a function of rule, model, entity, horizon and night.
        rule: the rule's id or the detector's name.
        title: the rule's title.
        level: how severe the rule is by itself.
        technique: what it is evidence of.
        family: the attack family or benign workload that it resembles, where it can tell.
        atlas: MITRE ATLAS ids.
        model, entity_kind, entity_id, horizon, night: the window.
        clients: the client ids whose queries are the evidence.
        trigger: the values that made it speak.
        p: calibrated tail probability, between 0 and 1; None where the rule has no null.
        sentence: what happened and why it matters, for a reader who does not know the rule.
        query_count: queries in the window.
        segment: where in the window the evidence lies.
        baseline: id of the baseline used, None for rules that need none.
        explained_by: the benign workload for which the finding was lowered, in words; None where there is none.
    """

    id: str
    rule: str
    title: str
    level: Severity
    technique: Technique
    model: str
    entity_kind: EntityKind
    entity_id: str
    horizon: Horizon
    night: date
    clients: tuple[str, ...]
    trigger: tuple[Trigger, ...]
    sentence: str
    query_count: int
    segment: Segment
    atlas: tuple[str, ...] = ()
    family: str | None = None
    p: float | None = None
    baseline: str | None = None
    explained_by: str | None = None


class IncidentStatus(StrEnum):
    """Where an incident stands in its life cycle; acknowledged is still open."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"
    MERGED = "merged"


STILL_OPEN = frozenset({IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED})


@dataclass(frozen=True)
class Member:
    """One client whose queries are evidence in an incident."""

    client: str
    nights: tuple[date, ...]
    query_count: int
    severity: Severity


@dataclass(frozen=True)
class Incident:
    """Findings about one actor on one model, merged over nights.

    Attributes:
        id: stays for good: a function of the seed finding, the first that opened it.
        heir: the incident that this one was merged into, where it was.
        score: 1 minus the smallest calibrated p of its findings, between 0 and 1: see `incidents.profile.score`.
        first_ts, last_ts: UTC microseconds.
    """

    id: str
    status: IncidentStatus
    severity: Severity
    technique: Technique
    techniques: tuple[Technique, ...]
    model: str
    entity_kind: EntityKind
    entity_id: str
    members: tuple[Member, ...]
    first_ts: int
    last_ts: int
    nights: tuple[date, ...]
    query_count: int
    score: float
    findings: tuple[Finding, ...]
    atlas: tuple[str, ...]
    summary: str
    heir: str | None = None
    report: str | None = None

    @property
    def clients(self) -> tuple[str, ...]:
        """The ids of the members."""
        return tuple(member.client for member in self.members)

    @property
    def explained_by(self) -> str | None:
        """The benign workload that explains the incident, in words; None where anything in it stands unexplained."""
        if self.severity is not Severity.LOW:
            return None
        told = Counter(finding.explained_by for finding in self.findings if finding.explained_by)
        return min(told, key=lambda words: (-told[words], words)) if told else None


class EvidenceStatus(StrEnum):
    """Whether an item of the checklist could be had."""

    CAPTURED = "captured"
    UNAVAILABLE = "unavailable"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class EvidenceItem:
    """One line of the evidence checklist.

    Attributes:
        number: 1 to 6, the order of the checklist.
        title: the checklist's words.
        status: captured, unavailable or not applicable.
        reason: what was captured, or why it was not and what would make it possible.
        facts: figures to show, name to value, in reading order.
    """

    number: int
    title: str
    status: EvidenceStatus
    reason: str
    facts: tuple[tuple[str, str], ...] = field(default=())
