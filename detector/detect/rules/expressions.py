"""Conditions as trees: evaluated over whole columns, asked for their reasons on the few rows that fired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.detect.rules.kleene import Truth, conjunction, disjunction, negation
from detector.detect.rules.predicates import Present

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.detect.rules.columns import Columns
    from detector.detect.rules.predicates import Predicate


@dataclass(frozen=True)
class Leaf:
    """One question about one field."""

    field: str
    predicate: Predicate


@dataclass(frozen=True)
class And:
    """Holds where all parts hold."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    """Holds where any part holds."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Not:
    """Holds where its part certainly does not."""

    part: Expression


Expression = Leaf | And | Or | Not


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Yield every question in an expression, in the order in which it was written."""
    match expression:
        case Leaf():
            yield expression
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)


def fields_of(expression: Expression) -> frozenset[str]:
    """Return the fields that an expression reads."""
    return frozenset(leaf.field for leaf in leaves(expression))


def can_hold(expression: Expression, blind: frozenset[str], *, negated: bool = False) -> bool:
    """Return whether an expression could hold for any row at all when the fields in `blind` are null in every row.

    False means that the rule was not evaluated, which is not the same as finding nothing. With `negated`, whether it
    could be denied.
    """
    match expression:
        case Leaf(field, predicate):
            if field not in blind:
                return True
            # of a null, only whether it is there can be answered
            return isinstance(predicate, Present) and predicate.wanted is negated
        case Not(part):
            return can_hold(part, blind, negated=not negated)
        case And(parts):
            chances = (can_hold(part, blind, negated=negated) for part in parts)
            return any(chances) if negated else all(chances)
        case Or(parts):
            chances = (can_hold(part, blind, negated=negated) for part in parts)
            return all(chances) if negated else any(chances)


@dataclass(frozen=True)
class Reason:
    """Why a condition held: a question, and whether it was its denial that counted."""

    leaf: Leaf
    denied: bool


class Evaluation:
    """Expressions evaluated over one set of rows; what several rules have in common is answered once."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._answers: dict[Expression, Truth] = {}

    def truth(self, expression: Expression) -> Truth:
        """Return what an expression says of every row."""
        if expression not in self._answers:
            self._answers[expression] = self._ask(expression)
        return self._answers[expression]

    def _ask(self, expression: Expression) -> Truth:
        match expression:
            case Leaf(field, predicate):
                return predicate.ask(self.columns.column(field))
            case Not(part):
                return negation(self.truth(part))
            case And(parts):
                return conjunction([self.truth(part) for part in parts])
            case Or(parts):
                return disjunction([self.truth(part) for part in parts])

    def reasons(self, expression: Expression, row: int, *, denied: bool = False) -> Iterator[Reason]:
        """Yield the questions whose answers make an expression hold (or, with `denied`, fail) for a row."""
        match expression:
            case Leaf():
                yield Reason(expression, denied)
            case Not(part):
                yield from self.reasons(part, row, denied=not denied)
            case And(parts) | Or(parts):
                for part in parts:
                    truth = self.truth(part)
                    if (truth.no if denied else truth.yes)[row]:
                        yield from self.reasons(part, row, denied=denied)

    def blind(self, fields: frozenset[str]) -> frozenset[str]:
        """Return those of `fields` that are null in every row."""
        return frozenset(field for field in fields if self.columns.column(field).null.all())
