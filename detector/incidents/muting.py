"""Which findings a suppression reaches.

Every part that a suppression gives must fit: a rule and a client together mute that rule for that client and nothing
else. A client's part fits findings that rest on this client's queries alone; a campaign that it takes part in still
alarms. A network's part fits the windows of networks that lie within it. It does not reach findings about clients: they
do not carry the addresses that the queries came from, and muting on a guess would hide an attacker.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from detector.model import EntityKind, Finding
from detector.store.incident_bodies import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from detector.store.incident_bodies import StoredFinding
    from detector.store.suppressions import Suppression


def matches(suppression: Suppression, finding: Finding) -> bool:
    """Return whether a suppression reaches a finding, whatever the date."""
    if suppression.rule is not None and suppression.rule != clean(finding.rule):
        return False
    if suppression.client is not None and not _rests_on(finding, suppression.client):
        return False
    return suppression.network is None or _lies_within(finding, suppression.network)


def _rests_on(finding: Finding, client: str) -> bool:
    if finding.entity_kind is EntityKind.CLIENT:
        return clean(finding.entity_id) == client
    return {clean(one) for one in finding.clients} == {client}


def _lies_within(finding: Finding, network: str) -> bool:
    if finding.entity_kind is not EntityKind.NETWORK:
        return False
    try:
        inner, outer = ip_network(finding.entity_id, strict=False), ip_network(network, strict=False)
    except ValueError:
        return False
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def mute(
    findings: Iterable[StoredFinding], suppressions: Sequence[Suppression], as_of: datetime
) -> tuple[StoredFinding, ...]:
    """Return the findings, each marked with the oldest suppression that holds and reaches it, or with none."""
    holding = [one for one in suppressions if one.holds(as_of)]
    return tuple(
        replace(stored, suppression_id=next((one.id for one in holding if matches(one, stored.finding)), None))
        for stored in findings
    )
