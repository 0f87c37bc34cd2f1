"""Capturing the evidence of incidents: gather, pin the raw lines, fill the checklist, keep it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.evidence import checklist, controls, telling
from detector.evidence.gather import gather
from detector.store.evidence import read_pins, write_items

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.config import Settings
    from detector.evidence.checklist import Dossier
    from detector.evidence.context import IncidentContext
    from detector.model import Incident
    from detector.store.engine import Store
    from detector.store.evidence import PinnedLine, SourceFile


MOST_HELD = 100_000
"""Telling queries of all incidents together whose contexts are held between the two looks; beyond, gathered again."""


def capture(store: Store, settings: Settings, incidents: Sequence[Incident]) -> Iterator[Dossier]:
    """Yield the evidence of each incident, in the order given.

    Each incident is looked at twice: first to choose the lines to keep, so that every log file is read again only
    once for all incidents together, then to fill the checklist.
    """
    gathered = gather(store, settings, incidents)
    wanted: dict[str, Sequence[PinnedLine]] = {}
    files: dict[int, SourceFile] = {}
    held: dict[str, IncidentContext] = {}
    room = MOST_HELD
    for incident in incidents:
        context = gathered[incident.model].context(incident)
        wanted[incident.id] = telling.pins(context)
        files.update({file.id: file for file in context.files})
        room -= len(context.queries)
        if room >= 0:
            held[incident.id] = context
    problems = telling.pin(store, wanted, [files[number] for number in sorted(files)])
    for incident in incidents:
        looked_at = incident.id in held
        context = held.pop(incident.id) if looked_at else gathered[incident.model].context(incident)
        own = tuple(problems[file.sha256] for file in context.files if file.sha256 in problems)
        pinned = read_pins(store, incident.id)
        dossier = checklist.examine(replace(context, pinned=pinned, raw_problems=own))
        write_items(store, incident.id, dossier.items)
        yield replace(dossier, controls=controls.standing(store, incident.id, dossier.controls))
