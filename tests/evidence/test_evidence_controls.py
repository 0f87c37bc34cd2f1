from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_making import AS_OF, BEGINS, NIGHT, SECOND, climb_incident, context, queries

from detector.evidence import bystanders, controls, nearness, pursuit, refusals, steps
from detector.evidence.capture import capture
from detector.evidence.clock import night_bounds
from detector.evidence.context import Bystanders, Trace
from detector.model import Technique
from detector.store.evidence import read_replay
from detector.store.upkeep import purge

if TYPE_CHECKING:
    from evidence_making import AttackedSite

    from detector.evidence.context import IncidentContext

# Raises at 1, 2, 3, 5 and 7; to one decimal 1, 3 and 5 still show, to two also 2; 7 is too small for both.
CLIMB = np.array([0.10, 0.20, 0.24, 0.26, 0.10, 0.60, 0.30, 0.604])


def _trace(count: int, **different: Any) -> Trace:
    given: dict[str, Any] = {
        "ts": BEGINS + SECOND * np.arange(count),
        "client": np.zeros(count, dtype=np.int32),
        "near": np.full(count, np.nan, dtype=np.float32),
        "held": np.arange(count),
        "begins": night_bounds(NIGHT, AS_OF.time().replace(hour=0))[0],
    }
    return Trace(**{**given, **different})


def _climbed(**different: Any) -> IncidentContext:
    held = queries(np.stack([CLIMB, 1 - CLIMB], axis=1), classes=("cat", "dog"))
    found = pursuit.find(held, {"cat": (np.arange(len(CLIMB)), "climb-1")})
    return context(**{"queries": held, "pursuits": found, "trace": _trace(len(CLIMB)), **different})


def _crowd(**different: Any) -> Bystanders:
    given: dict[str, Any] = {
        "clients": 4,
        "nights": ("2026-11-13",),
        "peak_hour": np.array([1, 2, 30, 600]),
        "busiest_night": np.array([1, 5, 90, 700]),
        "scored": np.array([True, True, True, False]),
        "near": np.array([0.0, np.nan, 60.0, 25.0]),
        "decimals": 7,
    }
    return Bystanders(**{**given, **different})


def test_what_still_shows_of_a_climb_in_poorer_answers() -> None:
    found = steps.find(_climbed())
    assert found is not None
    np.testing.assert_array_equal([1, 2, 3, 5, 7], found.rows)
    assert found.shown == {"2 decimals": 0.8, "1 decimal": 0.6, "bands": 0.2, "label": 0.2}
    assert found.last == {"2 decimals": 5, "1 decimal": 5, "bands": 5, "label": 5}
    assert found.measure == steps.IMPROVEMENTS


def test_a_band_tells_nothing_of_another_class() -> None:
    is_label = np.array([False, True, True, True])
    got = steps.poorer(np.array([0.4, 0.4, 0.5, 0.95]), is_label, "bands")
    np.testing.assert_array_equal([0, 1, 2, 3], got)
    np.testing.assert_array_equal([0, 1, 1, 1], steps.poorer(np.array([0.4, 0.4, 0.5, 0.95]), is_label, "label"))


def test_labels_alone_are_not_made_poorer() -> None:
    labels = np.array(["dog", "cat", "dog", "dog", "cat"], dtype=object)
    held = queries(count=5, label=labels)
    found = pursuit.find(held, {"cat": (np.arange(5), "label-only")})
    got = steps.find(context(queries=held, pursuits=found))
    assert got is not None
    np.testing.assert_array_equal([1, 2, 4], got.rows)
    assert set(got.shown.values()) == {1.0}


def test_where_no_class_is_pursued_what_answers_tell_apart_counts() -> None:
    values = np.linspace(0.5, 0.99, 256)
    held = queries(np.stack([values, 1 - values], axis=1), classes=("cat", "dog"))
    incident = climb_incident(technique=Technique.EXTRACTION, techniques=(Technique.EXTRACTION,))
    got = steps.find(context(incident=incident, queries=held))
    assert got is not None
    assert got.measure == steps.BITS
    assert got.shown["label"] == 0.0
    # 256 answers that all differ are 8 bits; 50 steps of a hundredth are at most 5.7.
    assert 0.6 < got.shown["2 decimals"] < 5.7 / 8
    assert got.shown["1 decimal"] < got.shown["2 decimals"]
    assert steps.find(context(incident=incident)) is None


