"""Natural queries between those of an attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.traffic import Asking, Plan

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models import TargetModel


def cover_traffic(
    times: IntArray,
    share: float,
    pool: FloatArray,
    model: TargetModel,
    asking: Asking,
    rng: np.random.Generator,
) -> Plan:
    """Return natural queries between `times` so that they make up `share` of one account's traffic.

    Args:
        times: when the account sent the attack's queries, UTC microseconds, ascending, shape (n,).
        share: of natural queries among all, 0 to below 1.
        pool: natural records that the attacker owns, shape (m, width); each is sent in a variation of its own.
        model: what they are sent to.
        asking: as the attack asks, or the difference would give it away.
        rng: the attacker's chance.
    """
    count = round(len(times) * share / (1 - share)) if len(times) > 1 else 0
    before = rng.integers(max(len(times) - 1, 1), size=count)
    gaps = np.diff(times)[before] if count else np.empty(0)
    sent = np.sort(times[before] + (rng.random(count) * gaps).astype(np.int64))
    return Plan.served(sent, model.vary(pool[rng.integers(len(pool), size=count)], rng), asking)
