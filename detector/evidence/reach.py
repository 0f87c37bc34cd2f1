"""Which of a client's queries belong to the evidence: the findings' stretches, followed to where they end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.context import RECONSTRUCTING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from detector.model import Finding, Incident, Segment

_SECOND = 1_000_000
_LONGEST_PAUSE = 1800 * _SECOND
_SMALLEST_BURST = 5
_FRAGMENT = 0.05


@dataclass(frozen=True, eq=False)
class Outline:
    """All queries of an incident's clients over its nights, in time order, as few bytes as will do.

    Attributes:
        id, ts: int64.
        client: int32, index into `clients`.
        label: int32, index into `labels`, -1 for none.
        confidence: float32, NaN for none.
    """

    id: NDArray[np.int64]
    ts: NDArray[np.int64]
    client: NDArray[np.int32]
    label: NDArray[np.int32]
    confidence: NDArray[np.float32]
    clients: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)

    def of(self, clients: Iterable[str]) -> NDArray[np.bool_]:
        """Return which queries one of `clients` sent."""
        codes = [self._codes[name] for name in clients if name in self._codes]
        if len(codes) == 1:
            return np.asarray(self.client == codes[0])
        return np.isin(self.client, codes)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.clients)}


@dataclass(frozen=True, eq=False)
class Reach:
    """What the evidence of an incident covers.

    Attributes:
        telling: which queries of the outline are evidence.
        targets: by class named in findings, the queries of its pursuit and the rule that named it.
    """

    telling: NDArray[np.bool_]
    targets: dict[str, tuple[NDArray[np.bool_], str]]


def reach(incident: Incident, outline: Outline) -> Reach:
    """Return the evidence of an incident.

    A finding rests on the stretch where its statistic is clearest. The climb that it is part of goes on beyond, and
    its end is what the attacker keeps; so a stretch with a target is followed in both directions over bursts that are
    as dense, until its clients pause for long. What a client sent at its ordinary pace within the stretch is left out.
    """
    telling = np.zeros(len(outline), dtype=bool)
    targets: dict[str, tuple[NDArray[np.bool_], str]] = {}
    seen: dict[tuple[Segment, tuple[str, ...], bool], NDArray[np.bool_]] = {}
    for finding in _carrying(incident):
        target = finding.segment.target if finding.technique in RECONSTRUCTING else None
        place = (finding.segment, finding.clients, target is not None)
        if place not in seen:
            seen[place] = _dense(_stretch(finding, outline), outline, follow=target is not None)
        rows = seen[place]
        if target is not None and rows.any():
            before, rule = targets.get(target, (np.zeros(len(outline), dtype=bool), finding.rule))
            targets[target] = (before | rows, rule)
        telling |= rows
    if not telling.any():
        # Findings of pooled windows can name a stretch that holds other accounts' queries alone.
        telling = outline.of(incident.clients) & _between(incident, outline)
    return Reach(telling, targets)


def _carrying(incident: Incident) -> list[Finding]:
    """Return the findings whose stretches are the evidence, the gravest first: those that say most precisely where.

    Others of the same incident speak of a whole window, ordinary queries and all.
    """
    ordered = sorted(incident.findings, key=lambda finding: (-finding.level.rank, finding.rule, finding.id))
    own = [finding for finding in ordered if finding.technique is incident.technique] or ordered
    if incident.technique in RECONSTRUCTING:
        return [finding for finding in own if finding.segment.target is not None] or own
    return own


def _between(incident: Incident, outline: Outline) -> NDArray[np.bool_]:
    return (outline.ts >= incident.first_ts) & (outline.ts <= incident.last_ts)


def _stretch(finding: Finding, outline: Outline) -> NDArray[np.bool_]:
    sent = outline.of(finding.clients)
    return sent & (outline.ts >= finding.segment.first_ts) & (outline.ts <= finding.segment.last_ts)


def _dense(rows: NDArray[np.bool_], outline: Outline, *, follow: bool) -> NDArray[np.bool_]:
    """Return `rows` cut down, client by client, to the bursts that make up most of it, and grown along them."""
    result = np.zeros(len(rows), dtype=bool)
    for client in np.unique(outline.client[rows]):
        places = np.flatnonzero(outline.client == client)
        kept = _bursts(outline.ts[places], np.flatnonzero(rows[places]), follow=follow)
        result[places[kept]] = True
    return result


def _bursts(moments: NDArray[np.int64], inside: NDArray[np.int64], *, follow: bool) -> NDArray[np.int64]:
    """Return the places of one client's queries that belong to the dense bursts of a stretch.

    Args:
        moments: of all its queries, in order.
        inside: places of the stretch, which are consecutive.
        follow: whether to go on beyond the stretch while bursts are as dense.
    """
    gaps = np.diff(moments[inside])
    pace = float(np.median(gaps)) if len(gaps) else 0.0
    # Bursts are what lies between pauses; one that is a fifth as dense is somebody's ordinary traffic.
    first = np.flatnonzero(np.diff(moments, prepend=-_LONGEST_PAUSE) > max(10 * pace, _SECOND))
    first = np.union1d(first, [0])
    last = np.append(first[1:], len(moments)) - 1
    size = last - first + 1
    own_pace = (moments[last] - moments[first]) / np.maximum(size - 1, 1)
    alike = (size >= _SMALLEST_BURST) & (own_pace <= max(5 * pace, _SECOND / 10))
    core = np.flatnonzero(alike & (last >= inside[0]) & (first <= inside[-1]))
    held = np.minimum(last[core], inside[-1]) - np.maximum(first[core], inside[0]) + 1
    if 2 * int(held.sum()) < len(inside):
        return inside
    core = _without_fragments(core, held, moments[first], moments[last])
    if follow:
        onward = [_onward(int(core[-1]), 1, alike, moments[first], moments[last])]
        onward.append(_onward(int(core[0]), -1, alike, moments[first], moments[last]))
        core = np.union1d(core, np.array([*onward[0], *onward[1]], dtype=np.int64))
    kept = np.concatenate([np.arange(first[i], last[i] + 1) for i in core])
    return kept if follow else np.intersect1d(kept, inside)


def _without_fragments(
    core: NDArray[np.int64], held: NDArray[np.int64], begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return bursts without those hours away from the rest that hold next to nothing of it: ordinary work.

    Args:
        core: bursts of a stretch, in order.
        held: queries of each that lie in the stretch.
        begins: first moment of every burst.
        ends: its last.
    """
    session = np.cumsum(np.append(0, begins[core[1:]] - ends[core[:-1]] > _LONGEST_PAUSE))
    size = np.bincount(session, weights=held)
    kept: NDArray[np.int64] = core[size[session] >= _FRAGMENT * size.max()]
    return kept


def _onward(
    start: int, step: int, alike: NDArray[np.bool_], begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> list[int]:
    """Return the bursts that carry on from `start` in one direction; what is sparse between them is passed over."""
    last, found, i = start, list[int](), start + step
    while 0 <= i < len(alike):
        pause = begins[i] - ends[last] if step > 0 else begins[last] - ends[i]
        if pause > _LONGEST_PAUSE:
            break
        if alike[i]:
            found.append(i)
            last = i
        i += step
    return found
