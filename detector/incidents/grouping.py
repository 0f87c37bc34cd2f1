"""The findings of one actor, on their way to an incident."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.model import Finding
    from detector.store.incident_bodies import StoredFinding, StoredIncident

_SHOWN = 5


@dataclass(frozen=True)
class Gathered:
    """One actor's findings before it is known which incident they are.

    Attributes:
        findings: in order; `incident_id` is the incident that each belonged to, None for what is new.
        whole: incidents that lost nothing and are part of the group with all their findings.
    """

    findings: tuple[StoredFinding, ...]
    whole: tuple[StoredIncident, ...] = ()


@dataclass(frozen=True)
class Group:
    """The findings of one actor, and the incidents that stood for them before.

    Attributes:
        id: the incident's id.
        findings: at least one, in the order of `StoredFinding.order`, marked where they are muted.
        before: the incident of that id as it was, None for a new one.
        parts: other incidents that end in this one.
    """

    id: str
    findings: tuple[StoredFinding, ...]
    before: StoredIncident | None = None
    parts: tuple[StoredIncident, ...] = ()

    @property
    def loud(self) -> tuple[StoredFinding, ...]:
        """The findings that nothing mutes."""
        return tuple(stored for stored in self.findings if stored.suppression_id is None)

    @property
    def sources(self) -> tuple[StoredIncident, ...]:
        """The incidents that end in this one, its own former self first."""
        return ((self.before,) if self.before else ()) + self.parts


def in_order(findings: Iterable[StoredFinding]) -> tuple[StoredFinding, ...]:
    """Return findings by night, the highest level first, then by id."""
    return tuple(sorted(findings, key=lambda stored: stored.order))


def listed(findings: Iterable[Finding]) -> str:
    """Return findings in words: by night, the first few of each by title."""
    by_night: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in findings:
        by_night[finding.night.isoformat()][f"{finding.title} ({finding.level})"] += 1
    parts = []
    for night, names in sorted(by_night.items()):
        shown = [name if times == 1 else f"{name} x {times:,}" for name, times in names.items()]
        more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
        parts.append(f"{night}: {', '.join(shown[:_SHOWN])}{more}")
    return "; ".join(parts)
