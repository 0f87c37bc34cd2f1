"""Controls that refuse queries: limits of an hour and a night, and a filter for near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from detector.evidence.clock import DAY
from detector.evidence.nearness import NEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import Bystanders, Trace

HOURLY = (500, 100, 20)
NIGHTLY = (1_000, 200)
NEAR_ALLOWED = (50, 20)
_NEARLY_ALL = 0.99
_HOUR = DAY // 24


@dataclass(frozen=True, eq=False)
class Refusal:
    """What a control that refuses queries would have done to an attack that took no notice of it.

    Attributes:
        kind: what is limited.
        name: what the control is.
        refused: bool, a value a query of the attack.
        touched: benign clients that would have been refused something, None where unknown.
        waiting: microseconds that the attack would have taken at least by waiting, None where that is no way around.
    """

    kind: Literal["hour", "night", "near"]
    name: str
    refused: NDArray[np.bool_]
    touched: int | None
    waiting: int | None


def hourly(trace: Trace, crowd: Bystanders | None) -> list[Refusal]:
    """Return limits of queries an hour: round ones, and as many as nearly all benign clients need."""
    need = crowd.peak_hour if crowd is not None else None
    rank = rank_within(trace.client, (trace.ts - trace.begins) // _HOUR)
    return [_limit(trace, "hour", limit, told, rank, need) for limit, told in _limits(HOURLY, need)]


def nightly(trace: Trace, crowd: Bystanders | None) -> list[Refusal]:
    """Return limits of queries a night, likewise."""
    need = crowd.busiest_night if crowd is not None else None
    rank = rank_within(trace.client, (trace.ts - trace.begins) // DAY)
    return [_limit(trace, "night", limit, told, rank, need) for limit, told in _limits(NIGHTLY, need)]


def no_near(trace: Trace, crowd: Bystanders | None) -> list[Refusal]:
    """Return filters that cut a client off after so many near-duplicates of its own queries in a night."""
    if np.isnan(trace.near).all():
        return []
    before = _marked_before(trace, trace.near < NEAR)
    known = crowd is not None and bool(np.isfinite(crowd.near).any())
    return [
        Refusal(
            kind="near",
            name=f"Client cut off after {allowed} near-duplicates in a night",
            refused=before >= allowed,
            touched=int((crowd.near >= allowed).sum()) if crowd is not None and known else None,
            waiting=None,
        )
        for allowed in NEAR_ALLOWED
    ]


def rank_within(owner: NDArray[np.int32], bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many earlier rows each row's owner has in the same bin.

    Args:
        owner: whose each row is; rows are in time order.
        bins: where it falls.
    """
    order, begins = _groups(owner, bins)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - begins
    return rank


def _marked_before(trace: Trace, marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many marked queries of the same client and night come before each query."""
    order, begins = _groups(trace.client, (trace.ts - trace.begins) // DAY)
    running: NDArray[np.int64] = np.cumsum(marked[order]) - marked[order]
    counts = np.empty(len(order), dtype=np.int64)
    counts[order] = running - running[begins]
    return counts


def _groups(owner: NDArray[np.int32], bins: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows sorted by owner and bin, and for each place in that order where its group begins."""
    order = np.lexsort((np.arange(len(owner)), bins, owner))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (owner[order][1:] != owner[order][:-1]) | (bins[order][1:] != bins[order][:-1])
    return order, np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))


def _limit(
    trace: Trace,
    kind: Literal["hour", "night"],
    limit: int,
    told: str,
    rank: NDArray[np.int64],
    need: NDArray[np.int64] | None,
) -> Refusal:
    return Refusal(
        kind=kind,
        name=f"{limit:,} {'query' if limit == 1 else 'queries'} {'an hour' if kind == 'hour' else 'a night'}{told}",
        refused=rank >= limit,
        touched=int((need > limit).sum()) if need is not None else None,
        waiting=_waiting(trace, limit, _HOUR if kind == "hour" else DAY),
    )


def _limits(limits: Sequence[int], need: NDArray[np.int64] | None) -> list[tuple[int, str]]:
    rows = dict.fromkeys(limits, "")
    if need is not None:
        enough = int(np.quantile(need, _NEARLY_ALL, method="inverted_cdf"))
        busiest = enough == int(need.max())
        rows[enough] = f" (enough for {'the busiest benign client' if busiest else '99 of 100 benign clients'})"
    return sorted(rows.items(), reverse=True)


def _waiting(trace: Trace, limit: int, length: int) -> int:
    """Return how long the busiest client's queries take if it sends as many in each span as are allowed."""
    most = int(np.unique(trace.client, return_counts=True)[1].max())
    return (-(-most // limit) - 1) * length
