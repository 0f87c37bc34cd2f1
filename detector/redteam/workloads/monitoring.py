"""Is the model still what it was? The same labelled records, again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.routine import log_uniform, own_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class Calibration:
    """Send a golden set with every visit, in the order of its true classes or in its own; some of it is renewed.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for what is done with the answers.
    """

    family: ClassVar[str] = "benign_calibration"

    records: int
    """Size of the golden set, 1 or more."""
    by_class: bool = False
    """Whether the set is sorted by class."""
    fresh: float = 0.1
    """Share, 0 to 1, that is replaced before each visit."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        fresh = float(rng.choice([0.0, 0.1, 0.5]))
        return cls(round(log_uniform(rng, 40, 600)), bool(rng.random() < 0.5), fresh)

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        field = model.field
        chosen = rng.integers(len(field), size=self.records)
        while True:
            order = np.argsort(field.labels[chosen], kind="stable") if self.by_class else np.arange(self.records)
            yield field.rows[chosen[order]]
            renewed = rng.random(self.records) < self.fresh
            chosen = np.where(renewed, rng.integers(len(field), size=self.records), chosen)


@dataclass(frozen=True, slots=True)
class Replay:
    """Send the same requests over and over: a load test with a small file of them, or last night's traffic again."""

    family: ClassVar[str] = "benign_replay"

    requests: int
    """Different requests, 1 or more."""
    rounds: int
    """How often each is sent in one visit, 1 or more."""
    shuffled: bool = False
    """Whether each round has an order of its own."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings: anything between one request a thousand times and a thousand requests twice."""
        del model
        total = log_uniform(rng, 300, 3_000)
        rounds = max(2, round(log_uniform(rng, 2, total)))
        return cls(max(1, round(total / rounds)), rounds, bool(rng.random() < 0.5))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        requests = own_sample(model, self.requests, rng)
        while True:
            orders = [
                rng.permutation(self.requests) if self.shuffled else np.arange(self.requests)
                for _ in range(self.rounds)
            ]
            yield requests[np.concatenate(orders)]


@dataclass(frozen=True, slots=True)
class LoadTest(Replay):
    """Random requests from a generator, in rounds, as load-testing tools make them up from a model's input schema."""

    family: ClassVar[str] = "benign_load_test"

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        low, high = model.form.low, model.form.high
        while True:
            requests = low + (high - low) * rng.random((self.requests, len(low)))
            yield requests[np.arange(self.requests * self.rounds) % self.requests]
