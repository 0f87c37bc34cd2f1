"""A client that does not wait for its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.nights import SECOND, Nights
from detector.redteam.recorder import OK
from detector.redteam.traffic import Asking, Plan
from detector.redteam.workloads.ordinary import OrdinaryTraffic

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

_UNAVAILABLE = 503
_CONFIDENCE = Asking(confidence=True)


@dataclass(frozen=True, slots=True)
class RetryStorm:
    """Send each request up to three times, the same bytes a second or two apart, because its timeout is too short."""

    family: ClassVar[str] = "benign_retry_storm"

    requests: float = 45.0
    """Mean distinct requests a night."""
    patience_s: float = 1.0
    """Seconds before the second attempt; twice that before the third."""
    asking: Asking = _CONFIDENCE

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        once = OrdinaryTraffic(self.requests, session=4.0, gap_s=20.0, asking=self.asking, refused=0.0)
        asked = once.plan(model, nights, rng)
        attempts = rng.choice([1, 2, 3], size=len(asked), p=[0.2, 0.2, 0.6])
        order = np.repeat(np.arange(len(asked)), attempts)
        attempt = np.arange(len(order)) - np.repeat(np.cumsum(attempts) - attempts, attempts)
        # 1, 2, 4 ... : the waits before an attempt add up to a power of two less one.
        waits = (2.0**attempt - 1) * self.patience_s * SECOND + rng.integers(30_000, size=len(order))
        last = attempt == attempts[order] - 1
        lost = ~last & (rng.random(len(order)) < 0.5)
        status = np.where(lost, _UNAVAILABLE, OK).astype(np.int64)
        return Plan(asked.times[order] + waits.astype(np.int64), asked.inputs[order], status, self.asking)
