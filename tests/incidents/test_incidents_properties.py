"""Whatever comes in whatever order: the same findings make the same incidents."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from incident_making import AS_OF, campaign, finding, network, scan, stored
from sqlalchemy import text

from detector.config import Settings
from detector.incidents import lifecycle, suppressing
from detector.incidents.linking import MAX_GAP_NIGHTS, clients_with_findings, joins_clients, keys_of
from detector.model import Finding, Horizon, Incident, IncidentStatus, Severity, Technique, Trigger
from detector.store.engine import Store
from detector.store.incident_bodies import StoredFinding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NIGHTS = 24
CLIENTS = ("a", "b", "c", "d")
TABLES = ("finding", "incident", "incident_event", "suppression")


def _one(draw: Any, offset: int) -> Finding:
    more: dict[str, Any] = {
        "level": draw(st.sampled_from(list(Severity))),
        "technique": draw(st.sampled_from(list(Technique))),
        "p": draw(st.sampled_from([None, 0.5, 0.01, 1e-7])),
        "query_count": draw(st.integers(1, 5000)),
    }
    kind = draw(st.sampled_from(["client", "client", "campaign", "network"]))
    if kind == "client":
        rule = draw(st.sampled_from(["climb", "sweep", "anomaly.iforest"]))
        horizon = draw(st.sampled_from(list(Horizon)))
        trigger = (Trigger("final_confidence", draw(st.floats(allow_nan=True, allow_infinity=True))),)
        client = draw(st.sampled_from(CLIENTS))
        return finding(client, offset, rule=rule, horizon=horizon, trigger=trigger, **more)
    pool = draw(st.lists(st.sampled_from(CLIENTS), min_size=1, max_size=3, unique=True))
    if kind == "campaign":
        return campaign("-".join(sorted(pool)), pool, offset, **more)
    crowd = [f"n{number}" for number in range(draw(st.sampled_from([0, 9])))]
    return network(draw(st.sampled_from(["10.0.0.0/24", "10.0.1.0/24"])), pool + crowd, offset, **more)


@st.composite
def nights(draw: st.DrawFn) -> dict[int, tuple[Finding, ...]]:
    """Findings of some nights, each night's without repetitions."""
    offsets = draw(st.lists(st.integers(0, NIGHTS), min_size=1, max_size=6, unique=True))
    made = {}
    for offset in offsets:
        found = [_one(draw, offset) for _ in range(draw(st.integers(1, 4)))]
        made[offset] = tuple({one.id: one for one in found}.values())
    return made


@contextmanager
def fresh(empty: bytes) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "detector.db"
        file.write_bytes(empty)
        store = Store(f"sqlite:///{file}")
        try:
            yield store
        finally:
            store.close()


def living(store: Store) -> list[Incident]:
    gone = (IncidentStatus.MERGED, IncidentStatus.CLOSED)
    return [one for one in stored(store) if one.status not in gone]


def partition(store: Store) -> set[frozenset[str]]:
    return {frozenset(one.id for one in incident.findings) for incident in living(store)}


