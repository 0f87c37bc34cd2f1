"""Where a search converged: which of its queries the attacker kept, told by what was asked around them.

Scores are rounded, so that many queries of a long search are answered equally well. Which of them the attacker holds
in the end depends on the search. Most keep the first, for only what is better replaces it. Searches by mutation go on
from each that is as good; they hold the last. The log tells the two apart: mutants lie around their parent, nearer to
it than to each other, whereas the members of a population or the points of a sweep are not nearer to an earlier one
because it was answered well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.pursuit import BEST_KEPT, best_candidates, reshaped, tops
from detector.evidence.space import TextSpace, record_space, vector_space
from detector.model import InputKind
from detector.store.decode import record, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import Inputs, Pursuit, Queries

NEIGHBOURS = 16
"""Queries before and after each one that it is compared with."""

ALONE = 5.0
"""So many times farther from its nearest neighbour than its neighbours are from theirs: an ordinary query."""

AROUND = 0.85
"""Below this ratio of distances queries lie around a point: mutants of one lie √½ times as far from it as from each
other, where values are clipped at a border up to 0.86 times; points that were drawn alike lie equally far."""

MOVED = 0.9
"""Below this ratio of distances to the latest and to the first best query, the search has left the first."""

_LEAP = 2.0
_MOST_STEPS = 0.9
_SIBLINGS = 8
_LOOKED_AT = 400
_MOST_STRAYS = 40


@dataclass(frozen=True, eq=False)
class Ground:
    """The inputs of an incident as points between which distances mean something.

    Attributes:
        inputs: those that are held.
        scale: spread of each place of a vector: a field of large numbers is no more than one of small ones.
    """

    inputs: Inputs
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, inputs: Inputs) -> Ground:
        """Measure the spread of inputs; where they are no vectors there is none."""
        usable = np.isfinite(inputs.vectors).all(axis=1)
        if not usable.any():
            return cls(inputs, np.ones(inputs.dimension))
        return cls(inputs, vector_space(inputs.vectors[usable], image=False).scale)

    def points(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the points of queries, and which of `rows` they are of: some inputs are not held."""
        places = [self.inputs.place(int(row)) for row in rows]
        held = np.array([number for number, place in enumerate(places) if place is not None], dtype=np.int64)
        kept = [place for place in places if place is not None]
        if not kept:
            return np.empty((0, 0)), held
        if self.inputs.dimension:
            points = self.inputs.vectors[kept] / self.scale
            usable = np.isfinite(points).all(axis=1)
            return points[usable], held[usable]
        payloads = [self.inputs.payloads[place] or b"" for place in kept]
        if self.inputs.kind is InputKind.TEXT:
            return TextSpace().encode([text(payload) for payload in payloads]).astype(np.float64), held
        records = [record(payload) or {} for payload in payloads]
        space = record_space(records, sorted({name for each in records for name in each}))
        return space.encode(records).astype(np.float64), held


def settled(one: Pursuit, queries: Queries, inputs: Inputs) -> Pursuit:
    """Return a pursuit without the ordinary queries that lie within it, and with `best` as the attacker has it.

    Args:
        one: a pursuit as `pursuit.find` returns it.
        queries: the telling queries.
        inputs: those that are held.

    Returns:
        The pursuit; queries that no other was sent around tell nothing of it (NaN), and `best` holds different inputs,
        the reconstruction first.
    """
    ground = Ground.of(inputs)
    if one.scored:
        one = _without_strays(one, ground)
    order = best_candidates(one, queries)
    ties = tops(one)
    if one.scored and len(ties) > 1 and _goes_on_from_each(one, ties, ground):
        order = _latest_first(order, ties, one)
    return reshaped(one, one.probability, _different(one, order, ground))


def _latest_first(order: Sequence[int], ties: NDArray[np.int64], one: Pursuit) -> list[int]:
    equal = {int(row) for row in one.rows[ties]}
    return [*sorted((row for row in order if row in equal), reverse=True), *(row for row in order if row not in equal)]


