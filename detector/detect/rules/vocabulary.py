"""The words that rules may use: log sources, fields, modifiers."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from detector.features import registry

PRODUCT = "ml_inference"
TAIL = "_tail"


class Category(StrEnum):
    """What a rule looks at, Sigma's log source category."""

    WINDOW = "window"
    QUERY = "query"
    CORRELATION = "correlation"


class Kind(StrEnum):
    """How a field's values compare."""

    NUMBER = "number"
    TEXT = "text"


_WINDOW_IDENTITY = {
    "entity_kind": Kind.TEXT,
    "entity_id": Kind.TEXT,
    "client": Kind.TEXT,  # the only client of the window; null where there are several
    "horizon": Kind.TEXT,
    "model": Kind.TEXT,
    "target": Kind.TEXT,
    "query_count": Kind.NUMBER,
}

_QUERY = {
    "client_id": Kind.TEXT,
    "source_ip": Kind.TEXT,
    "user_agent": Kind.TEXT,
    "model": Kind.TEXT,
    "model_version": Kind.TEXT,
    "endpoint": Kind.TEXT,
    "operation": Kind.TEXT,
    "label": Kind.TEXT,
    "input_kind": Kind.TEXT,
    "flags": Kind.TEXT,
    "params": Kind.TEXT,
    "status": Kind.NUMBER,
    "latency_ms": Kind.NUMBER,
    "confidence": Kind.NUMBER,
    "value": Kind.NUMBER,
    "scored": Kind.NUMBER,
}

# what a finding offers to a correlation, for grouping and for counting distinct values
_FINDING = {
    "rule": Kind.TEXT,
    "technique": Kind.TEXT,
    "family": Kind.TEXT,
    "level": Kind.TEXT,
    "model": Kind.TEXT,
    "entity_kind": Kind.TEXT,
    "entity_id": Kind.TEXT,
    "horizon": Kind.TEXT,
    "clients": Kind.TEXT,
    "target": Kind.TEXT,
    "night": Kind.TEXT,
}

# Says who, when and how much, not why: not a trigger where there is any other. A bound on query_count in a rule says
# how much a statistic needs to mean anything.
IDENTITY = frozenset(_WINDOW_IDENTITY) - {"target"}

# what a sentence may name beside the fields of its log source
SENTENCE_EXTRAS = {
    Category.WINDOW: frozenset[str](),
    Category.QUERY: frozenset({"matches"}),
    Category.CORRELATION: frozenset({"count", "client_count", "night_count", "rule_titles", "entity_id", "target"}),
}

COMPARISONS = frozenset({"gt", "gte", "lt", "lte"})
TEXT_MODIFIERS = frozenset({"contains", "startswith", "endswith", "re", "cidr"})
MODIFIERS = COMPARISONS | TEXT_MODIFIERS | {"exists", "all"}


@cache
def fields(category: Category) -> dict[str, Kind]:
    """Return the fields of a log source and how their values compare."""
    if category is Category.QUERY:
        return dict(_QUERY)
    if category is Category.CORRELATION:
        return dict(_FINDING)
    features = {spec.name: Kind.NUMBER for spec in registry.FEATURES}
    return {**_WINDOW_IDENTITY, **features, **{name + TAIL: Kind.NUMBER for name in features}}


def kind_of(category: Category, field: str) -> Kind:
    """Return how a known field's values compare."""
    return fields(category)[field]


def base_field(field: str) -> str:
    """Return the feature that a `_tail` field speaks of, any other field as it is."""
    return field.removesuffix(TAIL)


def is_share(field: str) -> bool:
    """Return whether a field is a number between 0 and 1 that readers know as a percentage."""
    return any(spec.name == field and spec.unit == "share" for spec in registry.FEATURES)


@cache
def trajectory_fields() -> frozenset[str]:
    """Return the features that follow the probability of one class, the window's target."""
    return frozenset(spec.name for spec in registry.FEATURES if spec.family == "confidence trajectory")
