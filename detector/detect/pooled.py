"""Findings about a network or a campaign: whose queries are the evidence?

A network window pools the queries of every client behind one address range. Where one of them is suspicious by itself
of the same, or sent most of the stretch, the pooled stream shows that client's pattern once more and says nothing
new; the finding is left out, or else every neighbour would be named in somebody's attack. Where none is, the evidence
is the stretch that the finding rests on, and only the clients that asked in it are named. Where they are few, it is
low: each of them sends enough of a shared attack to be seen by itself, and strangers at one address make any pattern.

A campaign's members are those whose queries link them, and are named all. Only where a client that is suspicious by
itself sent nearly everything in the stretch, the finding tells of that client, and the others are its bystanders.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.model import EntityKind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from detector.model import Finding, Segment

    Askers = Callable[[Segment, tuple[str, ...]], Mapping[str, int]]

# A client with fewer of the stretch's queries than this share happened to ask meanwhile.
_FEWEST_SHARE = 0.02
_MOST = 0.5
# Of fewer clients each sends a quarter of an attack or more.
_FEWEST_TOGETHER = 5
# One of two accounts in turn sends half.
_NEARLY_ALL = 0.8


def attribute_networks(findings: Sequence[Finding], askers: Askers) -> tuple[Finding, ...]:
    """Return `findings` with those about pools of clients left out or narrowed to the clients behind them.

    Args:
        findings: what window rules said of a night.
        askers: counts the queries of each of some clients within a segment.
    """
    alone = {
        (finding.technique, client)
        for finding in findings
        if finding.entity_kind is EntityKind.CLIENT and finding.level >= Severity.MEDIUM
        for client in finding.clients
    }
    suspects = {client for _, client in alone}
    kept = []
    for finding in findings:
        known = any((finding.technique, client) in alone for client in finding.clients)
        if finding.entity_kind is EntityKind.CAMPAIGN:
            if not known or _shared_out(finding, askers):
                kept.append(finding)
        elif finding.entity_kind is not EntityKind.NETWORK:
            kept.append(finding)
        elif not known:
            counts = askers(finding.segment, finding.clients)
            total = sum(counts.values())
            if sum(counts.get(client, 0) for client in suspects) > _MOST * total:
                continue
            named = tuple(sorted(client for client, count in counts.items() if count >= _FEWEST_SHARE * total))
            # One client alone would have its own window; what it does with its neighbours' noise added is no finding.
            if len(named) > 1:
                level = finding.level if len(named) >= _FEWEST_TOGETHER else Severity.LOW
                kept.append(replace(finding, clients=named, level=level))
    return tuple(kept)


def _shared_out(finding: Finding, askers: Askers) -> bool:
    """Return whether more than one of the clients sent what a campaign's finding rests on."""
    counts = askers(finding.segment, finding.clients)
    return max(counts.values(), default=0) < _NEARLY_ALL * sum(counts.values())
