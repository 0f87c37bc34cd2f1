"""What the sections beyond the checklist show: phases, preconditions, controls, response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from detector.report.view import Fact


@dataclass(frozen=True)
class StoryPhase:
    """One phase of the attack; `queries` names the first row of the queries' table that shows it, if one does."""

    anchor: str
    queries: str
    name: str
    target: str
    told: str
    meaning: str
    marks: tuple[Fact, ...]
    chart: Markup | None


@dataclass(frozen=True)
class PreconditionRow:
    """One precondition of the attack; `mark` is a class of the style sheet."""

    name: str
    holds: str
    mark: str
    found: str
    remedy: str


@dataclass(frozen=True)
class ControlRow:
    """One control; `removed_bar` draws the share of steps that it removes, `is_best` marks the one to look at first."""

    name: str
    removed: str
    removed_bar: Markup | None
    effect: str
    touched: str
    is_best: bool


@dataclass(frozen=True)
class ControlGroup:
    """Controls that take hold of the same thing."""

    name: str
    rows: tuple[ControlRow, ...]


@dataclass(frozen=True)
class ControlTable:
    """What would have stopped the attack; without groups `told` says why."""

    told: str
    measure: str
    groups: tuple[ControlGroup, ...]


@dataclass(frozen=True)
class StepRow:
    """One step of the response; `ticked` says when and by whom, empty where it is still to do."""

    id: str
    text: str
    deadline: str
    ticked: str
    note: str


@dataclass(frozen=True)
class StageView:
    """One part of the response."""

    name: str
    rows: tuple[StepRow, ...]


@dataclass(frozen=True)
class ResponseView:
    """What to do and what was done."""

    told: str
    stages: tuple[StageView, ...]


@dataclass(frozen=True)
class LayerRow:
    """One layer of the model."""

    name: str
    kind: str
    shape: str
    parameters: str


@dataclass(frozen=True)
class ModelView:
    """What the model file tells: `left` layers found no room, `imports` is what loading a pickle would import."""

    told: str
    facts: tuple[Fact, ...]
    layers: tuple[LayerRow, ...]
    left: int
    imports: tuple[Fact, ...]
