"""Who takes part in the scenarios that measure detection, and what a developer can choose of them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from detector.errors import SimulationError
from detector.redteam.casting import roles_for
from detector.redteam.catalog import CATALOG
from detector.redteam.nights import Nights
from detector.redteam.recorder import Service
from detector.redteam.scenarios import Cast, Selection, assemble
from detector.redteam.scenarios.crowd import public
from detector.redteam.sessions import Session, play
from detector.redteam.simulation import simulate
from detector.redteam.workloads.base import Employment
from detector.redteam.workloads.registry import OCCUPATIONS, occupations_for

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

NIGHTS = Nights(date(2026, 11, 10), 5)
ORDINARY = {"benign_ordinary", "benign_nightly_batch", "benign_health_probe", "benign_retry_storm"}


def families(cast: Cast) -> dict[str, int]:
    counts: dict[str, int] = {}
    for session in cast.sessions:
        family = session.strike.attack.family if session.strike else session.workload.family if session.workload else ""
        counts[family] = counts.get(family, 0) + 1
    return counts


def test_workloads_holds_every_workload_and_no_attack() -> None:
    cast = assemble("workloads", NIGHTS, 1, Selection(models=("clinic",), clients=3))
    counts = families(cast)
    assert [session for session in cast.sessions if session.strike] == []
    assert {family: counts[family] for family in counts if family not in ORDINARY} == {
        each.family: 3 for each in OCCUPATIONS
    }


def test_laboratory_adds_every_attack_that_fits(digits: TargetModel) -> None:
    cast = assemble("laboratory", NIGHTS, 1, Selection(models=("digits",), clients=1))
    expected = {each.family for each in occupations_for(digits)} | {each.family for each in roles_for(digits)}
    assert set(families(cast)) - ORDINARY == expected


def test_the_first_nights_are_clean() -> None:
    cast = assemble("laboratory", NIGHTS, 1, Selection(models=("digits",), clients=1))
    begins = [session.strike.begins for session in cast.sessions if session.strike]
    idle = {session.workload.idle for session in cast.sessions if isinstance(session.workload, Employment)}
    assert min(begins) >= NIGHTS.midnight(3)
    assert max(begins) < NIGHTS.ends
    assert idle == {3}


def test_campaigns_have_every_size() -> None:
    cast = assemble("campaigns", NIGHTS, 1, Selection(clients=1))
    sizes = {session.strike.tactic.accounts for session in cast.sessions if session.strike}
    assert sizes == {1, 10, 50, 200}


def test_evasions_have_every_other_tactic_and_time_for_the_slow() -> None:
    (entry,) = (entry for entry in CATALOG if entry.name == "evasions")
    nights = Nights(date(2026, 11, 10), entry.nights)
    cast = assemble("evasions", nights, 1, Selection(clients=1))
    strikes = {session.strike.tactic.variant: session.strike for session in cast.sessions if session.strike}
    assert {"slow", "cover80", "coarse1", "jitter", "fresh", "decoys"} <= set(strikes)
    assert nights.index_of(np.array([strikes["slow"].begins])).tolist() == [3]


def test_a_selection_narrows_to_its_families() -> None:
    cast = assemble("laboratory", NIGHTS, 1, Selection(("digits",), ("benign_lime", "inv_spsa"), 4))
    counts = families(cast)
    assert {family: counts[family] for family in counts if family not in ORDINARY} == {"benign_lime": 4, "inv_spsa": 4}


def test_names_do_not_depend_on_the_selection() -> None:
    def named(selection: Selection) -> dict[str, Session]:
        cast = assemble("workloads", NIGHTS, 1, selection)
        return {session.name: session for session in cast.sessions}

    some = named(Selection(("clinic",), ("benign_lime",), 1))
    more = named(Selection(("clinic",), ("benign_lime", "benign_pdp"), 2))
    assert set(some) < set(more)
    assert [some[name].client for name in some] == [more[name].client for name in some]


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (Selection(models=("nonesuch",)), "no model 'nonesuch'"),
        (Selection(families=("benign_lime", "inv_nothing")), "no family 'inv_nothing'"),
    ],
)
def test_what_there_is_not_cannot_be_selected(selection: Selection, told: str) -> None:
    with pytest.raises(SimulationError, match=told):
        selection.check()


def test_the_small_scenarios_are_played_as_they_are(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("nothing")
    with pytest.raises(SimulationError, match="played as it is"):
        simulate(folder, scenario="demo", selection=Selection(clients=1))
    assert list(folder.iterdir()) == []


def test_one_ordinary_client_makes_most_of_the_load(digits: TargetModel) -> None:
    service = Service(digits)
    nights = Nights(date(2026, 11, 10), 3)
    crowd = [each for each in public(digits, 1) if each.workload and each.workload.family == "benign_ordinary"]
    for session in crowd:
        play(session, service, nights, 1)
    counts = sorted((each.queries for each in service.activity().values()), reverse=True)
    assert 0.2 < counts[0] / sum(counts) < 0.38
    assert sum(counts) / 3 < 4_500
