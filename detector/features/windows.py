"""Windows from states: the night's own, and the trailing seven merged from what each night left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.features.families import LAYOUT, finish
from detector.features.registry import NAMES
from detector.features.state import States
from detector.model import TRAILING_NIGHTS, EntityKind, Horizon, MixedWindows, Windows
from detector.store.window_rows import WindowRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.features.mixed import Mixed
    from detector.features.night import EntityStates
    from detector.features.schema import ModelSchema

IDENTITY = (
    "entity_kind", "entity_id", "horizon", "query_count", "first_ts", "last_ts", "clients", "target", "segment_first",
    "segment_last",
)  # fmt: skip


@dataclass(frozen=True)
class NightStates:
    """States of entities with what identifies them; `states` has a row for each of the other tuples' members."""

    kinds: tuple[EntityKind, ...]
    ids: tuple[str, ...]
    clients: tuple[tuple[str, ...], ...]
    states: States

    @classmethod
    def of(cls, measured: Sequence[EntityStates]) -> NightStates:
        """Put clients and networks on top of each other."""
        return cls(
            tuple(part.kind for part in measured for _ in part.names),
            tuple(name for part in measured for name in part.names),
            tuple(clients for part in measured for clients in part.clients),
            States(LAYOUT, np.concatenate([part.states.rows for part in measured])),
        )

    @classmethod
    def from_rows(cls, rows: Sequence[WindowRow]) -> NightStates:
        """Read the states of stored windows; those that an older version laid out otherwise are left out."""
        rows = [row for row in rows if row.state is not None and len(row.state) == 8 * LAYOUT.width]
        data = b"".join(row.state or b"" for row in rows)
        kinds = tuple(EntityKind(row.entity_kind) for row in rows)
        clients = tuple(row.clients or (row.entity_id,) for row in rows)
        states = States(LAYOUT, np.frombuffer(data, dtype="<f8").reshape(len(rows), LAYOUT.width))
        return cls(kinds, tuple(row.entity_id for row in rows), clients, states)

    def merged(self) -> NightStates:
        """Merge the rows of the same entity; entities in order of kind and id."""
        keys = sorted(set(zip(self.kinds, self.ids, strict=True)))
        place = {key: position for position, key in enumerate(keys)}
        owner = np.array([place[key] for key in zip(self.kinds, self.ids, strict=True)], dtype=np.int64)
        members: list[set[str]] = [set() for _ in keys]
        for position, clients in zip(owner, self.clients, strict=True):
            members[position].update(clients)
        return NightStates(
            tuple(kind for kind, _ in keys),
            tuple(name for _, name in keys),
            tuple(tuple(sorted(clients)) for clients in members),
            self.states.merged(owner, len(keys)),
        )

    def present(self, entities: set[tuple[EntityKind, str]]) -> NightStates:
        """Keep the entities named."""
        rows = [p for p, key in enumerate(zip(self.kinds, self.ids, strict=True)) if key in entities]
        return NightStates(
            tuple(self.kinds[p] for p in rows),
            tuple(self.ids[p] for p in rows),
            tuple(self.clients[p] for p in rows),
            self.states.take(np.array(rows, dtype=np.int64)),
        )

    @property
    def entities(self) -> set[tuple[EntityKind, str]]:
        """What the rows are about."""
        return set(zip(self.kinds, self.ids, strict=True))


def trailing_nights(night: date) -> tuple[str, ...]:
    """Return the nights of the trailing window that ends with `night`, oldest first, as ISO dates."""
    return tuple((night - timedelta(days=back)).isoformat() for back in range(TRAILING_NIGHTS - 1, -1, -1))


