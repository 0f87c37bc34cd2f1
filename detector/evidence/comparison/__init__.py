"""Item 5: is what was reconstructed closer to a person in the training data, or to nobody in particular?"""

from detector.evidence.comparison.item import examine
from detector.evidence.comparison.parts import (
    WORDS,
    Closeness,
    ComparisonEvidence,
    Disclosed,
    Measure,
    Probed,
    Verdict,
    masked,
    told,
)

__all__ = [
    "WORDS",
    "Closeness",
    "ComparisonEvidence",
    "Disclosed",
    "Measure",
    "Probed",
    "Verdict",
    "examine",
    "masked",
    "told",
]
