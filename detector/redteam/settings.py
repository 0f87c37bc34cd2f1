"""Settings of an attack as another attacker would have chosen them: budgets, steps and sizes of populations differ."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Attack

# By how much a setting is multiplied, from and to, evenly in its logarithm; and its least value.
_FACTORS: dict[str, tuple[float, float, float]] = {
    "budget": (0.25, 1.6, 250),
    "sweep": (0.3, 1.5, 60),
    "climb": (0.4, 2.0, 100),
    "generations": (0.3, 1.3, 5),
    "population": (0.5, 2.0, 8),
    "particles": (0.5, 2.0, 8),
    "points": (0.5, 2.0, 8),
    "pairs": (0.4, 2.0, 4),
    "first_batch": (0.5, 2.0, 10),
    "seeds": (0.5, 2.0, 40),
    "size": (0.3, 1.5, 4),
    "repeats": (0.5, 2.0, 3),
    "step": (0.5, 3.0, 0.0),
    "speed": (0.5, 2.0, 0.0),
    "reach": (0.5, 2.0, 0.0),
    "radius": (0.5, 2.0, 0.0),
    "noise": (0.5, 3.0, 0.0),
    "gain": (0.5, 2.0, 0.0),
    "perturbation": (0.5, 2.0, 0.0),
    "mutated": (0.5, 2.0, 0.0),
}
_SWITCHES = frozenset({"immediate", "polished"})
_SWITCHED = 0.3
# Elites are a quarter of a generation or less, so that there are children.
_ELITE = (4, 10)


def varied(attack: Attack, rng: np.random.Generator) -> Attack:
    """Return `attack` with settings of its own; what it is after stays."""
    chosen: dict[str, Any] = {}
    for field in fields(cast("Any", attack)):
        usual = getattr(attack, field.name)
        if field.name in _FACTORS:
            chosen[field.name] = _scaled(usual, *_FACTORS[field.name], rng)
        elif field.name in _SWITCHES:
            chosen[field.name] = bool(rng.random() < _SWITCHED)
    if hasattr(attack, "elite"):
        chosen["elite"] = max(1, chosen["population"] // int(rng.integers(*_ELITE)))
    return cast("Attack", replace(cast("Any", attack), **chosen))


def _scaled(usual: float, low: float, high: float, least: float, rng: np.random.Generator) -> float:
    value = max(least, usual * float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    return round(value) if isinstance(usual, int) else value
