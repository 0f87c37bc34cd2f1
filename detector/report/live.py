"""What the script of an incident page reads: numbers alone, so that no text of a log ever reaches it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from detector.report import story
from detector.report.charts import trajectory
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.evidence.checklist import Dossier
    from detector.evidence.context import IncidentContext, Pursuit
    from detector.evidence.phases import Phase

MOST_POINTS = 2_400
MOST_POINTS_OF_ALL = 7_200
MOST_BINS = 2_000
MOST_OPTIONS = 200
# As many as a script's whole numbers hold.
_BITS = 31
_FEWEST_BINS = 60
_MS = 1_000
# Milliseconds: steps in which people count time.
_WIDTHS = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000)
_LABEL = 60


@dataclass(frozen=True)
class Filter:
    """A choice that narrows the table of queries; an option's place in `options` is its number in the page's data."""

    key: str
    title: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class LiveView:
    """What makes the page answer to its reader: `data` is the block that its script reads."""

    filters: tuple[Filter, ...]
    data: Markup


def build(dossier: Dossier, rows: Sequence[int]) -> LiveView:
    """Return the filters and the data of a page whose table shows the telling queries `rows`."""
    context = dossier.context
    picked = np.array(rows, dtype=np.int64)
    phase = _phase_of(dossier, picked)
    labels, label = _coded([None if one is None else str(one) for one in context.queries.label[picked]])
    clients, client = _coded([str(one) for one in context.queries.client[picked]])
    titles = [f"{i + 1}. {story.title(one)}{_towards(one)}" for i, one in enumerate(dossier.phases)]
    rules, rule = _rules(context, picked)
    filters = [
        Filter("phase", "Phase", tuple(titles)),
        Filter("label", "Answer", tuple(name(one, _LABEL) for one in labels)),
        Filter("rule", "Finding", rules),
        Filter("client", "Client", tuple(name(one) for one in clients)),
    ]
    first = int(context.queries.ts[picked[0]]) // _MS if len(picked) else 0
    scored = [one for one in context.pursuits if one.scored]
    data = {
        "timeline": _timeline(context),
        "climbs": [_climb(one, len(scored), picked) for one in scored],
        "rows": {
            "begin": first,
            "at": (context.queries.ts[picked] // _MS - first).tolist(),
            "phase": phase.tolist(),
            "label": label,
            "rule": rule.tolist(),
            "client": client,
        },
    }
    return LiveView(tuple(one for one in filters if 1 < len(one.options) <= MOST_OPTIONS), block(data))


def block(data: object) -> Markup:
    """Return data as JSON that stays JSON wherever it stands in a page: ASCII, and nothing that HTML could read."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # Numbers and escapes alone by now.
    return Markup(text)  # noqa: S704


