"""The models under attack: small, real, and trained on the spot, a little too closely, as it happens in service."""

from __future__ import annotations

from detector.redteam.models.base import Classifier, Sample, Sensitivity, TargetModel
from detector.redteam.models.clinic import CLINIC_SENSITIVE
from detector.redteam.models.invented import INVENTED_SENSITIVE
from detector.redteam.models.registry import MODELS, build
from detector.redteam.models.risk import RISK_SENSITIVE

__all__ = [
    "CLINIC_SENSITIVE",
    "INVENTED_SENSITIVE",
    "MODELS",
    "RISK_SENSITIVE",
    "Classifier",
    "Sample",
    "Sensitivity",
    "TargetModel",
    "build",
]
