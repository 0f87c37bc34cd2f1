"""Item 4: the model file, read without running anything in it."""

from detector.evidence.weights.file import look_at
from detector.evidence.weights.item import WeightsEvidence, examine

__all__ = ["WeightsEvidence", "examine", "look_at"]
