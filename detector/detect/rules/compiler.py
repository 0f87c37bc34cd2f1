"""From a Sigma detection to an expression: our checks give the line, pySigma parses, its tree is translated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from math import isfinite
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetections
from sigma.types import (
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from detector.detect.rules.expressions import And, Expression, Leaf, Not, Or
from detector.detect.rules.predicates import Bound, InNetwork, Pattern, Predicate, Present
from detector.detect.rules.vocabulary import COMPARISONS, MODIFIERS, TEXT_MODIFIERS, Category, Kind, fields

if TYPE_CHECKING:
    from detector.detect.rules.documents import Document, Step
    from detector.detect.rules.predicates import Operator

# a condition's parser takes time that grows steeply with nesting
_MAX_CONDITION = 1_000
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_COMPARE: dict[str, Operator] = {"GT": "gt", "GTE": "gte", "LT": "lt", "LTE": "lte"}
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}


def compile_detection(document: Document, section: str, category: Category) -> Expression:
    """Return the expression of a document's `detection` (or a filter's `filter`) section.

    Raises:
        RuleError: an unknown field or modifier, a value that does not fit, or a condition that cannot be parsed, with
            its line.
    """
    block = document.data[section]
    if not isinstance(block, dict):
        raise document.error(f"{section} is not a mapping", section, expected="selections and a condition")
    selections = {name: value for name, value in block.items() if name not in ("condition", "rules")}
    for name, value in selections.items():
        if not _IDENTIFIER.fullmatch(name):
            raise document.error(f"{name!r} cannot name a selection", section, name, expected="letters, digits, _ or -")
        _check_selection(document, value, category, (section, name))
    condition = block.get("condition")
    if not isinstance(condition, str) or not condition.strip() or len(condition) > _MAX_CONDITION:
        expected = f"one text of at most {_MAX_CONDITION} characters"
        raise document.error("condition is missing or not a text", section, "condition", expected=expected)
    return _parse(document, section, selections, condition, category)


def _check_selection(document: Document, value: object, category: Category, place: tuple[Step, ...]) -> None:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            _check_selection(document, item, category, (*place, index))
        return
    if not isinstance(value, dict) or not value:
        expected = "field and value pairs, or a list of such mappings"
        raise document.error("a selection without fields is not supported", *place, expected=expected)
    for key, wanted in value.items():
        _check_item(document, key, wanted, category, (*place, key))


def _check_item(document: Document, key: str, wanted: object, category: Category, place: tuple[Step, ...]) -> None:
    """Check one `field|modifier: value` line."""
    field, *modifiers = key.split("|")
    known = fields(category)
    if field not in known:
        expected = f"a field of category {category}; `detector rules list` and docs/rules.md name them"
        raise document.error(f"unknown field {field!r}", *place, expected=expected)
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise document.error(f"unknown modifier {modifier!r}", *place, expected=", ".join(sorted(MODIFIERS)))
    chosen = [modifier for modifier in modifiers if modifier != "all"]
    if len(chosen) > 1 or modifiers.count("all") > 1 or (modifiers and modifiers[0] == "all" and chosen):
        raise document.error(f"modifiers {'|'.join(modifiers)} do not go together", *place, expected="one, then all")
    values = wanted if isinstance(wanted, list) else [wanted]
    if not values:
        raise document.error(f"{field} has an empty list of values", *place)
    item = _Item(field, known[field], chosen[0] if chosen else "")
    for index, value in enumerate(values):
        problem = item.problem(value)
        if problem:
            raise document.error(problem, *place, *((index,) if isinstance(wanted, list) else ()))


@dataclass(frozen=True)
class _Item:
    """One `field|modifier` and what values it takes."""

    field: str
    kind: Kind
    modifier: str

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, None where nothing is."""
        if self.modifier == "exists":
            return None if isinstance(value, bool) else "exists takes true or false"
        if self.modifier in COMPARISONS:
            return self._comparison_problem(value)
        if self.modifier in TEXT_MODIFIERS:
            return self._text_problem(value)
        if value is None or _is_number(value):
            return None
        if isinstance(value, bool if self.kind is Kind.NUMBER else str):
            return None
        return f"{self.field} is a {self.kind}, {value!r} is not"

    def _comparison_problem(self, value: object) -> str | None:
        if self.kind is not Kind.NUMBER:
            return f"{self.modifier} needs a number, {self.field} is a text"
        # YAML reads 1e-8 as a text
        return None if _is_number(value) else f"{value!r} is not a finite number like 0.5 or 1.0e-8"

    def _text_problem(self, value: object) -> str | None:
        if self.kind is not Kind.TEXT:
            return f"{self.modifier} needs a text, {self.field} is a number"
        if not isinstance(value, str) or not value:
            return f"{value!r} is not a text"
        try:
            if self.modifier == "cidr":
                ip_network(value)
            elif self.modifier == "re":
                # the engine that will run it; pySigma's own compilation would log to stderr
                pc.match_substring_regex(pa.array(["probe"]), value)
        except pa.ArrowInvalid as error:
            return f"{value!r} is not an RE2 expression: {error}"
        except ValueError as error:
            return f"{value!r} is not a network: {error}"
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _parse(
    document: Document, section: str, selections: dict[str, Any], condition: str, category: Category
) -> Expression:
    try:
        detections = SigmaDetections.from_dict({**selections, "condition": condition})
        named = detections.parsed_condition[0].parse(postprocess=False)
        tree = detections.parsed_condition[0].parse()
    except (SigmaError, RecursionError) as error:
        # pySigma's text holds the place in the condition
        raise document.error(f"cannot be used as a condition: {error}", section, "condition") from error
    used = _identifiers(named, detections)
    for name in selections:
        if name not in used:
            raise document.error(f"selection {name!r} is not used in the condition", section, name)
    return _translate(tree, category)


