"""Which classes the attacker went after, how the climb went, and where it converged."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.context import Pursuit, Stretch
from detector.evidence.numbers import odds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from detector.evidence.context import Queries

MAX_PURSUITS = 6
BEST_KEPT = 4
_CANDIDATES = 200
_MILESTONES = (0.25, 0.5, 0.75)
_SWEEP_ENDS = 0.05
_CLIMB_ENDS = 0.95
_NO_RISE = 0.5
_SURE = 0.5
_CLEAR_RISE = 0.1
_CLEARLY_MORE = 0.1
_SMALLEST_PART = 20
_MOST = 0.5
_NEARLY_ALL = 0.75
_HARDLY_ANY = 0.25
_BESIDE = 1
_BY_RISE = "its probability rises most"
_BY_LABEL = "most queries were answered with it"
UNDECIDED = "the answers do not tell which of the classes was meant"

SWEEP = "sweep"
CLIMB = "climb"
REFINEMENT = "refinement"
_MEANINGS = {
    SWEEP: "the probability of the class does not move yet",
    CLIMB: "each answer is used to choose the next query: the best probability so far keeps rising",
    REFINEMENT: "small steps around the best input: the probability is nearly as high as it gets",
}


def find(queries: Queries, targets: Mapping[str, tuple[NDArray[np.int64], str]]) -> tuple[Pursuit, ...]:
    """Return the classes gone after: those that most late queries were answered with first, then the largest rise.

    Args:
        queries: the telling queries.
        targets: by class that findings name, the rows of its pursuit and the rule that named it. A class whose
            probability never got above chance was not pursued, however steadily it rose; where no other is named, the
            class that rises most over all queries is taken, or else the one that most of them were answered with.
    """
    # A climb that fails may end a little below chance; one far below has not been one.
    chance = _MOST / max(2, len(queries.probabilities.classes))
    named = [
        _pursue(queries, name, why, part)
        for target, (rows, rule) in targets.items()
        for part in _apart(queries, rows)
        for name, why in _meant(queries, target, part, rule)
    ]
    # What a finding names, or the answers tell, comes after what is only possible: the last of equals stays.
    order = sorted(named, key=lambda one: (one.named_by != UNDECIDED, len(one.rows)))
    distinct = {(one.target, one.clients): one for one in order}
    found = [one for one in distinct.values() if not one.scored or one.final > chance]
    if not found and len(queries):
        target, why = _not_named(queries)
        if target is not None:
            found = [_pursue(queries, target, why, np.arange(len(queries)))]
    share = {id(one): _late_share(queries, one) for one in found}
    # Steps around the best input move other classes too; whoever pursues a class is answered with it in the end.
    sure = [one for one in found if one.named_by != UNDECIDED]
    clear = {client for one in sure if share[id(one)] >= _MOST for client in one.clients}
    kept = [one for one in sure if share[id(one)] >= _HARDLY_ANY or not clear.issuperset(one.clients)]
    kept.sort(key=lambda one: (-round(share[id(one)], 1), -_known(one.rise), one.target, one.clients))
    told = {c for one in sure if share[id(one)] >= _NEARLY_ALL and one.rise > _CLEAR_RISE for c in one.clients}
    rest = [one for one in found if one.named_by == UNDECIDED and not told.issuperset(one.clients)]
    kept += sorted(rest, key=lambda one: (one.target, one.clients))
    return tuple(kept[:MAX_PURSUITS])


def _not_named(queries: Queries) -> tuple[str | None, str]:
    rising = rising_class(queries)
    if rising is not None and _gain(queries, rising) > _CLEAR_RISE:
        return rising, _BY_RISE
    known, counts = np.unique([str(one) for one in queries.label if one is not None], return_counts=True)
    return (str(known[counts.argmax()]), _BY_LABEL) if len(known) else (None, "")


def target_probability(queries: Queries, target: str) -> NDArray[np.float64]:
    """Return the probability of a class, query by query; NaN where the answer does not tell.

    Without a list of probabilities the confidence tells it, where the answer's label is that class.
    """
    values = np.full(len(queries), np.nan)
    if target in queries.probabilities.classes:
        values[:] = queries.probabilities.values[:, queries.probabilities.classes.index(target)]
    by_label = np.isnan(values) & (queries.label == target)
    values[by_label] = queries.confidence[by_label]
    return values


def rising_class(queries: Queries) -> str | None:
    """Return the class that gains most from the first quarter of the queries to the last."""
    labels = {str(label) for label in queries.label if label is not None}
    names = queries.probabilities.classes or tuple(sorted(labels))
    gains = [(_gain(queries, name), name) for name in names]
    return max(gains)[1] if gains else None


def _gain(queries: Queries, name: str) -> float:
    """Return what a class gained from the first quarter to the last: in probability, or in its share of the labels.

    Medians: one failed line search sends dozens of queries around a bad input, and says nothing of the whole.
    """
    quarter = max(1, len(queries) // 4)
    values = target_probability(queries, name)
    first, last = values[:quarter], values[-quarter:]
    if np.isfinite(first).any() and np.isfinite(last).any():
        return float(np.nanmedian(last) - np.nanmedian(first))
    return float(np.mean(queries.label[-quarter:] == name) - np.mean(queries.label[:quarter] == name))


def tops(pursuit: Pursuit) -> NDArray[np.int64]:
    """Return the places of the pursuit's best answers, ascending: rounded scores are often equal."""
    return np.flatnonzero(pursuit.probability == pursuit.final)


