"""Every benign workload that looks like an attack, by family: how to employ a client with settings of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from detector.redteam.forms import TextForm
from detector.redteam.workloads.augmentation import TestTimeAugmentation
from detector.redteam.workloads.counterfactual import Counterfactual
from detector.redteam.workloads.dependence import IndividualExpectation, PartialDependence
from detector.redteam.workloads.drift import DriftedPopulation
from detector.redteam.workloads.fairness import FairnessAudit
from detector.redteam.workloads.importance import PermutationImportance
from detector.redteam.workloads.labelling import ActiveLabeller
from detector.redteam.workloads.lime import Lime
from detector.redteam.workloads.monitoring import Calibration, LoadTest, Replay
from detector.redteam.workloads.occlusion import Occlusion
from detector.redteam.workloads.quality import EdgeValues, Fuzzer
from detector.redteam.workloads.routine import Conversation, Dialogue, Routine, Study
from detector.redteam.workloads.schedule import Schedule
from detector.redteam.workloads.sensitivity import MorrisScreening, SobolIndices
from detector.redteam.workloads.shapley import Shapley
from detector.redteam.workloads.sorted_batch import SortedBatch
from detector.redteam.workloads.thresholds import WhatIf
from detector.redteam.workloads.tuning import Tuning
from detector.redteam.workloads.video import Video

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from detector.redteam.models import TargetModel
    from detector.redteam.workloads.base import AnyWorkload

_Employ: TypeAlias = "Callable[[TargetModel, np.random.Generator], AnyWorkload]"


class _DrawnStudy(Study, Protocol):
    family: ClassVar[str]

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Study: ...


class _DrawnDialogue(Dialogue, Protocol):
    family: ClassVar[str]

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Dialogue: ...


@dataclass(frozen=True, slots=True)
class Occupation:
    """One benign workload and how to employ a client in it."""

    family: str
    """As labels.csv names it."""
    employ: _Employ
    """Draws a client's settings and hours; no two clients are alike."""
    fits: Callable[[TargetModel], bool]
    """Whether anybody would do this with that model."""


def occupations_for(model: TargetModel) -> tuple[Occupation, ...]:
    """Return the workloads that make sense on `model`, in the order of the registry."""
    return tuple(each for each in OCCUPATIONS if each.fits(model))


def _anything(model: TargetModel) -> bool:
    del model
    return True


def _has_no_words(model: TargetModel) -> bool:
    """Whether a single column means something without the others."""
    return not isinstance(model.form, TextForm)


def _has_categories(model: TargetModel) -> bool:
    return _has_no_words(model) and max(model.form.levels) > 1


def _study(
    study: type[_DrawnStudy],
    fits: Callable[[TargetModel], bool] = _anything,
    *,
    visits: tuple[int, ...] = (1,),
) -> Occupation:
    """Return the occupation of those who come one of `visits` times a night for `study`."""

    def employ(model: TargetModel, rng: np.random.Generator) -> AnyWorkload:
        return Routine(study.draw(model, rng), Schedule.draw(rng, visits=int(rng.choice(visits))))

    return Occupation(study.family, employ, fits)


def _dialogue(dialogue: type[_DrawnDialogue], fits: Callable[[TargetModel], bool] = _anything) -> Occupation:
    def employ(model: TargetModel, rng: np.random.Generator) -> AnyWorkload:
        return Conversation(dialogue.draw(model, rng), Schedule.draw(rng))

    return Occupation(dialogue.family, employ, fits)


OCCUPATIONS: tuple[Occupation, ...] = (
    _dialogue(Shapley),
    _study(Lime),
    _study(Occlusion),
    _study(PartialDependence, _has_no_words),
    _study(IndividualExpectation, _has_no_words),
    _study(PermutationImportance, _has_no_words),
    _dialogue(Counterfactual),
    _study(TestTimeAugmentation),
    _study(Video, _has_no_words),
    _study(DriftedPopulation),
    _study(Calibration, visits=(1, 4, 8)),
    _dialogue(WhatIf, _has_no_words),
    _study(LoadTest),
    _study(Replay),
    _dialogue(ActiveLabeller),
    _study(EdgeValues, _has_no_words),
    _study(SortedBatch),
    _study(FairnessAudit, _has_categories),
    Occupation(Fuzzer.family, Fuzzer.draw, _anything),
    _dialogue(Tuning),
    _study(MorrisScreening, _has_no_words),
    _study(SobolIndices, _has_no_words),
)
