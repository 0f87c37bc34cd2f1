"""Every attack that a drill can stage, by family, with the models it fits and a typical target for each.

A scenario that wants "every attack on every fitting model" walks over `roles_for` of each model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np

from detector.redteam.attacks.active_extraction import ActiveExtraction
from detector.redteam.attacks.annealing import AnnealingInversion
from detector.redteam.attacks.attribute_confidence import ConfidenceAttribute
from detector.redteam.attacks.attribute_sweep import AttributeSweep
from detector.redteam.attacks.boundary_walk import BoundaryEvasion
from detector.redteam.attacks.cma_es import CmaInversion
from detector.redteam.attacks.coordinate_search import CoordinateInversion
from detector.redteam.attacks.differential_evolution import DifferentialEvolutionInversion
from detector.redteam.attacks.extraction import Extraction
from detector.redteam.attacks.finite_difference import FiniteDifferenceInversion
from detector.redteam.attacks.hop_skip_jump import HopSkipJump
from detector.redteam.attacks.jacobian import JacobianExtraction
from detector.redteam.attacks.latent_genetic import LatentGenetic
from detector.redteam.attacks.latent_sweep import LatentSweep
from detector.redteam.attacks.membership_boundary import BoundaryMembership
from detector.redteam.attacks.membership_noise import NoiseMembership
from detector.redteam.attacks.membership_scores import ScoreMembership
from detector.redteam.attacks.merlin import MerlinMembership
from detector.redteam.attacks.natural_evolution import NaturalEvolutionInversion
from detector.redteam.attacks.nes_evasion import NesEvasion
from detector.redteam.attacks.one_plus_one import OnePlusOneInversion
from detector.redteam.attacks.particle_swarm import ParticleSwarmInversion
from detector.redteam.attacks.record_genetic import RecordGenetic
from detector.redteam.attacks.sphere_sampling import SphereSampling
from detector.redteam.attacks.spsa import SpsaInversion
from detector.redteam.attacks.square_attack import SquareEvasion
from detector.redteam.attacks.token_substitution import TokenSubstitution
from detector.redteam.forms import RecordForm, TextForm
from detector.redteam.models import CLINIC_SENSITIVE, INVENTED_SENSITIVE, RISK_SENSITIVE
from detector.redteam.randomness import stream
from detector.redteam.sessions import attribute_quarry, membership_quarry
from detector.redteam.settings import varied

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Attack, Technique
    from detector.redteam.attacks.climbing import Start
    from detector.redteam.models import TargetModel
    from detector.redteam.sessions import Quarry

Kind = Literal["vector", "image", "record", "text"]
"""What a model's inputs are: unnamed numbers, pixels, named fields, or words."""
Part: TypeAlias = "tuple[Attack, Quarry | None]"
"""An attack with its settings, and the people it is after, if it is after anyone in particular."""
_Factory: TypeAlias = "Callable[[TargetModel, np.random.Generator], Part]"

_NUMBERS: frozenset[Kind] = frozenset({"vector", "image"})
_COLUMNS: frozenset[Kind] = _NUMBERS | {"record"}
_RECORDS: frozenset[Kind] = frozenset({"record"})
_TEXTS: frozenset[Kind] = frozenset({"text"})
_ALL: frozenset[Kind] = _COLUMNS | {"text"}
_SENSITIVE = frozenset({CLINIC_SENSITIVE, INVENTED_SENSITIVE, RISK_SENSITIVE})
# Noise is at the goal where the model is so sure of so large a share of it.
_SURE = 0.9
_OFTEN = 0.25
# Share of the climbs that begin at a record although noise would do.
_NATURAL = 0.3
# Share of the others that begin at the middle of the data and count in its units.
_MIDDLE = 0.4
_CANDIDATES = 90
_VICTIMS = 150


@dataclass(frozen=True, slots=True)
class Role:
    """One attack family and how to cast it."""

    family: str
    """As labels.csv names it."""
    technique: Technique
    kinds: frozenset[Kind]
    """The kinds of models that the attack makes sense against."""
    cast: _Factory
    """Aims the attack at a model; it may be called again for another target."""
    from_noise: bool = False
    """Whether it is a climb that can only begin at noise, and needs a model that does not take noise for its goal."""

    def fits(self, model: TargetModel) -> bool:
        """Whether the attack can be staged against `model`."""
        return kind_of(model) in self.kinds and not (
            self.from_noise and _at_the_goal(model, unlikely_classes(model)[0])
        )


def kind_of(model: TargetModel) -> Kind:
    """Return what the inputs of `model` are."""
    if model.image_shape is not None:
        return "image"
    if isinstance(model.form, TextForm):
        return "text"
    return "record" if isinstance(model.form, RecordForm) else "vector"


def roles_for(model: TargetModel, technique: Technique | None = None) -> tuple[Role, ...]:
    """Return the roles that fit `model`, all or those of one `technique`, in the order of the registry."""
    return tuple(role for role in ROLES if role.fits(model) and technique in {None, role.technique})


def role(family: str) -> Role:
    """Return the role of that family; KeyError if there is none."""
    return {each.family: each for each in ROLES}[family]


