"""Settings that differ from attacker to attacker."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from assault import trained
from hypothesis import given
from hypothesis import strategies as st

from detector.redteam.attacks.cma_es import CmaInversion
from detector.redteam.attacks.extraction import Extraction
from detector.redteam.attacks.latent_genetic import LatentGenetic
from detector.redteam.attacks.membership_noise import NoiseMembership
from detector.redteam.casting import roles_for
from detector.redteam.randomness import stream
from detector.redteam.settings import varied


@given(st.integers(0, 10_000))
def test_what_an_attack_is_after_stays_and_its_settings_differ(seed: int) -> None:
    usual = CmaInversion(3, start="natural")
    other = varied(usual, np.random.default_rng(seed))
    assert isinstance(other, CmaInversion)
    assert (other.target, other.start) == (3, "natural")
    assert 250 <= other.budget <= 3_200
    assert 0.075 <= other.step <= 0.45
    assert isinstance(other.budget, int)


@given(st.integers(0, 10_000))
def test_a_generation_always_has_children(seed: int) -> None:
    other = varied(LatentGenetic(1), np.random.default_rng(seed))
    assert isinstance(other, LatentGenetic)
    assert 1 <= other.elite < other.population


def test_the_same_chance_gives_the_same_settings() -> None:
    twice = [varied(NoiseMembership("scores"), stream(1, "settings")) for _ in range(2)]
    assert twice[0] == twice[1]
    assert isinstance(twice[0], NoiseMembership)
    assert twice[0].reads == "scores"


def test_what_has_no_setting_to_choose_but_its_budget_keeps_the_rest() -> None:
    other = varied(Extraction("natural"), stream(1, "settings"))
    assert isinstance(other, Extraction)
    usual = Extraction("natural")
    chosen = [field.name for field in fields(other) if getattr(other, field.name) != getattr(usual, field.name)]
    assert chosen == ["budget"]


def test_no_two_casts_of_a_family_are_alike() -> None:
    rng = stream(1, "cast")
    for role in roles_for(trained("clinic"), "inversion"):
        first, second = role.cast(trained("clinic"), rng)[0], role.cast(trained("clinic"), rng)[0]
        assert first != second
