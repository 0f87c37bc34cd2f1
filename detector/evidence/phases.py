"""The attack as a story: reconnaissance, bulk sweep, climb, refinement, next target, each with what marks it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence import pursuit as pursuing
from detector.evidence.confidence import Distribution, describe
from detector.evidence.context import Stretch
from detector.evidence.nearness import NEAR
from detector.model import Technique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import Pursuit, Queries

RECONNAISSANCE = "reconnaissance"
BULK = "bulk sweep"
INSIDE = "walk inside the class"
LOCAL = "local search"

MEANINGS = {
    RECONNAISSANCE: "few queries, or slow ones: the interface and its answers are tried out",
    BULK: "many inputs far apart: starting points are collected, and the class pursued does not move yet",
    pursuing.CLIMB: "each answer is used to choose the next query: the best probability so far keeps rising",
    pursuing.REFINEMENT: "small steps around the best input: the probability is nearly as high as it gets",
    INSIDE: "labels alone are read: queries keep to where the label is the class pursued",
    LOCAL: "small steps around earlier inputs",
}

_OTHERWISE = {
    Technique.INVERSION: "query of the search",
    Technique.ATTRIBUTE: "guess of a field",
    Technique.MEMBERSHIP: "record probed",
    Technique.EXTRACTION: "query for coverage",
    Technique.EVASION: "search along the boundary",
    Technique.PROBING: "probe",
}

MAX_PHASES = 24
_FEW = 20
_HANDFUL = 5
_SHORTEST = 10
_SLOWER = 3.0
_SHORTER = 2.0
_FLAT = 0.3
_TICK = 1_000
_PAUSE = 60_000_000
_LONG_PAUSES = 20
_MOST_PAUSES = 5


@dataclass(frozen=True, eq=False)
class Phase:
    """One phase of an attack.

    Attributes:
        name: one of `MEANINGS`.
        target: the class pursued, None where none is.
        is_next: whether it begins the pursuit of another class than the phase before.
        rows: the held queries that belong to it, in time order.
        first_ts, last_ts: of them.
        rate: queries a minute.
        step: median distance to the nearest of the client's last queries, in units of the distance between two
            ordinary inputs; NaN where that is not known.
        near: share of near-duplicates, NaN likewise.
        start, best: probability of the class pursued at the phase's first answers, and the best up to its end; NaN
            where the answers do not tell.
        rises: queries that raised the best probability so far.
        labels: different labels answered.
        on_target: share answered with the class pursued, NaN where none is.
        confidence: how sure the model was of its answers, None where they do not tell.
    """

    name: str
    target: str | None
    is_next: bool
    rows: NDArray[np.int64]
    first_ts: int
    last_ts: int
    rate: float
    step: float
    near: float
    start: float
    best: float
    rises: int
    labels: int
    on_target: float
    confidence: Distribution | None


@dataclass(frozen=True, eq=False)
class _Part:
    name: str
    pursuit: Pursuit | None
    rows: NDArray[np.int64]


def refine(one: Pursuit, queries: Queries, near: NDArray[np.float32]) -> Pursuit:
    """Return a pursuit whose stretches are told apart by the length of steps and the pace, too.

    Args:
        one: the pursuit.
        queries: the telling queries that are held.
        near: of each query held, the distance to the nearest of its client's last ones, see `Trace`.
    """
    parts = [part for part in _parts(one, queries, near) if len(part.rows)]
    stretches: list[Stretch] = []
    first = 0
    for i, part in enumerate(parts):
        end = sum(len(before.rows) for before in parts[: i + 1])
        # A handful of queries is no phase: it belongs to what follows, and at the end to what came before.
        if end - first >= _HANDFUL or (i == len(parts) - 1 and not stretches):
            stretches.append(Stretch(part.name, MEANINGS[part.name], first, end))
            first = end
    if stretches and first < len(one.rows):
        stretches[-1] = replace(stretches[-1], end=len(one.rows))
    return replace(one, stretches=tuple(stretches))


def find(queries: Queries, pursuits: Sequence[Pursuit], near: NDArray[np.float32]) -> tuple[Phase, ...]:
    """Return the phases of an attack in the order in which they begin.

    Args:
        queries: the telling queries that are held.
        pursuits: the classes gone after, refined.
        near: of each query held, the distance to the nearest of its client's last ones, see `Trace`.
    """
    if not len(queries):
        return ()
    taken = np.zeros(len(queries), dtype=np.bool_)
    parts: list[_Part] = []
    for one in sorted(pursuits, key=lambda pursuit: int(pursuit.rows[0])):
        for stretch in one.stretches:
            rows = one.rows[stretch.first : stretch.end]
            free = rows[~taken[rows]]
            taken[free] = True
            parts.append(_Part(stretch.name, one, free))
    parts += _rest(np.flatnonzero(~taken), queries, near, between=bool(pursuits))
    parts = sorted((part for part in parts if len(part.rows)), key=lambda part: int(part.rows[0]))[:MAX_PHASES]
    return tuple(_phase(part, before, queries, near) for part, before in zip(parts, [None, *parts], strict=False))


def patterns(count: int, found: Sequence[Phase], technique: Technique) -> NDArray[np.object_]:
    """Return, query by query, the words for what it shows."""
    words = np.full(count, _OTHERWISE[technique], dtype=object)
    for phase in found:
        if phase.target is not None:
            words[phase.rows] = f"{phase.name} towards {phase.target}"
    return words


def _parts(one: Pursuit, queries: Queries, near: NDArray[np.float32]) -> list[_Part]:
    if not one.scored:
        inside = np.flatnonzero(queries.label[one.rows] == one.target)
        cut = int(inside[0]) if len(inside) else len(one.rows)
        return [*_sweep(one, one.rows[:cut], queries, near), _Part(INSIDE, one, one.rows[cut:])]
    rows = {stretch.name: one.rows[stretch.first : stretch.end] for stretch in one.stretches}
    early = np.concatenate([rows.pop(pursuing.SWEEP, one.rows[:0]), rows.pop(pursuing.CLIMB, one.rows[:0])])
    begins = max(_swept(one, early, near), next((x.end for x in one.stretches if x.name == pursuing.SWEEP), 0))
    found = [*_sweep(one, early[:begins], queries, near), _Part(pursuing.CLIMB, one, early[begins:])]
    return [*found, *(_Part(name, one, rest) for name, rest in rows.items())]


def _swept(one: Pursuit, rows: NDArray[np.int64], near: NDArray[np.float32]) -> int:
    """Return how many of the first queries of a pursuit lay far apart and did not rise, though the best of them did.

    The best of many random inputs rises by luck alone; a climb begins where steps become small.
    """
    known = near[rows]
    if len(rows) < 2 * _FEW or not np.isfinite(known).any():
        return 0
    farthest = float(known[np.isfinite(known)].max())
    cut = _drops(np.where(np.isfinite(known), known, farthest), _SHORTER)
    values = one.probability[:cut]
    values = values[np.isfinite(values)]
    if cut < _FEW or len(values) < _FEW or values.min() == values.max():
        return 0
    return cut if abs(float(np.corrcoef(np.arange(len(values)), _ranks(values))[0, 1])) < _FLAT else 0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return midranks: equal values share one, or a constant stretch would have an order of its own."""
    ordered = np.sort(values)
    first, last = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray((first + last) / 2.0)


