"""What would have stopped it: the attack's queries replayed under each control, and whom else it would have touched."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from detector.evidence import refusals
from detector.evidence import steps as learning
from detector.store.evidence import read_replay, write_replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.evidence.context import Bystanders, IncidentContext, Trace
    from detector.evidence.refusals import Refusal
    from detector.evidence.steps import Answers, Steps
    from detector.store.engine import Store

Kind = Literal["answers", "hour", "night", "near"]

CLEARLY = 0.9
"""A control that removes this share of the steps leaves an attacker hardly anything to go by."""

_ANSWERS: tuple[tuple[Answers, str, int], ...] = (
    ("2 decimals", "Probabilities rounded to 2 decimals", 2),
    ("1 decimal", "Probabilities rounded to 1 decimal", 1),
    ("bands", "Label with one of three confidence bands (below 0.5, below 0.9, above)", 0),
    ("label", "Top label alone, no confidence", 0),
)


@dataclass(frozen=True)
class Outcome:
    """One control and what it would have done.

    Attributes:
        kind: what it changes: the answers, or who is still answered.
        name: what the control is.
        removed: share of the attack's steps removed, None where that cannot be told.
        stops_at: the attack's query, counted from 1, that would first have been refused; for poorer answers the last
            one whose progress would have shown. None where there is none.
        refused: the attack's queries that would have been refused.
        touched: benign clients whose answers would have changed, or who would have been refused; None where unknown.
        waiting: microseconds that the attack would have taken at least by waiting, None where waiting is no way.
    """

    kind: Kind
    name: str
    removed: float | None
    stops_at: int | None
    refused: int
    touched: int | None
    waiting: int | None = None


@dataclass(frozen=True)
class ControlEvidence:
    """The controls and their effects.

    Attributes:
        measure: what a step of the attack is, for a reader.
        steps: of the attack.
        queries: of the attack that were replayed.
        sampled: queries from which the steps were taken; fewer than `queries` where there were too many to hold.
        length: microseconds from the attack's first query to its last.
        bystanders: benign clients that were counted.
        nights: in which nights.
        outcomes: a row a control.
        best: index of the control that removes nearly everything and touches fewest, None where none does.
    """

    measure: str
    steps: int
    queries: int
    sampled: int
    length: int
    bystanders: int
    nights: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    best: int | None


def examine(context: IncidentContext) -> ControlEvidence | None:
    """Return what each control would have done, None where the store no longer holds the attack's queries."""
    trace, found = context.trace, learning.find(context)
    if trace is None or not len(trace) or found is None:
        return None
    crowd = context.bystanders
    refused = (*refusals.hourly(trace, crowd), *refusals.nightly(trace, crowd), *refusals.no_near(trace, crowd))
    outcomes = (*_poorer(found, trace, crowd), *(_refusing(one, found, trace) for one in refused))
    return ControlEvidence(
        measure=found.measure,
        steps=len(found.rows),
        queries=len(trace),
        sampled=len(trace.held),
        length=int(trace.ts[-1] - trace.ts[0]),
        bystanders=crowd.clients if crowd is not None else 0,
        nights=crowd.nights if crowd is not None else (),
        outcomes=outcomes,
        best=_best(outcomes),
    )


def standing(store: Store, incident_id: str, found: ControlEvidence | None) -> ControlEvidence | None:
    """Keep what was found with the incident, or return what was kept where that rests on more of the queries.

    Raw queries leave the store after some nights: the replay outlives them.
    """
    body = read_replay(store, incident_id)
    kept = _read(body) if body is not None else None
    if found is None or (kept is not None and kept.queries > found.queries):
        return kept
    written = json.dumps(asdict(found), ensure_ascii=False, sort_keys=True)
    if written != body:
        write_replay(store, incident_id, written)
    return found


def _read(body: str) -> ControlEvidence:
    loaded = json.loads(body)
    outcomes = tuple(Outcome(**one) for one in loaded.pop("outcomes"))
    nights = tuple(loaded.pop("nights"))
    return ControlEvidence(outcomes=outcomes, nights=nights, **loaded)


def _poorer(found: Steps, trace: Trace, crowd: Bystanders | None) -> list[Outcome]:
    outcomes = []
    for answers, name, digits in _ANSWERS:
        last = found.last[answers]
        place = int(trace.held[last]) + 1 if last is not None else None
        # Rounding that the answers have already changes nobody's.
        changes = crowd is not None and crowd.decimals is not None and crowd.decimals > digits
        touched = None if crowd is None else int(crowd.scored.sum()) if changes else 0
        outcomes.append(Outcome("answers", name, 1 - found.shown[answers], place, 0, touched))
    return outcomes


def _refusing(one: Refusal, found: Steps, trace: Trace) -> Outcome:
    first = one.refused.nonzero()[0]
    lost = one.refused[trace.held[found.rows]]
    return Outcome(
        kind=one.kind,
        name=one.name,
        removed=float(lost.mean()) if len(lost) else None,
        stops_at=int(first[0]) + 1 if len(first) else None,
        refused=len(first),
        touched=one.touched,
        waiting=one.waiting if len(first) else None,
    )


def _best(outcomes: Sequence[Outcome]) -> int | None:
    """Return the control that touches fewest benign clients among those that leave hardly any step."""
    enough = [i for i, one in enumerate(outcomes) if one.removed is not None and one.removed >= CLEARLY]
    known = [i for i in enough if outcomes[i].touched is not None]
    return min(known, key=lambda i: (outcomes[i].touched, -(outcomes[i].removed or 0.0), i), default=None)
