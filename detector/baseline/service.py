"""Which baseline judges a night, and when one is learned without being asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from detector.baseline.learn import FEWEST_NIGHTS, learn
from detector.baseline.model import Baseline, BaselineKind, load_arrays
from detector.errors import BaselineError
from detector.features.schema import ModelSchema
from detector.model import Horizon, Severity
from detector.store import baselines, scanning, window_rows
from detector.store.incidents import list_incidents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from detector.store.baselines import BaselineRow


@dataclass(frozen=True)
class Standing:
    """What a night is judged by, and the sentence that tells the reader."""

    baseline: Baseline | None
    sentence: str


def load(row: BaselineRow) -> Baseline:
    """Read a stored baseline.

    Raises:
        BaselineError: the stored bytes are damaged.
    """
    try:
        told = json.loads(row.body)
        nights = tuple(date.fromisoformat(night) for night in told["nights"])
        left_out = tuple((str(name), str(why)) for name, why in told["left_out"])
        night, trailing = load_arrays(row.arrays, told["features"])
        kind = BaselineKind(row.kind)
        return Baseline(row.id, row.model, row.version, kind, nights, told["clients"], left_out, night, trailing)
    except (ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"baseline {row.id} cannot be read: {error}") from error


def standing(connection: Connection, model: str, night: date) -> Standing:
    """Return the baseline that judges a night; no night is judged by a provisional one that it helped to make."""
    row = baselines.active_baseline(connection, model, night.isoformat())
    if row is not None:
        found = load(row)
        nights = f"{len(found.nights)} nights" if found.nights else "a reference file"
        return Standing(found, f"judged by rules and by the {found.kind} baseline {found.id}, learned from {nights}")
    return Standing(None, "judged by rules alone: this model has no baseline for this night yet")


def learn_provisional(connection: Connection, model: str, night: date, as_of: datetime) -> Baseline | None:
    """Learn a robust baseline before `night` is judged, if three earlier nights are there and none was learned yet.

    Returns:
        The new baseline, or None where there is one already or too little to learn from.
    """
    if baselines.list_baselines(connection, model):
        return None
    earlier = [row.night for row in scanning.scanned_nights(connection, model) if row.night < night.isoformat()]
    if len(earlier) < FEWEST_NIGHTS:
        return None
    nights = [date.fromisoformat(name) for name in earlier[-FEWEST_NIGHTS:]]
    try:
        return learn_from_nights(connection, model, nights, BaselineKind.PROVISIONAL, as_of)
    except BaselineError:
        return None


def learn_from_nights(
    connection: Connection, model: str, nights: Sequence[date], kind: BaselineKind, as_of: datetime
) -> Baseline:
    """Learn, store and activate a baseline from scanned nights.

    Raises:
        BaselineError: a night was not scanned, or too few windows are left.
    """
    names = [night.isoformat() for night in nights]
    known = {row.night for row in scanning.scanned_nights(connection, model)}
    missing = sorted(set(names) - known)
    if missing:
        raise BaselineError(
            f"night {missing[0]} of model {model!r} was not scanned", expected="nights that `detector scan` saw"
        )
    windows = {h: [row for _, row in window_rows.load_windows(connection, model, names, h)] for h in Horizon}
    version = baselines.next_version(connection, model)
    learned = learn(model, version, kind, nights, windows, suspects=_suspects(connection, model, nights))
    store(connection, learned, as_of)
    return learned


def _suspects(connection: Connection, model: str, nights: Sequence[date]) -> frozenset[str]:
    """Return the clients of incidents of severity medium or higher that touch one of the nights."""
    found = list_incidents(connection, model=model, severity_at_least=Severity.MEDIUM)
    return frozenset(client for one in found if set(one.nights) & set(nights) for client in one.clients)


def store(connection: Connection, learned: Baseline, as_of: datetime) -> None:
    """Store a baseline and make it the active one; a provisional one judges only the nights after it."""
    names = [night.isoformat() for night in learned.nights]
    last = max(names, default=None)
    baselines.add_baseline(
        connection,
        baselines.BaselineRow(
            id=learned.id,
            model=learned.model,
            version=learned.version,
            kind=learned.kind.value,
            active=True,
            first_night=min(names, default=None),
            last_night=last,
            valid_after=last if learned.kind is BaselineKind.PROVISIONAL else None,
            body=learned.body(),
            arrays=learned.arrays(),
            created_at=as_of.isoformat(),
        ),
    )


def learn_from_reference(
    connection: Connection, model: str, reference: Path, nights: Sequence[date], as_of: datetime
) -> Baseline:
    """Take the model's reference inputs from a file, as a new version of its schema, and learn the rest from nights.

    Windows measured by the older schema keep their meaning; trailing windows begin anew with the new one.

    Args:
        connection: an open transaction.
        model: which model; at least one night of it was scanned.
        reference: Parquet file of ordinary inputs.
        nights: nights known clean; empty takes all nights scanned so far.
        as_of: the present.

    Raises:
        ConfigError: the file cannot be read, or holds inputs of another kind than the model's.
        BaselineError: the model was never scanned, or too few windows are left.
    """
    from detector.features.reference import reference_schema

    stored = scanning.latest_schema(connection, model)
    if stored is None:
        raise BaselineError(f"model {model!r} was never scanned", expected="`detector run` of at least one night first")
    held = ModelSchema.load(stored.model, stored.version, stored.night, stored.body, stored.arrays)
    fresh = reference_schema(held, reference)
    scanning.add_schema(
        connection, scanning.StoredSchema(model, fresh.version, fresh.night, fresh.body(), fresh.arrays())
    )
    chosen = list(nights) or [date.fromisoformat(row.night) for row in scanning.scanned_nights(connection, model)]
    return learn_from_nights(connection, model, chosen, BaselineKind.REFERENCE, as_of)