def thinned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return which of finite `values` a chart keeps, about `most` of them, in order.

    Kept are the lowest and the highest of each stretch, values that exceed all before them, and evenly spaced ones.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    quarter = max(1, most // 4)
    edges = np.linspace(0, count, quarter + 1).astype(np.int64)
    parts = list(pairwise(edges))
    extremes = [int(a + pick(values[a:b])) for a, b in parts for pick in (np.argmin, np.argmax)]
    best = np.maximum.accumulate(values)
    records = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    even = np.linspace(0, count - 1, quarter).astype(np.int64)
    return np.unique(np.concatenate([extremes, _few(records, quarter), even]))


def _few(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(places) <= most:
        return places
    kept: NDArray[np.int64] = places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
    return kept


def _towards(phase: Phase) -> str:
    return f" towards {name(phase.target, _LABEL)}" if phase.target is not None else ""


def _phase_of(dossier: Dossier, picked: NDArray[np.int64]) -> NDArray[np.int64]:
    phase = np.full(len(dossier.context.queries), -1, dtype=np.int64)
    for i, one in enumerate(dossier.phases):
        phase[one.rows] = i
    found: NDArray[np.int64] = phase[picked]
    return found


def _coded(values: Sequence[str | None]) -> tuple[list[str], list[int]]:
    """Return the distinct values, the most frequent first, and the number of each value's own; -1 for None."""
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    distinct = sorted(counts, key=lambda one: (-counts[one], one))
    number = {one: i for i, one in enumerate(distinct)}
    return distinct, [-1 if value is None else number[value] for value in values]


def _rules(context: IncidentContext, picked: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the titles of the findings, the gravest first, and in whose stretches each row lies: a bit a title."""
    ts, client = context.queries.ts[picked], context.queries.client[picked]
    found = sorted(context.incident.findings, key=lambda one: (-one.level.rank, one.title))
    titles = list(dict.fromkeys(one.title for one in found))[:_BITS]
    within = np.zeros(len(picked), dtype=np.int64)
    sent: dict[tuple[str, ...], NDArray[np.bool_]] = {}
    for one in found:
        if one.title in titles:
            if one.clients not in sent:
                sent[one.clients] = np.isin(client.astype(str), one.clients)
            own = (ts >= one.segment.first_ts) & (ts <= one.segment.last_ts) & sent[one.clients]
            within[own] |= 1 << titles.index(one.title)
    return tuple(name(one) for one in titles), within


def _places(pursuit: Pursuit, picked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number that each row of the table has within a climb, from 1; 0 where it is no part of it."""
    at = np.minimum(np.searchsorted(pursuit.rows, picked), len(pursuit.rows) - 1)
    return np.where(pursuit.rows[at] == picked, at + 1, 0)


def _timeline(context: IncidentContext) -> dict[str, Any] | None:
    """Return the timeline in its own bins, and the evidence by itself in finer ones; milliseconds."""
    timeline = context.timeline
    if timeline is None:
        return None
    return {
        "begin": timeline.first_ts // _MS,
        "width": timeline.width // _MS,
        "all": timeline.all.tolist(),
        "telling": timeline.telling.tolist(),
        "fine": _fine(context, timeline.width // _MS),
    }


def _fine(context: IncidentContext, coarse: int) -> dict[str, Any] | None:
    """Return the evidence in bins narrower than `coarse`; None where not all of it is known or it is too long."""
    if context.trace is not None and len(context.trace):
        ts = context.trace.ts // _MS
    elif len(context.queries) and len(context.queries) == context.query_total:
        ts = context.queries.ts // _MS
    else:
        return None
    first, last = int(ts.min()), int(ts.max())
    # Two queries a bin or more on average: bars of one each tell nothing.
    most = min(MOST_BINS, max(_FEWEST_BINS, len(ts) // 2))
    width = next((one for one in _WIDTHS if (last - first) // one < most), None)
    if width is None or width >= coarse:
        return None
    begin = first - first % width
    return {"begin": begin, "width": width, "telling": np.bincount((ts - begin) // width).tolist()}


def _climb(pursuit: Pursuit, climbs: int, picked: NDArray[np.int64]) -> dict[str, Any]:
    known = np.flatnonzero(np.isfinite(pursuit.probability))
    values = pursuit.probability[known]
    most = min(MOST_POINTS, max(1, MOST_POINTS_OF_ALL // max(1, climbs)))
    kept = thinned(values, most)
    axis = trajectory.axis(values)
    return {
        "count": len(pursuit.rows),
        "odds": axis.odds,
        "low": round(axis.low, 6),
        "high": round(axis.high, 6),
        "ticks": [[tick, trajectory.spelled(tick)] for tick in axis.ticks],
        "bands": [[one.first + 1, one.end] for one in trajectory.climbing(pursuit)],
        # A query may be part of several climbs: each knows its own.
        "rows": _places(pursuit, picked).tolist(),
        "at": (known[kept] + 1).tolist(),
        # Seven digits: more cannot be seen, and take room.
        "value": [float(f"{value:.7g}") for value in values[kept]],
    }
