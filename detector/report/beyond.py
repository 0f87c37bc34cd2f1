"""The sections beyond the checklist: preconditions, what would have stopped the attack, and the response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.evidence.preconditions import Holds
from detector.incidents import response as playbook
from detector.report import words
from detector.report.charts import bar
from detector.report.view_beyond import (
    ControlGroup,
    ControlRow,
    ControlTable,
    LayerRow,
    ModelView,
    PreconditionRow,
    ResponseView,
    StageView,
    StepRow,
)
from detector.report.visible import name, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.evidence.checklist import Dossier
    from detector.evidence.controls import ControlEvidence, Outcome
    from detector.evidence.weights.file import WeightsFile
    from detector.incidents.response import Tick
    from detector.store.incident_bodies import Event

_KINDS = {
    "answers": "Poorer answers",
    "hour": "Queries an hour and client",
    "night": "Queries a night and client",
    "near": "Near-duplicates",
}
MAX_LAYERS = 80
MAX_IMPORTS = 40
_MARKS = {Holds.HELD: "missing", Holds.NOT_HELD: "captured", Holds.UNKNOWN: "na"}
_GONE = "The queries behind the findings are no longer in the store, and nothing was kept of an earlier replay."
_LABELS = (
    "Labels alone do not stop every inversion: attacks that need nothing else exist, and take more queries. "
    "A limit delays an attacker who waits, and several accounts multiply it."
)


def preconditions(dossier: Dossier) -> tuple[PreconditionRow, ...]:
    """Return which preconditions of the attack held."""
    return tuple(
        PreconditionRow(one.name, one.holds.value, _MARKS[one.holds], one.found, one.remedy)
        for one in dossier.preconditions.rows
    )


def controls(dossier: Dossier) -> ControlTable:
    """Return what each control would have done to the attack and to the model's benign clients."""
    found = dossier.controls
    if found is None:
        return ControlTable(_GONE, "", ())
    rows = [(one.kind, _control(found, i, one)) for i, one in enumerate(found.outcomes)]
    groups = tuple(
        ControlGroup(told, tuple(row for own, row in rows if own == kind))
        for kind, told in _KINDS.items()
        if any(own == kind for own, _ in rows)
    )
    return ControlTable(_controls_told(found), f"{found.measure} {_LABELS}", groups)


def _controls_told(found: ControlEvidence) -> str:
    counted = words.plural(found.queries, "query", "queries")
    replayed = f"{counted} of the attack replayed under each control, as if the attacker had taken no notice of it."
    if found.sampled < found.queries:
        replayed += f" Steps are taken from {found.sampled:,} of them, evenly spaced ones and the best."
    if found.best is None:
        return f"{replayed} No control of these removes nine in ten of its {words.plural(found.steps, 'step')}."
    best = found.outcomes[found.best]
    return (
        f"{replayed} Removing at least nine in ten of its {words.plural(found.steps, 'step')} at the smallest cost: "
        f"{best.name[:1].lower()}{best.name[1:]}, which touches {touched(found, best)} benign clients."
    )


def _control(found: ControlEvidence, place: int, one: Outcome) -> ControlRow:
    return ControlRow(
        name=one.name,
        removed=words.share(one.removed) if one.removed is not None else words.NONE,
        removed_bar=bar.draw(one.removed) if one.removed is not None else None,
        effect=_effect(found, one),
        touched=touched(found, one),
        is_best=place == found.best,
    )


def _effect(found: ControlEvidence, one: Outcome) -> str:
    if one.kind == "answers":
        if one.stops_at is None:
            return "Its progress would not have shown." if "raised" in found.measure else "Answers tell less."
        return f"The last progress that shows is at query {one.stops_at:,} of {found.queries:,}."
    if one.stops_at is None:
        return "Nothing would have been refused."
    told = (
        f"Refused from query {one.stops_at:,} of {found.queries:,} on: {words.plural(one.refused, 'query', 'queries')}."
    )
    if one.waiting is None:
        return told
    waited, took = words.duration(0, one.waiting), words.duration(0, found.length)
    return f"{told} Waiting it out takes {waited} instead of {took}." if one.waiting > found.length else told


def touched(found: ControlEvidence, one: Outcome) -> str:
    """Return how many of the benign clients counted a control touches."""
    if not found.bystanders:
        return "none to count"
    if one.touched is None:
        return "not measured"
    if one.touched == found.bystanders:
        return f"all {found.bystanders:,}" if one.touched > 1 else "the only one"
    return f"{one.touched:,} of {found.bystanders:,}" if one.touched else f"none of {found.bystanders:,}"


def response(dossier: Dossier, events: Sequence[Event]) -> ResponseView:
    """Return the steps of the response, each with who did it and when."""
    incident, sensitivity = dossier.context.incident, dossier.context.settings.sensitivity
    listed = playbook.ticks(playbook.steps(incident, sensitivity, playbook.opened_at(events)), events)
    stages = tuple(
        StageView(stage.value, tuple(_step(one) for one in listed if one.step.stage is stage))
        for stage in playbook.Stage
        if any(one.step.stage is stage for one in listed)
    )
    done = sum(one.done for one in listed)
    return ResponseView(f"{done:,} of {words.plural(len(listed), 'step')} done when this page was written.", stages)


def _step(one: Tick) -> StepRow:
    ticked = f"{(one.at or '')[:16].replace('T', ' ')} UTC by {name(one.by or '')}" if one.done else ""
    return StepRow(one.step.id, one.step.text, one.step.deadline, ticked, sentence(one.note or ""))


def weights(dossier: Dossier) -> ModelView | None:
    """Return what the model file tells, None where none is named."""
    file = dossier.weights.file
    if file is None:
        return None
    # A description names a file that tells more of the layers than itself.
    within: WeightsFile = file.beside if file.beside is not None and file.beside.architecture is not None else file
    layers = within.architecture.layers if within.architecture is not None else ()
    count = within.architecture.layer_count if within.architecture is not None else 0
    scans = [one.scan for one in (file, file.beside) if one is not None and one.scan is not None]
    imports = [one for scan in scans for one in scan.imports][:MAX_IMPORTS]
    return ModelView(
        told=dossier.weights.item.reason,
        facts=tuple((name(key), name(value, 300)) for key, value in dossier.weights.item.facts),
        layers=tuple(
            LayerRow(name(one.name), name(one.kind), name(one.shape, 200), words.number(one.parameters))
            for one in layers[:MAX_LAYERS]
        ),
        left=max(0, count - MAX_LAYERS),
        imports=tuple((name(one.name, 200), one.harm) for one in imports),
    )
