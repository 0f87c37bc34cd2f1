"""Who came near a canary, by the windows that scans left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.model import EntityKind, Horizon
from detector.store.scanning import scanned_nights
from detector.store.window_rows import load_windows

if TYPE_CHECKING:
    from sqlalchemy import Connection

FEATURE = "canary_hits"


@dataclass(frozen=True)
class Contact:
    """One client's contacts in one night."""

    night: str
    client: str
    hits: int
    query_count: int


@dataclass(frozen=True)
class Watch:
    """What the stored nights tell of a model's canaries: nights scanned, nights with canaries declared, contacts."""

    nights: int
    watched: int
    contacts: tuple[Contact, ...]


def watch(connection: Connection, model: str) -> Watch:
    """Return the contacts of all scanned nights of `model`, oldest first."""
    nights = [row.night for row in scanned_nights(connection, model)]
    watched: set[str] = set()
    contacts: list[Contact] = []
    for night, row in load_windows(connection, model, nights, Horizon.NIGHT.value):
        hits = json.loads(row.features).get(FEATURE)
        if hits is None:
            continue
        watched.add(night)
        if row.entity_kind == EntityKind.CLIENT.value and hits >= 1:
            contacts.append(Contact(night, row.entity_id, int(hits), row.query_count))
    return Watch(len(nights), len(watched), tuple(contacts))
