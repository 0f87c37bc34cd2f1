"""The `correlation` block of a rule: what is counted, over which findings, how far apart."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from sigma.correlations import SigmaCorrelationTimespan
from sigma.exceptions import SigmaTimespanError

from detector.detect.rules.checks import refuse_unknown
from detector.detect.rules.model import CorrelationType
from detector.detect.rules.vocabulary import Category, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.detect.rules.documents import Document

_KEYS = frozenset({"type", "rules", "group-by", "timespan", "condition", "generate"})
_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_MICROSECONDS = 1_000_000
# a timespan longer than any retention: beyond it the arithmetic is not what the author meant
_MAX_SECONDS = 10 * 366 * 86_400


def parse_correlation(document: Document) -> dict[str, Any]:
    """Return the parts of a correlation that a plain rule has not, as keyword arguments; rules are not yet resolved.

    Raises:
        RuleError: an unknown type, field or condition, or something of Sigma that is not supported, with its line.
    """
    block = document.data["correlation"]
    if not isinstance(block, dict):
        raise document.error("correlation is not a mapping", "correlation", expected="type, rules, timespan, ...")
    refuse_unknown(document, block, _KEYS, "correlation")
    if block.get("type") not in list(CorrelationType):
        message = f"unknown correlation type {block.get('type')!r}"
        raise document.error(message, "correlation", "type", expected=", ".join(CorrelationType))
    if block.get("generate", True) is not True:
        message = "findings of the rules named are always kept"
        raise document.error(message, "correlation", "generate", expected="generate: true, or none")
    kind = CorrelationType(block["type"])
    rules = _texts(document, block, "rules")
    operator, count, counted = _condition(document, block, kind, len(rules))
    return {
        "type": kind,
        "rules": rules,
        "group_by": _grouping(document, block),
        "timespan": _timespan(document, block),
        "operator": operator,
        "count": count,
        "counted": counted,
    }


def _texts(document: Document, block: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = block.get(key)
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(item, str) and item for item in listed):
        raise document.error(
            f"correlation.{key} is missing or malformed", "correlation", key, expected="a text or list"
        )
    if len(set(listed)) < len(listed):
        raise document.error(f"correlation.{key} names something twice", "correlation", key)
    return tuple(listed)


def _grouping(document: Document, block: Mapping[str, Any]) -> tuple[str, ...]:
    if "group-by" not in block:
        return ()
    grouping = _texts(document, block, "group-by")
    for field in grouping:
        if field not in fields(Category.CORRELATION):
            expected = ", ".join(fields(Category.CORRELATION))
            raise document.error(f"unknown field {field!r}", "correlation", "group-by", expected=expected)
    return grouping


def _timespan(document: Document, block: Mapping[str, Any]) -> int:
    try:
        seconds = SigmaCorrelationTimespan(block.get("timespan")).seconds  # type: ignore[arg-type] # it refuses others
    except SigmaTimespanError as error:
        message = f"correlation.timespan is missing or malformed: {error}"
        raise document.error(message, "correlation", "timespan", expected="7d, 12h, ...") from error
    if seconds > _MAX_SECONDS:
        raise document.error("correlation.timespan is too long", "correlation", "timespan", expected="at most 10 years")
    return seconds * _MICROSECONDS


def _condition(
    document: Document, block: Mapping[str, Any], kind: CorrelationType, rules: int
) -> tuple[str, float, str | None]:
    place = ("correlation", "condition")
    condition = block.get("condition")
    temporal = kind in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
    if condition is None and temporal:
        return "gte", rules, None
    if not isinstance(condition, dict):
        raise document.error("correlation.condition is missing or not a mapping", *place, expected="gte: 3 or the like")
    refuse_unknown(document, condition, {*_OPERATORS, "field"}, *place)
    operators = [operator for operator in _OPERATORS if operator in condition]
    if len(operators) != 1:
        raise document.error("correlation.condition has not exactly one comparison", *place, expected="gte: 3")
    operator, count = operators[0], condition[operators[0]]
    if not isinstance(count, int | float) or isinstance(count, bool) or not isfinite(count):
        raise document.error(f"{count!r} is not a number", *place, operator)
    counted = condition.get("field")
    if kind is CorrelationType.VALUE_COUNT and counted not in fields(Category.CORRELATION):
        expected = ", ".join(fields(Category.CORRELATION))
        raise document.error(f"unknown field {counted!r} to count", *place, "field", expected=expected)
    if kind is not CorrelationType.VALUE_COUNT and counted is not None:
        raise document.error("only value_count counts a field", *place, "field")
    if kind is CorrelationType.TEMPORAL_ORDERED and (operator, count) != ("gte", rules):
        raise document.error("temporal_ordered needs all of its rules", *place, expected=f"gte: {rules}, or none")
    return operator, float(count), counted
