"""Clean nights first, then nights on which every benign workload, and perhaps every attack, is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.redteam.casting import roles_for
from detector.redteam.nights import HOUR, Nights
from detector.redteam.randomness import stream
from detector.redteam.scenarios.cast import Cast, Selection
from detector.redteam.scenarios.crowd import habitual, opening, public, user
from detector.redteam.sessions import Session, Strike
from detector.redteam.traffic import Client, Pace
from detector.redteam.workloads.base import Employment
from detector.redteam.workloads.registry import occupations_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from detector.redteam.models import TargetModel
    from detector.redteam.workloads.ordinary import OrdinaryTraffic

DEFAULT_MODELS = ("digits", "clinic")
CLEAN_NIGHTS = 3
"""Nights on which nobody but ordinary users comes."""
_WORKLOAD_CLIENTS = 6
_LABORATORY_CLIENTS = 2
NEWCOMERS = 0.3
"""Share of clients, attackers or not, that are new on the night on which they begin."""
# An attack that begins on the last night has to end on it.
_LATEST_HOURS = (20.0, 12.0)


def workloads(nights: Nights, seed: int, selection: Selection) -> Cast:
    """Nobody attacks, but every benign workload that looks like an attack is at work."""
    models = selection.trained(DEFAULT_MODELS, seed)
    clients = selection.clients or _WORKLOAD_CLIENTS
    return Cast(
        models,
        tuple(
            session
            for model in models
            for session in (*public(model, seed), *benign(model, nights, seed, selection, clients))
        ),
    )


def laboratory(nights: Nights, seed: int, selection: Selection) -> Cast:
    """Every benign workload and every attack on every model that it fits."""
    models = selection.trained(DEFAULT_MODELS, seed)
    clients = selection.clients or _LABORATORY_CLIENTS
    return Cast(
        models,
        tuple(
            session
            for model in models
            for session in (
                *public(model, seed),
                *benign(model, nights, seed, selection, clients),
                *attacks(model, nights, seed, selection, clients),
            )
        ),
    )


def benign(model: TargetModel, nights: Nights, seed: int, selection: Selection, clients: int) -> Iterator[Session]:
    """Yield `clients` clients of every wanted workload that fits `model`."""
    idle = opening(nights, CLEAN_NIGHTS)
    for occupation in occupations_for(model):
        if not selection.wants(occupation.family):
            continue
        for number in range(clients):
            name = f"{model.name} {occupation.family} {number}"
            rng = stream(seed, name, "settings")
            main = occupation.employ(model, rng)
            past = None if rng.random() < NEWCOMERS else past_of(model, rng)
            yield user(name, model, Employment(main, idle, past), seed)


def attacks(model: TargetModel, nights: Nights, seed: int, selection: Selection, clients: int) -> Iterator[Session]:
    """Yield `clients` attackers of every wanted family that fits `model`."""
    for role in roles_for(model):
        if not selection.wants(role.family):
            continue
        for number in range(clients):
            name = f"{model.name} {role.family} {number}"
            rng = stream(seed, name, "settings")
            attack, quarry = role.cast(model, rng)
            strike = Strike(attack, moment(nights, rng), Pace(float(rng.uniform(0.05, 0.6))), quarry)
            past = None if rng.random() < NEWCOMERS else past_of(model, rng)
            yield Session(name, Client.draw(stream(seed, name)), model.name, past, strike)


def past_of(model: TargetModel, rng: np.random.Generator) -> OrdinaryTraffic:
    """Draw what a client does besides what it is labelled for."""
    return habitual(model, float(rng.uniform(8.0, 60.0)), rng)


def moment(nights: Nights, rng: np.random.Generator) -> int:
    """Draw when an attack begins, in UTC microseconds: on one of the nights that are not clean."""
    night = int(rng.integers(opening(nights, CLEAN_NIGHTS), nights.count))
    latest = _LATEST_HOURS[night == nights.count - 1]
    return nights.midnight(night) + int(rng.uniform(0.5, latest) * HOUR)
