from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from incident_making import AS_OF, MODEL, campaign, finding, night, record, scan, stored

from detector.config import ModelSettings, Settings
from detector.errors import IncidentError
from detector.incidents import lifecycle, suppressing
from detector.model import Horizon, IncidentStatus, Severity
from detector.store import incidents as rows

if TYPE_CHECKING:
    from detector.model import Incident
    from detector.store.engine import Store

OPEN, ACKNOWLEDGED, CLOSED, SUPPRESSED, MERGED = IncidentStatus
LATER = AS_OF + timedelta(hours=1)


def decide(store: Store, what: str, incident: str, **more: Any) -> Incident:
    with store.begin() as connection:
        changed: Incident = getattr(lifecycle, what)(connection, incident, by="ann", as_of=LATER, **more)
        return changed


def close(store: Store, incident: str) -> Incident:
    return decide(store, "close", incident, reason="a drill")


def highest(store: Store, offset: int) -> Severity | None:
    with store.begin() as connection:
        return rows.highest_open(connection, [(MODEL, night(offset))])


def test_acknowledged_is_still_open(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    assert decide(store, "acknowledge", made.id, reason="mine").status is ACKNOWLEDGED
    assert highest(store, 0) is Severity.HIGH
    (same,) = scan(store, 1, finding(offset=1))
    assert same.status is ACKNOWLEDGED
    with store.begin() as connection:
        line = rows.events(connection, made.id)[1]
    assert (line.at, line.who, line.what, line.why) == ("2026-11-25T07:00:00.000000Z", "ann", "acknowledged", "mine")


def test_a_closed_incident_no_longer_counts(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    assert close(store, made.id).status is CLOSED
    assert highest(store, 0) is None
    assert stored(store)[0].status is CLOSED


def test_a_rescan_of_what_was_closed_leaves_it_closed(store: Store) -> None:
    (made,) = scan(store, 1, finding(offset=1))
    close(store, made.id)
    (same,) = scan(store, 1, finding(offset=1))
    assert same.status is CLOSED
    (more,) = scan(store, 1, finding(offset=1), finding(offset=1, rule="new-rule"))
    assert more.status is CLOSED
    (earlier,) = scan(store, 0, finding())
    assert (earlier.id, earlier.status) == (made.id, CLOSED)
    assert [what for what, _ in record(store, made.id)] == ["opened", "closed", "finding added", "finding added"]


def test_a_finding_in_a_later_night_reopens(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    close(store, made.id)
    (again,) = scan(store, 7, finding(offset=7))
    assert (again.id, again.status) == (made.id, OPEN)
    assert record(store, made.id)[2:] == [
        ("finding added", "2026-11-17: Inversion climb (high)"),
        ("reopened", "since it was closed: 2026-11-17: Inversion climb (high)"),
    ]


def test_a_finding_beyond_the_gap_opens_another_one(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    close(store, made.id)
    (other,) = scan(store, 8, finding(offset=8))
    assert (other.id == made.id, other.status) == (False, OPEN)
    assert stored(store)[0].status is CLOSED


def test_the_echo_of_a_closed_evening_does_not_reopen(store: Store) -> None:
    evening = finding()
    (made,) = scan(store, 0, evening)
    close(store, made.id)
    (same,) = scan(store, 3, finding(offset=3, horizon=Horizon.TRAILING, segment=evening.segment))
    assert (same.id, same.status) == (made.id, CLOSED)
    (again,) = scan(store, 4, finding(offset=4, horizon=Horizon.TRAILING))
    assert again.status is OPEN


def test_what_turns_out_graver_than_known_reopens(store: Store) -> None:
    (made,) = scan(store, 0, finding(level=Severity.MEDIUM))
    close(store, made.id)
    (again,) = scan(store, 0, finding(level=Severity.MEDIUM), finding(level=Severity.CRITICAL, rule="canary"))
    assert (again.status, again.severity) == (OPEN, Severity.CRITICAL)
    assert record(store, made.id)[-2:] == [
        ("reopened", "critical, and medium when it was closed"),
        ("severity changed", "medium -> critical: starts at critical: the highest level of a finding, Canary"),
    ]


def test_a_closed_incident_joined_with_an_open_one_is_open(store: Store) -> None:
    (alice,) = scan(store, 2, finding("alice", 2))
    close(store, alice.id)
    (bob,) = scan(store, 0, finding("bob"))
    (alice_2, bob_2) = sorted(scan(store, 1, campaign("ring", ["alice", "bob"], 1)), key=lambda one: one.id != alice.id)
    assert (bob_2.status, alice_2.status, alice_2.heir) == (OPEN, MERGED, bob.id)


def test_a_closed_heir_of_an_open_incident_opens_again(store: Store) -> None:
    (alice,) = scan(store, 0, finding("alice"))
    (bob,) = scan(store, 1, finding("bob", 1))
    close(store, alice.id)
    scan(store, 1, finding("bob", 1), campaign("ring", ["alice", "bob"], 1))
    assert {one.id: (one.status, one.heir) for one in stored(store)} == {
        alice.id: (OPEN, None),
        bob.id: (MERGED, alice.id),
    }
    assert record(store, alice.id)[-1] == ("reopened", f"joined with {bob.id}, not closed")


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        # What one of them had closed by then is news to the other one.
        (1, ("reopened", "since it was closed: 2026-11-11: Campaign pool (high)")),
        (0, ("merged", "took over INC-")),
    ],
)
def test_closed_incidents_joined_with_each_other(store: Store, joined: int, expected: tuple[str, str]) -> None:
    (alice,) = scan(store, 0, finding("alice"))
    (bob,) = scan(store, 2, finding("bob", 2))
    close(store, alice.id)
    close(store, bob.id)
    found = [finding("alice")] if joined == 0 else []
    heir, part = sorted(
        scan(store, joined, *found, campaign("ring", ["alice", "bob"], joined)), key=lambda one: one.heir is not None
    )
    assert (heir.status, part.status, part.heir) == (CLOSED if joined == 0 else OPEN, MERGED, heir.id)
    last = [line for line in record(store, heir.id) if line[0] in {"merged", "reopened"}][-1]
    assert (last[0], (last[1] or "")[: len(expected[1])]) == expected


def test_reopening_by_hand(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    close(store, made.id)
    with store.begin() as connection:
        settings = Settings(models={MODEL: ModelSettings(sensitivity="health")})
        again = lifecycle.reopen(
            connection, made.id, by="ben", reason="it was no drill", settings=settings, as_of=LATER
        )
    assert (again.status, again.severity) == (OPEN, Severity.CRITICAL)
    assert [what for what, _ in record(store, made.id)] == ["opened", "closed", "reopened", "severity changed"]
    assert stored(store) == (again,)


def test_reopening_meets_the_suppressions_of_today(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    close(store, made.id)
    with store.begin() as connection:
        suppressing.add(
            connection, client="alice", until=date(2026, 12, 1), reason="x", by="ann", settings=Settings(), as_of=LATER
        )
    assert stored(store)[0].status is CLOSED
    assert decide(store, "reopen", made.id, settings=Settings()).status is SUPPRESSED


def test_notes_can_be_added_whatever_the_status(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    close(store, made.id)
    decide(store, "note", made.id, text="asked the team")
    assert record(store, made.id)[-1] == ("note", "asked the team")


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ("acknowledge", "acknowledge", "is acknowledged .expected an open incident"),
        ("close", "acknowledge", "is closed .expected an open incident"),
        ("close", "close", "is closed .expected an incident that is not closed"),
        ("acknowledge", "reopen", "is acknowledged .expected a closed incident"),
    ],
)
def test_decisions_that_make_no_sense_are_refused(store: Store, first: str, then: str, message: str) -> None:
    (made,) = scan(store, 0, finding())
    more: dict[str, dict[str, object]] = {"close": {"reason": "x"}, "reopen": {"settings": Settings()}}
    decide(store, first, made.id, **more.get(first, {}))
    before = record(store, made.id)
    with pytest.raises(IncidentError, match=message):
        decide(store, then, made.id, **more.get(then, {}))
    assert record(store, made.id) == before


def test_a_merged_incident_sends_to_its_heir(store: Store) -> None:
    (alice,) = scan(store, 0, finding("alice"))
    (bob,) = scan(store, 1, finding("bob", 1))
    scan(store, 2, campaign("ring", ["alice", "bob"], 2))
    with pytest.raises(IncidentError, match=f"{bob.id} was merged into {alice.id}"):
        close(store, bob.id)


def test_a_withdrawn_incident_has_nothing_to_decide(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    scan(store, 0)
    with pytest.raises(IncidentError, match="has no finding left"):
        decide(store, "reopen", made.id, settings=Settings())


@pytest.mark.parametrize("blank", ["", "  \n"])
def test_a_reason_a_text_and_a_name_must_say_something(store: Store, blank: str) -> None:
    (made,) = scan(store, 0, finding())
    with pytest.raises(IncidentError, match="the reason is missing"):
        decide(store, "close", made.id, reason=blank)
    with pytest.raises(IncidentError, match="the text is missing"):
        decide(store, "note", made.id, text=blank)
    with pytest.raises(IncidentError, match="the author is missing"), store.begin() as connection:
        lifecycle.acknowledge(connection, made.id, by=blank, as_of=LATER)
