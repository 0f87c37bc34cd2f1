"""Who takes part in a drill, and what a developer asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.errors import SimulationError
from detector.redteam.casting import ROLES
from detector.redteam.models import MODELS, TargetModel, build
from detector.redteam.workloads.registry import OCCUPATIONS

if TYPE_CHECKING:
    from detector.redteam.sessions import Session


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Everyone and everything in one drill."""

    models: tuple[TargetModel, ...]
    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a scenario is to be played; None leaves it to the scenario."""

    models: tuple[str, ...] | None = None
    families: tuple[str, ...] | None = None
    """Families of workloads and attacks, as labels.csv names them; ordinary users always take part."""
    clients: int | None = None
    """Clients of each family on each model, 1 or more."""

    def check(self) -> None:
        """Find what there is not.

        Raises:
            SimulationError: there is no such model, or no such family of workloads or attacks.
        """
        families = {each.family for each in OCCUPATIONS} | {each.family for each in ROLES}
        for kind, chosen, known in (("model", self.models, set(MODELS)), ("family", self.families, families)):
            unknown = [name for name in chosen or () if name not in known]
            if unknown:
                raise SimulationError(f"no {kind} {unknown[0]!r}", expected=", ".join(sorted(known)))

    def wants(self, family: str) -> bool:
        """Whether `family` takes part."""
        return self.families is None or family in self.families

    def trained(self, default: tuple[str, ...], seed: int) -> tuple[TargetModel, ...]:
        """Train the models chosen, or `default`; KeyError if there is no such model."""
        return tuple(build(name, seed) for name in (default if self.models is None else self.models))
