"""Which account sends the next query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import IntArray
    from detector.redteam.traffic import Client


@dataclass(slots=True)
class Rota:
    """Accounts that take turns."""

    clients: tuple[Client, ...]
    """At least one."""
    stretch: int = 1
    """Queries in a row."""
    sent: int = 0
    """Queries sent so far."""

    def turns(self, count: int) -> IntArray:
        """Return whose turn each of the next `count` queries is, as positions in `clients`, shape (count,)."""
        numbers = np.arange(self.sent, self.sent + count)
        self.sent += count
        return numbers // self.stretch % len(self.clients)
