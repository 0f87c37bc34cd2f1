"""What to do about an incident, step by step, and the ticks that people set: lines of its append-only record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from detector.errors import IncidentError
from detector.incidents.suppressing import require
from detector.model import IncidentStatus, Technique
from detector.store import incident_changes as changes
from detector.store import incidents as rows
from detector.store.incident_bodies import Event, EventKind, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from detector.config import Sensitivity
    from detector.model import Incident

_ABOUT_PEOPLE = frozenset({Technique.INVERSION, Technique.ATTRIBUTE, Technique.MEMBERSHIP})
_ABOUT_MODELS = frozenset({Technique.INVERSION, Technique.ATTRIBUTE, Technique.MEMBERSHIP, Technique.EXTRACTION})
_HOURS_ART_33 = 72
_DAYS_HIPAA = 60


class Stage(StrEnum):
    """The parts of a response, in their order."""

    CONTAIN = "Contain"
    INVESTIGATE = "Investigate"
    MODEL = "Model"
    NOTIFY = "Notify"
    CLOSE = "Close"


@dataclass(frozen=True)
class Step:
    """One step of the response.

    Attributes:
        id: what the command line calls it.
        stage: the part that it belongs to.
        text: what to do.
        deadline: until when, in words; empty where there is none.
    """

    id: str
    stage: Stage
    text: str
    deadline: str = ""


@dataclass(frozen=True)
class Tick:
    """A step as it stands.

    Attributes:
        step: the step.
        at, by, note: when it was done, by whom, and what they said; None where it is still to do.
    """

    step: Step
    at: str | None = None
    by: str | None = None
    note: str | None = None

    @property
    def done(self) -> bool:
        """Whether somebody ticked it."""
        return self.at is not None


def steps(incident: Incident, sensitivity: Sensitivity, opened: str | None = None) -> tuple[Step, ...]:
    """Return the steps that fit an incident, in order.

    Args:
        incident: the incident.
        sensitivity: what the site declares of the model.
        opened: when the scan opened it, ISO-8601; the earliest moment from which deadlines can count.
    """
    found = [*_contain(incident), *_investigate(incident)]
    if _ABOUT_MODELS.intersection(incident.techniques):
        found += _model()
    if _ABOUT_PEOPLE.intersection(incident.techniques):
        found += _notify(sensitivity, opened)
    found.append(Step("lessons", Stage.CLOSE, "Note what is to change, then close the incident with its reason."))
    return tuple(found)


def _contain(incident: Incident) -> list[Step]:
    whose = "the client" if len(incident.members) == 1 else f"the {len(incident.members):,} clients"
    return [
        Step("suspend", Stage.CONTAIN, f"Suspend or slow down {whose} on the model."),
        Step("rotate-keys", Stage.CONTAIN, f"Issue {whose} new keys; the old ones end."),
        Step(
            "control", Stage.CONTAIN, "Choose a control under \u201cWhat would have stopped it\u201d and switch it on."
        ),
        Step(
            "preserve", Stage.CONTAIN, "Set the log files and the evidence bundle aside, out of the reach of rotation."
        ),
    ]


def _investigate(incident: Incident) -> list[Step]:
    owner = "Ask whoever owns the client" if len(incident.members) == 1 else "Ask whoever owns the clients"
    return [
        Step("owner", Stage.INVESTIGATE, f"{owner} to explain these queries; learn whether the key was stolen."),
        Step("elsewhere", Stage.INVESTIGATE, "Look for the same actor on other models and in earlier nights."),
    ]


def _model() -> list[Step]:
    return [
        Step("exposure", Stage.MODEL, "Decide from items 2, 5 and 6 what the attacker holds, and whom it is about."),
        Step("rotate-model", Stage.MODEL, "Replace the model by one that tells less: retrained, regularised, or with "
             "differential privacy; then retire this version."),
    ]  # fmt: skip


def _notify(sensitivity: Sensitivity, opened: str | None) -> list[Step]:
    if sensitivity == "none":
        text = (
            "Ask whether the training data were personal: no sensitivity is declared. If so, the duties below it apply."
        )
        return [Step("personal-data", Stage.NOTIFY, text)]
    found = [
        Step("officer", Stage.NOTIFY, "Tell the data protection officer; as a processor tell the controller without "
             "undue delay (GDPR art. 33 (2))."),
        Step("authority", Stage.NOTIFY, "Supervisory authority: notify, unless a risk to people is unlikely (GDPR art. "
             "33 (1)); record the assessment either way (art. 33 (5)).",
             f"within {_HOURS_ART_33} hours of becoming aware{_until(opened, timedelta(hours=_HOURS_ART_33))}"),
        Step("data-subjects", Stage.NOTIFY, "Data subjects: inform those whose records were disclosed, where the risk "
             "to them is likely to be high (GDPR art. 34).", "without undue delay"),
    ]  # fmt: skip
    if sensitivity == "health":
        found.append(
            Step("hipaa-individuals", Stage.NOTIFY, "Individuals: under HIPAA, notify each whose unsecured protected "
                 "health information was breached (45 CFR 164.404); the Secretary and, above 500 residents of a state, "
                 "the media too (164.406, 164.408).",
                 f"without unreasonable delay, at most {_DAYS_HIPAA} calendar days after discovery"
                 f"{_until(opened, timedelta(days=_DAYS_HIPAA))}")
        )  # fmt: skip
    found.append(
        Step("clients", Stage.NOTIFY, "Clients: tell whoever's key was used without their knowledge, and those whom a "
             "new control will touch.")
    )  # fmt: skip
    return found


def _until(opened: str | None, span: timedelta) -> str:
    """Return when a deadline ends if it began when the incident was opened."""
    if opened is None:
        return ""
    end = datetime.fromisoformat(opened).astimezone(UTC) + span
    return f"; {end:%Y-%m-%d %H:%M} UTC if that was when the incident was opened"


def opened_at(events: Sequence[Event]) -> str | None:
    """Return when an incident was first opened, as its record says; None where it does not."""
    return next((one.at for one in events if one.what is EventKind.OPENED), None)


def ticks(listed: Sequence[Step], events: Sequence[Event]) -> tuple[Tick, ...]:
    """Return the steps as the record leaves them: the last line about a step counts."""
    state = {step.id: Tick(step) for step in listed}
    for event in events:
        if event.what not in {EventKind.STEP_DONE, EventKind.STEP_UNDONE}:
            continue
        key, _, note = (event.why or "").partition(": ")
        if key in state:
            done = event.what is EventKind.STEP_DONE
            step = state[key].step
            state[key] = Tick(step, event.at, event.who, note or None) if done else Tick(step)
    return tuple(state.values())


def tick(
    connection: Connection,
    incident_id: str,
    step_id: str,
    *,
    by: str,
    sensitivity: Sensitivity,
    as_of: datetime,
    note: str | None = None,
    undo: bool = False,
) -> tuple[Incident, tuple[Tick, ...]]:
    """Set or take back a tick; return the incident and all its steps as they stand then.

    Raises:
        IncidentError: there is no such incident or step, it was merged, or the step stands so already.
    """
    require(by, "author")
    changes.lock(connection)
    incident = rows.get_incident(connection, incident_id)
    if incident.status is IncidentStatus.MERGED:
        raise IncidentError(f"{incident.id} was merged into {incident.heir}", expected=f"{incident.heir}")
    standing = current(connection, incident, sensitivity)
    chosen = next((one for one in standing if one.step.id == step_id), None)
    if chosen is None:
        known = ", ".join(one.step.id for one in standing)
        raise IncidentError(f"{incident.id} has no step {step_id!r}", expected=f"one of {known}")
    if chosen.done is not undo:
        state = f"was done by {chosen.by} at {chosen.at}" if chosen.done else "is not done"
        raise IncidentError(f"step {step_id} {state}", expected="a step still to do" if chosen.done else "a step done")
    what = EventKind.STEP_UNDONE if undo else EventKind.STEP_DONE
    line = Event(incident.id, stamp(as_of), by, what, f"{step_id}: {note}" if note else step_id)
    changes.record(connection, [line])
    return incident, current(connection, incident, sensitivity)


def current(connection: Connection, incident: Incident, sensitivity: Sensitivity) -> tuple[Tick, ...]:
    """Return an incident's steps as they stand."""
    events = rows.events(connection, incident.id)
    return ticks(steps(incident, sensitivity, opened_at(events)), events)
