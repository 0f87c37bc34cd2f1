"""The models by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from detector.redteam.models import biopsy, clinic, digits, invented, numerals, risk, surfaces, topics, vintage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from detector.redteam.models.base import TargetModel

MODELS: Mapping[str, Callable[[int], TargetModel]] = {
    "digits": digits.build,
    "numerals": numerals.build,
    "numerals_overfit": numerals.build_overfit,
    "numerals_regular": numerals.build_regular,
    "biopsy": biopsy.build,
    "clinic": clinic.build,
    "invented": invented.build,
    "invented_records": invented.build_records,
    "risk": risk.build,
    "risk_forest": risk.build_forest,
    "risk_overfit": risk.build_overfit,
    "risk_regular": risk.build_regular,
    "surfaces": surfaces.build,
    "topics": topics.build,
    "trades": topics.build_trades,
    "vintage": vintage.build,
}
"""What trains each model from a seed."""


def build(name: str, seed: int) -> TargetModel:
    """Train the model called `name` from `seed`; KeyError if there is no such model."""
    # More threads would be slower on models this small, and another number of them another last digit.
    with threadpool_limits(1):
        return MODELS[name](seed)
