"""How sure the model was: shares of answers by confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.confidence import ODDS
from detector.evidence.numbers import odds
from detector.report import words
from detector.report.charts.svg import PLOT_WIDTH, chart, element, label, percent, plot

if TYPE_CHECKING:
    from markupsafe import Markup

    from detector.evidence.confidence import Distribution

_PLOT = 64
_TOP = 14
_TICKS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)


def draw(key: str, one: Distribution, *, attack: bool, axis: bool) -> Markup:
    """Return one distribution; the fullest bin reaches the top, for it is shapes that are compared.

    Args:
        key: unique on the page.
        one: the distribution.
        attack: whether it is the attack's own.
        axis: whether to label the axis.
    """
    width = PLOT_WIDTH / len(one.shares)
    parts = []
    for place, share in enumerate(one.shares):
        if share > 0:
            height = max(1.0, _PLOT * share / max(one.shares))
            parts.append(f"M{place * width:.1f} {_PLOT}v-{height:.1f}h{0.92 * width:.1f}v{height:.1f}z")
    drawing = [
        element("path", class_="bar-attack" if attack else "bar-peer", d="".join(parts)),
        element("path", class_="axis", d=f"M0 {_PLOT}H{PLOT_WIDTH}"),
        element("path", class_="median", d=f"M{PLOT_WIDTH * _place(one.median):.1f} 0V{_PLOT}"),
    ]
    content = [plot(_TOP, _PLOT, drawing), label(f"{max(one.shares):.0%} in the fullest bin", "0", 10)]
    if axis:
        content += [label(f"{tick:g}", percent(_place(tick)), _TOP + _PLOT + 16, anchor="middle") for tick in _TICKS]
    description = f"{one.count:,} answers, median confidence {words.probability(one.median)}."
    return chart(key, f"Confidence: {one.name}", description, _TOP + _PLOT + (22 if axis else 4), content)


def _place(confidence: float) -> float:
    """Return where a confidence lies along the axis, from 0 to 1."""
    first, last = ODDS
    value = float(odds(np.array([confidence]))[0])
    return min(max((value - first) / (last - first), 0.002), 0.998)
