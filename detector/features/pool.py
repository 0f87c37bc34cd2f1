"""The pool in which campaigns are looked for: some queries of many clients, in time order; and what is found in it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from detector.features import families
from detector.features.assemble import WHOLE, assemble, in_time
from detector.features.campaign import active_rows, groups_of, link
from detector.features.state import stacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from detector.features.assemble import Reading
    from detector.features.contact import Contacts
    from detector.features.state import States

_FAIR_PART = 0.15
_FEWEST_CLIENTS = 2


def pooled(tables: Iterable[pa.Table], quota: NDArray[np.int64]) -> pa.Table | None:
    """Return queries of several clients in time order, of each at most `quota` by its code, evenly spaced.

    Args:
        tables: whole clients' queries, with a column `client` of codes.
        quota: int64, how many of each code.

    Returns:
        None where there are fewer than two clients.
    """
    parts = [table.take(pa.array(_spaced(table, quota))) for table in tables if table.num_rows]
    if not parts:
        return None
    table = pa.concat_tables(parts).combine_chunks()
    several = len(np.unique(table["client"].to_numpy())) > 1
    return table.take(pa.array(in_time(table))) if several else None


def _spaced(table: pa.Table, quota: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that each client's quota leaves of it."""
    client = table["client"].to_numpy()
    order = in_time(table, client)
    names, firsts, counts = np.unique(client[order], return_index=True, return_counts=True)
    most = np.minimum(counts, quota[names])
    rank = np.arange(most.sum()) - np.repeat(np.cumsum(most) - most, most)
    return order[np.repeat(firsts, most) + rank * np.repeat(counts, most) // np.repeat(most, most)]


def find_campaigns(
    table: pa.Table, reading: Reading, contacts: Contacts, names: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], States] | None:
    """Find the campaigns in a pool, and measure the part of each member's queries that links it to the others.

    Args:
        table: the pool, in time order.
        reading: how the model's queries are read.
        contacts: declared training records and canaries.
        names: the client of each code.

    Returns:
        Their ids, ascending, the clients of each, and their states; None where there are none.
    """
    together = table.append_column("pool", pa.array(np.zeros(table.num_rows, dtype=np.int32)))
    view = next(assemble(together, "pool", reading, WHOLE)[2]).view
    if view is None or not reading.schema.has_view:
        return None
    # Codes follow the order in which queries came; what is found must not.
    order = sorted(range(len(names)), key=lambda code: names[code])
    names = [names[code] for code in order]
    client = np.argsort(order)[table["client"].to_numpy()]
    rows = _distinct(client, table["input_hash"].to_numpy(), np.isnan(view[:, 0]))
    rows = rows[active_rows(link(view[rows], client[rows], reading.schema))]
    rows = rows[_mostly(client, rows)[client[rows]]]
    codes = np.unique(client[rows])
    if len(codes) < _FEWEST_CLIENTS:
        return None
    group = groups_of(link(view[rows], client[rows], reading.schema))
    campaigns = sorted(_identified(codes[group == name], names) for name in np.unique(group[group >= 0]))
    if not campaigns:
        return None
    place = np.full(len(names), -1, dtype=np.int32)
    for number, (_, _, members) in enumerate(campaigns):
        place[list(members)] = number
    mine = np.where(_within(client, rows, len(names)), place[client], -1).astype(np.int32)
    _, _, blocks = assemble(table.append_column("campaign", pa.array(mine)), "campaign", reading, WHOLE)
    states = stacked([families.measure(block, reading.schema, contacts) for block in blocks])
    return tuple(name for name, _, _ in campaigns), tuple(clients for _, clients, _ in campaigns), states


def _identified(codes: NDArray[np.int64], names: Sequence[str]) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """Return a campaign's id, which its members make, its clients and their codes."""
    clients = tuple(sorted(names[code] for code in codes))
    text = "\n".join(clients).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()[:12], clients, tuple(codes.tolist())


def _distinct(client: NDArray[np.int64], inputs: NDArray[np.int64], unreadable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows that are each client's first of their input: a probe's thousandth is no further evidence."""
    order = np.lexsort((inputs, client))
    again = (client[order][1:] == client[order][:-1]) & (inputs[order][1:] == inputs[order][:-1])
    repeated = np.zeros(len(client), dtype=bool)
    repeated[order[1:][again]] = True
    return np.flatnonzero(~repeated & ~unreadable)


def _mostly(client: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return, by code, of whom a fair part of the pooled queries lies in the stretch of `rows`.

    Customers that explain or vary the same records come near to each other as an aside to all else that they do.
    """
    codes = int(client.max()) + 1
    inside = np.bincount(client[_within(client, rows, codes)], minlength=codes)
    return np.asarray(inside >= _FAIR_PART * np.bincount(client, minlength=codes))


def _within(client: NDArray[np.int64], rows: NDArray[np.int64], codes: int) -> NDArray[np.bool_]:
    """Return which rows lie between the first and the last of `rows` of their client, (n,)."""
    first, last = np.full(codes, len(client)), np.full(codes, -1)
    np.minimum.at(first, client[rows], rows)
    np.maximum.at(last, client[rows], rows)
    place = np.arange(len(client))
    return (place >= first[client]) & (place <= last[client])
