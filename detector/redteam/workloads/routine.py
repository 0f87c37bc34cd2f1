"""Jobs that come back: what is asked in each visit, put together with when and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from detector.redteam.recorder import refusals
from detector.redteam.traffic import Asking, Plan
from detector.redteam.workloads.ordinary import own_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.nights import Nights
    from detector.redteam.recorder import Answer
    from detector.redteam.workloads.base import Desk
    from detector.redteam.workloads.schedule import Schedule

ALL_CLASSES = Asking(probabilities=True)
_REFUSED = 0.002


class Study(Protocol):
    """A job whose queries depend on no answer; a frozen dataclass of its settings."""

    @property
    def family(self) -> str:
        """The kind of user, as labels.csv names it."""
        ...

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield, without end, the inputs of one visit after the other, each of shape (n, width), in order of asking."""
        ...


class Dialogue(Protocol):
    """A job that reads each answer before it goes on; a frozen dataclass of its settings."""

    @property
    def family(self) -> str:
        """The kind of user, as labels.csv names it."""
        ...

    @property
    def budget(self) -> int:
        """About how many queries one visit takes."""
        ...

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """Carry out one visit; `model` is there for its form and the client's own records, never for its answers."""
        ...


@dataclass(frozen=True, slots=True)
class Routine:
    """A study at its hours; a Workload."""

    study: Study
    schedule: Schedule
    asking: Asking = ALL_CLASSES

    @property
    def family(self) -> str:
        """See Workload."""
        return self.study.family

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        whole = Plan.served(np.empty(0, dtype=np.int64), np.empty((0, len(model.form.low))), self.asking)
        starts = self.schedule.starts(nights, rng)
        for start, inputs in zip(starts, self.study.visits(model, rng), strict=False):
            times = self.schedule.times(start, len(inputs), nights, rng)
            whole = whole.joined(Plan(times, inputs, refusals(len(times), _REFUSED, rng), self.asking))
        return whole


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue at its hours; an InteractiveWorkload."""

    dialogue: Dialogue
    schedule: Schedule
    asking: Asking = ALL_CLASSES

    @property
    def family(self) -> str:
        """See InteractiveWorkload."""
        return self.dialogue.family

    def work(self, desk: Desk, nights: Nights, rng: np.random.Generator) -> None:
        """See InteractiveWorkload."""
        for start in self.schedule.starts(nights, rng):
            pace = self.schedule.pace_for(start, self.dialogue.budget, nights)
            line = desk.line(start, self.asking, pace)
            self.dialogue.visit(line.ask, desk.service.model, rng)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number between `low` and `high` (above 0), every order of magnitude as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def shared_out(rng: np.random.Generator, each: int, *, low: int = 150, high: int = 2_500) -> int:
    """Return for how many records, at least 1, a visit's queries last at `each` queries a record.

    A visit's queries are drawn between `low` and `high`: clients of all workloads have volumes alike.
    """
    return max(1, round(log_uniform(rng, low, high) / max(1, each)))


def own_sample(model: TargetModel, count: int, rng: np.random.Generator) -> FloatArray:
    """Return `count` of the records that one client has, each as the world sends it, shape (count, width)."""
    records = own_records(model, rng)
    return measured_anew(model, records[rng.integers(len(records), size=count)], rng)


def measured_anew(model: TargetModel, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return any number of `rows`, none included, as the world would send them another time."""
    return model.vary(rows, rng) if len(rows) else rows.copy()
