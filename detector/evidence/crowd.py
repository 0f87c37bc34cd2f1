"""The model's other clients, and what the same clients did before: what an attack is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence import columns
from detector.evidence.clock import night_bounds
from detector.evidence.context import Reference
from detector.evidence.numbers import decimals
from detector.evidence.outline import read_outlines
from detector.model import Severity
from detector.store import decode
from detector.store import evidence as kept
from detector.store import evidence_queries as stored
from detector.store import incidents as incident_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import time

    from numpy.typing import NDArray

    from detector.evidence.reach import Outline
    from detector.model import Incident
    from detector.store.engine import Store

_ANSWERS_PER_NIGHT = 20_000
_ANSWERS_PER_CLIENT = 200
_INPUTS = 1_000
_INPUT_BYTES = 16 * 1024 * 1024
_NIGHTS = 3
_LOOK_BACK = timedelta(days=30)
_HISTORY_ROWS = 2_000


@dataclass(frozen=True, eq=False)
class Crowd:
    """A sample of a model's answers in the nights of the incidents.

    Attributes:
        reference: answers of clients in no incident above low; None where there were none.
        names: class names by code, of answers that name their classes.
        positions: class names by position, of answers that list probabilities.
        classes: all class names known so far.
        decimals: digits after the point of the scores that benign clients got, None where they got none.
    """

    reference: Reference | None
    names: Mapping[int, str]
    positions: Mapping[int, str]
    classes: tuple[str, ...]
    decimals: int | None = None


def read_crowd(store: Store, model: str, nights: Sequence[date], starts: time) -> Crowd:
    """Return the crowd of the latest of `nights`."""
    import pyarrow as pa

    latest = list(nights)[-_NIGHTS:]
    counts = {row.night: row.query_count for row in kept.scanned_nights(store) if row.model == model}
    tables = []
    for night in latest:
        bounds = night_bounds(night, starts)
        count = counts[night] if night in counts else stored.count_queries(store, model, *bounds)
        tables.append(stored.read_sample(store, model, *bounds, max(1, count // _ANSWERS_PER_NIGHT)))
    names = kept.class_names(store, model)
    if not tables:
        return Crowd(None, names, {}, ())
    table = pa.concat_tables(tables)
    kinds, blobs = table.column("probability_kind"), table.column("probabilities")
    positions = decode.position_names(kinds, blobs, table.column("label"))
    probabilities = decode.probability_matrix(kinds, blobs, names, positions)
    confidence = columns.confidence(table, probabilities.values)
    benign = _benign(store, model, latest, table)
    reference = _reference(store, table, confidence, benign, latest)
    told = probabilities.values if probabilities.values.shape[1] else confidence
    return Crowd(reference, names, positions, probabilities.classes, decimals(told[benign]))


def read_history(store: Store, model: str, incidents: Sequence[Incident], starts: time) -> Outline:
    """Return the outline of what the clients of incidents sent in their latest nights before."""
    nights: set[date] = set()
    clients = sorted({client for incident in incidents for client in incident.clients})
    for incident in incidents:
        first = min(incident.nights)
        seen = kept.nights_of_clients(store, model, incident.clients, first - _LOOK_BACK, first)
        for earlier in seen.values():
            nights.update(date.fromisoformat(night) for night in earlier[-_NIGHTS:])
    return read_outlines(store, model, clients, [night_bounds(night, starts) for night in sorted(nights)])


def before(store: Store, incident: Incident, earlier: Outline, during: Outline, begins: int) -> Reference | None:
    """Return the answers that the incident's clients got before the attack; None where they had none.

    Args:
        store: the database.
        incident: the incident.
        earlier: outline of the clients' earlier nights.
        during: outline of the incident's nights.
        begins: when the attack begins.
    """
    parts = [
        (outline, np.flatnonzero(outline.of(incident.clients) & (outline.ts < begins))) for outline in (earlier, during)
    ]
    ids = np.concatenate([outline.id[rows] for outline, rows in parts])
    if not len(ids):
        return None
    confidence = np.concatenate([outline.confidence[rows] for outline, rows in parts]).astype(np.float64)
    if not np.isfinite(confidence).any():
        confidence = _from_probabilities(store, ids)
    confidence = confidence[np.isfinite(confidence)]
    clients = {outline.clients[code] for outline, rows in parts for code in np.unique(outline.client[rows])}
    moments = np.concatenate([outline.ts[rows] for outline, rows in parts])
    nights = tuple(str(day) for day in np.unique(moments.astype("datetime64[us]").astype("datetime64[D]")))
    return Reference(confidence, np.empty((0, 0), dtype=np.float32), len(clients), nights)


def incident_clients(store: Store, model: str, nights: Sequence[date]) -> set[str]:
    """Return the clients of every incident of a model, above low, that has a finding in one of `nights`.

    What is low is an oddity of ordinary clients as often as not: without those hardly anybody would be left.
    """
    listed = incident_rows.list_incidents
    with store.begin() as connection:
        found = [listed(connection, model=model, night=night, severity_at_least=Severity.MEDIUM) for night in nights]
    return {client for group in found for incident in group for client in incident.clients}


def _benign(store: Store, model: str, nights: Sequence[date], table: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Return which rows belong to clients in no incident above low, no client with more than its share.

    One tenant can send a third of a service's load: without a cap the comparison would be with that tenant alone.
    """
    suspects = incident_clients(store, model, nights)
    seen: dict[str, int] = {}
    keep = np.zeros(table.num_rows, dtype=bool)
    for i, client in enumerate(table.column("client_id").to_pylist()):
        seen[client] = seen.get(client, 0) + 1
        keep[i] = client not in suspects and seen[client] <= _ANSWERS_PER_CLIENT * len(nights)
    return keep


def _reference(
    store: Store,
    table: Any,  # noqa: ANN401 - Arrow
    confidence: NDArray[np.float64],
    benign: NDArray[np.bool_],
    nights: Sequence[date],
) -> Reference | None:
    if not benign.any():
        return None
    rows = np.flatnonzero(benign)
    wanted = rows[np.linspace(0, len(rows) - 1, min(_INPUTS, len(rows))).astype(np.int64)]
    sizes = np.asarray(table.column("input_bytes"), dtype=np.int64)[wanted]
    wanted = wanted[np.cumsum(sizes) <= _INPUT_BYTES]
    ids = np.asarray(table.column("id"), dtype=np.int64)[wanted]
    inputs = columns.inputs(stored.read_inputs(store, [int(one) for one in ids]), np.arange(len(ids)))
    vectors = inputs.vectors[np.isfinite(inputs.vectors).all(axis=1)] if inputs.dimension else inputs.vectors[:0]
    told = confidence[benign]
    clients = len(set(table.column("client_id").filter(benign).to_pylist()))
    return Reference(told[np.isfinite(told)], vectors, clients, tuple(night.isoformat() for night in nights))


def _from_probabilities(store: Store, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest probabilities of some of the queries `ids`: the log named no confidence."""
    some = ids[np.linspace(0, len(ids) - 1, min(_HISTORY_ROWS, len(ids))).astype(np.int64)]
    table = stored.read_details(store, [int(one) for one in np.unique(some)])
    matrix = decode.probability_matrix(table.column("probability_kind"), table.column("probabilities"), {})
    return columns.confidence(table, matrix.values)
