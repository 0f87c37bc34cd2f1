"""The privacy loss that a training's parameters promise, by the accountants of dp-accounting."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from detector.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.config import Privacy

Accountant = Literal["privacy loss distributions", "Rényi divergences"]

# The grid of a loss distribution is as long as the loss is large; an ε beyond this promises nothing either way.
_WORTH_A_GRID = 60.0
# Beyond, the grid's rounding adds up over the steps and minutes of computing buy no smaller ε.
_MOST_STEPS = 200_000


@dataclass(frozen=True)
class Declared:
    """What a training promises.

    Attributes:
        privacy: its parameters.
        epsilon: upper bound of ε at the declared δ; infinite where the parameters promise nothing.
        accountant: how it was computed.
    """

    privacy: Privacy
    epsilon: float
    accountant: Accountant


def can_account() -> bool:
    """Return whether dp-accounting is installed, without importing it."""
    return importlib.util.find_spec("dp_accounting") is not None


@lru_cache(maxsize=64)
def declared_epsilon(privacy: Privacy) -> Declared:
    """Return the ε of DP-SGD with these parameters.

    Each step samples every record by its own coin of `sampling_rate` (Poisson sampling) and adds Gaussian noise of
    `noise_multiplier` times the clipping norm; neighbours differ by one record added or removed. Both accountants give
    upper bounds, so the smaller one holds.

    Raises:
        AuditError: dp-accounting is not installed.
    """
    if not can_account():
        raise AuditError("the declared ε cannot be computed", expected="pip install 'inversion-detector[audit]'")
    import dp_accounting
    from dp_accounting import pld, rdp

    step: Any = dp_accounting.GaussianDpEvent(privacy.noise_multiplier)
    if privacy.sampling_rate < 1:
        step = dp_accounting.PoissonSampledDpEvent(privacy.sampling_rate, step)
    event = dp_accounting.SelfComposedDpEvent(step, privacy.steps)
    with _silent_accountant():
        by_moments = _epsilon(rdp.RdpAccountant(), event, privacy.delta)
        if by_moments > _WORTH_A_GRID or privacy.steps > _MOST_STEPS:
            return Declared(privacy, by_moments, "Rényi divergences")
        by_distribution = _epsilon(pld.PLDAccountant(), event, privacy.delta)
    if by_distribution <= by_moments:
        return Declared(privacy, by_distribution, "privacy loss distributions")
    return Declared(privacy, by_moments, "Rényi divergences")


def _epsilon(accountant: Any, event: Any, delta: float) -> float:  # noqa: ANN401 - the library has no types
    """Return an accountant's ε; what overflows promises nothing."""
    try:
        value = float(accountant.compose(event).get_epsilon(delta))
    except (OverflowError, FloatingPointError, ZeroDivisionError, MemoryError):
        return math.inf
    return math.inf if math.isnan(value) else max(0.0, value)


@contextlib.contextmanager
def _silent_accountant() -> Iterator[None]:
    """Keep the accountants from writing to stderr which orders of the Rényi divergence they leave out."""
    logger = logging.getLogger("absl")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
