"""Item 1: the queries that show the pattern, with file, line and hash of the raw line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.evidence import canaries
from detector.model import EvidenceItem, EvidenceStatus

if TYPE_CHECKING:
    from detector.evidence.context import IncidentContext
    from detector.store.evidence import PinnedLine

NUMBER = 1
TITLE = "API query logs showing the attempt"


@dataclass(frozen=True)
class QueryEvidence:
    """Item 1.

    Attributes:
        item: the line of the checklist.
        patterns: what the queries show and how many of those held show it, in order of appearance.
        pinned: the lines kept with the incident, in time order.
        hashed: how many of them with their raw text and its hash.
    """

    item: EvidenceItem
    patterns: tuple[tuple[str, int], ...]
    pinned: tuple[PinnedLine, ...]
    hashed: int


def examine(context: IncidentContext) -> QueryEvidence:
    """Return the queries behind the findings."""
    counts = Counter(str(word) for word in context.patterns)
    hashed = sum(1 for line in context.pinned if line.raw_sha256 is not None)
    return QueryEvidence(_item(context, counts, hashed), tuple(counts.items()), context.pinned, hashed)


def _item(context: IncidentContext, counts: Counter[str], hashed: int) -> EvidenceItem:
    if not context.query_total:
        reason = (
            "The queries behind the findings are no longer in the store. Ingest the log files of these nights again, "
            "or keep raw queries longer ([retention] query_nights)."
        )
        return EvidenceItem(NUMBER, TITLE, EvidenceStatus.UNAVAILABLE, reason)
    kept = len(context.pinned)
    facts = [
        ("Queries behind the findings", f"{context.query_total:,}"),
        *((f"… {word}", f"{count:,}") for word, count in counts.items()),
        ("Lines kept with this incident", f"{kept:,}"),
        ("… with raw text and SHA-256", f"{hashed:,}"),
        ("Log files", f"{len({line.file_sha256 for line in context.pinned}) or len(context.files):,}"),
        *canaries.facts(context.approach),
    ]
    return EvidenceItem(NUMBER, TITLE, EvidenceStatus.CAPTURED, _reason(context, kept, hashed), tuple(facts))


def _reason(context: IncidentContext, kept: int, hashed: int) -> str:
    total = context.query_total
    share = "all of them are" if kept >= total else f"{kept:,} of them are"
    text = f"{total:,} queries lie behind the findings; {share} kept with file and line."
    if hashed == kept:
        return f"{text} Each kept line was read again from its file, whose hash still agrees, and hashed."
    why = "; ".join(sorted(set(context.raw_problems))) or "the source is no longer at hand"
    what = "For none of them" if not hashed else f"For {kept - hashed:,} of them not"
    return f"{text} {what} the raw line could be read again ({why}); what the store kept of them is shown."
