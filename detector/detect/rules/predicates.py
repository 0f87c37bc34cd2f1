"""What a rule can ask of one field: a bound, a pattern, a network, whether it is there at all."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np
import pyarrow.compute as pc

from detector.detect.rules.kleene import Truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from detector.detect.rules.columns import Column, Numbers, Texts

Network = IPv4Network | IPv6Network
Operator = Literal["eq", "gt", "gte", "lt", "lte"]

_OPERATORS: dict[Operator, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Predicate(Protocol):
    """One question about one field."""

    @property
    def bound(self) -> float | str | None:
        """What the value was held against, as a finding shows it."""

    def ask(self, column: Column) -> Truth:
        """Answer for every row; unknown where the value is null."""


@dataclass(frozen=True)
class Bound:
    """A number compared with a constant."""

    operator: Operator
    value: float

    @property
    def bound(self) -> float:
        """The constant."""
        return self.value

    def ask(self, column: Column) -> Truth:
        """Answer for every row; unknown where the number is null."""
        numbers = cast("Numbers", column)
        holds = _OPERATORS[self.operator](numbers.values, self.value)
        return Truth(holds & ~numbers.null, ~holds & ~numbers.null)


@dataclass(frozen=True)
class Pattern:
    """A text searched for an RE2 expression, which takes linear time whatever the pattern.

    Attributes:
        expression: RE2 syntax, anchored where the whole text must match.
        shown: the pattern as the rule's author wrote it.
    """

    expression: str
    shown: str

    @property
    def bound(self) -> str:
        """The pattern as written."""
        return self.shown

    def ask(self, column: Column) -> Truth:
        """Answer for every distinct text, then for the rows."""
        texts = cast("Texts", column)
        found = pc.match_substring_regex(texts.choices, self.expression).to_numpy(zero_copy_only=False)
        return _spread(texts, np.asarray(found, dtype=bool))


@dataclass(frozen=True)
class InNetwork:
    """A text that is an address, or a network, inside a network."""

    network: Network

    @property
    def bound(self) -> str:
        """The network in CIDR notation."""
        return str(self.network)

    def ask(self, column: Column) -> Truth:
        """Answer for every row; what is no address lies in no network."""
        texts = cast("Texts", column)
        inside = np.array([_inside(_network(text), self.network) for text in texts.choices.to_pylist()], dtype=bool)
        return _spread(texts, inside)


@dataclass(frozen=True)
class Present:
    """Whether a field has a value; the only question that a null answers."""

    wanted: bool

    @property
    def bound(self) -> None:
        """Nothing to show."""
        return

    def ask(self, column: Column) -> Truth:
        """Answer for every row; never unknown."""
        present = ~column.null
        return Truth(present, ~present) if self.wanted else Truth(~present, present)


def _spread(texts: Texts, chosen: NDArray[np.bool_]) -> Truth:
    return Truth(texts.spread(chosen), texts.spread(~chosen))


@lru_cache(maxsize=65_536)
def _network(text: str) -> Network | None:
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    # a dual-stack listener logs IPv4 peers as ::ffff:10.0.0.1
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return ip_network(mapped) if mapped is not None else network


def _inside(inner: Network | None, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False
