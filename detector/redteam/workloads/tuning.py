"""A client tunes what it does to its records before it sends them, by the answers to a fixed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.forms import TextForm
from detector.redteam.workloads.regions import neutral, numeric
from detector.redteam.workloads.routine import log_uniform

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Answer

_PROMPT = 3


@dataclass(frozen=True, slots=True)
class Tuning:
    """Try settings of the preparation at random, then near the best ones, and keep what answers best.

    Numbers are scaled and moved, categories imputed; of texts the opening words are chosen (prompt tuning). It is an
    optimiser, and what it climbs is the confidence in the right classes of all records of its set together.

    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", Journal of Machine Learning Research 13,
    2012; the second half refines as (1+1) strategies do.
    """

    family: ClassVar[str] = "benign_tuning"

    records: int
    """Size of the validation set, 1 or more."""
    trials: int = 20
    """Settings tried in one visit."""
    reach: float = 0.3
    """Largest change of a number, as a share of its range."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        trials = int(rng.integers(8, 60))
        return cls(max(3, round(log_uniform(rng, 200, 2_500) / trials)), trials, float(rng.uniform(0.05, 0.4)))

    @property
    def budget(self) -> int:
        """See Dialogue."""
        return self.records * self.trials

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """See Dialogue."""
        chosen = model.field.take(rng.integers(len(model.field), size=self.records))
        # A gain, an offset, and a share of fields that are imputed.
        best, reached = np.array([1.0, 0.0, 0.0]), -1.0
        words = rng.integers(1, 1 + int(model.form.high[0]), size=_PROMPT) if isinstance(model.form, TextForm) else None
        for trial in range(self.trials):
            exploring = trial < self.trials // 2
            width = np.array([1.0, 1.0, 0.3]) * self.reach * (1.0 if exploring else 0.3)
            setting = (np.array([1.0, 0.0, 0.0]) if exploring else best) + width * rng.uniform(-1, 1, size=3)
            prompt = words if words is None else _changed(words, model, rng)
            answer = ask(_prepared(chosen.rows, setting, prompt, model, rng))
            score = float(np.mean(np.nan_to_num(answer.probabilities)[np.arange(self.records), chosen.labels]))
            if score > reached:
                best, reached, words = setting, score, prompt


def _changed(words: IntArray, model: TargetModel, rng: np.random.Generator) -> IntArray:
    """Return the opening words with one of them changed."""
    changed = words.copy()
    changed[int(rng.integers(len(words)))] = rng.integers(1, 1 + int(model.form.high[0]))
    return changed


def _prepared(
    rows: FloatArray,
    setting: FloatArray,
    prompt: IntArray | None,
    model: TargetModel,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the set under one setting; all records in the same way."""
    if prompt is not None:
        return np.hstack([np.repeat(prompt[None].astype(np.float64), len(rows), axis=0), rows[:, : -len(prompt)]])
    form, numbers = model.form, numeric(model)
    gain, offset, imputed = setting
    moved = gain * rows + offset * (form.high - form.low)
    dropped = ~numbers & (rng.random(rows.shape[1]) < abs(imputed))
    kept = np.where(numbers, np.clip(moved, form.low, form.high), rows)
    return np.where(dropped, neutral(model), kept) if dropped.any() else kept
