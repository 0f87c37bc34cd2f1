"""Which findings speak of the same actor.

An actor is a client, or accounts that act together. Two groups of findings are one incident when they share a key and
no more than seven nights lie from a night of the one to a night of the other; this is applied until nothing changes, so
the result depends neither on the order of the findings nor on the order in which nights were scanned.

A finding's keys:

- a client's finding has its client;
- a campaign's finding of medium or higher has every client whose queries are its evidence: that they act together is
  what it says;
- a network's finding has its network, and, if it is medium or higher, the clients whose queries are its evidence where
  they are few (`SMALL_NETWORK`), or where at least half of them have a finding of their own, medium or higher, in the
  same night. Behind an office's or a provider's address sit people who have nothing to do with each other: a crowded
  network whose clients look innocent one by one is an incident of the network, and leaves its clients' own alone;
- a network's finding of low has the network alone: neighbours of whom several are accused belong to as many actors;
- a campaign's finding of low has clients only where more than half of them have a finding of their own, medium or
  higher, in the same night: services that share records vary one another's inputs every night, and what one of them is
  accused of must not name the others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.model import EntityKind, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from detector.store.incident_bodies import StoredFinding

MAX_GAP_NIGHTS = 7
SMALL_NETWORK = 8


@dataclass(frozen=True)
class Node:
    """One thing to be linked: a finding, or an incident that is whole already.

    Attributes:
        first, last: its nights, as day numbers (`date.toordinal`).
        keys: what it can be joined by.
    """

    first: int
    last: int
    keys: Collection[str]


def clients_with_findings(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the clients that a finding of medium or higher names by themselves or as part of a campaign."""
    return frozenset(
        client
        for finding in findings
        if finding.entity_kind is not EntityKind.NETWORK and finding.level.rank >= Severity.MEDIUM.rank
        for client in finding.clients
    )


def joins_clients(finding: Finding, named: Collection[str]) -> bool:
    """Return whether a finding ties its clients' incidents together.

    Args:
        finding: the finding.
        named: what `clients_with_findings` gives for the same night.
    """
    if finding.entity_kind is EntityKind.CLIENT:
        return True
    twice, low = 2 * sum(client in named for client in finding.clients), finding.level < Severity.MEDIUM
    if finding.entity_kind is EntityKind.CAMPAIGN:
        return not low or twice > len(finding.clients)
    return not low and (len(finding.clients) <= SMALL_NETWORK or twice >= len(finding.clients))


def keys_of(stored: StoredFinding) -> frozenset[str]:
    """Return what a finding can be joined by."""
    finding = stored.finding
    keys = {f"client:{client}" for client in finding.clients} if stored.joins else set()
    if finding.entity_kind is not EntityKind.CAMPAIGN or not keys:
        keys.add(f"{finding.entity_kind}:{finding.entity_id}")
    return frozenset(keys)


def node_of(stored: StoredFinding) -> Node:
    """Return a finding as something to be linked."""
    night = stored.finding.night.toordinal()
    return Node(night, night, keys_of(stored))


class _Forest:
    """Disjoint groups of nodes, each with the span of its nights."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.parent = list(range(len(nodes)))
        self.first = [node.first for node in nodes]
        self.last = [node.last for node in nodes]

    def root(self, index: int) -> int:
        """Return the node that stands for a node's group."""
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def join(self, one: int, other: int) -> int:
        """Make one group of two, given by their roots; return its root."""
        low, high = sorted((one, other))
        self.parent[high] = low
        self.first[low] = min(self.first[low], self.first[high])
        self.last[low] = max(self.last[low], self.last[high])
        return low

    def join_neighbours(self, roots: Iterable[int]) -> bool:
        """Join those of the groups, which share a key, that no long gap separates; return whether any were."""
        ordered = sorted({self.root(index) for index in roots}, key=lambda root: (self.first[root], root))
        current = ordered[0]
        joined = False
        for index in ordered[1:]:
            if self.first[index] - self.last[current] <= MAX_GAP_NIGHTS:
                current = self.join(current, index)
                joined = True
            else:
                current = index
        return joined


def together(nodes: Sequence[Node]) -> list[list[int]]:
    """Return the groups of nodes that are one actor's, as positions, each group and their list in rising order.

    A join lengthens a group's span and gives it more keys, which can bring other groups within reach: rounds go on
    until one joins nothing. A round costs the number of keys; there are as many as the longest such chain has links,
    two or three in practice.
    """
    forest = _Forest(nodes)
    again = True
    while again:
        holders: dict[str, set[int]] = defaultdict(set)
        for index, node in enumerate(nodes):
            root = forest.root(index)
            for key in node.keys:
                holders[key].add(root)
        # A list, not a generator: every key has its turn in each round.
        again = any([forest.join_neighbours(roots) for roots in holders.values() if len(roots) > 1])  # noqa: C419
    groups: dict[int, list[int]] = defaultdict(list)
    for index in range(len(nodes)):
        groups[forest.root(index)].append(index)
    return list(groups.values())
