"""What the pages over incidents show: one night, and all nights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from detector.report.view import Fact


@dataclass(frozen=True)
class IncidentLine:
    """One incident in a list; `link` is None where it has no page."""

    id: str
    severity: str
    status: str
    technique: str
    model: str
    heading: Markup
    summary: str
    evidence: str
    link: str | None


@dataclass(frozen=True)
class JudgedView:
    """How one model's night was judged."""

    model: str
    queries: str
    judged_by: str
    coverage: tuple[Fact, ...]
    silent: tuple[Fact, ...]


@dataclass(frozen=True)
class FileView:
    """One log file of the night; read = stored + duplicate + rejected."""

    path: str
    status: str
    read: str
    stored: str
    duplicate: str
    rejected: str
    why: str


@dataclass(frozen=True)
class NightPage:
    """The page of one night."""

    night: str
    day: str
    numbers: tuple[tuple[str, str, str], ...]
    verdict: str
    is_clean: bool
    open: tuple[IncidentLine, ...]
    minor: tuple[IncidentLine, ...]
    settled: tuple[IncidentLine, ...]
    judged: tuple[JudgedView, ...]
    files: tuple[FileView, ...]
    files_told: str
    as_of: str
    version: str


@dataclass(frozen=True)
class NightLine:
    """One night in the list of nights; `bar` is its queries beside those of the other nights."""

    night: str
    day: str
    models: str
    queries: str
    bar: Markup
    counts: tuple[tuple[str, int], ...]
    settled: int
    coverage: str
    quality: str


@dataclass(frozen=True)
class IndexPage:
    """The page over all nights."""

    told: str
    open: tuple[IncidentLine, ...]
    left: int
    nights: tuple[NightLine, ...]
    as_of: str
    version: str