def _without_strays(one: Pursuit, ground: Ground) -> Pursuit:
    """Return the pursuit without answers to ordinary queries that are better than any answer of the search."""
    for _ in range(_MOST_STRAYS):
        ties = tops(one)
        # Where nothing but such queries is left, they are what there is.
        if len(ties) == np.isfinite(one.probability).sum():
            return one
        if not all(_stands_alone(one, int(place), ground) for place in ties):
            return one
        probability = one.probability.copy()
        probability[ties] = np.nan
        one = reshaped(one, probability, ())
    return one


def _different(one: Pursuit, order: Iterable[int], ground: Ground) -> tuple[int, ...]:
    """Return the first few of these queries that others were sent around, and that asked for different inputs."""
    kept: list[int] = []
    left: list[int] = []
    seen: set[bytes] = set()
    for row in order:
        content = _content(ground.inputs, row)
        if content is not None and content in seen:
            continue
        if content is not None:
            seen.add(content)
        alone = one.scored and _stands_alone(one, int(np.searchsorted(one.rows, row)), ground)
        (left if alone else kept).append(row)
        if len(kept) == BEST_KEPT:
            break
    return tuple(kept or left[:BEST_KEPT])


def _content(inputs: Inputs, row: int) -> bytes | None:
    vector = inputs.vector(row)
    return vector.tobytes() if vector is not None else inputs.payload(row)


def _stands_alone(one: Pursuit, place: int, ground: Ground) -> bool:
    """Whether the query at a place of the pursuit is unlike all around it, in a search that goes by small steps."""
    rows = one.rows[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
    points, held = ground.points(rows)
    mine = np.flatnonzero(rows[held] == one.rows[place])
    if not len(mine) or len(points) < NEIGHBOURS:
        return False
    near = _apart(points)
    # An input sent again lies nowhere near itself; copies tell nothing about steps.
    near[near == 0] = np.inf
    nearest = near.min(axis=1)
    others = np.delete(nearest, mine[0])
    others = others[np.isfinite(others)]
    if not len(others):
        return False
    # Some searches leap now and then: an ordinary query lies farther off than their leaps, too.
    least = max(ALONE * float(np.median(others)), _LEAP * float(np.quantile(others, _MOST_STEPS)))
    return bool(nearest[mine[0]] > least)


def _goes_on_from_each(one: Pursuit, ties: NDArray[np.int64], ground: Ground) -> bool:
    """Whether the search went on from the latest of its equally good queries, over and over, and left the first.

    Args:
        one: the pursuit.
        ties: places of its best queries, ascending.
        ground: the inputs.
    """
    places = np.arange(int(ties[0]) + 1, len(one.rows))[-_LOOKED_AT:]
    latest = ties[np.searchsorted(ties, places) - 1]
    wanted = np.union1d(ties[0], np.union1d(latest, places[:, None] - np.arange(_SIBLINGS + 2)))
    points, held = ground.points(one.rows[wanted])
    known = dict(zip(wanted[held].tolist(), points, strict=True))
    begin = known.get(int(ties[0]))
    around, moved = [], []
    for place, parent in zip(places.tolist(), latest.tolist(), strict=True):
        beside = [known[each] for each in range(place - _SIBLINGS - 1, place) if each != parent and each in known]
        if begin is None or place not in known or parent not in known or len(beside) < _SIBLINGS // 2:
            continue
        step = float(np.linalg.norm(known[parent] - known[place]))
        siblings = float(np.median(np.linalg.norm(np.stack(beside) - known[place], axis=1)))
        back = float(np.linalg.norm(begin - known[place]))
        # What was asked over and over tells nothing.
        if siblings > 0 and back > 0:
            around.append(step / siblings)
            moved.append(step / back)
    return bool(around) and float(np.median(around)) < AROUND and float(np.median(moved)) < MOVED


def _apart(points: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial.distance import pdist, squareform

    apart: NDArray[np.float64] = squareform(pdist(points))
    np.fill_diagonal(apart, np.inf)
    return apart