def best_candidates(pursuit: Pursuit, queries: Queries) -> list[int]:
    """Return the queries of highest probability late in the climb, the best first, of equals the first first.

    Of more equal ones than are wanted, the first and the last. Without scores these are the last queries that were
    answered with the class.
    """
    if not pursuit.scored:
        return [int(row) for row in pursuit.rows[::-1] if queries.label[row] == pursuit.target][:_CANDIDATES]
    # From the query that arrived: none before it comes near the best.
    late = max(0, pursuit.stretches[-1].first - 1) if pursuit.stretches else 0
    place = np.arange(late, len(pursuit.rows))
    value = pursuit.probability[late:]
    place, value = place[np.isfinite(value)], value[np.isfinite(value)]
    order = place[np.lexsort((place, -value))]
    equal = int((value == pursuit.final).sum())
    if equal > _CANDIDATES:
        order = np.concatenate([order[: _CANDIDATES // 2], order[equal - _CANDIDATES // 2 : equal]])
    return [int(row) for row in pursuit.rows[order[:_CANDIDATES]]]


def milestones(pursuit: Pursuit) -> list[int]:
    """Return the first query and those at which a quarter, half and three quarters of the way were made."""
    if not len(pursuit.rows):
        return []
    way = _way(pursuit.best_so_far, pursuit.start, pursuit.final)
    if way is None:
        return [int(pursuit.rows[0])]
    places = [0, *(int(np.searchsorted(way, part)) for part in _MILESTONES)]
    return [int(pursuit.rows[place]) for place in dict.fromkeys(places) if place < len(way)]


def _late_share(queries: Queries, one: Pursuit) -> float:
    """Return the share of the pursued class among the labels of the pursuit's second half."""
    late = queries.label[one.rows[len(one.rows) // 2 :]]
    return float(np.mean(late == one.target)) if len(late) else 0.0


def _apart(queries: Queries, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of a pursuit client by client, where the clients took turns; together where they interleave.

    Accounts that climb one after the other climb by themselves; queries of several within one climb belong together.
    """
    clients, first = np.unique(queries.client[rows].astype(str), return_index=True)
    parts = [rows[queries.client[rows] == client] for client in clients[np.argsort(first)]]
    if len(parts) > MAX_PURSUITS or any(len(part) < _SMALLEST_PART for part in parts):
        return [rows] if len(rows) else []
    in_turn = all(before[-1] < after[0] for before, after in pairwise(parts))
    return parts if in_turn else [rows]


def _meant(queries: Queries, target: str, rows: NDArray[np.int64], rule: str) -> list[tuple[str, str]]:
    """Return the class that these queries went after and what tells it, and with it another where that is not sure.

    Where nothing rises clearly, or most answers are of other classes, as in a search that begins anew over and over,
    the answers do not tell which class was meant: the one named and the one answered most are shown beside it.
    """
    part = queries.take(rows)
    shares = _shares(part.label[len(part) // 2 :])
    told, why = _told(part, target, rule, shares)
    enough = _MOST if told == target else _NEARLY_ALL
    if _gain(part, told) > _CLEAR_RISE and shares.get(told, 0.0) >= enough:
        return [(told, why)]
    counts = _shares(part.label)
    often = [name for name, share in counts.items() if share * len(part) >= _SMALLEST_PART and name != told]
    sure = sorted((name for name in often if _reached(part, name) > _SURE), key=lambda name: (-counts[name], name))
    # What a finding names is shown, whatever else the answers speak for.
    most = [target] if told != target else sure[:_BESIDE]
    return [(told, why), *((name, UNDECIDED) for name in most)]


def _shares(labels: NDArray[np.object_]) -> dict[str, float]:
    known, counts = np.unique([str(label) for label in labels if label is not None], return_counts=True)
    return dict(zip(known.tolist(), (counts / max(1, len(labels))).tolist(), strict=True))


def _reached(part: Queries, name: str) -> float:
    return float(np.fmax.reduce(target_probability(part, name), initial=0.0))


def _told(part: Queries, target: str, rule: str, share: Mapping[str, float]) -> tuple[str, str]:
    """Return the class that these queries went after: the one named, unless the answers speak clearly for another.

    A search that begins anew over and over breaks off where it may: what a class gained from first to last says little
    then, and what was reached, and answered most, says more.
    """
    rising, gained = rising_class(part), _gain(part, target)
    more = rising is not None and rising != target and _gain(part, rising) > gained + _CLEARLY_MORE
    if rising is not None and more and _outdoes(part, rising, target, share):
        return rising, _BY_RISE
    most = max(share, key=lambda name: share[name], default=target)
    if most != target and gained <= _CLEAR_RISE:
        alone = share.get(target, 0.0) < _HARDLY_ANY and share[most] >= _MOST
        if alone or _outdoes(part, most, target, share):
            return most, _BY_LABEL
    return target, rule


def _outdoes(part: Queries, other: str, target: str, share: Mapping[str, float]) -> bool:
    """Whether another class was reached further than the one named, or as far and is answered clearly more often."""
    further = float(np.diff(odds(np.array([_reached(part, target), _reached(part, other)])))[0])
    if abs(further) >= _NO_RISE:
        return further > 0
    return share.get(other, 0.0) > share.get(target, 0.0) + _CLEARLY_MORE


def _pursue(queries: Queries, target: str, named_by: str, rows: NDArray[np.int64]) -> Pursuit:
    probability = target_probability(queries, target)[rows]
    scored = bool(np.isfinite(probability).any())
    clients = tuple(sorted({str(client) for client in queries.client[rows]}))
    nothing = float("nan")
    bare = Pursuit(target, clients, rows, probability, probability, nothing, nothing, (), (), named_by, scored)
    pursuit = reshaped(bare, probability, ())
    return replace(pursuit, best=tuple(best_candidates(pursuit, queries)[:BEST_KEPT]))


def reshaped(pursuit: Pursuit, probability: NDArray[np.float64], best: tuple[int, ...]) -> Pursuit:
    """Return the pursuit with other probabilities, a value a row, what follows from them, and other best queries."""
    count = len(pursuit.rows)
    first = probability[np.isfinite(probability)][: max(5, count // 50)]
    start = float(np.median(first)) if len(first) else float("nan")
    final = float(np.nanmax(probability)) if pursuit.scored else float("nan")
    so_far = np.fmax.accumulate(probability) if count else probability
    stretches = _phases(so_far, start, final) if pursuit.scored else ()
    return replace(
        pursuit, probability=probability, best_so_far=so_far, start=start, final=final, stretches=stretches, best=best
    )


def _phases(best: NDArray[np.float64], start: float, final: float) -> tuple[Stretch, ...]:
    """Cut a pursuit where the best probability so far has made 5 % and 95 % of its way, in log-odds."""
    way = _way(best, start, final)
    if way is None:
        name = REFINEMENT if start > _SURE else SWEEP
        return (Stretch(name, _MEANINGS[name], 0, len(best)),)
    leaves = int(np.searchsorted(way, _SWEEP_ENDS))
    arrives = max(leaves, int(np.searchsorted(way, _CLIMB_ENDS)))
    # The query that arrives still belongs to the climb: it is the step that got there.
    cuts = ((SWEEP, 0, leaves), (CLIMB, leaves, arrives + 1), (REFINEMENT, arrives + 1, len(best)))
    return tuple(Stretch(name, _MEANINGS[name], first, end) for name, first, end in cuts if end > first)


def _way(best: NDArray[np.float64], start: float, final: float) -> NDArray[np.float64] | None:
    """Return which part of the way to `final` was made by each query, None where there was hardly any way.

    In log-odds, since from 0.99 to 0.9999 is as long a climb as from 0.5 to 0.99, and attackers make it.
    """
    ends = odds(np.array([start, final]))
    rise = float(ends[1] - ends[0])
    if not rise >= _NO_RISE:
        return None
    return np.where(np.isnan(best), -np.inf, (odds(best) - ends[0]) / rise)


def _known(value: float) -> float:
    return value if np.isfinite(value) else -1.0
