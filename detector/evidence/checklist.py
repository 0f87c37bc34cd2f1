"""The six items of an incident, with what it takes to draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.evidence import comparison, confidence, controls, preconditions, privacy, queries, reconstruction, weights

if TYPE_CHECKING:
    from detector.evidence.comparison import ComparisonEvidence
    from detector.evidence.confidence import ConfidenceEvidence
    from detector.evidence.context import IncidentContext
    from detector.evidence.controls import ControlEvidence
    from detector.evidence.phases import Phase
    from detector.evidence.preconditions import PreconditionEvidence
    from detector.evidence.privacy import PrivacyEvidence
    from detector.evidence.queries import QueryEvidence
    from detector.evidence.reconstruction import ReconstructionEvidence
    from detector.evidence.weights import WeightsEvidence
    from detector.model import EvidenceItem


@dataclass(frozen=True)
class Dossier:
    """One incident with all its evidence: the six items, and what goes beyond them."""

    context: IncidentContext
    queries: QueryEvidence
    reconstruction: ReconstructionEvidence
    confidence: ConfidenceEvidence
    weights: WeightsEvidence
    comparison: ComparisonEvidence
    privacy: PrivacyEvidence
    phases: tuple[Phase, ...]
    preconditions: PreconditionEvidence
    controls: ControlEvidence | None

    @property
    def items(self) -> tuple[EvidenceItem, ...]:
        """The checklist, in its order."""
        parts = (self.queries, self.reconstruction, self.confidence, self.weights, self.comparison, self.privacy)
        return tuple(part.item for part in parts)


def examine(context: IncidentContext) -> Dossier:
    """Return the evidence of an incident whose raw lines are pinned."""
    audited = privacy.examine(context)
    return Dossier(
        context=context,
        queries=queries.examine(context),
        reconstruction=reconstruction.examine(context),
        confidence=confidence.examine(context),
        weights=weights.examine(context),
        comparison=comparison.examine(context),
        privacy=audited,
        phases=context.phases,
        preconditions=preconditions.examine(context, audited.audit),
        controls=controls.examine(context),
    )