def unlikely_classes(model: TargetModel) -> list[int]:
    """Return the half of the classes to which noise belongs least, the least first: where there is a way to climb."""
    likely: list[int] = np.argsort(np.median(_noise(model), axis=0), kind="stable").tolist()
    return likely[: len(likely) // 2]


def unlikely_class(model: TargetModel, rng: np.random.Generator) -> int:
    """Draw one of the `unlikely_classes`."""
    return int(rng.choice(unlikely_classes(model)))


def _noise(model: TargetModel) -> FloatArray:
    """Return what `model` says of inputs drawn uniformly from their range, shape (n, classes)."""
    low, high = model.form.low, model.form.high
    return model.predict(model.form.clean(low + (high - low) * stream(0, model.name, "noise").random((200, len(low)))))


def _at_the_goal(model: TargetModel, target: int) -> bool:
    """Whether noise is often taken for the target already: a climb from there would be none."""
    return bool(np.mean(_noise(model)[:, target] > _SURE) > _OFTEN)


class _Aim(Protocol):
    """An inversion that can begin at noise or at a record."""

    def __call__(self, target: int, *, start: Start) -> Attack:
        """Return the attack on class number `target`."""
        ...


def _inversion(family: str, aim: _Aim) -> Role:
    """Climb from noise or the middle, or now and then, and wherever noise is at the goal already, from a record."""

    def cast(model: TargetModel, rng: np.random.Generator) -> Part:
        target = unlikely_class(model, rng)
        start: Start = "noise"
        if rng.random() < _NATURAL or _at_the_goal(model, target):
            start = "natural"
        elif rng.random() < _MIDDLE:
            start = "middle"
        return varied(aim(target, start=start), rng), None

    return Role(family, "inversion", _COLUMNS, cast)


def _any_start(family: str, aim: Callable[[int], Attack], kinds: frozenset[Kind] = _COLUMNS) -> Role:
    """Climb from where the attack itself chooses to."""
    return Role(family, "inversion", kinds, lambda model, rng: (varied(aim(unlikely_class(model, rng)), rng), None))


def _from_noise(family: str, aim: Callable[[int], Attack], kinds: frozenset[Kind] = _NUMBERS) -> Role:
    def cast(model: TargetModel, rng: np.random.Generator) -> Part:
        return varied(aim(unlikely_class(model, rng)), rng), None

    return Role(family, "inversion", kinds, cast, from_noise=True)


def _membership(family: str, *attacks: Attack) -> Role:
    """Draw one of the `attacks`, and people half of whom are members."""

    def cast(model: TargetModel, rng: np.random.Generator) -> Part:
        chosen = attacks[int(rng.integers(len(attacks)))]
        return varied(chosen, rng), membership_quarry(model, _CANDIDATES, rng)

    return Role(family, "membership", _COLUMNS, cast)


def _without_quarry(attack: Attack, kinds: frozenset[Kind]) -> Role:
    return Role(attack.family, attack.technique, kinds, lambda model, rng: (varied(attack, rng), None))  # noqa: ARG005


def _attribute(family: str, aim: Callable[[int, tuple[float, ...], tuple[tuple[float, ...], ...]], Attack]) -> Role:
    """Aim at a record's sensitive field.

    The attacker takes the shares of its levels from field records, and the model's confusion matrix from the hold-out,
    as their publication would have them.
    """

    def cast(model: TargetModel, rng: np.random.Generator) -> Part:
        column = sensitive_column(model)
        counts = np.bincount(model.field.rows[:, column].astype(int), minlength=model.form.levels[column])
        prior = tuple(float(share) for share in counts / counts.sum())
        return aim(column, prior, _confusion(model)), attribute_quarry(model, column, _VICTIMS, rng)

    return Role(family, "attribute", _RECORDS, cast)


def sensitive_column(model: TargetModel) -> int:
    """Return the number of the field that `model`'s people would not want guessed, or its last category."""
    for number, name in enumerate(model.form.columns(model.field.rows[:1])):
        if name in _SENSITIVE:
            return number
    return int(np.flatnonzero(np.array(model.form.levels) > 1)[-1])


def _confusion(model: TargetModel) -> tuple[tuple[float, ...], ...]:
    """Return the share of each answer (inner) among the hold-out records of each class (outer)."""
    counts = np.ones((len(model.classes), len(model.classes)))
    np.add.at(counts, (model.holdout.labels, model.predict(model.holdout.rows).argmax(axis=1)), 1.0)
    return tuple(tuple(float(share) for share in row / row.sum()) for row in counts)


ROLES: tuple[Role, ...] = (
    _from_noise("inv_oneplusone", OnePlusOneInversion, _COLUMNS),
    _from_noise("inv_lbfgsb", FiniteDifferenceInversion),
    _from_noise("inv_spsa", SpsaInversion),
    _inversion("inv_cmaes", CmaInversion),
    _inversion("inv_de", DifferentialEvolutionInversion),
    _inversion("inv_annealing", AnnealingInversion),
    _inversion("inv_pso", ParticleSwarmInversion),
    _inversion("inv_coordinate", CoordinateInversion),
    _inversion("inv_nes", NaturalEvolutionInversion),
    _any_start("inv_latent_sweep", LatentSweep),
    _any_start("inv_latent_genetic", LatentGenetic),
    _any_start("inv_record_genetic", RecordGenetic),
    _any_start("inv_label_sphere", SphereSampling),
    _any_start("inv_token_substitution", TokenSubstitution, _TEXTS),
    _membership("mia_merlin", MerlinMembership()),
    _membership("mia_score", ScoreMembership()),
    _membership("mia_perturb", NoiseMembership("labels"), NoiseMembership("scores")),
    _membership("mia_boundary", BoundaryMembership()),
    _attribute("attr_fredrikson", lambda column, prior, _: AttributeSweep(column, prior)),
    _attribute("attr_confidence", ConfidenceAttribute),
    _without_quarry(Extraction("natural"), _ALL),
    _without_quarry(Extraction("random"), _COLUMNS),
    _without_quarry(JacobianExtraction(), _COLUMNS),
    _without_quarry(ActiveExtraction(), _ALL),
    _without_quarry(HopSkipJump(), _NUMBERS),
    _without_quarry(BoundaryEvasion(), _COLUMNS),
    _without_quarry(SquareEvasion(), _COLUMNS),
    _without_quarry(NesEvasion(), _COLUMNS),
)