def by_hand(made: dict[int, tuple[Finding, ...]]) -> set[frozenset[str]]:
    """The definition of an incident, as slowly as it reads."""
    every = []
    for found in made.values():
        named = clients_with_findings(found)
        every += [StoredFinding(one, joins_clients(one, named)) for one in found]
    groups = [frozenset([index]) for index in range(len(every))]

    def near(one: frozenset[int], other: frozenset[int]) -> bool:
        keys = [{key for i in group for key in keys_of(every[i])} for group in (one, other)]
        days = [[every[i].finding.night.toordinal() for i in group] for group in (one, other)]
        gap = max(min(days[1]) - max(days[0]), min(days[0]) - max(days[1]))
        return bool(keys[0] & keys[1]) and gap <= MAX_GAP_NIGHTS

    while pair := next(((a, b) for a, b in combinations(groups, 2) if near(a, b)), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    return {frozenset(every[i].finding.id for i in group) for group in groups}


def dump(store: Store) -> dict[str, list[Any]]:
    """Return every byte that the stage stores."""
    with store.begin() as connection:
        found = {}
        for name in TABLES:
            order = "id" if name != "finding" else 'id COLLATE "C"' if connection.dialect.name != "sqlite" else "id"
            rows = connection.execute(text(f"SELECT * FROM {name} ORDER BY {order}"))
            found[name] = [tuple(row) for row in rows]
        return found


def seen(incident: Incident) -> tuple[Any, ...]:
    """Return what an incident says, apart from its id."""
    return (
        incident.status,
        incident.severity,
        incident.techniques,
        incident.entity_kind,
        incident.entity_id,
        incident.members,
        incident.nights,
        incident.query_count,
        incident.score,
        tuple(one.id for one in incident.findings),
        incident.atlas,
        incident.summary,
    )


quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(made=nights(), data=st.data())
def test_any_order_of_findings_and_nights_again_store_the_same_bytes(
    empty_sqlite: bytes, made: dict[int, tuple[Finding, ...]], data: st.DataObject
) -> None:
    with fresh(empty_sqlite) as store:
        for offset in sorted(made):
            scan(store, offset, *made[offset])
        expected = dump(store)
        for offset in data.draw(st.lists(st.sampled_from(sorted(made)), max_size=3)):
            scan(store, offset, *data.draw(st.permutations(made[offset])))
        assert dump(store) == expected
    with fresh(empty_sqlite) as store:
        for offset in sorted(made):
            scan(store, offset, *data.draw(st.permutations(made[offset])))
        assert dump(store) == expected


@quick
@given(made=nights(), data=st.data())
def test_incidents_are_those_of_the_definition_in_whatever_order_nights_come(
    empty_sqlite: bytes, made: dict[int, tuple[Finding, ...]], data: st.DataObject
) -> None:
    with fresh(empty_sqlite) as store:
        for offset in sorted(made):
            scan(store, offset, *made[offset])
        in_order = sorted(map(seen, living(store)), key=repr)
        assert partition(store) == by_hand(made)
    with fresh(empty_sqlite) as store:
        for offset in data.draw(st.permutations(sorted(made))):
            scan(store, offset, *made[offset])
        assert sorted(map(seen, living(store)), key=repr) == in_order


@quick
@given(first=nights(), then=nights(), data=st.data())
def test_what_stood_before_leaves_no_trace_in_what_is_linked(
    empty_sqlite: bytes,
    first: dict[int, tuple[Finding, ...]],
    then: dict[int, tuple[Finding, ...]],
    data: st.DataObject,
) -> None:
    final = {offset: then.get(offset, ()) for offset in {*first, *then}}
    with fresh(empty_sqlite) as store:
        for offset in data.draw(st.permutations(sorted(first))):
            scan(store, offset, *first[offset])
        opened = {one.id for one in stored(store)}
        for offset in data.draw(st.permutations(sorted(final))):
            scan(store, offset, *final[offset])
        assert partition(store) == by_hand(final)
        # Nothing is ever deleted, and every heir lives.
        assert opened <= {one.id for one in stored(store)}
        alive = {one.id for one in stored(store) if one.status is not IncidentStatus.MERGED}
        assert {one.heir for one in stored(store) if one.heir is not None} <= alive


def _play(store: Store, made: dict[int, tuple[Finding, ...]], order: Sequence[int]) -> None:
    for offset in order:
        scan(store, offset, *made[offset])
    with store.begin() as connection:
        muted = suppressing.add(
            connection,
            rule="climb",
            until=AS_OF.date(),
            reason="x \x00 \udcff y",
            by="ann",
            settings=Settings(),
            as_of=AS_OF,
        ).suppression
    live = [one for one in stored(store) if one.status is IncidentStatus.OPEN]
    if live:
        with store.begin() as connection:
            lifecycle.close(connection, live[0].id, by="ann", reason="x", as_of=AS_OF)
    for offset in order[:2]:
        scan(store, offset, *made[offset][1:])
    with store.begin() as connection:
        suppressing.remove(connection, muted.id, by="ben", reason="y", settings=Settings(), as_of=AS_OF)


@pytest.mark.postgres
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=nights(), data=st.data())
def test_both_databases_hold_the_same_bytes(
    empty_sqlite: bytes, postgres_store: Store, made: dict[int, tuple[Finding, ...]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(sorted(made)))
    with postgres_store.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE"))
    _play(postgres_store, made, order)
    with fresh(empty_sqlite) as store:
        _play(store, made, order)
        assert dump(postgres_store) == dump(store)
