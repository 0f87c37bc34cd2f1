"""Who asks, what they ask for, and when: the vocabulary of a drill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from detector.redteam.nights import SECOND
from detector.redteam.randomness import hex_ids, private_address, user_agent
from detector.redteam.rounding import significant

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray

Params: TypeAlias = dict[str, bool | int]


@dataclass(frozen=True, slots=True)
class Client:
    """The principal that a log names."""

    client_id: str
    source_ip: str
    user_agent: str

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Client:
        """Invent a client; nothing about it tells what it will do."""
        return cls(hex_ids(rng, 1, 16)[0], private_address(rng), user_agent(rng))

    def neighbour(self, rng: np.random.Generator) -> Client:
        """Invent another client of the same /24 network."""
        network = self.source_ip.rpartition(".")[0]
        return Client(hex_ids(rng, 1, 16)[0], f"{network}.{int(rng.integers(1, 255))}", user_agent(rng))


@dataclass(frozen=True, slots=True)
class Asking:
    """How much of the answer a client asks for."""

    probabilities: bool = False
    """All classes' probabilities, or those of the `top_k` most probable."""
    confidence: bool = False
    """The probability of the answered label; always given where probabilities are."""
    top_k: int | None = None
    """How many classes' probabilities, 1 or more; None for all."""
    endpoint: str = "predict"
    decimals: int | None = None
    """Decimals to which the service rounds what it tells this client, 1 or more; None for five significant digits."""

    def rounded(self, probabilities: FloatArray) -> FloatArray:
        """Return `probabilities`, of any shape, as the service tells and logs them."""
        exact = significant(probabilities)
        return exact if self.decimals is None else np.round(exact, self.decimals)

    def params(self) -> Params:
        """Return the request parameters that the log shows."""
        shown: Params = {"return_probabilities": self.probabilities}
        if self.probabilities and self.top_k is not None:
            shown["top_k"] = self.top_k
        return shown


@dataclass(frozen=True, slots=True)
class Pace:
    """The time that a sequential client lets pass between two queries."""

    gap_s: float
    """Median gap in seconds."""
    spread: float = 0.4
    """Standard deviation of the gap's logarithm."""
    pause_share: float = 0.003
    """Share of gaps that are pauses: a restart, a crash, a coffee."""
    pause_s: float = 25.0
    """Mean of such a pause in seconds."""

    def gaps(self, count: int, rng: np.random.Generator) -> IntArray:
        """Return `count` gaps in microseconds, each at least one millisecond."""
        seconds = self.gap_s * np.exp(self.spread * rng.standard_normal(count))
        seconds += np.where(rng.random(count) < self.pause_share, rng.exponential(self.pause_s, count), 0.0)
        return np.maximum(seconds * SECOND, SECOND / 1_000).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Queries that do not depend on any answer, and can therefore be answered in one go."""

    times: IntArray
    """UTC microseconds, shape (n,), in any order."""
    inputs: FloatArray
    """Input rows, shape (n, width)."""
    status: IntArray
    """HTTP status, shape (n,); anything but 200 has no output."""
    asking: Asking

    def __len__(self) -> int:
        return len(self.times)

    def between(self, begins: int, ends: int) -> Plan:
        """Return the part of the plan from `begins` (included) to `ends` (not included)."""
        kept = (self.times >= begins) & (self.times < ends)
        return Plan(self.times[kept], self.inputs[kept], self.status[kept], self.asking)

    def joined(self, other: Plan) -> Plan:
        """Return both plans as one, under this plan's `asking`."""
        return Plan(
            np.concatenate([self.times, other.times]),
            np.concatenate([self.inputs, other.inputs]),
            np.concatenate([self.status, other.status]),
            self.asking,
        )

    @classmethod
    def served(cls, times: IntArray, inputs: FloatArray, asking: Asking) -> Plan:
        """Return a plan in which every query is answered."""
        return cls(times, inputs, np.full(len(times), 200, dtype=np.int64), asking)
