from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from incident_making import AS_OF, MODEL, campaign, finding, network, night, record, scan, stored

from detector.config import Settings
from detector.errors import IncidentError
from detector.incidents import suppressing
from detector.incidents.muting import matches
from detector.model import Finding, IncidentStatus, Severity
from detector.store import incidents as rows
from detector.store.suppressions import Suppression, suppressions

if TYPE_CHECKING:
    from detector.incidents.suppressing import Reach
    from detector.store.engine import Store

OPEN, ACKNOWLEDGED, CLOSED, SUPPRESSED, MERGED = IncidentStatus
UNTIL = date(2026, 11, 30)
LAST_MOMENT = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
AFTER = datetime(2026, 12, 1, tzinfo=UTC)


def mute(
    store: Store, *, rule: str | None = None, client: str | None = None, network: str | None = None, until: date = UNTIL
) -> Reach:
    with store.begin() as connection:
        return suppressing.add(
            connection,
            rule=rule,
            client=client,
            network=network,
            until=until,
            reason="known workload",
            by="ann",
            settings=Settings(),
            as_of=AS_OF,
        )


def unmute(store: Store, number: int, as_of: datetime = AS_OF) -> Reach:
    with store.begin() as connection:
        return suppressing.remove(connection, number, reason="a mistake", by="ben", settings=Settings(), as_of=as_of)


def highest(store: Store, offset: int = 0) -> Severity | None:
    with store.begin() as connection:
        return rows.highest_open(connection, [(MODEL, night(offset))])


@pytest.mark.parametrize(
    ("parts", "found", "expected"),
    [
        ({"rule": "inversion-climb"}, finding("alice"), True),
        ({"rule": "inversion-climb"}, finding("alice", rule="inversion-climb-2"), False),
        ({"client": "alice"}, finding("alice"), True),
        ({"client": "alice"}, finding("bob"), False),
        ({"rule": "inversion-climb", "client": "alice"}, finding("alice"), True),
        ({"rule": "inversion-climb", "client": "alice"}, finding("bob"), False),
        ({"rule": "other", "client": "alice"}, finding("alice"), False),
        ({"client": "alice"}, campaign("x", ["alice", "bob"]), False),
        ({"client": "alice"}, campaign("x", ["alice"]), True),
        ({"client": "10.1.2.0/24"}, network("10.1.2.0/24", []), False),
        ({"network": "10.1.2.0/24"}, network("10.1.2.0/24", ["alice"]), True),
        ({"network": "10.1.0.0/16"}, network("10.1.2.0/24", ["alice"]), True),
        ({"network": "10.1.2.0/25"}, network("10.1.2.0/24", ["alice"]), False),
        ({"network": "2001:db8::/32"}, network("2001:db8:1::/48", ["alice"]), True),
        ({"network": "::/0"}, network("10.1.2.0/24", ["alice"]), False),
        ({"network": "10.1.2.0/24"}, finding("alice"), False),
        ({"network": "10.1.2.0/24"}, finding("10.1.2.0/24"), False),
        ({"network": "10.1.2.0/24"}, network("unknown", ["alice"]), False),
        ({"client": "a\\u0000b"}, finding("a\x00b"), True),
    ],
)
def test_every_part_given_must_fit(parts: dict[str, str], found: Finding, expected: bool) -> None:
    whole = {"rule": None, "client": None, "network": None, **parts}
    made = Suppression(**whole, id=1, until=UNTIL, reason="r", author="a", created_at="")  # type: ignore[arg-type]
    assert matches(made, found) is expected


