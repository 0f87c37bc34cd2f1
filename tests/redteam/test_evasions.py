"""Tactics hide an attack and change nothing else about it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from detector.redteam import casting
from detector.redteam.attacks.hop_skip_jump import HopSkipJump
from detector.redteam.attacks.one_plus_one import OnePlusOneInversion
from detector.redteam.evasions.disguise import Disguise
from detector.redteam.evasions.tactic import TACTICS, Tactic, tactic
from detector.redteam.labels import Label, labels_of
from detector.redteam.nights import HOUR, SECOND, Nights
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.sessions import Session, Strike, play
from detector.redteam.traffic import Client, Pace

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

NIGHTS = Nights(date(2026, 11, 10), 7)
CLIENT = Client("00000000000000aa", "10.1.2.3", "curl/8.9.1")


def played(model: TargetModel, way: Tactic, *, budget: int = 400) -> tuple[Service, list[Label]]:
    service = Service(model)
    strike = Strike(OnePlusOneInversion(9, budget=budget), NIGHTS.begins + HOUR, Pace(0.2), tactic=way)
    done = play(Session("intruder", CLIENT, model.name, strike=strike), service, NIGHTS, 3)
    return service, list(labels_of(done, model, service.activity(), 3))


def in_time(service: Service) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Who asked what and when, in order of time."""
    times = np.concatenate([block.times for block in service.blocks])
    clients = [block.client.client_id for block in service.blocks for _ in block.times]
    order = np.argsort(times, kind="stable")
    inputs = np.vstack([block.inputs for block in service.blocks])[order]
    return [clients[at] for at in order.tolist()], inputs, times[order]


def test_tactics_have_names_of_their_own() -> None:
    assert len({each.variant for each in TACTICS}) == len(TACTICS)
    assert tactic("plain") == Tactic()


def test_accounts_share_one_attack_evenly(digits: TargetModel) -> None:
    alone, (one,) = played(digits, tactic("plain"))
    service, labels = played(digits, tactic("accounts10"))
    clients, inputs, _ = in_time(service)
    assert np.array_equal(inputs, in_time(alone)[1])
    assert len(labels) == len(set(clients)) == 10
    assert {row.trace_id for row in labels} == {one.trace_id}
    assert {row.variant for row in labels} == {"accounts10"}
    assert sum(row.n_attack_queries for row in labels) == one.n_attack_queries == len(inputs)
    assert clients[:10] == clients[10:20]
    assert {(row.success, row.final_confidence) for row in labels} == {(one.success, one.final_confidence)}


def test_accounts_work_in_stretches(digits: TargetModel) -> None:
    clients, _, _ = in_time(played(digits, tactic("accounts10_stretch"))[0])
    assert [len(set(clients[start : start + 25])) for start in range(0, 400, 25)] == [1] * 16


@pytest.mark.parametrize(("variant", "networks"), [("accounts10_network", 1), ("accounts10", 10)])
def test_accounts_share_a_network_or_not(variant: str, networks: int, digits: TargetModel) -> None:
    service, _ = played(digits, tactic(variant))
    addresses = {block.client.source_ip for block in service.blocks}
    assert len({address.rpartition(".")[0] for address in addresses}) == networks


def test_slow_takes_days_at_an_ordinary_pace(digits: TargetModel) -> None:
    service, (row,) = played(digits, tactic("slow"), budget=1_200)
    _, _, times = in_time(service)
    nights = Counter(NIGHTS.index_of(times).tolist())
    assert len(nights) >= 4
    assert max(nights.values()) < 400
    assert times[0] >= NIGHTS.begins + HOUR
    assert row.n_attack_queries == len(times)
    assert np.median(np.diff(times)) > SECOND


def test_what_comes_after_the_drill_is_in_no_log(digits: TargetModel) -> None:
    service, (row,) = played(digits, Tactic("slower", nightly=20.0))
    _, _, times = in_time(service)
    assert times[-1] < NIGHTS.ends
    assert row.n_attack_queries == len(times) < 400


