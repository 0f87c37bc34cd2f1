"""The model as its attacker sees it: one answer after the other, each at its own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from detector.redteam.evasions.clocks import PacedClock
from detector.redteam.evasions.crew import Rota
from detector.redteam.recorder import OK, Answer, Service, disclosed, refusals

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.evasions.disguise import Disguise
    from detector.redteam.traffic import Asking, Client, Pace


class Clock(Protocol):
    """Says when queries are sent."""

    def times(self, count: int) -> IntArray:
        """Return the times of the next `count` queries, UTC microseconds, shape (count,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """How an attacker's queries reach the model: who sends them, when, and looking like what."""

    rota: Rota
    clock: Clock
    disguise: Disguise | None = None
    ends: int | None = None
    """UTC microseconds at which the drill ends: later queries are answered, but no log of the drill has them."""


class Oracle:
    """Answers an attacker's queries in sequence and records them with simulated time.

    The attacker's view is the log's: rounded inputs go in, rounded numbers come out, and only those that were asked
    for. A query that the service refuses is logged and sent again at once, as client libraries do.

    Attributes:
        asking: how much of each answer the attacker asks for.
        asked: queries sent so far, refused ones included.
        times: of each account by its id, when its logged queries were sent, UTC microseconds, ascending.
    """

    def __init__(
        self,
        service: Service,
        client: Client,
        asking: Asking,
        pace: Pace,
        rng: np.random.Generator,
        *,
        begins: int,
        refused: float = 0.002,
        manner: Manner | None = None,
    ) -> None:
        self._service = service
        self._manner = manner or Manner(Rota((client,)), PacedClock(pace, rng, begins))
        self._rng = rng
        self._refused = refused
        self._logged: dict[str, list[IntArray]] = {}
        self.asking = asking
        self.asked = 0

    @property
    def times(self) -> dict[str, IntArray]:
        """See the class."""
        return {client_id: np.concatenate(parts) for client_id, parts in self._logged.items()}

    def ask(self, inputs: FloatArray) -> Answer:
        """Send `inputs`, shape (n, width), one query each in that order, and return the answers in that order."""
        if self._manner.disguise is not None:
            inputs = self._manner.disguise.put_on(inputs)
        refused = refusals(len(inputs), self._refused, self._rng)
        order = np.repeat(np.arange(len(inputs)), np.where(refused == OK, 1, 2))
        # The first of a pair is the refusal, the second its repetition.
        repeated = np.diff(order, append=-1) == 0
        status = np.where(repeated, refused[order], OK)
        answer = self._sent(inputs[order], status)
        self.asked += len(order)
        kept = status == OK
        return Answer(answer.labels[kept], answer.confidence[kept], answer.probabilities[kept])

    def _sent(self, inputs: FloatArray, status: IntArray) -> Answer:
        """Send every query from the account whose turn it is."""
        times = self._manner.clock.times(len(inputs))
        turns = self._manner.rota.turns(len(inputs))
        ends = self._manner.ends
        logged = np.ones(len(times), dtype=np.bool_) if ends is None else times < ends
        if logged.all() and (turns == turns[0]).all():
            return self._logged_by(self._manner.rota.clients[turns[0]], times, inputs, status)
        for turn in np.unique(turns[logged]).tolist():
            own = logged & (turns == turn)
            self._logged_by(self._manner.rota.clients[turn], times[own], inputs[own], status[own])
        told = self.asking.rounded(self._service.model.predict(self._service.model.form.clean(inputs)))
        return disclosed(told, status, self.asking)

    def _logged_by(self, client: Client, times: IntArray, inputs: FloatArray, status: IntArray) -> Answer:
        self._logged.setdefault(client.client_id, []).append(times)
        return self._service.answer(client, self.asking, times, inputs, status)
