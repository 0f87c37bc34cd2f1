from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incident_making import campaign, finding, network

from detector.incidents.linking import (
    MAX_GAP_NIGHTS,
    SMALL_NETWORK,
    Node,
    clients_with_findings,
    joins_clients,
    keys_of,
    together,
)
from detector.model import Severity
from detector.store.incident_bodies import StoredFinding


def by_hand(nodes: list[Node]) -> set[frozenset[int]]:
    """The definition, as slowly as it reads: join two groups that share a key without a long gap, until none do."""
    groups = [frozenset([index]) for index in range(len(nodes))]

    def near(one: frozenset[int], other: frozenset[int]) -> bool:
        shared = {key for i in one for key in nodes[i].keys} & {key for i in other for key in nodes[i].keys}
        gap = max(
            min(nodes[i].first for i in other) - max(nodes[i].last for i in one),
            min(nodes[i].first for i in one) - max(nodes[i].last for i in other),
        )
        return bool(shared) and gap <= MAX_GAP_NIGHTS

    while pair := next(((a, b) for a, b in combinations(groups, 2) if near(a, b)), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    return set(groups)


nodes = st.lists(
    st.builds(
        lambda first, length, keys: Node(first, first + length, keys),
        st.integers(0, 60),
        st.sampled_from([0, 0, 0, 3]),
        st.frozensets(st.sampled_from("abcdef"), min_size=1, max_size=3),
    ),
    max_size=14,
)


@given(nodes)
def test_groups_are_those_of_the_definition(made: list[Node]) -> None:
    assert {frozenset(group) for group in together(made)} == by_hand(made)


def test_a_join_brings_others_within_reach() -> None:
    # c alone on night 1; c and d act together on night 9, which is too late; d on night 5 bridges the gap.
    nights = [Node(1, 1, {"c"}), Node(9, 9, {"c", "d"}), Node(5, 5, {"d"})]
    assert together(nights) == [[0, 1, 2]]


def test_thousands_of_findings_are_linked_quickly() -> None:
    # Each finding shares a client with the next one: one chain through all of them.
    chain = [Node(0, 0, {f"client:{n}", f"client:{n + 1}"}) for n in range(20_000)]
    assert [len(group) for group in together(chain)] == [20_000]


CROWD = [f"c{n}" for n in range(SMALL_NETWORK + 2)]


@pytest.mark.parametrize(
    ("clients", "named", "expected"),
    [
        (CROWD[:SMALL_NETWORK], 0, True),
        (CROWD, 0, False),
        (CROWD, len(CROWD) // 2 - 1, False),
        (CROWD, len(CROWD) // 2, True),
    ],
)
def test_a_crowded_network_ties_clients_only_if_half_of_them_stand_out(
    clients: list[str], named: int, expected: bool
) -> None:
    assert joins_clients(network("10.1.2.0/24", clients), frozenset(clients[:named])) is expected


@pytest.mark.parametrize(
    ("level", "named", "expected"),
    [
        (Severity.MEDIUM, 0, True),
        (Severity.LOW, 0, False),
        (Severity.LOW, len(CROWD) // 2, False),
        (Severity.LOW, len(CROWD) // 2 + 1, True),
    ],
)
def test_services_that_share_records_are_tied_by_a_low_finding_only_if_most_of_them_stand_out(
    level: Severity, named: int, expected: bool
) -> None:
    assert joins_clients(campaign("x", CROWD, level=level), frozenset(CROWD[:named])) is expected


@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_low_finding_about_a_network_ties_nobody_lest_two_campaigns_become_one(named: int) -> None:
    pair = network("10.1.2.0/24", CROWD[:2], level=Severity.LOW)
    assert not joins_clients(pair, frozenset(CROWD[:named]))


def test_clients_stand_out_by_findings_of_medium_or_higher_that_are_not_a_networks() -> None:
    assert clients_with_findings(
        [
            finding("a", level=Severity.MEDIUM),
            finding("b", level=Severity.LOW),
            campaign("x", ["c", "d"]),
            network("10.1.2.0/24", ["e"]),
        ]
    ) == {"a", "c", "d"}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (StoredFinding(finding("a")), {"client:a"}),
        (StoredFinding(campaign("x", ["a", "b"])), {"client:a", "client:b"}),
        (StoredFinding(campaign("x", [])), {"campaign:x"}),
        (StoredFinding(campaign("x", ["a", "b"]), joins=False), {"campaign:x"}),
        (StoredFinding(network("10.1.2.0/24", ["a"])), {"client:a", "network:10.1.2.0/24"}),
        (StoredFinding(network("10.1.2.0/24", ["a"]), joins=False), {"network:10.1.2.0/24"}),
    ],
)
def test_keys(stored: StoredFinding, expected: set[str]) -> None:
    assert keys_of(stored) == expected
