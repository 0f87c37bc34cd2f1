"""What was asked of one model and what it answered, as columns; and the service that answers and records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import BoolArray, FloatArray, IntArray
    from detector.redteam.models import TargetModel
    from detector.redteam.traffic import Asking, Client, Plan

OK = 200
# What a busy service answers now and then instead.
_REFUSALS = np.array([503, 500, 429], dtype=np.int64)
_REFUSAL_SHARES = np.array([0.6, 0.2, 0.2])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive queries of one client that asked alike."""

    client: Client
    asking: Asking
    times: IntArray
    """UTC microseconds, shape (n,)."""
    inputs: FloatArray
    """As they travelled, shape (n, width)."""
    status: IntArray
    """HTTP status, shape (n,)."""
    probabilities: FloatArray
    """As the log would round them, shape (n, classes), whether or not the client got to see them."""

    def between(self, begins: int, ends: int) -> Block:
        """Return the queries from `begins` (included) to `ends` (not included), in their order."""
        kept = (self.times >= begins) & (self.times < ends)
        parts = (self.times[kept], self.inputs[kept], self.status[kept], self.probabilities[kept])
        return Block(self.client, self.asking, *parts)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a client learned from its queries: never more than the log shows."""

    labels: IntArray
    """Class numbers, shape (n,); -1 where the query failed."""
    confidence: FloatArray
    """Probability of the label, shape (n,); NaN where it was not given."""
    probabilities: FloatArray
    """Shape (n, classes); NaN where they were not given."""


@dataclass(frozen=True, slots=True)
class Activity:
    """When a client was first and last seen on a model, in UTC microseconds, and how often it asked."""

    first: int
    last: int
    queries: int


class Service:
    """One model behind its endpoint: answers every query and keeps what happened.

    Attributes:
        model: the model that answers.
    """

    def __init__(self, model: TargetModel) -> None:
        self.model = model
        self._blocks: list[Block] = []

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Everything recorded so far, in the order in which it was asked."""
        return tuple(self._blocks)

    def answer(self, client: Client, asking: Asking, times: IntArray, inputs: FloatArray, status: IntArray) -> Answer:
        """Answer and record queries at `times` (UTC microseconds), of shape (n,), with `inputs`, shape (n, width).

        Inputs are rounded before the model sees them and probabilities before anyone does, so that whoever reads the
        log knows exactly what the client knew. Queries whose `status` is not 200 get no output.
        """
        sent = self.model.form.clean(inputs)
        probabilities = asking.rounded(self.model.predict(sent))
        self._blocks.append(Block(client, asking, times, sent, status, probabilities))
        return disclosed(probabilities, status, asking)

    def serve(self, client: Client, plan: Plan) -> None:
        """Answer and record a whole plan."""
        if len(plan):
            self.answer(client, plan.asking, plan.times, plan.inputs, plan.status)

    def activity(self) -> dict[str, Activity]:
        """Return each client's activity by its id."""
        seen: dict[str, Activity] = {}
        for block in self._blocks:
            key, first, last = block.client.client_id, int(block.times.min()), int(block.times.max())
            before = seen.get(key, Activity(first, last, 0))
            count = before.queries + len(block.times)
            seen[key] = Activity(min(first, before.first), max(last, before.last), count)
        return seen


def shown_classes(probabilities: FloatArray, asking: Asking) -> BoolArray:
    """Return which classes' probabilities a client that asked like `asking` gets to see, shape (n, classes)."""
    if not asking.probabilities:
        return np.zeros(probabilities.shape, dtype=np.bool_)
    if asking.top_k is None:
        return np.ones(probabilities.shape, dtype=np.bool_)
    rank = np.argsort(np.argsort(-probabilities, axis=1, kind="stable"), axis=1, kind="stable")
    return rank < asking.top_k


def disclosed(probabilities: FloatArray, status: IntArray, asking: Asking) -> Answer:
    """Return the part of rounded `probabilities`, shape (n, classes), that the client gets to see."""
    served = status == OK
    labels = np.where(served, probabilities.argmax(axis=1), -1)
    told = served & (asking.confidence or asking.probabilities)
    confidence = np.where(told, probabilities.max(axis=1), np.nan)
    shown = shown_classes(probabilities, asking) & served[:, None]
    return Answer(labels, confidence, np.where(shown, probabilities, np.nan))


def refusals(count: int, share: float, rng: np.random.Generator) -> IntArray:
    """Return `count` HTTP statuses of which about `share` (0 to 1) are errors."""
    failed = rng.random(count) < share
    return np.where(failed, rng.choice(_REFUSALS, size=count, p=_REFUSAL_SHARES), OK).astype(np.int64)
