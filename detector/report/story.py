"""The phases of the attack, told one after the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detector.evidence.phases import MEANINGS
from detector.report import words
from detector.report.charts import distribution
from detector.report.view_beyond import StoryPhase
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.evidence.checklist import Dossier
    from detector.evidence.phases import Phase
    from detector.report.view import Fact, QueryTable


def phases(dossier: Dossier, table: QueryTable) -> tuple[StoryPhase, ...]:
    """Return the phases; each links to the first of its queries that `table` shows."""
    anchors = {row.anchor for row in table.rows if row.anchor}
    found = dossier.phases
    return tuple(_phase(i, one, found, anchors) for i, one in enumerate(found))


def key(place: int) -> str:
    """Return what the phase at `place` is called in links."""
    return f"phase-{place + 1}"


def rows_key(place: int) -> str:
    """Return what its first query in the table is called in links."""
    return f"phase-{place + 1}-queries"


def title(one: Phase) -> str:
    """Return what a phase is called, without its target."""
    return f"Next target: {one.name}" if one.is_next else one.name.capitalize()


def _phase(place: int, one: Phase, found: Sequence[Phase], anchors: set[str]) -> StoryPhase:
    chart = None
    if one.confidence is not None:
        chart = distribution.draw(f"phase{place}-dist", one.confidence, attack=True, axis=True)
    count = words.plural(len(one.rows), "query", "queries")
    when = words.span(one.first_ts, one.last_ts)
    return StoryPhase(
        anchor=key(place),
        queries=rows_key(place) if rows_key(place) in anchors else "",
        name=title(one),
        target=name(one.target) if one.target is not None else "",
        told=f"{count}, {when}",
        meaning=f"{MEANINGS[one.name][:1].upper()}{MEANINGS[one.name][1:]}.",
        marks=tuple(_marks(one)),
        chart=chart if len(one.rows) > 1 or len(found) == 1 else None,
    )


def _marks(one: Phase) -> list[Fact]:
    marks: list[Fact] = []
    if not math.isnan(one.rate):
        marks.append(("Pace", f"{words.number(round(one.rate, 1))} queries a minute"))
    if math.isfinite(one.step):
        near = f"{words.share(one.near)} near-duplicates"
        marks.append(("Step", f"median {one.step:.2g} of the distance between two ordinary inputs; {near}"))
    if not math.isnan(one.start):
        rises = words.plural(one.rises, "improvement")
        marks.append(
            ("Class pursued", f"from {words.probability(one.start)}, best {words.probability(one.best)}; {rises}")
        )
    if one.labels:
        share = "" if math.isnan(one.on_target) else f"; {words.share(one.on_target)} answered with the class pursued"
        marks.append(("Labels", f"{words.plural(one.labels, 'label')}{share}"))
    if one.confidence is not None:
        marks.append(("Confidence", f"median {words.probability(one.confidence.median)}"))
    return marks
