"""A site in whose log, notes and settings every string of the corpus stands wherever somebody can write."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence_making import AS_OF, BEGINS, NIGHT, SECOND, AttackedSite, climb_incident, finding, save
from hostile_strings import CORPUS
from sqlalchemy import insert

from detector.config import ClientSettings, ModelSettings, Settings
from detector.evidence.clock import moment
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.model import EntityKind, Horizon, Member, Segment, Severity, Technique, Trigger
from detector.report.notes import FileNote, NightNote, RunNotes, SilentRule
from detector.store import incident_changes, tables
from detector.store.engine import Store
from detector.store.incident_bodies import Event, EventKind, clean
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from detector.model import Finding, Incident

TOGETHER = 12
_STEPS = 24


@dataclass(frozen=True)
class Group:
    """Some strings of the corpus: one incident, whose model is called as the first of them."""

    number: int
    texts: tuple[str, ...]

    @property
    def model(self) -> str:
        return clean(self.texts[0])[:200] or "m"

    @property
    def incident_id(self) -> str:
        return f"INC-{self.number:012x}"


GROUPS = tuple(Group(i, CORPUS[i * TOGETHER : (i + 1) * TOGETHER]) for i in range(-(-len(CORPUS) // TOGETHER)))


def corpus_site(folder: Path, groups: tuple[Group, ...] = GROUPS) -> AttackedSite:
    """Return the site."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "x<img src=x onerror=pwn()>\u202e.jsonl"
    lines = [json.dumps(line) + "\n" for group in groups for line in _lines(group)]
    log.write_text("".join(lines), encoding="utf-8", errors="surrogatepass")
    store = Store(f"sqlite:///{folder / 'detector.db'}")
    upgrade(store)
    with contextlib.chdir(folder):
        ingest(store, [log.relative_to(folder)], IngestOptions(as_of=AS_OF))
    with store.begin() as connection:
        for group in groups:
            one = _incident(group)
            connection.execute(insert(tables.night).values(**_night(group)))
            connection.execute(insert(tables.window), [_window(group, text) for text in group.texts])
            save(connection, one, reasons=[clean(text) for text in group.texts])
            incident_changes.record(connection, [_note(one.id, text) for text in group.texts])
    store.close()
    declared = {text: ClientSettings(workload=text) for text in CORPUS if clean(text) == text and len(text) < 500}
    settings = Settings(models={one.model: ModelSettings(sensitivity="health") for one in groups}, clients=declared)
    return AttackedSite(folder, store, settings, _incident(groups[0]))


def nights(groups: tuple[Group, ...] = GROUPS) -> list[tuple[str, Any]]:
    """Return the model nights to report on."""
    return [(one.model, NIGHT) for one in groups]


def notes() -> RunNotes:
    """Return what a run tells, with every string as a file, a reason, a model, a rule and a baseline."""
    return RunNotes(
        files=tuple(FileNote(text, "stored", 1, 1, 0, 0, ((text, 1),), text) for text in CORPUS),
        nights=tuple(NightNote(text, NIGHT, 1, text, (SilentRule(text, text, (text,)),)) for text in CORPUS),
        exit_code=13,
    )


def _lines(group: Group) -> list[dict[str, Any]]:
    """Return, for each client, a climb towards a class of its own name, over records or over texts."""
    lines = []
    for i, text in enumerate(group.texts):
        for step in range(_STEPS):
            part = 0.02 + 0.96 * step / (_STEPS - 1)
            at = BEGINS + (group.number * TOGETHER + i) * 40 * SECOND + step * SECOND
            given = {text: text, "step": step} if group.number % 2 else f"{text} {step}"
            answer = {text: part, "other": 1 - part}
            lines.append(
                {
                    "timestamp": moment(at).isoformat().replace("+00:00", "Z"),
                    "request_id": f"{group.number}-{i}-{step}-{text[:50]}",
                    "client_id": text,
                    "user_agent": text,
                    "model": group.model,
                    "model_version": text,
                    "endpoint": text,
                    "status": 200,
                    "params": {text: text},
                    "input": given,
                    "output": {"label": text, "confidence": max(answer.values()), "probabilities": answer},
                }
            )
    return lines


def _incident(group: Group) -> Incident:
    clients = tuple(dict.fromkeys(clean(text) for text in group.texts))
    first = BEGINS + group.number * TOGETHER * 40 * SECOND
    last = first + TOGETHER * 40 * SECOND
    findings = tuple(_finding(group, i, text, first) for i, text in enumerate(clients))
    return climb_incident(
        id=group.incident_id,
        model=group.model,
        entity_kind=EntityKind.NETWORK,
        entity_id=clients[0],
        members=tuple(Member(one, (NIGHT,), _STEPS, Severity.HIGH) for one in clients),
        first_ts=first,
        last_ts=last,
        findings=findings,
        atlas=clients[1:3],
        techniques=(Technique.INVERSION, Technique.MEMBERSHIP),
        summary=f"Client {clients[0]} did {clients[-1]}.",
        query_count=_STEPS * len(clients),
    )


def _finding(group: Group, place: int, text: str, first: int) -> Finding:
    begins = first + place * 40 * SECOND
    return finding(
        id=f"{group.number:08x}{place:08x}",
        rule=text[:300],
        title=text,
        model=group.model,
        entity_kind=EntityKind.CLIENT,
        entity_id=text,
        clients=(text,),
        trigger=(Trigger(text, text, text, 3.0), Trigger("confidence_ascent", 0.9, 0.4, None)),
        sentence=f"{text} did {text}",
        segment=Segment(begins, begins + _STEPS * SECOND, text),
        baseline=text,
        explained_by=text if place % 3 == 0 else None,
    )


def _note(incident_id: str, text: str) -> Event:
    return Event(incident_id, "2026-11-14T03:00:00.000000Z", clean(text), EventKind.NOTE, clean(text))


def _night(group: Group) -> dict[str, Any]:
    return {
        "model": group.model,
        "night": NIGHT.isoformat(),
        "query_count": _STEPS * len(group.texts),
        "stale": False,
        "baseline_id": clean(group.texts[-1]),
        "schema_version": 1,
        "coverage": json.dumps({clean(group.texts[-1]): 0.5}),
        "scanned_at": AS_OF.isoformat(),
    }


def _window(group: Group, text: str) -> dict[str, Any]:
    return {
        "model": group.model,
        "night": NIGHT.isoformat(),
        "horizon": Horizon.NIGHT.value,
        "entity_kind": EntityKind.CLIENT.value,
        "entity_id": clean(text),
        "query_count": _STEPS,
        "first_ts": BEGINS,
        "last_ts": BEGINS,
        "clients": None,
        "features": json.dumps({"confidence_ascent": 0.9, "query_entropy": 0.1}),
        "state": None,
    }