def _sweep(one: Pursuit | None, rows: NDArray[np.int64], queries: Queries, near: NDArray[np.float32]) -> list[_Part]:
    """Return the queries before a climb as reconnaissance, a bulk sweep, or the one after the other."""
    if len(rows) < _FEW:
        return [_Part(RECONNAISSANCE, one, rows)]
    cut = _drops(np.maximum(np.diff(queries.ts[rows]), _TICK), _SLOWER)
    # The query that ends the last slow gap is still a slow one.
    cut += 1 if cut else 0
    parts = [_Part(RECONNAISSANCE, one, rows[:cut])] if cut else []
    known = near[rows[cut:]]
    known = known[~np.isnan(known)]
    name = LOCAL if len(known) and float(np.median(known)) < NEAR else BULK
    return [*parts, _Part(name, one, rows[cut:])]


def _drops(values: NDArray[np.floating], ratio: float) -> int:
    """Return before which value a positive series clearly falls to a lower level, 0 where it does not."""
    logs = np.log(np.maximum(values.astype(np.float64), 1e-9))
    if len(logs) < 2 * _SHORTEST:
        return 0
    count = np.arange(1, len(logs))
    total = np.cumsum(logs)
    fall = total[:-1] / count - (total[-1] - total[:-1]) / (len(logs) - count)
    # The cut that explains most of the spread of the values, not the one with the largest contrast at an end.
    explained = np.where(fall > 0, fall**2 * count * (len(logs) - count), -1.0)
    place = int(np.argmax(explained[_SHORTEST - 1 : len(logs) - _SHORTEST])) + _SHORTEST
    return place if fall[place - 1] > np.log(ratio) else 0


