"""Sentence templates: plain words with measured values in them, for a reader who does not know the rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from detector.detect.rules.vocabulary import is_share

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | str | None

_MAX_TEXT = 120
# widths and fills are left out: a rule must not be able to ask for a line of a billion blanks
_SPEC = re.compile(r",?(\.\d)?[f%d]?")


@dataclass(frozen=True)
class Gap:
    """A place in a sentence where a value goes."""

    field: str
    spec: str


@dataclass(frozen=True)
class Sentence:
    """A parsed template: literal words and gaps in turn."""

    parts: tuple[str | Gap, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The fields that the sentence names."""
        return frozenset(part.field for part in self.parts if isinstance(part, Gap))

    def render(self, values: Mapping[str, Value]) -> str:
        """Return the sentence with its gaps filled; a value that is not there reads "unknown"."""
        filled = (part if isinstance(part, str) else shown(part, values.get(part.field)) for part in self.parts)
        return " ".join("".join(filled).split())


def parse_sentence(template: str) -> Sentence:
    """Parse a template of Python's format syntax, of which only `{field}` and `{field:spec}` are allowed.

    Raises:
        ValueError: the braces do not match, or a gap asks for more than a field and a number format.
    """
    parts: list[str | Gap] = []
    for literal, field, spec, conversion in Formatter().parse(template):
        if literal:
            parts.append(literal)
        if field is None:
            continue
        if not field.isidentifier() or conversion:
            raise ValueError(f"{{{field}}} is not a field's name")
        if not _SPEC.fullmatch(spec or ""):
            raise ValueError(f"number format {spec!r} is not one of .2f, .0%, ,.0f, ,d and the like")
        parts.append(Gap(field, spec or ""))
    return Sentence(tuple(parts))


def shown(gap: Gap, value: Value) -> str:
    """Return one value as a lay reader would write it."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        # log fields are whatever the attacker sent: keep control characters out of terminals and files
        clean = "".join(letter if letter.isprintable() else "\ufffd" for letter in value)
        return clean if len(clean) <= _MAX_TEXT else clean[:_MAX_TEXT] + "…"
    if gap.spec.endswith("d"):
        return format(round(value), gap.spec)
    return format(value, gap.spec or _usual_spec(gap.field, value))


def _usual_spec(field: str, value: float) -> str:
    if is_share(field):
        return ".0%"
    return ",.0f" if float(value).is_integer() else ",.2f"
