"""Findings that tell again what an earlier one told.

A trailing window looks back over seven nights, so one evening's attack can speak for a week: every night on which the
client sends anything at all, its week still holds that evening. Such an echo belongs to the incident, but it is no sign
that the attack went on: it must not count as repetition, and it must not open again what was closed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from detector.model import Finding, Horizon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.model import Segment


def without_echoes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that say something new, by night.

    A finding about a single night always does. One about a trailing window does where no other finding that counts, of
    the same rule about the same entity, overlaps it in time: a slow attack that only a week's window shows counts once
    a week.
    """
    counted: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda one: (one.horizon is not Horizon.NIGHT, one.night, one.id)):
        same = counted[finding.rule, finding.entity_kind, finding.entity_id]
        if finding.horizon is Horizon.NIGHT or not any(_overlap(finding.segment, one.segment) for one in same):
            same.append(finding)
    return tuple(sorted((one for same in counted.values() for one in same), key=lambda one: (one.night, one.id)))


def _overlap(one: Segment, other: Segment) -> bool:
    return one.first_ts <= other.last_ts and other.first_ts <= one.last_ts
