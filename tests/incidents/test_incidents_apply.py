from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from incident_making import AS_OF, MODEL, campaign, finding, network, night, record, scan, stored

from detector.config import ClientSettings, ModelSettings, Settings
from detector.errors import IncidentError
from detector.incidents.service import apply
from detector.model import EntityKind, Horizon, IncidentStatus, Member, Severity, Technique, Trigger
from detector.store import incidents as rows
from detector.store import tables
from detector.store.incident_changes import lock

if TYPE_CHECKING:
    from detector.store.engine import Store

OPEN, MERGED, CLOSED = IncidentStatus.OPEN, IncidentStatus.MERGED, IncidentStatus.CLOSED


def test_one_finding_opens_one_incident(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    assert (made.status, made.severity, made.entity_kind, made.entity_id, made.clients, made.findings) == (
        OPEN,
        Severity.HIGH,
        EntityKind.CLIENT,
        "alice",
        ("alice",),
        (finding(),),
    )
    assert stored(store) == (made,)
    assert record(store, made.id) == [("opened", "2026-11-10: Inversion climb (high); severity high")]
    with store.begin() as connection:
        assert rows.events(connection, made.id)[0].at == "2026-11-25T06:00:00.000000Z"
        assert rows.events(connection, made.id)[0].who == "scan"


def test_a_night_without_findings_leaves_nothing(store: Store) -> None:
    assert scan(store, 0) == ()
    assert stored(store) == ()


def test_the_same_night_again_changes_nothing(store: Store) -> None:
    first = scan(store, 0, finding(), campaign("c", ["alice", "bob"]))
    lines = record(store, first[0].id)
    assert scan(store, 0, campaign("c", ["alice", "bob"]), finding(), finding()) == first
    assert record(store, first[0].id) == lines


def test_seven_nights_on_is_the_same_incident_and_eight_is_another(store: Store) -> None:
    (first,) = scan(store, 0, finding())
    (same,) = scan(store, 7, finding(offset=7))
    (other,) = scan(store, 15, finding(offset=15))
    assert (same.id, same.nights) == (first.id, (night(0), night(7)))
    assert (other.id == first.id, other.nights) == (False, (night(15),))
    assert record(store, first.id)[1:] == [("finding added", "2026-11-17: Inversion climb (high)")]


def test_a_late_night_joins_what_lay_eight_nights_apart(store: Store) -> None:
    (first,) = scan(store, 0, finding())
    (second,) = scan(store, 8, finding(offset=8))
    changed = scan(store, 4, finding(offset=4))
    assert {one.id: (one.status, one.heir, one.nights) for one in changed} == {
        first.id: (OPEN, None, (night(0), night(4), night(8))),
        second.id: (MERGED, first.id, (night(8),)),
    }
    assert record(store, first.id)[1:] == [
        ("finding added", "2026-11-14: Inversion climb (high)"),
        ("merged", f"took over {second.id}"),
        (
            "severity changed",
            (
                "high -> critical: starts at high: the highest level of a finding, Inversion climb; "
                "raised by one: it went on for 3 nights"
            ),
        ),
    ]
    assert record(store, second.id)[1:] == [("merged", f"into {first.id}")]


def test_a_sweep_and_the_climb_after_it_are_one_incident(store: Store) -> None:
    (sweep,) = scan(store, 0, finding(technique=Technique.PROBING, rule="sweep", level=Severity.LOW))
    (both,) = scan(store, 1, finding(offset=1))
    assert (both.id, both.technique, both.techniques, both.severity) == (
        sweep.id,
        Technique.INVERSION,
        (Technique.INVERSION, Technique.PROBING),
        Severity.HIGH,
    )


def test_clients_and_models_stay_apart(store: Store) -> None:
    scan(store, 0, finding("alice"), finding("bob"))
    scan(store, 0, finding("alice", model="faces"), model="faces")
    assert sorted((one.model, one.clients) for one in stored(store)) == [
        ("digits", ("alice",)),
        ("digits", ("bob",)),
        ("faces", ("alice",)),
    ]


def test_a_campaign_takes_in_the_incidents_of_its_accounts(store: Store) -> None:
    (alice,) = scan(store, 0, finding("alice"))
    (bob,) = scan(store, 1, finding("bob", 1, level=Severity.MEDIUM))
    (carol,) = scan(store, 2, finding("carol", 2))
    changed = scan(store, 3, campaign("ring", ["alice", "bob", "dave"], 3, query_count=900))
    assert {one.id: (one.status, one.heir) for one in changed} == {alice.id: (OPEN, None), bob.id: (MERGED, alice.id)}
    heir = changed[0]
    assert (heir.entity_kind, heir.entity_id) == (EntityKind.CAMPAIGN, "ring")
    assert heir.members == (
        Member("alice", (night(0), night(3)), 1300, Severity.HIGH),
        Member("bob", (night(1), night(3)), 1300, Severity.HIGH),
        Member("dave", (night(3),), 300, Severity.HIGH),
    )
    assert [one.id for one in stored(store) if one.status is OPEN] == [alice.id, carol.id]


def test_a_network_does_not_drag_in_its_neighbours(store: Store) -> None:
    scan(store, 0, finding("alice"), network("10.1.2.0/24", ["alice", "bob"]))
    (one,) = stored(store)
    assert (one.clients, one.entity_kind) == (("alice", "bob"), EntityKind.NETWORK)


def test_a_crowded_network_leaves_its_clients_incidents_alone(store: Store) -> None:
    crowd = [f"c{number}" for number in range(20)]
    (client,) = scan(store, 0, finding("c0"))
    changed = scan(store, 1, finding("c0", 1), network("10.1.2.0/24", crowd, 1))
    assert sorted((one.entity_kind, one.id == client.id, len(one.members)) for one in changed) == [
        (EntityKind.CLIENT, True, 1),
        (EntityKind.NETWORK, False, 20),
    ]
    # On the next night most of the crowd stand out by themselves: now it is one attack.
    scan(store, 2, *(finding(name, 2) for name in crowd[:10]), network("10.1.2.0/24", crowd, 2))
    assert [(one.status, len(one.members)) for one in stored(store) if one.status is OPEN] == [(OPEN, 20)]


def test_members_of_a_pool_get_their_own_counts_from_their_windows(store: Store) -> None:
    window = {
        "model": MODEL,
        "night": "2026-11-10",
        "horizon": "night",
        "entity_kind": "client",
        "entity_id": "alice",
        "query_count": 777,
        "first_ts": 0,
        "last_ts": 1,
        "features": "{}",
    }
    with store.begin() as connection:
        connection.execute(tables.window.insert(), window)
    (made,) = scan(store, 0, campaign("ring", ["alice", "bob"], query_count=1001))
    assert [(one.client, one.query_count) for one in made.members] == [("alice", 777), ("bob", 501)]


def test_a_rescan_that_breaks_the_link_lets_the_merged_incident_stand_alone_again(store: Store) -> None:
    (alice,) = scan(store, 0, finding("alice"))
    (bob,) = scan(store, 1, finding("bob", 1))
    scan(store, 2, campaign("ring", ["alice", "bob"], 2))
    scan(store, 2)
    assert {one.id: (one.status, one.heir, one.clients) for one in stored(store)} == {
        alice.id: (OPEN, None, ("alice",)),
        bob.id: (OPEN, None, ("bob",)),
    }
    assert record(store, bob.id)[1:] == [
        ("merged", f"into {alice.id}"),
        ("reopened", f"stands alone again: what joined it to {alice.id} is no longer found"),
    ]
    assert record(store, alice.id)[-3:] == [
        ("finding withdrawn", "no longer found: 2026-11-12: Campaign pool (high)"),
        ("severity changed", "critical -> high: starts at high: the highest level of a finding, Inversion climb"),
        ("note", f"1 finding now belongs to {bob.id}"),
    ]


def test_heirs_are_followed_when_the_heir_itself_is_merged(store: Store) -> None:
    (zoe,) = scan(store, 0, finding("zoe"))
    (alice,) = scan(store, 1, finding("alice", 1))
    (bob,) = scan(store, 2, finding("bob", 2))
    scan(store, 3, campaign("ring", ["alice", "bob"], 3))
    scan(store, 4, campaign("wider", ["alice", "zoe"], 4))
    assert {one.id: one.heir for one in stored(store)} == {zoe.id: None, alice.id: zoe.id, bob.id: zoe.id}
    scan(store, 4)
    assert {one.id: one.heir for one in stored(store)} == {zoe.id: None, alice.id: None, bob.id: alice.id}


def test_a_split_gives_the_part_without_a_seed_an_id_of_its_own(store: Store) -> None:
    (both,) = scan(store, 0, finding("alice"), finding("bob"), campaign("ring", ["alice", "bob"]))
    scan(store, 0, finding("alice"), finding("bob"))
    first, second = sorted(stored(store), key=lambda one: one.id != both.id)
    assert (first.id, second.id == both.id, first.heir, second.heir) == (both.id, False, None, None)
    assert {first.clients, second.clients} == {("alice",), ("bob",)}


def test_an_incident_left_without_findings_is_closed_and_kept(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    (gone,) = scan(store, 0)
    assert (gone.id, gone.status, gone.findings, gone.clients) == (made.id, CLOSED, (), ("alice",))
    assert record(store, made.id)[1:] == [("withdrawn", "no longer found: 2026-11-10: Inversion climb (high)")]
    assert scan(store, 0) == ()
    (again,) = scan(store, 0, finding())
    assert (again.id, again.status) == (made.id, OPEN)
    assert record(store, made.id)[2:] == [
        ("finding added", "2026-11-10: Inversion climb (high)"),
        ("reopened", "found again"),
    ]


def test_a_withdrawn_incident_does_not_draw_later_findings(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    scan(store, 0)
    (later,) = scan(store, 2, finding(offset=2))
    assert later.id != made.id


def test_another_finding_of_the_same_client_and_night_keeps_the_incident(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    (same,) = scan(store, 0, finding(rule="better-climb"))
    assert (same.id, [one.rule for one in same.findings]) == (made.id, ["better-climb"])
    assert record(store, made.id)[1:] == [
        ("finding added", "2026-11-10: Better climb (high)"),
        ("finding withdrawn", "no longer found: 2026-11-10: Inversion climb (high)"),
    ]


def test_an_id_never_changes_although_earlier_nights_follow(store: Store) -> None:
    (made,) = scan(store, 3, finding(offset=3))
    (same,) = scan(store, 0, finding(offset=0, level=Severity.CRITICAL))
    assert (same.id, same.nights) == (made.id, (night(0), night(3)))


def test_a_seed_that_comes_back_beside_its_old_incident_gets_another_id(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    scan(store, 7, finding(offset=7))
    scan(store, 8, finding(offset=8))
    scan(store, 0)
    scan(store, 7)
    (back,) = scan(store, 0, finding())
    assert {one.id == made.id: one.nights for one in stored(store)} == {True: (night(8),), False: (night(0),)}
    assert back.id != made.id


def test_sensitivity_and_declared_workload_come_from_the_settings(store: Store) -> None:
    settings = Settings(
        models={MODEL: ModelSettings(sensitivity="health")},
        clients={"alice": ClientSettings(workload="nightly batch")},
    )
    (made,) = scan(store, 0, finding(level=Severity.MEDIUM), settings=settings)
    assert made.severity is Severity.HIGH
    assert "Declared by the site: alice as 'nightly batch'" in made.summary
    with store.begin() as connection:
        assert rows.severity_reasons(connection, made.id) == (
            "starts at medium: the highest level of a finding, Inversion climb",
            "raised by one: the model is declared health data",
        )
    (lower,) = scan(store, 0, finding(level=Severity.MEDIUM))
    assert lower.severity is Severity.MEDIUM


def test_one_evening_that_its_week_tells_again_is_no_repetition(store: Store) -> None:
    evening = finding(level=Severity.MEDIUM)
    scan(store, 0, evening)
    for offset in range(1, 7):
        echo = finding(offset=offset, level=Severity.MEDIUM, horizon=Horizon.TRAILING, segment=evening.segment)
        (made,) = scan(store, offset, echo)
    assert (made.severity, len(made.nights)) == (Severity.MEDIUM, 7)
    assert "Seen in the night 2026-11-10" in made.summary


def test_numbers_as_numpy_has_them_are_stored_as_numbers(store: Store) -> None:
    trigger = (Trigger("a", np.float32(0.5)), Trigger("b", np.float64("nan")), Trigger("c", np.int64(7)))  # type: ignore[arg-type]
    given = finding(trigger=trigger, p=np.float64(0.25), query_count=np.int64(12))  # type: ignore[arg-type]
    (made,) = scan(store, 0, given)
    assert made.findings[0].trigger == (Trigger("a", 0.5), Trigger("b", "NaN"), Trigger("c", 7))
    assert (made.score, made.query_count) == (0.75, 12)
    assert scan(store, 0, given) == (made,)


def test_findings_of_another_night_or_model_are_refused(store: Store) -> None:
    with pytest.raises(IncidentError, match="is of 'digits' in the night 2026-11-11"):
        scan(store, 0, finding(offset=1))
    with pytest.raises(IncidentError, match="is of 'faces'"):
        scan(store, 0, finding(model="faces"))


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(IncidentError, match="without a zone"), store.begin() as connection:
        apply(
            connection,
            model=MODEL,
            night=night(0),
            findings=(),
            settings=Settings(),
            as_of=AS_OF.replace(tzinfo=None),
        )


def test_highest_open_looks_at_the_nights_asked_for(store: Store) -> None:
    scan(store, 0, finding("alice"), finding("bob", level=Severity.MEDIUM))
    scan(store, 1, finding("bob", 1, level=Severity.MEDIUM))
    with store.begin() as connection:
        assert rows.highest_open(connection, [(MODEL, night(0))]) is Severity.HIGH
        assert rows.highest_open(connection, [(MODEL, night(1))]) is Severity.MEDIUM
        assert rows.highest_open(connection, [(MODEL, night(0)), (MODEL, night(1))]) is Severity.HIGH
        assert rows.highest_open(connection, [(MODEL, night(2)), ("faces", night(0))]) is None
        assert rows.highest_open(connection, []) is None
        many = [(MODEL, night(offset)) for offset in range(2000)]
        assert rows.highest_open(connection, many) is Severity.HIGH


def test_incidents_are_listed_gravest_first_and_filtered(store: Store) -> None:
    scan(store, 0, finding("alice", level=Severity.LOW), finding("bob", level=Severity.CRITICAL))
    scan(store, 1, finding("carol", 1, level=Severity.CRITICAL))
    scan(store, 1, finding("dave", 1, model="faces"), model="faces")

    def names(**wanted: object) -> list[str]:
        with store.begin() as connection:
            return [one.clients[0] for one in rows.list_incidents(connection, **wanted)]  # type: ignore[arg-type]

    assert names() == ["bob", "carol", "dave", "alice"]
    assert names(severity_at_least=Severity.HIGH) == ["bob", "carol", "dave"]
    assert names(model=MODEL) == ["bob", "carol", "alice"]
    assert names(night=night(0)) == ["bob", "alice"]
    assert names(status=CLOSED) == []
    assert names(status=[OPEN, CLOSED], night=night(1)) == ["carol", "dave"]


def test_an_incident_is_found_by_the_first_digits_of_its_id(store: Store) -> None:
    made = scan(store, 0, *(finding(f"c{number}") for number in range(40)))[0]
    with store.begin() as connection:
        assert rows.get_incident(connection, made.id) == made
        assert rows.get_incident(connection, made.id.lower()[:11]) == made
        assert rows.get_incident(connection, made.id[4:]) == made
        with pytest.raises(IncidentError, match="several incidents begin with INC-"):
            [rows.get_incident(connection, digit) for digit in "0123456789abcdef"]
        for wrong in ("INC-", "", "INC-%", "INC-xyz", "INC-0000000000000", "\x00", "\udcff"):
            with pytest.raises(IncidentError, match="there is no incident"):
                rows.get_incident(connection, wrong)


def test_a_report_is_noted_and_survives_the_next_scan(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    with store.begin() as connection:
        rows.set_report(connection, made.id, f"2026-11-10/{made.id}.html")
    (same,) = scan(store, 1, finding(offset=1))
    assert same.report == f"2026-11-10/{made.id}.html"


def test_a_night_of_many_findings(store: Store) -> None:
    names = [f"client-{number:03}" for number in range(300)]
    found = [finding(name, rule=rule) for name in names for rule in ("a", "b")] + [
        campaign(f"pair-{number}", names[number : number + 2]) for number in range(0, 300, 2)
    ]
    assert len(scan(store, 0, *found)) == 150
    assert len(scan(store, 1, campaign("all", names, 1))) == 150
    assert [len(one.members) for one in stored(store) if one.heir is None] == [300]


def test_nobody_writes_between_what_is_read_and_what_is_decided(sqlite_store: Store) -> None:
    with sqlite_store.begin() as connection:
        lock(connection)
        other = sqlite3.connect(str(sqlite_store.parsed.database), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_as_of_is_told_in_utc(store: Store) -> None:
    (made,) = scan(store, 0, finding(), as_of=datetime.fromisoformat("2026-11-25T07:00:00.25+01:00"))
    with store.begin() as connection:
        assert rows.events(connection, made.id)[0].at == "2026-11-25T06:00:00.250000Z"
    assert datetime(2026, 11, 25, 6, tzinfo=UTC) == AS_OF
