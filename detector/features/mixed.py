"""Clients that do two things: what they vary or invent, set apart from what they ask like everybody else.

Who hides an attack among ordinary queries has windows that are mostly ordinary. The attack's own queries lie in long
threads of descent or off the manifold of the reference inputs; of a client of which a part does, that part and the rest
are measured as if they were two clients. Whether the one is an attack and the other its cover is not said here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from detector.features import families
from detector.features.assemble import WHOLE, assemble, in_time
from detector.features.lineage import threaded_rows
from detector.features.state import States, stacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from detector.features.assemble import Reading
    from detector.features.contact import Contacts

# What is set apart: at least so many queries, and of all at least and at most this share.
FEWEST_APART = 150
_LEAST_SHARE = 0.04
_MOST_SHARE = 0.6
# Distances to the reference are taken for every query of these clients: most suspicious first, no more than so many.
_MOST_ROWS = 200_000


@dataclass(frozen=True)
class Mixed:
    """Clients that do two things.

    Attributes:
        names: their ids, ascending.
        apart: states of the queries in long threads or off the manifold, a row each.
        rest: states of the others.
    """

    names: tuple[str, ...]
    apart: States
    rest: States


def candidates(states: States) -> NDArray[np.bool_]:
    """Return which of the clients may do two things, as far as their states tell; few enough to look at in whole."""
    queries = states["queries"]
    off = states["off_manifold"] / np.maximum(states["looked_at"], 1.0)
    threaded = states["threaded"] / np.maximum(states["kin_compared"], 1.0)
    part = np.maximum(off, threaded)
    able = (part >= _LEAST_SHARE) & (np.minimum(off, threaded) <= _MOST_SHARE) & (queries * part >= FEWEST_APART / 2)
    order = np.lexsort((np.arange(len(queries)), -part))
    order = order[able[order]]
    chosen = np.zeros(len(queries), dtype=bool)
    chosen[order[np.cumsum(queries[order]) <= _MOST_ROWS]] = True
    return chosen


def measure_mixed(
    tables: Iterable[pa.Table], reading: Reading, contacts: Contacts, names: Sequence[str]
) -> Mixed | None:
    """Measure the two parts of each client that has both.

    Args:
        tables: whole clients' queries, with a column `client` of codes.
        reading: how the model's queries are read.
        contacts: declared training records and canaries.
        names: the client of each code.

    Returns:
        None where no client does two things.
    """
    codes: list[int] = []
    parts: tuple[list[States], list[States]] = ([], [])
    for table in tables:
        if not table.num_rows:
            continue
        client = table["client"].to_numpy()
        ordered = table.take(pa.array(in_time(table, client)))
        apart = _apart(ordered, reading)
        client = ordered["client"].to_numpy()
        held, out = np.bincount(client, minlength=len(names)), np.bincount(client[apart], minlength=len(names))
        both = (out >= FEWEST_APART) & (out >= _LEAST_SHARE * held) & (out <= _MOST_SHARE * held)
        if both.any():
            codes.extend(np.flatnonzero(both).tolist())
            for part, rows in zip(parts, (both[client] & apart, both[client] & ~apart), strict=True):
                _, _, blocks = assemble(ordered.filter(pa.array(rows)), "client", reading, WHOLE)
                part.extend(families.measure(block, reading.schema, contacts) for block in blocks)
    if not codes:
        return None
    order = np.array(sorted(range(len(codes)), key=lambda place: names[codes[place]]), dtype=np.int64)
    told = tuple(names[codes[place]] for place in order)
    return Mixed(told, *(stacked(part).take(order) for part in parts))


def _apart(table: pa.Table, reading: Reading) -> NDArray[np.bool_]:
    """Return which queries of clients one after the other, in time, are in long threads or off the manifold."""
    found = np.zeros(table.num_rows, dtype=bool)
    (block,) = assemble(table, "client", reading, WHOLE)[2]
    if block.view is not None and reading.schema.has_view:
        found[threaded_rows(block, reading.schema)] = True
        found |= reading.schema.off_manifold(block.view)
    return found
