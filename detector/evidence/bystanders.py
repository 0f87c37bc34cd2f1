"""The model's benign clients in the nights of an incident: whom a control would have touched besides the attacker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.clock import night_bounds
from detector.evidence.context import Bystanders
from detector.model import STILL_OPEN, EntityKind, Severity
from detector.store import evidence_queries as stored
from detector.store import incidents as incident_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, time

    from detector.store.engine import Store
    from detector.store.evidence import StoredWindow

MAX_NIGHTS = 3
"""Latest nights of an incident in which benign clients are counted."""


@dataclass(frozen=True)
class ClientNight:
    """What one client sent in one night.

    Attributes:
        peak_hour: queries in its busiest hour.
        total: queries.
        scored: how many were answered with a confidence or probabilities.
        near: near-duplicates among them, NaN where that was not measured.
    """

    peak_hour: int
    total: int
    scored: int
    near: float


def read_night(
    store: Store, model: str, night: date, starts: time, windows: Sequence[StoredWindow]
) -> Mapping[str, ClientNight]:
    """Return what each client of a model sent in a night.

    Args:
        store: the database.
        model: the served model.
        night: which night.
        starts: when nights begin.
        windows: the night's stored windows, which tell how many near-duplicates a client sent.
    """
    near = {
        one.entity_id: round(one.features["near_duplicate_ratio"] * one.query_count)
        for one in windows
        if one.entity_kind is EntityKind.CLIENT and "near_duplicate_ratio" in one.features
    }
    peak: dict[str, int] = {}
    total: dict[str, int] = {}
    scored: dict[str, int] = {}
    for hour in stored.count_hours(store, model, *night_bounds(night, starts)):
        peak[hour.client] = max(peak.get(hour.client, 0), hour.queries)
        total[hour.client] = total.get(hour.client, 0) + hour.queries
        scored[hour.client] = scored.get(hour.client, 0) + hour.scored
    return {
        client: ClientNight(peak[client], total[client], scored[client], near.get(client, float("nan")))
        for client in sorted(total)
    }


def open_clients(store: Store, model: str, night: date) -> frozenset[str]:
    """Return the clients of the model's open incidents, above low, with a finding in a night.

    What is low is an oddity of ordinary clients as often as not; what was closed or suppressed was found harmless.
    """
    with store.begin() as connection:
        found = incident_rows.list_incidents(
            connection, status=STILL_OPEN, model=model, night=night, severity_at_least=Severity.MEDIUM
        )
    return frozenset(client for one in found for client in one.clients)


def gathered(
    nights: Mapping[date, Mapping[str, ClientNight]], suspects: AbstractSet[str], decimals: int | None
) -> Bystanders | None:
    """Return the benign clients of some nights, each by its busiest; None where there were none.

    Args:
        nights: what each client sent, by night.
        suspects: clients that are not benign.
        decimals: digits after the point of the scores that benign clients got, None where they got none.
    """
    clients = sorted({client for sent in nights.values() for client in sent} - suspects)
    if not clients:
        return None
    rows = [[sent[client] for sent in nights.values() if client in sent] for client in clients]
    return Bystanders(
        clients=len(clients),
        nights=tuple(night.isoformat() for night in sorted(nights)),
        peak_hour=np.array([max(one.peak_hour for one in row) for row in rows], dtype=np.int64),
        busiest_night=np.array([max(one.total for one in row) for row in rows], dtype=np.int64),
        scored=np.array([any(one.scored for one in row) for row in rows], dtype=np.bool_),
        near=np.array([_most([one.near for one in row]) for row in rows], dtype=np.float64),
        decimals=decimals,
    )


def _most(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return max(known, default=float("nan"))
