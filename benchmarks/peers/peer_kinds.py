"""What a peer is: it may learn from a site's first nights, then says something about every client of a night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from peer_logs import Night, Site


@dataclass(frozen=True)
class Judged:
    """What a peer says about the clients of a night, in the order of `Night.clients`.

    Attributes:
        alarms: by the name of a published rule, which clients alarm; shape (clients,), bool.
        readings: by name, numbers that grow with suspicion; shape (clients,). The threshold that the labels allow is
            sought for each of them, and the best one counts.
    """

    alarms: dict[str, NDArray[np.bool_]]
    readings: dict[str, NDArray[np.float64]]


class Judge(Protocol):
    """Judges a night, knowing nothing of the nights after it."""

    def __call__(self, night: Night) -> Judged:
        """Return what is thought of every client of the night."""


class Peer(Protocol):
    """A detector as its paper describes it."""

    name: str
    source: str

    def learn(self, site: Site) -> Judge:
        """Return a judge for a site, which may use `site.learning` and `site.sample`, never labels."""
