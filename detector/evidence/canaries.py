"""How an incident's queries came towards the site's canaries: the nearest distance over time, and each one met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.canary.declared import read_declared
from detector.evidence import nearness
from detector.evidence.clock import moment
from detector.features.contact import CANARY_REACH
from detector.features.distances import nearest_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.canary.declared import Declared
    from detector.config import ModelSettings
    from detector.features.schema import ModelSchema
    from detector.store.engine import Store

_STEPS = 6
_VALUES = 4_000_000
_SHOWN = 3


@dataclass(frozen=True)
class Step:
    """A part of the incident's queries, in time order: when it ran, and how near its nearest query came.

    Distances are in units of the median distance between two ordinary inputs.
    """

    first_ts: int
    last_ts: int
    nearest: float


@dataclass(frozen=True)
class Approach:
    """The way to the canaries.

    Attributes:
        steps: parts of about as many queries each, in time order.
        contacts: queries that came as close as a copy.
        first_ts: when the first of them did, None where none did.
        met: names of the canaries met, with whether each was trained on, in the file's order.
    """

    steps: tuple[Step, ...]
    contacts: int
    first_ts: int | None
    met: tuple[tuple[str, bool | None], ...]


def read(schema: ModelSchema | None, settings: ModelSettings) -> Declared | None:
    """Return the model's canaries; None where none are declared, or inputs cannot be compared."""
    if schema is None or settings.canaries is None:
        return None
    return read_declared(schema, settings.canaries)


def approach(
    store: Store,
    schema: ModelSchema | None,
    canaries: Declared | None,
    ids: NDArray[np.int64],
    ts: NDArray[np.int64],
) -> Approach | None:
    """Return how the queries `ids`, in time order with their times `ts`, came near canaries; None if that is unknown.

    As with near-duplicates, the inputs of an incident are read up to a number of bytes.
    """
    if schema is None or canaries is None:
        return None
    count = min(len(ids), nearness.MOST_BYTES // (4 * schema.dimension))
    near = np.full(count, np.nan)
    met: set[int] = set()
    piece = max(1, _VALUES // schema.dimension)
    for start in range(0, count, piece):
        view = nearness.views(store, schema, ids[start : min(start + piece, count)])
        gaps = nearest_distances(view, canaries.view) / schema.unit
        near[start : start + len(view)] = gaps
        for row in np.flatnonzero(gaps < CANARY_REACH).tolist():
            met.add(int(np.linalg.norm(canaries.view - view[row], axis=1).argmin()))
    known = np.flatnonzero(~np.isnan(near))
    if not len(known):
        return None
    hits = np.flatnonzero(near < CANARY_REACH)
    parts = [part for part in np.array_split(known, _STEPS) if len(part)]
    return Approach(
        tuple(Step(int(ts[part[0]]), int(ts[part[-1]]), float(near[part].min())) for part in parts),
        len(hits),
        int(ts[hits[0]]) if len(hits) else None,
        tuple((canaries.names[at], canaries.included[at]) for at in sorted(met)),
    )


def facts(found: Approach | None) -> tuple[tuple[str, str], ...]:
    """Return an approach as figures to show, name to value, in reading order."""
    if found is None:
        return ()
    rows = [("Queries as close to a canary as a copy", f"{found.contacts:,}")]
    if found.first_ts is not None:
        rows.append(("… the first of them", f"{moment(found.first_ts):%Y-%m-%d %H:%M:%S} UTC"))
        told = [f"{name} ({_WORDS[included]})" for name, included in found.met[:_SHOWN]]
        more = len(found.met) - len(told)
        rows.append(("… canaries met", ", ".join(told) + (f" and {more:,} more" if more else "")))
    rows.extend(
        (
            f"Nearest canary, {moment(step.first_ts):%Y-%m-%d %H:%M:%S} to {moment(step.last_ts):%H:%M:%S} UTC",
            f"{step.nearest:.3f} of the distance between two ordinary inputs",
        )
        for step in found.steps
    )
    return tuple(rows)


_WORDS = {True: "trained on", False: "not trained on: the file itself has leaked, or this is a test", None: "planted"}
