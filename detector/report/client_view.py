"""What the page about one client shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from detector.report.night_view import IncidentLine
    from detector.report.view import Fact, FindingView, StripView


@dataclass(frozen=True)
class NightView:
    """One night of the client: queries, as a number and beside those of its other nights, and what was said of it."""

    night: str
    queries: str
    bar: Markup
    gravest: str | None
    is_shown: bool


@dataclass(frozen=True)
class RestView:
    """A feature that does not stand out."""

    feature: str
    value: str
    own: str
    standing: str
    meaning: str


@dataclass(frozen=True)
class ModelView:
    """The client's night on one model.

    Attributes:
        verdict: what it comes to, in a sentence.
        telling: the features that stand out most.
        rest: name, value and standing of the others.
        silent: features that the log could not tell.
    """

    model: str
    night: str
    verdict: str
    judged_by: str
    incidents: tuple[IncidentLine, ...]
    findings: tuple[FindingView, ...]
    nights: tuple[NightView, ...]
    telling: tuple[StripView, ...]
    rest: tuple[RestView, ...]
    silent: tuple[Fact, ...]


@dataclass(frozen=True)
class ClientPage:
    """The page of one client."""

    client: str
    models: tuple[ModelView, ...]
    as_of: str
    version: str
