"""What every workload is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from detector.redteam.oracle import Oracle

if TYPE_CHECKING:
    import numpy as np

    from detector.redteam.models import TargetModel
    from detector.redteam.nights import Nights
    from detector.redteam.recorder import Service
    from detector.redteam.traffic import Asking, Client, Pace, Plan


@runtime_checkable
class Workload(Protocol):
    """A benign way of using a model, with its settings; a frozen dataclass."""

    @property
    def family(self) -> str:
        """The kind of user, as labels.csv names it."""
        ...

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """Return all queries of one such client over all nights; none depends on an answer."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """Where a benign client sits that reads each answer before it asks on: it opens a line for each visit."""

    service: Service
    client: Client
    rng: np.random.Generator
    """Chance on the line: gaps and refusals."""

    def line(self, begins: int, asking: Asking, pace: Pace) -> Oracle:
        """Return a line on which queries start at `begins`, in UTC microseconds."""
        return Oracle(self.service, self.client, asking, pace, self.rng, begins=begins)


@runtime_checkable
class InteractiveWorkload(Protocol):
    """A benign way of using a model in which the next query may depend on the last answer; a frozen dataclass."""

    @property
    def family(self) -> str:
        """The kind of user, as labels.csv names it."""
        ...

    def work(self, desk: Desk, nights: Nights, rng: np.random.Generator) -> None:
        """Ask all queries of one such client over all nights."""
        ...


AnyWorkload: TypeAlias = Workload | InteractiveWorkload


def carry_out(workload: AnyWorkload, desk: Desk, nights: Nights, rng: np.random.Generator) -> None:
    """Let one client do its work over `nights`; its queries are recorded at the desk's service."""
    if isinstance(workload, Workload):
        plan = workload.plan(desk.service.model, nights, rng)
        desk.service.serve(desk.client, plan.between(nights.begins, nights.ends))
    else:
        workload.work(desk, nights, rng)


@dataclass(frozen=True, slots=True)
class Employment:
    """Work that begins after some nights, beside what the same client has always done; an InteractiveWorkload.

    An explainer's user is seldom new to the service: whoever takes every client with a past for harmless, or every
    one without for harmful, is to be found out.
    """

    main: AnyWorkload
    """The work that the label names."""
    idle: int = 0
    """Nights before it begins, fewer than there are."""
    past: Workload | None = None
    """What the client does besides, on all nights; nothing if it is new."""

    @property
    def family(self) -> str:
        """See InteractiveWorkload."""
        return self.main.family

    def work(self, desk: Desk, nights: Nights, rng: np.random.Generator) -> None:
        """See InteractiveWorkload."""
        if self.past is not None:
            carry_out(self.past, desk, nights, rng)
        carry_out(self.main, desk, nights.later(self.idle), rng)
