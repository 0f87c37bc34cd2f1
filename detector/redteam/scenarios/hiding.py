"""Attackers that hide: behind many accounts, or in time, noise, natural traffic and coarse answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.redteam.casting import roles_for
from detector.redteam.evasions.tactic import PLAIN, TACTICS, Tactic
from detector.redteam.nights import HOUR, Nights
from detector.redteam.randomness import stream
from detector.redteam.scenarios.cast import Cast, Selection
from detector.redteam.scenarios.crowd import habitual, opening, public
from detector.redteam.scenarios.laboratory import CLEAN_NIGHTS, NEWCOMERS, benign, moment
from detector.redteam.sessions import Session, Strike
from detector.redteam.traffic import Client, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.redteam.casting import Part
    from detector.redteam.models import TargetModel

DEFAULT_MODELS = ("digits",)
_ATTACKS = 2


def campaigns(nights: Nights, seed: int, selection: Selection) -> Cast:
    """Attacks by one account and by 10, 50 and 200, in turn or in stretches, in one network or in many."""
    return _cast(nights, seed, selection, (PLAIN, *(each for each in TACTICS if each.accounts > 1)))


def evasions(nights: Nights, seed: int, selection: Selection) -> Cast:
    """Attacks by one account under every other tactic."""
    return _cast(nights, seed, selection, tuple(each for each in TACTICS if each.accounts == 1 and each != PLAIN))


def _cast(nights: Nights, seed: int, selection: Selection, tactics: tuple[Tactic, ...]) -> Cast:
    models = selection.trained(DEFAULT_MODELS, seed)
    attacks = selection.clients or _ATTACKS
    sessions: list[Session] = []
    for model in models:
        sessions += public(model, seed)
        if selection.families is not None:
            sessions += benign(model, nights, seed, selection, attacks)
        for each in tactics:
            sessions += _hidden(model, nights, seed, selection, each, attacks)
    return Cast(models, tuple(sessions))


def _hidden(
    model: TargetModel,
    nights: Nights,
    seed: int,
    selection: Selection,
    tactic: Tactic,
    attacks: int,
) -> Iterator[Session]:
    """Yield `attacks` sessions under `tactic`, each with another family as long as there are enough that fit."""
    rng = stream(seed, model.name, tactic.variant, "families")
    parts = [(role.family, role.cast) for role in roles_for(model) if selection.wants(role.family)]
    order = [parts[at] for at in rng.permutation(len(parts)).tolist()]
    fitting: list[tuple[str, Part]] = []
    for family, cast in order * attacks:
        if len(fitting) == attacks:
            break
        part = cast(model, rng)
        if tactic.fits(part[0], model):
            fitting.append((family, part))
    for number, (family, (attack, quarry)) in enumerate(fitting):
        name = f"{model.name} {tactic.variant} {family} {number}"
        chance = stream(seed, name, "settings")
        begins = _first_hours(nights, chance.uniform(0.5, 6.0)) if tactic.nightly else moment(nights, chance)
        # Each of many accounts does little besides, or their past would outweigh the attack.
        past = habitual(model, float(chance.uniform(8.0, 60.0)) / min(tactic.accounts, 4), chance)
        workload = None if chance.random() < NEWCOMERS else past
        strike = Strike(attack, begins, Pace(float(chance.uniform(0.05, 0.6))), quarry, tactic)
        yield Session(name, Client.draw(stream(seed, name)), model.name, workload, strike)


def _first_hours(nights: Nights, hours: float) -> int:
    """Return a moment on the first night that is not clean: a slow attack needs all the time there is."""
    return nights.midnight(opening(nights, CLEAN_NIGHTS)) + int(hours * HOUR)
