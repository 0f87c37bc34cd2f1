"""The small scenarios: a first look, and one of everything for a drill of one's own pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.attacks.attribute_sweep import AttributeSweep
from detector.redteam.attacks.extraction import Extraction
from detector.redteam.attacks.finite_difference import FiniteDifferenceInversion
from detector.redteam.attacks.hop_skip_jump import HopSkipJump
from detector.redteam.attacks.merlin import MerlinMembership
from detector.redteam.attacks.one_plus_one import OnePlusOneInversion
from detector.redteam.attacks.spsa import SpsaInversion
from detector.redteam.models import CLINIC_SENSITIVE, TargetModel, build
from detector.redteam.randomness import stream
from detector.redteam.scenarios.cast import Cast
from detector.redteam.scenarios.crowd import attacker, ordinary_users
from detector.redteam.sessions import Quarry, attribute_quarry, membership_quarry

if TYPE_CHECKING:
    from detector.redteam.attacks.base import Attack
    from detector.redteam.nights import Nights

_VICTIMS = 150
_CANDIDATES = 90


def clean(nights: Nights, seed: int) -> Cast:
    """Nobody attacks."""
    del nights
    digits = build("digits", seed)
    return Cast((digits,), tuple(ordinary_users(digits, seed)))


def demo(nights: Nights, seed: int) -> Cast:
    """On the last night one of the ordinary clients turns."""
    digits = build("digits", seed)
    rng = stream(seed, "demo")
    attack = OnePlusOneInversion(target=_unlikely_classes(digits, rng)[0])
    intruder = attacker("intruder", digits, attack, nights.midnight(nights.count - 1), seed=seed)
    return Cast((digits,), (*ordinary_users(digits, seed), intruder))


def drill(nights: Nights, seed: int) -> Cast:
    """Each attack once or twice, from the third night on, or on the last one if there are fewer."""
    digits, clinic = build("digits", seed), build("clinic", seed)
    rng = stream(seed, "drill")
    first, second, third, fourth = _unlikely_classes(digits, rng)[:4]
    attacks: list[tuple[TargetModel, Attack, Quarry | None]] = [
        (digits, OnePlusOneInversion(first), None),
        (digits, OnePlusOneInversion(second, budget=2_500), None),
        (digits, FiniteDifferenceInversion(third), None),
        (digits, SpsaInversion(fourth), None),
        (digits, Extraction("natural"), None),
        (digits, Extraction("random"), None),
        (digits, HopSkipJump(), None),
        (digits, MerlinMembership(), membership_quarry(digits, _CANDIDATES, rng)),
        (clinic, MerlinMembership(), membership_quarry(clinic, _CANDIDATES, rng)),
        (clinic, *_attribute_sweep(clinic, rng)),
    ]
    openings = [nights.midnight(night) for night in range(min(2, nights.count - 1), nights.count)]
    strikes = [
        attacker(f"attacker {number}", model, attack, openings[number % len(openings)], seed=seed, quarry=quarry)
        for number, (model, attack, quarry) in enumerate(attacks)
    ]
    return Cast((digits, clinic), (*ordinary_users(digits, seed), *ordinary_users(clinic, seed), *strikes))


def _unlikely_classes(model: TargetModel, rng: np.random.Generator) -> list[int]:
    """Return, in random order, the half of the classes to which noise belongs least: where there is a way to climb."""
    low, high = model.form.low, model.form.high
    noise = model.form.clean(low + (high - low) * rng.random((200, len(low))))
    likely = np.argsort(np.median(model.predict(noise), axis=0), kind="stable")
    chosen: list[int] = rng.permutation(likely[: len(likely) // 2]).tolist()
    return chosen


def _attribute_sweep(clinic: TargetModel, rng: np.random.Generator) -> tuple[AttributeSweep, Quarry]:
    """Aim the sweep at the clinic's sensitive field, with the shares that field records show as the published ones."""
    column = list(clinic.form.columns(clinic.field.rows)).index(CLINIC_SENSITIVE)
    counts = np.bincount(clinic.field.rows[:, column].astype(int), minlength=clinic.form.levels[column])
    prior = tuple(float(share) for share in counts / counts.sum())
    return AttributeSweep(column, prior), attribute_quarry(clinic, column, _VICTIMS, rng)
