"""`detector incidents`: list, show, and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from detector.cli.common import Night, print_json
from detector.cli.opening import Call, by_option, over_incidents
from detector.cli.terminal import safe, say
from detector.model import STILL_OPEN, IncidentStatus, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from detector.config import Sensitivity, Settings
    from detector.incidents.response import Tick
    from detector.model import Incident


@click.group()
def incidents() -> None:
    """List incidents, look into one, and record what was decided."""


@incidents.command("list")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([str(one) for one in IncidentStatus]),
    help="Only this status; repeatable.",
)
@click.option("--all", "every", is_flag=True, help="Closed, suppressed and merged ones too.")
@click.option("--model", help="Only this model.")
@click.option("--night", type=Night(), help="Only with a finding in this night.")
@click.option("--min-severity", type=click.Choice([str(one) for one in Severity]), help="Only this severity or higher.")
@over_incidents
def list_(
    *,
    status: tuple[str, ...],
    every: bool,
    model: str | None,
    night: date | None,
    min_severity: str | None,
    call: Call,
) -> None:
    """List incidents, the gravest first; without --status or --all, the open and acknowledged ones."""
    from detector.incidents.document import incident_document
    from detector.incidents.suppressing import current
    from detector.store.incidents import list_incidents

    wanted = frozenset(IncidentStatus) if every else frozenset(map(IncidentStatus, status)) or STILL_OPEN
    # What a suppression hid until yesterday is open today, though no scan has written so yet.
    stored = wanted | {IncidentStatus.SUPPRESSED} if wanted & STILL_OPEN else wanted
    with call.opened() as store:
        found = list_incidents(
            store.connection,
            status=stored,
            model=model,
            night=night,
            severity_at_least=Severity(min_severity) if min_severity else None,
        )
        found = current(store.connection, found, call.at)
    found = tuple(incident for incident in found if incident.status in wanted)
    if call.as_json:
        print_json({"incidents": [incident_document(incident) for incident in found]})
    elif not call.quiet:
        from detector.cli.incident_views import table

        table(found)


@incidents.command("show")
@click.argument("incident")
@over_incidents
def show_(incident: str, *, call: Call) -> None:
    """Show one incident with its findings and its record; the first digits of its id will do."""
    from detector.incidents.document import full_document
    from detector.incidents.suppressing import current
    from detector.store.incidents import events, get_stored

    with call.opened() as store:
        stored = get_stored(store.connection, incident)
        (found,) = current(store.connection, [stored.incident], call.at)
        record = events(store.connection, found.id)
    if call.as_json:
        print_json(full_document(found, stored.reasons, record))
    elif not call.quiet:
        from detector.cli.incident_views import page

        page(found, stored.reasons, record)


def _decision(function: Callable[..., None]) -> Callable[..., None]:
    """Add what every decision takes: the incident and whose decision it is."""
    return click.argument("incident")(by_option(over_incidents(function)))


def _tell(incident: Incident, done: str, call: Call) -> None:
    if call.as_json:
        from detector.incidents.document import incident_document

        print_json(incident_document(incident))
    elif not call.quiet:
        say(f"{incident.id} {done}")


@incidents.command()
@click.option("--reason", help="Why.")
@_decision
def ack(incident: str, *, by: str, reason: str | None, call: Call) -> None:
    """Acknowledge: somebody looks after it. It stays open and still decides the exit code."""
    from detector.incidents.lifecycle import acknowledge

    with call.opened() as store:
        changed = acknowledge(store.connection, incident, by=by, reason=reason, as_of=call.at)
    _tell(changed, f"acknowledged by {safe(by)}", call)


@incidents.command()
@click.option("--reason", required=True, help="Why; the next analyst reads it.")
@_decision
def close(incident: str, *, by: str, reason: str, call: Call) -> None:
    """Close: it is dealt with. A finding in a later night opens it again."""
    from detector.incidents import lifecycle

    with call.opened() as store:
        changed = lifecycle.close(store.connection, incident, by=by, reason=reason, as_of=call.at)
    _tell(changed, f"closed by {safe(by)}", call)


@incidents.command()
@click.option("--reason", help="Why.")
@_decision
def reopen(incident: str, *, by: str, reason: str | None, call: Call) -> None:
    """Open a closed incident again."""
    from detector.incidents import lifecycle

    with call.opened() as store:
        changed = lifecycle.reopen(
            store.connection, incident, by=by, reason=reason, settings=store.settings, as_of=call.at
        )
    _tell(changed, f"reopened by {safe(by)}", call)


@incidents.command()
@_decision
@click.argument("text", required=False)
@click.option("--reason", help="The same as TEXT.")
def note(incident: str, text: str | None, *, by: str, reason: str | None, call: Call) -> None:
    """Add a line to an incident's record."""
    from detector.incidents import lifecycle

    with call.opened() as store:
        changed = lifecycle.note(store.connection, incident, by=by, text=text or reason or "", as_of=call.at)
    _tell(changed, f"noted by {safe(by)}", call)


@incidents.command()
@click.argument("incident")
@over_incidents
def steps(incident: str, *, call: Call) -> None:
    """List what to do about an incident, and what was done: by whom, and when."""
    from detector.incidents.response import current
    from detector.store.incidents import get_incident

    with call.opened() as store:
        found = get_incident(store.connection, incident)
        listed = current(store.connection, found, _sensitivity(store.settings, found))
    _show_steps(found, listed, call)


@incidents.command()
@_decision
@click.argument("step")
@click.option("--undo", is_flag=True, help="Take the tick back; the record keeps both lines.")
@click.option("--reason", help="What was done, or why it is taken back.")
def tick(incident: str, step: str, *, by: str, undo: bool, reason: str | None, call: Call) -> None:
    """Tick a step of the response; `detector incidents steps INCIDENT` lists them."""
    from detector.incidents import response
    from detector.store.incidents import get_incident

    with call.opened() as store:
        sensitivity = _sensitivity(store.settings, get_incident(store.connection, incident))
        changed, listed = response.tick(
            store.connection, incident, step, by=by, sensitivity=sensitivity, as_of=call.at, note=reason, undo=undo
        )
    if call.as_json:
        _show_steps(changed, listed, call)
    elif not call.quiet:
        say(f"{changed.id} {safe(step)} {'taken back' if undo else 'done'} by {safe(by)}")


def _sensitivity(settings: Settings, incident: Incident) -> Sensitivity:
    told = settings.models.get(incident.model)
    return told.sensitivity if told is not None else "none"


def _show_steps(incident: Incident, listed: Sequence[Tick], call: Call) -> None:
    if call.as_json:
        from detector.incidents.document import response_document

        print_json(response_document(incident, listed))
    elif not call.quiet:
        from detector.cli.incident_views import playbook

        playbook(listed)