def _rest(rows: NDArray[np.int64], queries: Queries, near: NDArray[np.float32], *, between: bool) -> list[_Part]:
    """Return the queries outside every pursuit, cut at the longest pauses."""
    if not len(rows):
        return []
    gaps = np.diff(queries.ts[rows])
    long = np.flatnonzero(gaps > max(_PAUSE, _LONG_PAUSES * float(np.median(gaps)))) if len(gaps) else gaps
    if between:
        # What lies between the pursuits belongs together only where no pursuit lies in between.
        long = np.union1d(long, np.flatnonzero(np.diff(rows) > 1))
    longest = np.sort(long[np.argsort(-gaps[long], kind="stable")][:_MOST_PAUSES])
    return [part for group in np.split(rows, longest + 1) for part in _sweep(None, group, queries, near)]


def _phase(part: _Part, before: _Part | None, queries: Queries, near: NDArray[np.float32]) -> Phase:
    rows, one = part.rows, part.pursuit
    first, last = int(queries.ts[rows[0]]), int(queries.ts[rows[-1]])
    known = near[rows]
    known = known[~np.isnan(known)]
    labels = [str(label) for label in queries.label[rows] if label is not None]
    told = queries.confidence[rows]
    told = told[np.isfinite(told)]
    start, best, rises = _progress(one, rows)
    is_next = one is not None and before is not None and before.pursuit is not None and before.pursuit is not one
    return Phase(
        name=part.name,
        target=one.target if one is not None else None,
        is_next=is_next,
        rows=rows,
        first_ts=first,
        last_ts=last,
        rate=(len(rows) - 1) * 60e6 / (last - first) if last > first else float("nan"),
        step=float(np.median(known)) if len(known) else float("nan"),
        near=float(np.mean(known < NEAR)) if len(known) else float("nan"),
        start=start,
        best=best,
        rises=rises,
        labels=len(set(labels)),
        on_target=float(np.mean([label == one.target for label in labels])) if one is not None and labels else np.nan,
        confidence=describe(part.name, f"{len(told):,} answers", told) if len(told) else None,
    )


def _progress(one: Pursuit | None, rows: NDArray[np.int64]) -> tuple[float, float, int]:
    """Return a phase's first probabilities, the best up to its end, and how often it was raised within."""
    if one is None or not one.scored:
        return float("nan"), float("nan"), 0
    places = np.searchsorted(one.rows, rows)
    values = one.probability[places]
    values = values[np.isfinite(values)]
    best = one.best_so_far
    rises = np.flatnonzero(best[1:] > best[:-1]) + 1
    start = float(np.median(values[:5])) if len(values) else float("nan")
    return start, float(best[places[-1]]), int(np.isin(places, rises).sum())
