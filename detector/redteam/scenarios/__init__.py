"""Who takes part in each scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.redteam.scenarios import drill, hiding, laboratory
from detector.redteam.scenarios.cast import Cast, Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.nights import Nights

__all__ = ["Cast", "Selection", "assemble"]

_FIXED: dict[str, Callable[[Nights, int], Cast]] = {"demo": drill.demo, "clean": drill.clean, "drill": drill.drill}
_SELECTABLE: dict[str, Callable[[Nights, int, Selection], Cast]] = {
    "workloads": laboratory.workloads,
    "laboratory": laboratory.laboratory,
    "campaigns": hiding.campaigns,
    "evasions": hiding.evasions,
}


def assemble(name: str, nights: Nights, seed: int, selection: Selection | None = None) -> Cast:
    """Return the cast of the scenario `name`; its models are trained here. KeyError if there is no such scenario.

    `selection` narrows the scenarios that the catalog calls selectable, and means nothing to the others.
    """
    if name in _FIXED:
        return _FIXED[name](nights, seed)
    return _SELECTABLE[name](nights, seed, selection or Selection())
