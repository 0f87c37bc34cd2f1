"""What the rules say of themselves, for the findings that they made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.detect.rules import load_rules
from detector.errors import DetectorError
from detector.features.registry import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.config import Settings

_TAIL = "_tail"


@dataclass(frozen=True)
class Rulebook:
    """Benign causes by rule, and the meaning of features."""

    innocent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def causes(self, rule: str, features: tuple[str, ...]) -> tuple[str, ...]:
        """Return what else can look like that: in the rule's own words, else in those of its features."""
        if self.innocent.get(rule):
            return self.innocent[rule]
        known = [BY_NAME[one].looks_like for one in map(base, features) if one in BY_NAME]
        return tuple(dict.fromkeys(one for one in known if not one.startswith("none")))


def base(feature: str) -> str:
    """Return the feature that a tail belongs to."""
    return feature.removesuffix(_TAIL)


def meaning(feature: str) -> str:
    """Return what a feature tells of an attack, in its own words; nothing for a field that is no feature."""
    spec = BY_NAME.get(base(feature))
    return spec.signal if spec is not None else ""


def formula(feature: str) -> str:
    """Return how a feature is computed."""
    spec = BY_NAME.get(base(feature))
    return spec.formula if spec is not None else ""


def read_rulebook(settings: Settings) -> Rulebook:
    """Return the rulebook of a site; rules that cannot be loaded now do not keep a report from being written."""
    try:
        rules = load_rules([settings.rules] if settings.rules else [])
    except DetectorError:
        return Rulebook()
    told = {one.id: one.falsepositives for one in rules.everything}
    return Rulebook({**told, **{one.name: one.falsepositives for one in rules.everything if one.name}})
