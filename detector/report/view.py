"""What the incident page shows: plain values in reading order, nothing left to compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from detector.report.live import LiveView
    from detector.report.view_beyond import ControlTable, ModelView, PreconditionRow, ResponseView, StoryPhase

Fact = tuple[str, str]
"""A name and what is said of it."""


@dataclass(frozen=True)
class Brief:
    """One of the questions that the top of the page answers."""

    question: str
    answer: Markup | str
    detail: Markup | str = ""


@dataclass(frozen=True)
class CheckRow:
    """One item of the evidence checklist; `anchor` is the section that shows it."""

    number: int
    title: str
    status: str
    mark: str
    reason: str
    facts: tuple[Fact, ...]
    anchor: str


@dataclass(frozen=True)
class PhaseRow:
    """One phase of a climb."""

    name: str
    where: str
    meaning: str


@dataclass(frozen=True)
class ClimbView:
    """The climb towards one class."""

    target: str
    told: str
    named_by: str
    chart: Markup
    phases: tuple[PhaseRow, ...]


@dataclass(frozen=True)
class DistributionView:
    """Confidences of one group of answers."""

    name: str
    note: str
    apart: str
    chart: Markup


@dataclass(frozen=True)
class PictureView:
    """One input: drawn, as a table of fields, or as text; what does not apply is empty."""

    caption: str
    detail: str
    drawing: Markup | None = None
    fields: tuple[Fact, ...] = ()
    text: str | None = None


@dataclass(frozen=True)
class MeasureRow:
    """How alike a reconstruction and a record are by one measure; "none" where there is nothing to compare."""

    name: str
    meaning: str
    member: str
    other: str
    guessed: str


@dataclass(frozen=True)
class ReconstructionView:
    """What was reached of one class."""

    target: str
    told: str
    verdict: str
    best: PictureView
    path: tuple[PictureView, ...]
    closeness: Markup | None
    closeness_told: str
    nearest: str = ""
    measures: tuple[MeasureRow, ...] = ()
    fields_told: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class StripView:
    """One feature of a window among its peers."""

    feature: str
    family: str
    meaning: str
    value: str
    standing: str
    rare: str
    triggered: bool
    chart: Markup


@dataclass(frozen=True)
class PortraitView:
    """The features of one window."""

    kind: str
    entity: str
    told: str
    strips: tuple[StripView, ...]


@dataclass(frozen=True)
class TriggerRow:
    """One value that made a rule speak."""

    feature: str
    value: str
    bound: str
    rare: str
    meaning: str


@dataclass(frozen=True)
class FindingView:
    """One finding."""

    title: str
    rule: str
    level: str
    technique: str
    night: str
    entity: str
    told: str
    rare: str
    stretch: str
    triggers: tuple[TriggerRow, ...]
    innocent: tuple[str, ...]
    is_minor: bool


@dataclass(frozen=True)
class QueryRow:
    """One telling query; `anchor` is set on the first of each phase, `phase` links to the phase.

    Where the table is long, paper holds some of its rows: those `on_paper`.
    """

    anchor: str
    phase: str
    time: str
    client: str
    place: str
    pattern: str
    label: str
    confidence: str
    probability: str
    input: str
    sha256: str
    on_paper: bool


@dataclass(frozen=True)
class QueryTable:
    """The telling queries shown, and which of those held they are; a column that would say nothing is left out."""

    rows: tuple[QueryRow, ...]
    picked: tuple[int, ...]
    told: str
    on_paper: int
    with_client: bool
    with_probability: bool
    with_input: bool


@dataclass(frozen=True)
class MemberRow:
    """One client of the incident."""

    client: str
    queries: str
    nights: str
    severity: str
    workload: str


@dataclass(frozen=True)
class TermRow:
    """One name of the attack in a public taxonomy."""

    scheme: str
    id: str
    name: str


@dataclass(frozen=True)
class EventRow:
    """One line of the incident's record."""

    at: str
    who: str
    what: str
    why: str


@dataclass(frozen=True)
class FileRow:
    """One log file that the evidence comes from."""

    path: str
    format: str
    size: str
    sha256: str
    lines: str


@dataclass(frozen=True)
class IncidentPage:
    """Everything on the page of one incident."""

    id: str
    night: str
    title: str
    heading: Markup
    severity: str
    status: str
    technique: str
    model: str
    summary: str
    briefs: tuple[Brief, ...]
    actions: tuple[Markup, ...]
    reasons: tuple[str, ...]
    checklist: tuple[CheckRow, ...]
    timeline: Markup | None
    timeline_told: str
    climbs: tuple[ClimbView, ...]
    distributions: tuple[DistributionView, ...]
    distribution_told: str
    reconstructions: tuple[ReconstructionView, ...]
    reconstruction_told: str
    portraits: tuple[PortraitView, ...]
    portrait_told: str
    phases: tuple[StoryPhase, ...]
    preconditions: tuple[PreconditionRow, ...]
    controls: ControlTable
    response: ResponseView
    weights: ModelView | None
    findings: tuple[FindingView, ...]
    findings_left: int
    minor: tuple[FindingView, ...]
    queries: QueryTable
    live: LiveView
    members: tuple[MemberRow, ...]
    members_left: int
    terms: tuple[TermRow, ...]
    events: tuple[EventRow, ...]
    quality: tuple[str, ...]
    shares: tuple[Fact, ...]
    files: tuple[FileRow, ...]
    provenance: tuple[Fact, ...]
    as_of: str
    version: str
    redacted: bool
