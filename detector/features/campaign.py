"""Campaigns: clients whose queries come nearer to one another's than those of unrelated clients do.

One attack that many accounts share looks like a fragment in each. Pooled in time order its queries vary one another, so
each has an earlier one of *another* account nearby: nearer, against its distance to the model's reference inputs, than
unrelated inputs are to each other. How rare such a nearness is among the reference inputs themselves is the null; the
structure is that of query provenance analysis (QPA, IEEE S&P 2025), taken across clients. Whether the group attacks is
not said here: its pooled queries are measured by the same features as a client's, and judged by the same rules.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.schema import ModelSchema
    from detector.features.state import States

POOL_ROWS = 60_000
_UNSUSPICIOUS_ROWS = 40_000
_CLIENT_ROWS = 256
NEAREST = 6
_WORKERS = 2
_PIECE = 2048
_SEED = 20_261_122
_OWN = 2.0
_SUSPICIOUS = 0.15
_FEWEST_ROWS = 3
_FEWEST_KNOWN = 64

# The evidence of a query is minus log of its nearness's chance: 1 on average for unrelated inputs, and what is above 1
# averages 1 / e. Half as much again is taken off, so that the sum over unrelated queries falls.
_MOST = 4.0
_CHANCE = float(np.exp(-1.0))
_MARGIN = 1.5 * _CHANCE
_STRETCH_EVIDENCE = 4.0
_MEMBER_EVIDENCE = 3.5
_GROUP_EVIDENCE = 10.0
_TYPICAL_EVIDENCE = 6.0
_SLICES = 4
_MOST_SLICES = 1_000
_MOST_CLIENTS = 2_000
_EXCESS = 1.5
_ONE_ATTACK = 0.03
_LEAST_PART = 0.35


def quotas(states: States) -> NDArray[np.int64]:
    """Return how many queries of each client are pooled, int64 (G,), 0 for most in a large night.

    Behaviour decides, not volume: clients with inputs far from the reference or near to their own earlier ones come
    first; of the rest those with the fewest queries, as many clients as a bounded pool can hold.
    """
    queries = states["queries"].astype(np.int64)
    looked, compared = np.maximum(states["looked_at"], 1.0), np.maximum(states["kin_compared"], 1.0)
    suspicion = np.maximum(states["off_manifold"] / looked, states["kin"] / compared)
    suspicious = suspicion >= _SUSPICIOUS
    rows = np.where((queries >= _FEWEST_ROWS) & (states["looked_at"] > 0), np.minimum(queries, _CLIENT_ROWS), 0)
    position = np.arange(len(rows))
    first = np.lexsort((position, -suspicion))
    first = first[suspicious[first]]
    rest = np.lexsort((position, queries))
    rest = rest[~suspicious[rest]]
    out = np.zeros_like(rows)
    for chosen, most in ((first, POOL_ROWS), (rest, _UNSUSPICIOUS_ROWS)):
        out[chosen] = np.where(np.cumsum(rows[chosen]) <= most, rows[chosen], 0)
    return out


def nearness_null(schema: ModelSchema) -> NDArray[np.float64]:
    """Return, ascending, the nearness of reference inputs to unrelated ones: see `evidence_of`."""
    return _null(schema.reference[1::2], schema)


def noise_null(schema: ModelSchema) -> NDArray[np.float64]:
    """Return, ascending, the nearness of noise to unrelated noise.

    Inputs drawn from the whole range lie nearer to one another than to the reference without being related. Numbers
    are drawn evenly between the reference's ends, the values of a category together from a reference input.
    """
    rng = np.random.default_rng(_SEED)
    rows, field_of = len(schema.reference) // 2, schema.field_of
    noise = schema.low + (schema.high - schema.low) * rng.random((rows, schema.dimension), dtype=np.float32)
    for field in np.flatnonzero(np.bincount(field_of) > 1):
        noise[:, field_of == field] = schema.reference[rng.integers(len(schema.reference), size=rows)][
            :, field_of == field
        ]
    return _null(noise, schema)


def _null(inputs: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.float64]:
    usual, _ = _usual(inputs, schema)
    with np.errstate(invalid="ignore"):
        nearness = _mean_log(_nearest(inputs, inputs, schema)[:, :NEAREST]) - usual
    return np.sort(nearness[np.isfinite(nearness)])


def evidence_of(distance: NDArray[np.float64], view: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.float64]:
    """Return how surprising it is that other clients' queries lie so near: minus log of the chance, 0 to 4.

    The nearness is the geometric mean of `distance` (n, NEAREST) over that to the reference inputs, the nearest of
    which is left out: it may be the record that a client varies. An unrelated client's queries and the reference are
    exchangeable neighbours; what lies off the reference is held against noise as well. A reference of too few different
    inputs makes nothing surprising.
    """
    null = nearness_null(schema)
    if len(null) < _FEWEST_KNOWN:
        return np.zeros(len(view))
    usual, nearest = _usual(view, schema)
    with np.errstate(invalid="ignore"):
        nearness = _mean_log(distance) - usual
    nearness = np.where(np.isnan(nearness), np.inf, nearness)
    evidence = _surprise(nearness, null)
    return np.where(
        nearest > schema.manifold_radius, np.minimum(evidence, _surprise(nearness, noise_null(schema))), evidence
    )


def _surprise(nearness: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    below = np.searchsorted(null, nearness, side="right")
    return np.clip(-np.log((below + 0.5) / (len(null) + 1.0)), 0.0, _MOST)


def _usual(view: NDArray[np.float32], schema: ModelSchema) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each row's mean log distance to its nearest reference inputs but the first, and the distance to that."""
    nearest = _nearest(view, schema.neighbourhood, schema)
    return _mean_log(nearest[:, 1:]), nearest[:, 0]