def test_an_open_incident_is_reached_at_once(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    reach = mute(store, client="alice")
    assert [(one.id, one.status) for one in reach.incidents] == [(made.id, SUPPRESSED)]
    assert highest(store) is None
    assert record(store, made.id)[1:] == [
        ("suppressed", "1 of 1 finding muted: suppression 1 until 2026-11-30: known workload")
    ]
    with store.begin() as connection:
        assert rows.events(connection, made.id)[1].who == "ann"


def test_muting_one_client_does_not_mute_the_rule(store: Store) -> None:
    scan(store, 0, finding("alice"), finding("bob"))
    mute(store, rule="inversion-climb", client="alice")
    scan(store, 1, finding("alice", 1), finding("bob", 1), finding("carol", 1))
    assert {one.clients[0]: one.status for one in stored(store)} == {
        "alice": SUPPRESSED,
        "bob": OPEN,
        "carol": OPEN,
    }


def test_an_account_of_a_campaign_cannot_hide_it(store: Store) -> None:
    scan(store, 0, finding("alice"), campaign("ring", ["alice", "bob"]))
    mute(store, client="alice")
    (one,) = stored(store)
    assert (one.status, one.clients) == (OPEN, ("alice", "bob"))


def test_a_new_incident_can_be_born_suppressed(store: Store) -> None:
    scan(store, 0)
    mute(store, rule="inversion-climb")
    (made,) = scan(store, 0, finding())
    assert made.status is SUPPRESSED
    assert record(store, made.id) == [
        ("opened", "2026-11-10: Inversion climb (high); severity high"),
        ("suppressed", "every finding is muted"),
    ]
    assert scan(store, 0, finding()) == (made,)
    assert len(record(store, made.id)) == 2


def test_a_new_finding_that_nothing_mutes_brings_it_back(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    mute(store, rule="inversion-climb")
    (same,) = scan(store, 1, finding(offset=1, rule="sweep", level=Severity.MEDIUM))
    assert (same.id, same.status, same.severity) == (made.id, OPEN, Severity.MEDIUM)
    assert (highest(store, 0), highest(store, 1)) == (None, Severity.MEDIUM)


def test_what_remains_decides_the_severity(store: Store) -> None:
    (made,) = scan(store, 0, finding(), finding(rule="sweep", level=Severity.LOW, p=0.25))
    mute(store, rule="inversion-climb")
    (left,) = stored(store)
    assert (left.severity, left.score, left.status) == (Severity.LOW, 0.5, OPEN)
    assert record(store, made.id)[1:] == [
        ("severity changed", "high -> low: starts at low: the highest level of a finding, Sweep"),
        ("suppressed", "1 of 2 findings muted: suppression 1 until 2026-11-30: known workload"),
    ]


def test_it_holds_to_the_end_of_its_last_day_and_no_longer(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    mute(store, client="alice")
    scan(store, 1, as_of=LAST_MOMENT)
    assert stored(store)[0].status is SUPPRESSED
    (back,) = scan(store, 1, as_of=AFTER)
    assert (back.id, back.status) == (made.id, OPEN)
    assert record(store, made.id)[-1] == ("unsuppressed", "1 finding no longer muted: the suppression has expired")
    assert highest(store) is Severity.HIGH
    assert scan(store, 1, as_of=AFTER) == ()


def test_the_present_shows_what_no_scan_has_settled(store: Store) -> None:
    scan(store, 0, finding())
    mute(store, client="alice")
    with store.begin() as connection:
        found = rows.list_incidents(connection)
        assert [one.status for one in suppressing.current(connection, found, LAST_MOMENT)] == [SUPPRESSED]
        assert [one.status for one in suppressing.current(connection, found, AFTER)] == [OPEN]


def test_removing_brings_back_at_once(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    mute(store, client="alice")
    reach = unmute(store, 1)
    assert (reach.suppression.removed_by, reach.suppression.removed_at) == ("ben", "2026-11-25T06:00:00.000000Z")
    assert [(one.id, one.status) for one in reach.incidents] == [(made.id, OPEN)]
    assert record(store, made.id)[-1] == (
        "unsuppressed",
        "1 finding no longer muted: suppression 1 removed: a mistake",
    )
    with pytest.raises(IncidentError, match="suppression 1 was already removed by ben"):
        unmute(store, 1)


def test_a_second_suppression_takes_over_from_the_first(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    mute(store, client="alice", until=date(2026, 11, 26))
    mute(store, rule="inversion-climb")
    scan(store, 1, as_of=datetime(2026, 11, 27, tzinfo=UTC))
    assert stored(store)[0].status is SUPPRESSED
    unmute(store, 2, datetime(2026, 11, 27, tzinfo=UTC))
    assert stored(store)[0].status is OPEN
    assert [what for what, _ in record(store, made.id)] == ["opened", "suppressed", "unsuppressed"]


def test_an_acknowledged_incident_comes_back_acknowledged(store: Store) -> None:
    from detector.incidents.lifecycle import acknowledge

    (made,) = scan(store, 0, finding())
    with store.begin() as connection:
        acknowledge(connection, made.id, by="ann", as_of=AS_OF)
    mute(store, client="alice")
    assert stored(store)[0].status is SUPPRESSED
    unmute(store, 1)
    assert stored(store)[0].status is ACKNOWLEDGED


def test_a_muted_finding_does_not_reopen_what_was_closed(store: Store) -> None:
    from detector.incidents.lifecycle import close

    (made,) = scan(store, 0, finding())
    with store.begin() as connection:
        close(connection, made.id, by="ann", reason="known", as_of=AS_OF)
    mute(store, client="alice")
    (same,) = scan(store, 1, finding(offset=1))
    assert (same.id, same.status) == (made.id, CLOSED)
    (other,) = scan(store, 2, finding(offset=2, rule="canary"))
    assert (other.id, other.status) == (made.id, CLOSED)
    mute(store, rule="nothing-of-this-name")
    unmute(store, 1)
    (again,) = scan(store, 2, finding(offset=2, rule="canary"))
    assert again.status is OPEN


def test_suppressions_are_listed_as_they_were_made(store: Store) -> None:
    mute(store, network="10.1.2.7/24")
    with store.begin() as connection:
        assert suppressions(connection) == (
            Suppression(1, None, None, "10.1.2.0/24", UNTIL, "known workload", "ann", "2026-11-25T06:00:00.000000Z"),
        )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "would blind the site"),
        ({"rule": ""}, "matches nothing"),
        ({"network": "10.1.2.0/33"}, "is not a network"),
        ({"network": "office"}, "is not a network"),
        ({"rule": "r", "until": date(2026, 11, 24)}, "2026-11-24 has passed"),
        ({"rule": "r", "reason": " "}, "the reason is missing"),
        ({"rule": "r", "by": ""}, "the author is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(store: Store, more: dict[str, object], message: str) -> None:
    given = {"until": UNTIL, "reason": "known", "by": "ann", **more}
    with pytest.raises(IncidentError, match=message), store.begin() as connection:
        suppressing.add(connection, settings=Settings(), as_of=AS_OF, **given)  # type: ignore[arg-type]
    with store.begin() as connection:
        assert suppressions(connection) == ()


@pytest.mark.parametrize("number", [0, -1, 7, 1 << 63])
def test_an_unknown_number_is_refused(store: Store, number: int) -> None:
    with pytest.raises(IncidentError, match=f"there is no suppression {number}"):
        unmute(store, number)