def test_cover_is_four_natural_queries_for_one(digits: TargetModel) -> None:
    service, (row,) = played(digits, tactic("cover80"))
    _, inputs, times = in_time(service)
    assert row.n_queries == len(inputs) == pytest.approx(5 * row.n_attack_queries, abs=1)
    attack = {each.tobytes() for each in in_time(played(digits, tactic("plain"))[0])[1]}
    hostile = np.array([each.tobytes() in attack for each in inputs])
    assert hostile.sum() == row.n_attack_queries
    assert (times[hostile][0], times[hostile][-1]) == (times[0], times[-1])
    assert {block.asking for block in service.blocks} == {OnePlusOneInversion.asking}


@pytest.mark.parametrize(("variant", "decimals"), [("coarse2", 2), ("coarse1", 1)])
def test_coarse_answers_are_coarse_in_the_log_too(variant: str, decimals: int, digits: TargetModel) -> None:
    service, _ = played(digits, tactic(variant))
    shown = np.vstack([block.probabilities for block in service.blocks])
    assert np.array_equal(shown, np.round(shown, decimals))
    assert len(np.unique(shown)) > 2


def test_jitter_moves_every_input_and_the_result_is_what_was_sent(digits: TargetModel) -> None:
    service, (row,) = played(digits, Tactic("jitter", jitter=0.01))
    _, inputs, _ = in_time(service)
    plain = in_time(played(digits, tactic("plain"))[0])[1]
    assert not np.array_equal(inputs[0], plain[0])
    assert np.abs(inputs[0] - plain[0]).max() < 0.06
    assert row.final_confidence == max(block.probabilities[:, 9].max() for block in service.blocks)


def test_fresh_inputs_differ_by_a_hair(clinic: TargetModel) -> None:
    disguise = Disguise(clinic.form, 0.0, stream(1, "disguise"), fresh=True)
    rows = np.repeat(clinic.field.rows[:2], 20, axis=0)
    sent = clinic.form.clean(disguise.put_on(rows))
    span = np.maximum(clinic.form.high - clinic.form.low, 1e-12)
    assert len(np.unique(sent, axis=0)) == 40
    assert np.array_equal(sent[0], rows[0])
    assert np.array_equal(sent[:, 6:], rows[:, 6:])
    assert np.abs((sent - rows) / span).max() < 0.01


def test_decoys_climb_beside_the_target(digits: TargetModel) -> None:
    service, (row,) = played(digits, tactic("decoys"))
    last = {block.probabilities[-1].argmax() for block in service.blocks[-3_000:]}
    assert row.n_attack_queries == pytest.approx(1_600, abs=20)
    assert row.target == "9"
    assert len(last) >= 4


def test_a_tactic_that_changes_nothing_does_not_fit(digits: TargetModel) -> None:
    labels_only = HopSkipJump()
    misfits = {each.variant for each in TACTICS if not each.fits(labels_only, digits)}
    assert misfits == {"coarse2", "coarse1", "decoys"}
    assert all(each.fits(OnePlusOneInversion(9), digits) for each in TACTICS)


@pytest.mark.parametrize("name", ["digits", "clinic"])
def test_every_role_can_be_cast(name: str, request: pytest.FixtureRequest) -> None:
    model: TargetModel = request.getfixturevalue(name)
    roles = casting.roles_for(model)
    cast = [each.cast(model, stream(1, each.family)) for each in roles]
    assert [(attack.family, attack.technique) for attack, _ in cast] == [
        (each.family, each.technique) for each in roles
    ]
    assert all((quarry is not None) == (each.technique in {"membership", "attribute"})
               for each, (_, quarry) in zip(roles, cast, strict=True))  # fmt: skip


def test_families_are_unique_and_climbs_have_a_way_to_go(clinic: TargetModel) -> None:
    assert len({each.family for each in casting.ROLES}) == len(casting.ROLES)
    assert not casting.role("inv_oneplusone").fits(clinic)
    attack, _ = casting.role("inv_nes").cast(clinic, stream(1, "cast"))
    assert attack.start == "natural"  # type: ignore[attr-defined]