def _mean_log(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log(distance).mean(axis=1)


def _nearest(view: NDArray[np.float32], records: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.float64]:
    """Distances of each row to the nearest NEAREST + 1 `records` that differ from it, ascending, (n, NEAREST + 1)."""
    middle = records.mean(axis=0)
    records = records - middle
    norms = (records * records).sum(axis=1)
    out = np.full((len(view), NEAREST + 1), np.inf)
    most = min(NEAREST + 1, len(records))
    equal = np.float32((1e-3 * schema.unit) ** 2)
    for at in range(0, len(view), _PIECE):
        piece = view[at : at + _PIECE] - middle
        gaps = (piece * piece).sum(axis=1)[:, None] + norms - 2.0 * (piece @ records.T)
        gaps[~(gaps > equal)] = np.inf
        out[at : at + _PIECE, :most] = np.sqrt(np.sort(np.partition(gaps, most - 1, axis=1)[:, :most], axis=1))
    return out


@dataclass(frozen=True)
class Linked:
    """Queries of several clients in time order, each held against the nearest earlier ones of other clients.

    Attributes:
        client: int64 (n,) whose query it is, from 0 to `clients` - 1.
        clients: how many there are.
        source: int64 (n, NEAREST) the other clients' queries, -1 where there are fewer.
        surplus: float64 (n,) by how much the evidence exceeds 1.
        reach: how many queries each was held against.
    """

    client: NDArray[np.int64]
    clients: int
    source: NDArray[np.int64]
    surplus: NDArray[np.float64]
    reach: int


def link(view: NDArray[np.float32], client: NDArray[np.int64], schema: ModelSchema) -> Linked:
    """Hold each query against the earlier ones of other clients; `client` (n,) may be any codes.

    As many as there are reference inputs to compare with: among more, unrelated ones would come nearer.
    """
    names, codes = np.unique(client, return_inverse=True)
    reach = len(schema.neighbourhood)
    source, distance, own = _neighbours(view, codes, reach, schema)
    evidence = evidence_of(distance, view, schema)
    # Who is nearer to itself than others are to it does not share a search with them: they fish in the same waters.
    shared = (source[:, -1] >= 0) & (distance[:, 0] <= _OWN * own)
    return Linked(codes, len(names), source, np.where(shared, np.maximum(evidence - 1.0, 0.0), 0.0), reach)


def _neighbours(
    view: NDArray[np.float32], client: NDArray[np.int64], reach: int, schema: ModelSchema
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each query's nearest earlier ones of others, their distances, and that to its own client's nearest."""
    from detector.features import kernels_campaign as kernels

    n = len(view)
    source, distance = np.empty((n, NEAREST), dtype=np.int64), np.empty((n, NEAREST), dtype=np.float32)
    own, sketch = np.empty(n, dtype=np.float32), np.ascontiguousarray(view @ schema.sketch)
    with ThreadPoolExecutor(_WORKERS) as pool:
        pieces = [
            pool.submit(kernels.nearest_of_others, view, sketch, client, reach, first, last, source, distance, own)
            for first, last in pairwise(np.linspace(0, n, _WORKERS + 1).astype(np.int64))
        ]
        for piece in pieces:
            piece.result()
    return source, np.sqrt(distance.astype(np.float64)), np.sqrt(own.astype(np.float64))


def active_rows(linked: Linked) -> NDArray[np.bool_]:
    """Return which queries lie in a stretch of their client's that comes near to others more than chance does, (n,)."""
    from detector.features import kernels_campaign as kernels

    order = np.argsort(linked.client, kind="stable")
    starts = np.searchsorted(linked.client[order], np.arange(linked.clients + 1)).astype(np.int64)
    found = np.zeros((linked.clients, 3))
    kernels.best_stretches(linked.surplus[order] - _MARGIN, starts, found)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    # What ties clients is a table of all pairs: of very many, those with the most evidence.
    found[np.argsort(-found[:, 0], kind="stable")[_MOST_CLIENTS:], 0] = 0.0
    total, first, last = found[linked.client].T
    return (total >= _STRETCH_EVIDENCE) & (place >= first) & (place < last)


def groups_of(linked: Linked) -> NDArray[np.int64]:
    """Return the group of each client, int64 (clients,), -1 for none: those whose links exceed what chance gives."""
    from detector.features import kernels_campaign as kernels

    observed, expected = _ties(linked)
    ties = observed + observed.T - _EXCESS * (expected + expected.T)
    np.fill_diagonal(ties, 0.0)
    group = np.arange(linked.clients)
    while True:
        kernels.settle(ties, group)
        names, group = np.unique(group, return_inverse=True)
        heirs = _merged(group, len(names), ties, observed.sum(axis=1))
        if (heirs == np.arange(len(names))).all():
            return _tested(group, observed - _EXCESS * expected)
        group = heirs[group]


def _merged(
    group: NDArray[np.int64], groups: int, ties: NDArray[np.float64], surplus: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the name under which each group goes on: two are one if what ties them is a fair share of the smaller."""
    spread = np.zeros((groups, len(group)))
    spread[group, np.arange(len(group))] = 1.0
    between = spread @ ties @ spread.T
    held = spread @ surplus
    np.fill_diagonal(between, -np.inf)
    share = between / np.maximum(np.minimum(held[:, None], held[None, :]), 1e-9)
    best = share.argmax(axis=1)
    heirs = np.arange(groups)
    for one in np.lexsort((heirs, -share.max(axis=1))):
        other = int(best[one])
        if share[one, other] >= _ONE_ATTACK and heirs[one] == one and heirs[other] == other and one != other:
            heirs[max(one, other)] = min(one, other)
    return heirs


def _tested(group: NDArray[np.int64], ties: NDArray[np.float64]) -> NDArray[np.int64]:
    """Leave out members that hardly link to the rest, then groups that hold too little together; -1 for none."""
    group = group.copy()
    for name in np.unique(group):
        members = np.flatnonzero(group == name)
        excess = ties[np.ix_(members, members)]
        own = excess.sum(axis=1)
        stay = own >= max(_MEMBER_EVIDENCE, _LEAST_PART * float(np.median(own)))
        group[members[~stay]] = -1
        held = float(excess[np.ix_(stay, stay)].sum())
        if stay.sum() < 2 or held < _GROUP_EVIDENCE + _TYPICAL_EVIDENCE * stay.sum():
            group[members] = -1
    return group


def _ties(linked: Linked) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the surplus of each client's queries over each other's, and what chance gives, (clients, clients).

    By chance a query's nearest earlier one is anybody's within reach.
    """
    n, size = len(linked.client), linked.clients
    observed = np.zeros((size, size))
    some = linked.surplus > 0
    for rank in range(NEAREST):
        others = linked.client[linked.source[some, rank]]
        np.add.at(observed, (linked.client[some], others), linked.surplus[some] / NEAREST)
    width = max(linked.reach // _SLICES, n // _MOST_SLICES, 1)
    slices = np.arange(n) // width
    count = np.zeros((size, int(slices[-1]) + 1 if n else 1))
    np.add.at(count, (linked.client, slices), 1.0)
    summed = np.cumsum(np.pad(count, ((0, 0), (_SLICES + 1, 0))), axis=1)
    near = summed[:, _SLICES + 1 :] - summed[:, : -_SLICES - 1]
    share = near / np.maximum(near.sum(axis=0), 1.0)
    chance, held = _CHANCE * count.sum(axis=1), observed.sum(axis=1)
    # A query that another one of its attack explains is not there for chance to link.
    left = np.minimum(1.0, chance / np.maximum(held, 1e-9))
    expected = _CHANCE * left[:, None] * (count @ share.T)
    return observed, expected
