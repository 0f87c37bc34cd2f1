"""One attack against one model, and everything that the model was asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from detector.redteam.models import TargetModel, build
from detector.redteam.oracle import Oracle
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.referee import Verdict, judge
from detector.redteam.sessions import outsider
from detector.redteam.traffic import Client, Pace

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Attack, Knowledge, Outcome


@dataclass(frozen=True)
class Assault:
    """What was asked, in order, and what came of it."""

    model: TargetModel
    knowledge: Knowledge
    outcome: Outcome
    verdict: Verdict
    rows: FloatArray
    shown: FloatArray
    """Confidences in the target, whether or not the attack got to see them."""

    @property
    def final(self) -> float:
        """The confidence of the model in the target at the attack's result."""
        assert self.outcome.best is not None
        assert self.outcome.target is not None
        answered = self.model.predict(self.model.form.clean(self.outcome.best[None]))[0]
        return float(answered[self.model.classes.index(self.outcome.target)])


@cache
def trained(name: str, seed: int = 4) -> TargetModel:
    return build(name, seed)


def assault(model: TargetModel, attack: Attack, target: int, seed: int = 1) -> Assault:
    service = Service(model)
    client = Client("00000000000000aa", "10.1.2.3", "curl/8.9.1")
    line = stream(seed, "line")
    oracle = Oracle(service, client, attack.asking, Pace(0.1), line, begins=1_000_000, refused=0.0)
    knowledge = outsider(model, None, stream(seed, "knowledge"))
    with threadpool_limits(1):
        outcome = attack.run(oracle, knowledge, stream(seed, "attack"))
        verdict = judge("inversion", model, outcome, knowledge, None)
    rows = np.vstack([block.inputs for block in service.blocks])
    shown = np.concatenate([block.probabilities[:, target] for block in service.blocks])
    return Assault(model, knowledge, outcome, verdict, rows, shown)
