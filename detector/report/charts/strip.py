"""One value against those of the others: a strip of dots, the middle nine tenths as a band, the value as a mark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from detector.report import words
from detector.report.charts.svg import PLOT_WIDTH, chart, dots, element, label, percent, plot

if TYPE_CHECKING:
    from markupsafe import Markup
    from numpy.typing import NDArray

_PLOT = 22
_HEIGHT = 40
_MOST_DOTS = 150
_LONG_TAIL = 50


def draw(key: str, title: str, value: float, others: NDArray[np.float64], who: str = "other clients") -> Markup:
    """Return the strip.

    Args:
        key: unique on the page.
        title: what is measured.
        value: of the incident.
        others: values to compare with, ascending.
        who: whose they are.
    """
    low, high, bend = _range(value, others)

    def across(one: float) -> float:
        return (bend(one) - low) / (high - low) if high > low else 0.5

    shown = others[np.linspace(0, len(others) - 1, min(_MOST_DOTS, len(others))).astype(int)] if len(others) else others
    drawing = [element("path", class_="grid", d=f"M0 {_PLOT / 2}H{PLOT_WIDTH}")]
    if len(others):
        inner, outer = (across(float(np.quantile(others, q))) for q in (0.05, 0.95))
        width = max(2.0, PLOT_WIDTH * (outer - inner))
        drawing.append(element("rect", class_="band", x=PLOT_WIDTH * inner, y=4, width=width, height=_PLOT - 8))
        drawing.append(dots([(PLOT_WIDTH * across(float(one)), _PLOT / 2) for one in shown], "dot-peer"))
    place = min(max(across(value), 0.0), 1.0)
    marker = element("circle", class_="mark", cx=percent(0.01 + 0.98 * place), cy=_PLOT / 2, r=6)
    ends = [label(words.number(_unbent(low, bend)), "0", _HEIGHT - 4)]
    if high > low:
        ends.append(label(words.number(_unbent(high, bend)), "100%", _HEIGHT - 4, anchor="end"))
    return chart(key, title, _description(title, value, others, who), _HEIGHT, [plot(0, _PLOT, drawing), marker, *ends])


def _range(value: float, others: NDArray[np.float64]) -> tuple[float, float, _Bend]:
    everything = np.append(others, value)
    positive = bool((everything > 0).all())
    bend = _Bend(logarithmic=positive and float(everything.max()) > _LONG_TAIL * float(np.median(everything)))
    return bend(float(everything.min())), bend(float(everything.max())), bend


class _Bend:
    """The scale: as it is, or logarithmic where a few values are far larger than the rest."""

    def __init__(self, *, logarithmic: bool) -> None:
        self.logarithmic = logarithmic

    def __call__(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def _unbent(value: float, bend: _Bend) -> float:
    return math.exp(value) if bend.logarithmic else value


def _description(title: str, value: float, others: NDArray[np.float64], who: str) -> str:
    if not len(others):
        return f"{title} is {words.number(value)}; there is nothing to compare it with."
    middle = " to ".join(words.number(float(np.quantile(others, q))) for q in (0.05, 0.95))
    below = float(np.mean(others < value))
    return (
        f"{title} is {words.number(value)}. Of {len(others):,} {who} the middle nine tenths lie from {middle}; "
        f"{below:.0%} lie below."
    )
