"""An incident's windows, feature by feature, against the model's other clients of the same night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.context import Peculiarity, WindowPortrait
from detector.model import EntityKind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date

    from detector.model import Incident
    from detector.store.evidence import StoredWindow

MAX_PORTRAITS = 4
MAX_PECULIARITIES = 10
TAIL = "_tail"


def paint(
    incident: Incident, windows_of: Callable[[date], Sequence[StoredWindow]], suspects: AbstractSet[str]
) -> tuple[WindowPortrait, ...]:
    """Return portraits of the windows that the findings speak of, those of the gravest findings first.

    Args:
        incident: the incident.
        windows_of: the model's windows of a night.
        suspects: clients in any incident above low; they are no measure of what is usual.
    """
    portraits: list[WindowPortrait] = []
    for kind, name, night in _subjects(incident):
        windows = windows_of(night)
        window = next((one for one in windows if one.entity_kind is kind and one.entity_id == name), None)
        if window is None or len(portraits) == MAX_PORTRAITS:
            continue
        peers = [one.features for one in windows if one.entity_kind is kind and one.entity_id not in suspects | {name}]
        triggered = _triggered(incident, night)
        portraits.append(WindowPortrait(kind, name, night, window.query_count, _features(window, peers, triggered)))
    return tuple(portraits)


def _subjects(incident: Incident) -> Iterable[tuple[EntityKind, str, date]]:
    """Return the windows to show: those of findings, then those of the clients that sent most."""
    ordered = sorted(incident.findings, key=lambda finding: (-finding.level.rank, finding.night, finding.id))
    subjects = [(finding.entity_kind, finding.entity_id, finding.night) for finding in ordered]
    members = sorted(incident.members, key=lambda member: (-member.query_count, member.client))
    for member in members:
        subjects += [(EntityKind.CLIENT, member.client, night) for night in member.nights]
    return dict.fromkeys(subjects)


def _triggered(incident: Incident, night: date) -> set[str]:
    """Return the features on which the findings of a night rest, those of low ones where there are no others."""
    findings = [one for one in incident.findings if one.night == night]
    telling = [one for one in findings if one.level is not Severity.LOW] or findings
    return {trigger.feature.removesuffix(TAIL) for one in telling for trigger in one.trigger}


def _features(
    window: StoredWindow, peers: Sequence[Mapping[str, float]], triggered: AbstractSet[str]
) -> tuple[Peculiarity, ...]:
    found = []
    for name, value in window.features.items():
        if name.endswith(TAIL):
            continue
        others = np.sort(np.array([one[name] for one in peers if name in one], dtype=np.float64))
        below = float(np.mean(others < value)) if len(others) else float("nan")
        found.append(Peculiarity(name, value, others, below, window.features.get(name + TAIL), name in triggered))
    found.sort(key=_most_telling_first)
    return tuple(found[:MAX_PECULIARITIES])


def _most_telling_first(one: Peculiarity) -> tuple[bool, float, float, str]:
    extreme = abs(one.below - 0.5) if np.isfinite(one.below) else 0.0
    return not one.triggered, -(one.tail or 0.0), -extreme, one.feature
