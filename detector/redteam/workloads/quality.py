"""Inputs that no record looks like: edge values, and what a fuzzer makes up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.recorder import OK
from detector.redteam.traffic import Plan
from detector.redteam.workloads.regions import neutral, numeric
from detector.redteam.workloads.routine import ALL_CLASSES, log_uniform, own_sample
from detector.redteam.workloads.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.nights import Nights

_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class EdgeValues:
    """Check a pipeline with records in which one field after the other has an edge value: least, most, typical, beyond.

    Before these come the corners: all fields at their least, their most, their middle.
    """

    family: ClassVar[str] = "benign_edge_values"

    records: int
    """Records that are changed in one visit, 1 or more."""
    fields: int = 8
    """Fields changed in each, one at a time."""
    beyond: float = 0.1
    """How far beyond the range the outermost values lie, as a share of it."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        fields = int(rng.integers(1, 1 + min(24, len(model.form.low))))
        records = max(1, round(log_uniform(rng, 100, 1_500) / (5 * fields)))
        return cls(records, fields, float(rng.uniform(0.0, 1.0)))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        low, high = model.form.low, model.form.high
        span = high - low
        corners = np.vstack([low, high, (low + high) / 2, neutral(model)])
        edges = np.vstack([low - self.beyond * span, low, neutral(model), high, high + self.beyond * span])
        while True:
            tables = [corners]
            for row in own_sample(model, self.records, rng):
                for column in rng.choice(len(low), size=min(self.fields, len(low)), replace=False).tolist():
                    table = np.repeat(row[None], len(edges), axis=0)
                    table[:, column] = edges[:, column]
                    tables.append(table)
            yield np.vstack(tables)


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """Mutate seeds by flipping, swapping, repeating and zeroing fields, or make inputs up; a part is refused.

    Zalewski's american fuzzy lop, 2013, for the mutations; a Workload of its own, since malformed inputs get no answer.
    """

    family: ClassVar[str] = "benign_fuzzer"

    schedule: Schedule
    inputs: int
    """Inputs a visit, 1 or more."""
    seeds: int = 10
    """Records that are mutated."""
    stacked: int = 4
    """Most mutations of one input."""
    noise: float = 0.2
    """Share, 0 to 1, of inputs that are made up."""
    malformed: float = 0.15
    """Share, 0 to 1, of inputs that the service refuses to read."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings and hours."""
        del model
        return cls(
            schedule=Schedule.draw(rng),
            inputs=round(log_uniform(rng, 200, 2_500)),
            seeds=round(log_uniform(rng, 1, 60)),
            stacked=int(rng.integers(1, 12)),
            noise=float(rng.uniform(0.0, 0.6)),
            malformed=float(rng.uniform(0.02, 0.4)),
        )

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        whole = Plan.served(np.empty(0, dtype=np.int64), np.empty((0, len(model.form.low))), ALL_CLASSES)
        seeds = own_sample(model, self.seeds, rng)
        for start in self.schedule.starts(nights, rng):
            inputs = self._mutants(seeds, model, rng)
            times = self.schedule.times(start, self.inputs, nights, rng)
            status = np.where(rng.random(self.inputs) < self.malformed, _UNPROCESSABLE, OK).astype(np.int64)
            whole = whole.joined(Plan(times, inputs, status, ALL_CLASSES))
        return whole

    def _mutants(self, seeds: FloatArray, model: TargetModel, rng: np.random.Generator) -> FloatArray:
        low, high = model.form.low, model.form.high
        mutants = seeds[rng.integers(len(seeds), size=self.inputs)]
        for row in mutants:
            for _ in range(int(rng.integers(1, 1 + self.stacked))):
                _mutate(row, model, rng)
        made_up = rng.random(self.inputs) < self.noise
        mutants[made_up] = low + (high - low) * rng.random((int(made_up.sum()), len(low)))
        return mutants


def _mutate(row: FloatArray, model: TargetModel, rng: np.random.Generator) -> None:
    """Change `row` in one of the ways that fuzzers have."""
    low, high = model.form.low, model.form.high
    first, second = sorted(rng.integers(len(row), size=2).tolist())
    match int(rng.integers(5)):
        case 0:
            row[first] = low[first] + (high[first] - low[first]) * rng.random()
        case 1 if numeric(model)[[first, second]].all():
            row[[first, second]] = row[[second, first]]
        case 2:
            row[first : second + 1] = low[first : second + 1]
        case 3:
            row[first] = high[first] * float(rng.choice([1.0, 2.0, 10.0]))
        case _:
            row[first] = low[first] + high[first] - row[first]
