from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.detect.rules.columns import Numbers
from detector.detect.rules.expressions import And, Evaluation, Expression, Leaf, Not, Or, can_hold, fields_of
from detector.detect.rules.predicates import Bound, Present

FIELDS = ("a", "b", "c")
VALUES = st.sampled_from([None, 0.0, 1.0])
LEAVES = st.builds(
    Leaf,
    st.sampled_from(FIELDS),
    st.sampled_from([Bound("gte", 0.5), Bound("eq", 0.0), Present(wanted=True), Present(wanted=False)]),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES)), min_size=1, max_size=6)


@dataclass(frozen=True)
class _Table:
    content: list[dict[str, float | None]]

    @property
    def rows(self) -> int:
        return len(self.content)

    def column(self, field: str) -> Numbers:
        return Numbers(np.array([np.nan if row[field] is None else row[field] for row in self.content]))


def reference(expression: Expression, row: dict[str, float | None]) -> bool | None:
    """Kleene's tables, one row at a time."""
    match expression:
        case Leaf(field, Present(wanted)):
            return (row[field] is not None) is wanted
        case Leaf(field, Bound("gte", bound)):
            return None if row[field] is None else row[field] >= bound
        case Leaf(field, Bound("eq", bound)):
            return None if row[field] is None else row[field] == bound
        case Not(part):
            inner = reference(part, row)
            return None if inner is None else not inner
        case And(parts):
            answers = [reference(part, row) for part in parts]
            return False if False in answers else None if None in answers else True
        case Or(parts):
            answers = [reference(part, row) for part in parts]
            return True if True in answers else None if None in answers else False
    raise AssertionError(expression)


@given(EXPRESSIONS, ROWS)
def test_columns_give_what_kleenes_tables_give(expression: Expression, rows: list[dict[str, float | None]]) -> None:
    truth = Evaluation(_Table(rows)).truth(expression)
    expected = [reference(expression, row) for row in rows]
    assert truth.yes.tolist() == [answer is True for answer in expected]
    assert truth.no.tolist() == [answer is False for answer in expected]
    assert truth.unknown.tolist() == [answer is None for answer in expected]


@given(EXPRESSIONS, ROWS)
def test_double_negation_changes_nothing(expression: Expression, rows: list[dict[str, float | None]]) -> None:
    evaluation = Evaluation(_Table(rows))
    once, twice = evaluation.truth(expression), evaluation.truth(Not(Not(expression)))
    assert (twice.yes.tolist(), twice.no.tolist()) == (once.yes.tolist(), once.no.tolist())


@given(EXPRESSIONS, ROWS)
def test_nothing_holds_that_was_said_to_be_impossible(
    expression: Expression, rows: list[dict[str, float | None]]
) -> None:
    evaluation = Evaluation(_Table(rows))
    blind = evaluation.blind(fields_of(expression))
    truth = evaluation.truth(expression)
    assert can_hold(expression, blind) or not truth.yes.any()
    assert can_hold(expression, blind, negated=True) or not truth.no.any()


@given(EXPRESSIONS, ROWS)
def test_reasons_alone_make_the_condition_hold(expression: Expression, rows: list[dict[str, float | None]]) -> None:
    evaluation = Evaluation(_Table(rows))
    for row in np.flatnonzero(evaluation.truth(expression).yes):
        reasons = list(evaluation.reasons(expression, int(row)))
        assert reasons
        for reason in reasons:
            assert reference(reason.leaf, rows[row]) is not reason.denied


def test_a_rule_with_a_way_around_the_missing_field_was_evaluated() -> None:
    plain, tail = Leaf("a", Bound("gte", 0.5)), Leaf("b", Bound("gte", 0.5))
    blind = frozenset({"b"})
    assert can_hold(Or((plain, tail)), blind)
    assert not can_hold(And((plain, tail)), blind)
    assert not can_hold(And((plain, Not(tail))), blind)
    assert can_hold(And((plain, Leaf("b", Present(wanted=False)))), blind)