def _identifiers(node: object, detections: SigmaDetections) -> set[str]:
    match node:
        case ConditionIdentifier():
            return {node.identifier}
        case ConditionSelector():
            return {found.identifier for found in node.resolve_referenced_detections(detections)}
        case ConditionAND(args) | ConditionOR(args) | ConditionNOT(args):
            return set[str]().union(*(_identifiers(arg, detections) for arg in args))
        case _:
            return set()


def _translate(node: object, category: Category) -> Expression:
    match node:
        case ConditionAND(args):
            return And(tuple(_translate(arg, category) for arg in args))
        case ConditionOR(args):
            return Or(tuple(_translate(arg, category) for arg in args))
        case ConditionNOT(args):
            return Not(_translate(args[0], category))
        case ConditionFieldEqualsValueExpression(field, value):
            return Leaf(field, _predicate(value, fields(category)[field]))
        case _:
            raise AssertionError(f"checked before: {node!r}")


def _predicate(value: object, kind: Kind) -> Predicate:
    """Return what pySigma made of one value as a question."""
    predicate: Predicate
    match value:
        case SigmaCompareExpression():
            predicate = Bound(_COMPARE[value.op.name], float(value.number.number))
        case SigmaExists():
            predicate = Present(wanted=bool(value))
        case SigmaNull():
            predicate = Present(wanted=False)
        case SigmaCIDRExpression():
            predicate = InNetwork(ip_network(value.cidr))
        case SigmaRegularExpression():
            predicate = Pattern(str(value.regexp), str(value.regexp))
        case SigmaBool():
            predicate = Bound("eq", float(value.boolean))
        case SigmaNumber() if kind is Kind.NUMBER:
            predicate = Bound("eq", float(value.number))
        case _:
            text = value if isinstance(value, SigmaString) else SigmaString(str(value))
            predicate = Pattern(_expression(text), str(text))
    return predicate


def _expression(text: SigmaString) -> str:
    """Return a Sigma string with its wildcards as an anchored RE2 expression, blind to case."""
    body = "".join(_WILDCARDS[part] if isinstance(part, SpecialChars) else re.escape(str(part)) for part in text.s)
    return rf"(?is)\A{body}\z"
