"""What the store knows of a night, for reports that no run accompanies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from detector.evidence.clock import night_bounds
from detector.report.notes import FileNote, NightNote
from detector.store import evidence as kept

if TYPE_CHECKING:
    from datetime import date

    from detector.config import Settings
    from detector.store.engine import Store


def judged_of(store: Store, night: date) -> tuple[NightNote, ...]:
    """Return how the models of a night were judged."""
    return tuple(
        NightNote(row.model, night, row.query_count, _judged_by(row.baseline), (), _coverage(row.coverage))
        for row in kept.scanned_nights(store)
        if row.night == night
    )


def files_of(store: Store, settings: Settings, night: date) -> tuple[FileNote, ...]:
    """Return the log files that hold queries of a night."""
    first, end = night_bounds(night, settings.night_starts)
    return tuple(
        FileNote(
            path=file.path,
            status=file.status,
            read=file.read,
            stored=file.stored,
            duplicate=file.duplicate,
            rejected=file.rejected,
            rejects=_rejects(file.rejects),
            damage=file.damage,
        )
        for file in kept.files_between(store, first, end)
    )


def _judged_by(baseline: str | None) -> str:
    return f"Judged by rules and baseline {baseline}." if baseline else "Judged by rules alone: no baseline yet."


def _coverage(body: str) -> tuple[tuple[str, float], ...]:
    loaded = json.loads(body or "{}")
    if not isinstance(loaded, dict):
        return ()
    return tuple((str(name), float(value)) for name, value in loaded.items() if isinstance(value, (int, float)))


def _rejects(body: str) -> tuple[tuple[str, int], ...]:
    loaded = json.loads(body or "{}")
    if not isinstance(loaded, dict):
        return ()
    pairs = [(str(reason), int(count)) for reason, count in loaded.items() if isinstance(count, int)]
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