def test_ranks_are_counted_by_owner_and_bin() -> None:
    owner = np.array([0, 1, 0, 0, 1, 0], dtype=np.int32)
    bins = np.array([0, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal([0, 0, 1, 0, 1, 1], refusals.rank_within(owner, bins))


def test_limits_refuse_what_is_beyond_them_and_tell_whom_else() -> None:
    outcomes = {one.name: one for one in refusals.hourly(_trace(150), _crowd())}
    hundred = outcomes["100 queries an hour"]
    assert (int(hundred.refused.sum()), int(hundred.refused.argmax()), hundred.touched) == (50, 100, 1)
    assert hundred.waiting == 3600 * SECOND
    assert outcomes["20 queries an hour"].waiting == 7 * 3600 * SECOND
    assert outcomes["600 queries an hour (enough for the busiest benign client)"].touched == 0
    nightly = {one.name: one for one in refusals.nightly(_trace(250), _crowd())}
    assert (int(nightly["200 queries a night"].refused.sum()), nightly["200 queries a night"].touched) == (50, 1)


def test_one_busy_client_in_two_hundred_does_not_set_the_limit() -> None:
    need = np.array([5] * 199 + [4_000])
    names = {one.name: one.touched for one in refusals.hourly(_trace(10), _crowd(peak_hour=need))}
    assert names["5 queries an hour (enough for 99 of 100 benign clients)"] == 1


def test_accounts_and_hours_have_limits_of_their_own() -> None:
    two = _trace(40, client=np.arange(40, dtype=np.int32) % 2)
    (twenty,) = [one for one in refusals.hourly(two, None) if one.name == "20 queries an hour"]
    assert (int(twenty.refused.sum()), twenty.touched) == (0, None)
    slow = _trace(40, ts=BEGINS + 180 * SECOND * np.arange(40))
    (paced,) = [one for one in refusals.hourly(slow, None) if one.name == "20 queries an hour"]
    assert int(paced.refused.sum()) == 0


def test_a_client_is_cut_off_after_so_many_near_duplicates() -> None:
    near = np.where(np.arange(120) % 2 == 1, 0.1, 0.9).astype(np.float32)
    fifty, twenty = refusals.no_near(_trace(120, near=near), _crowd())
    # The fiftieth near-duplicate is query number 99, counted from 0; it is still answered.
    assert (int(fifty.refused.argmax()), fifty.touched) == (100, 1)
    assert (int(twenty.refused.argmax()), twenty.touched) == (40, 2)
    assert refusals.no_near(_trace(10), _crowd()) == []
    unmeasured = _crowd(near=np.full(4, np.nan))
    assert refusals.no_near(_trace(120, near=near), unmeasured)[0].touched is None


def test_nearness_looks_at_the_same_clients_last_queries() -> None:
    view = np.array([[0], [5], [0], [0.5], [np.nan], [5.25]], dtype=np.float32)
    owners = np.array([0, 1, 0, 0, 0, 1], dtype=np.int32)
    got = nearness.nearest_before(view, owners)
    np.testing.assert_array_equal(np.array([np.inf, np.inf, np.inf, 0.5, np.nan, 0.25], np.float32), got)


def test_the_cheapest_control_that_leaves_hardly_a_step() -> None:
    found = controls.examine(_climbed(bystanders=_crowd()))
    assert found is not None
    assert (found.steps, found.queries, found.bystanders) == (5, 8, 4)
    by_name = {one.name: one for one in found.outcomes}
    assert by_name["Probabilities rounded to 2 decimals"].touched == 3
    assert by_name["Probabilities rounded to 1 decimal"].stops_at == 6
    assert found.best is None
    rounded = controls.examine(_climbed(bystanders=_crowd(decimals=2)))
    assert rounded is not None
    assert [one.touched for one in rounded.outcomes[:4]] == [0, 3, 3, 3]
    strict = _climbed(bystanders=_crowd(peak_hour=np.array([1, 1, 1, 1])))
    cheap = controls.examine(strict)
    assert cheap is not None
    assert cheap.best is not None
    assert cheap.outcomes[cheap.best].name == "1 query an hour (enough for the busiest benign client)"


def test_without_queries_there_is_nothing_to_replay() -> None:
    assert controls.examine(context()) is None
    assert controls.examine(_climbed(trace=None)) is None


def test_benign_clients_are_taken_by_their_busiest_night() -> None:
    first, second = NIGHT, NIGHT.replace(day=14)
    one = bystanders.ClientNight(3, 5, 0, float("nan"))
    two = bystanders.ClientNight(1, 9, 2, 4.0)
    got = bystanders.gathered({first: {"a": one, "bad": two}, second: {"a": two}}, {"bad"}, None)
    assert got is not None
    assert (got.clients, got.peak_hour.tolist(), got.busiest_night.tolist()) == (1, [3], [9])
    assert (got.scored.tolist(), got.near.tolist()) == ([True], [4.0])
    assert bystanders.gathered({first: {"bad": two}}, {"bad"}, None) is None


def test_the_recorded_climb_is_replayed_and_kept(site: AttackedSite) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    found = dossier.controls
    assert found is not None
    assert (found.queries, found.bystanders, found.nights) == (260, 9, ("2026-11-13",))
    near = [one for one in found.outcomes if one.kind == "near"]
    assert [one.touched for one in near] == [0, 0]
    assert all(one.removed is not None and one.removed > 0.3 for one in near)
    assert read_replay(site.store, site.incident.id) is not None


def test_the_replay_outlives_the_queries(site: AttackedSite) -> None:
    (before,) = capture(site.store, site.settings, [site.incident])
    purge(site.store, 2**62, "2027-01-01", windows=False)
    (after,) = capture(site.store, site.settings, [site.incident])
    assert after.context.query_total == 0
    assert after.controls == before.controls


@pytest.mark.parametrize("fewer", [True, False])
def test_what_rests_on_more_queries_stands(site: AttackedSite, *, fewer: bool) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    found = dossier.controls
    assert found is not None
    other = replace(found, queries=found.queries + (-1 if fewer else 1))
    assert controls.standing(site.store, site.incident.id, other) == (found if fewer else other)
