"""A monitor that asks whether the model is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.nights import SECOND, Nights
from detector.redteam.traffic import Asking, Plan

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

_CONFIDENCE = Asking(confidence=True)


@dataclass(frozen=True, slots=True)
class HealthProbe:
    """Send one and the same record for ever."""

    family: ClassVar[str] = "benign_health_probe"

    every_s: float = 300.0
    """Seconds between two probes."""
    asking: Asking = _CONFIDENCE

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        period = int(self.every_s * SECOND)
        times = np.arange(nights.begins + int(rng.integers(min(period, 30 * SECOND))), nights.ends, period)
        times = times + rng.integers(40_000, size=len(times))
        payload = model.field.rows[[int(rng.integers(len(model.field)))]]
        return Plan.served(times.astype(np.int64), np.repeat(payload, len(times), axis=0), self.asking)
