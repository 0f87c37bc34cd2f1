"""Item 5 in words and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.evidence.comparison.parts import told

if TYPE_CHECKING:
    from detector.evidence.comparison.parts import Closeness, Measure, Probed


def facts(closeness: tuple[Closeness, ...], probed: Probed | None) -> tuple[tuple[str, str], ...]:
    """Return the figures, reconstruction by reconstruction; no value of a record is among them, and no whole id."""
    found = [fact for one in closeness for fact in _of(one)]
    if probed is not None:
        found.append(("Probed inputs looked at", f"{probed.inputs:,}"))
        found.append(("… that are training records", f"{probed.members:,}"))
        if probed.others is not None:
            found.append(("… that are hold-out records", f"{probed.others:,}"))
    return tuple(found)


def _of(one: Closeness) -> list[tuple[str, str]]:
    label = f", labelled {one.member_label}" if one.member_label is not None else ""
    against = "hold-out" if one.to_other is not None else "other training"
    found = [
        (
            f"Class {one.target}: nearest training record",
            f"distance {one.to_member:.4g} ({one.nearest.shown}{label})",
        )
    ]
    if one.to_other is not None:
        found.append(("… nearest hold-out record", f"distance {one.to_other:.4g}"))
    found.append(("… closer to a training record than", f"{int(one.closer_than * 100)}% of {against} records are"))
    found.append(
        ("… closer to it, measured against the next, than", f"{int(one.apart * 100)}% of them (p = {one.p:.2g})")
    )
    found.extend((f"… {each.name}", _measure(each)) for each in one.measures)
    return found


def _measure(one: Measure) -> str:
    beside = []
    if one.other is not None:
        beside.append(f"{one.other:.3g} with the nearest hold-out record")
    if one.guessed is not None:
        beside.append(f"{one.guessed:.3g} by a guess without the model")
    return f"{one.member:.3g}" + (f" ({', '.join(beside)})" if beside else "")


def reason(closeness: tuple[Closeness, ...], probed: Probed | None, lacking: tuple[str, ...]) -> str:
    """Return the verdicts in words, and what could not be measured."""
    targets: dict[str, list[str]] = {}
    for one in closeness:
        targets.setdefault(told(one), []).append(one.target)
    parts = [f"Class {', '.join(dict.fromkeys(named))}: {verdict}" for verdict, named in targets.items()]
    if probed is not None:
        parts.append(
            f"{probed.members:,} of {probed.inputs:,} probed inputs are records that the model was trained on."
        )
    return " ".join([*parts, *lacking])
