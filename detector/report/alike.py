"""How alike a reconstruction and its nearest records are, as the page shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from detector.report.view import MeasureRow
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.evidence.comparison import Closeness
    from detector.report.view import ReconstructionView

_MEANINGS: Mapping[str, str] = {
    "SSIM": "structural similarity: 1 for equal images, around 0 for unrelated ones",
    "PSNR, dB": "likeness place by place: above 30 hard to tell apart, below 10 hardly alike",
    "share of fields that agree": "numbers to a tenth of their spread, categories exactly",
    "G-mean of categories": "1 if every category is right; a guess of what is frequent misses the rare",
    "MCC of categories": "1 if every category is right, 0 as by chance",
    "edit similarity": "1 less the letters to change, as a share of the longer text",
    "letter triples shared": "1 if all groups of three letters occur in both, 0 if none does",
}
_NONE = "none"
_MOST_FIELDS = 60


def add(view: ReconstructionView, close: Closeness) -> ReconstructionView:
    """Return the view with the measures; fields are told by name alone, for their values are a person's."""
    rows = tuple(
        MeasureRow(one.name, _MEANINGS.get(one.name, ""), _told(one.member), _told(one.other), _told(one.guessed))
        for one in close.measures
    )
    fields = tuple((name(field), _agreement(agrees, guessed)) for field, agrees, guessed in close.fields[:_MOST_FIELDS])
    return replace(view, nearest=name(close.nearest.shown, 200), measures=rows, fields_told=fields)


def _told(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3g}"


def _agreement(agrees: bool, guessed: bool) -> str:  # noqa: FBT001 - the two sides of one field
    if agrees:
        return "agrees, as a guess does" if guessed else "agrees, where a guess does not"
    return "differs, where a guess agrees" if guessed else "differs"