def frame_of(states: NightStates, horizon: Horizon, schema: ModelSchema) -> pd.DataFrame:
    """Return the windows of `states`: identity columns, then a column a feature."""
    raw = states.states
    target = np.nan_to_num(raw["target"], nan=-1.0).astype(np.int64)
    names = [schema.classes[t] if 0 <= t < len(schema.classes) else None for t in target]
    identity = pd.DataFrame(
        {
            "entity_kind": [kind.value for kind in states.kinds],
            "entity_id": list(states.ids),
            "horizon": horizon.value,
            "query_count": raw["queries"].astype(np.int64),
            "first_ts": raw["first_ts"].astype(np.int64),
            "last_ts": raw["last_ts"].astype(np.int64),
            "clients": list(states.clients),
            "target": pd.Series(names, dtype=object),
            "segment_first": raw["climb_first"],
            "segment_last": raw["climb_last"],
        }
    )
    features = rounded(finish(raw, schema))
    return pd.concat([identity, features.drop(columns="query_count")], axis=1)


def rounded(features: pd.DataFrame) -> pd.DataFrame:
    """Round to seven significant digits, more than any feature means.

    What is judged is then exactly what is stored: a baseline is learned from stored windows, and a tie must stay a tie.
    """
    values = features.to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** (6.0 - np.where(np.isfinite(size), np.clip(size, -290, 290), 0.0))
    return pd.DataFrame(np.rint(values * scale) / scale, columns=features.columns, index=features.index)


def windows_of(model: str, night: date, own: NightStates, week: NightStates, schema: ModelSchema) -> Windows:
    """Return the windows of a night: its entities under both horizons.

    Args:
        model: of which model.
        night: of which night.
        own: the night's states.
        week: the states of the nights before it that the trailing window covers, of any entity.
        schema: the model's schema.
    """
    frames = [frame_of(own, Horizon.NIGHT, schema)]
    if week.ids:
        both = NightStates(
            week.kinds + own.kinds,
            week.ids + own.ids,
            week.clients + own.clients,
            States(LAYOUT, np.concatenate([week.states.rows, own.states.rows])),
        )
        frames.append(frame_of(both.merged().present(own.entities), Horizon.TRAILING, schema))
    else:
        frames.append(frames[0].assign(horizon=Horizon.TRAILING.value))
    return Windows(model, night, pd.concat(frames, ignore_index=True))


def mixed_windows(model: str, night: date, mixed: Mixed, schema: ModelSchema) -> MixedWindows:
    """Return the windows of clients that do two things: of what was set apart, and of the rest."""
    kinds, clients = (EntityKind.CLIENT,) * len(mixed.names), tuple((name,) for name in mixed.names)
    apart, rest = (
        Windows(model, night, frame_of(NightStates(kinds, mixed.names, clients, part), Horizon.NIGHT, schema))
        for part in (mixed.apart, mixed.rest)
    )
    return MixedWindows(apart, rest)


def rows_of(windows: Windows, own: NightStates) -> list[WindowRow]:
    """Return the rows to store for `windows`; nightly ones carry their state."""
    frame = windows.frame
    tails = [name for name in frame.columns if name.endswith("_tail")]
    names = [name for name in NAMES if name != "query_count"] + tails
    values = frame[names].to_numpy()
    bodies = [
        json.dumps({n: v for n, v in zip(names, row, strict=True) if v == v}, separators=(",", ":"))  # noqa: PLR0124 - NaN
        for row in values.tolist()
    ]
    kinds, names_of, horizons = (frame[c].tolist() for c in ("entity_kind", "entity_id", "horizon"))
    members, numbers = frame["clients"].tolist(), frame[["query_count", "first_ts", "last_ts"]].to_numpy(dtype=np.int64)
    states = {
        key: row.tobytes() for key, row in zip(zip(own.kinds, own.ids, strict=True), own.states.rows, strict=True)
    }
    rows = []
    for position, body in enumerate(bodies):
        kind, name = EntityKind(kinds[position]), names_of[position]
        nightly = horizons[position] == Horizon.NIGHT
        rows.append(
            WindowRow(
                horizon=horizons[position],
                entity_kind=kind.value,
                entity_id=name,
                query_count=int(numbers[position, 0]),
                first_ts=int(numbers[position, 1]),
                last_ts=int(numbers[position, 2]),
                clients=members[position] if kind is not EntityKind.CLIENT else (),
                features=body,
                state=states[kind, name] if nightly else None,
            )
        )
    return rows
