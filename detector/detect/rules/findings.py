"""Making findings: their identity, their triggers, their chance under the baseline."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from detector.detect.rules.vocabulary import IDENTITY, TAIL, base_field
from detector.model import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from detector.detect.rules.expressions import Reason
    from detector.model import Finding

    ValueOf = Callable[[str], float | str | None]


def finding_id(rule: str, model: str, *, entity_kind: str, entity_id: str, horizon: str, night: date) -> str:
    """Return 16 hexadecimal digits that are the same whenever the same rule speaks of the same window."""
    parts = (rule, model, entity_kind, entity_id, horizon, night.isoformat())
    # lengths before the parts, so that no two windows can spell the same text
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def triggers(reasons: Iterable[Reason], value_of: ValueOf, *, has_tail: bool) -> tuple[Trigger, ...]:
    """Return one trigger a field, in the order of the condition.

    Denied questions say what something is not; they are named only where there is nothing else to name.

    Args:
        reasons: why the condition held.
        value_of: the row's value of a field.
        has_tail: whether fields can have a `_tail` beside them.
    """
    bounds: dict[str, float | str | None] = {}
    given = list(reasons)
    for leaf in [reason.leaf for reason in given if not reason.denied] or [reason.leaf for reason in given]:
        field = base_field(leaf.field) if has_tail else leaf.field
        on_tail = has_tail and leaf.field != field
        # a tail's bound is about the tail: the trigger shows the tail itself
        bound = None if on_tail else leaf.predicate.bound
        if bounds.get(field) is None:
            bounds[field] = bound
    telling = [field for field in bounds if field not in IDENTITY] or list(bounds)
    found = []
    for field in telling:
        value = value_of(field)
        tail = value_of(field + TAIL) if has_tail and field not in IDENTITY and field != "target" else None
        if value is not None:
            found.append(Trigger(field, value, bounds[field], tail if isinstance(tail, float) else None))
    return tuple(found)


def chance(found: Sequence[Trigger]) -> float | None:
    """Return the smallest tail probability among triggers, None where none has one."""
    tails = [trigger.tail for trigger in found if trigger.tail is not None]
    return min(1.0, 10.0 ** -max(tails)) if tails else None


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in an order that does not depend on how the rows came."""
    return tuple(sorted(findings, key=lambda f: (f.model, f.entity_kind, f.entity_id, f.horizon, f.rule, f.id)))
