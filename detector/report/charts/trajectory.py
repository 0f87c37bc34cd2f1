"""The climb: the probability of the class pursued, query by query, and the best so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.pursuit import CLIMB
from detector.report import words
from detector.report.charts.svg import PLOT_WIDTH, chart, dots, element, label, line, percent, plot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup
    from numpy.typing import NDArray

    from detector.evidence.context import Pursuit, Stretch

_HEIGHT = 270
_TOP = 24
_PLOT = 206
_MOST_POINTS = 700
_ENDS = 1e-6
_TICKS = (0.00001, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
_MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """The scale of probabilities: even, or in log-odds where the ends are crowded.

    Attributes:
        odds: whether it is in log-odds.
        low, high: what lies at the bottom and at the top, in that unit.
        ticks: probabilities to name.
    """

    odds: bool
    low: float
    high: float
    ticks: tuple[float, ...]

    def part(self, probability: float) -> float:
        """Return how far up a probability lies: 0 is the bottom, 1 the top."""
        value = _odds(probability) if self.odds else probability
        return (value - self.low) / (self.high - self.low)


def draw(key: str, pursuit: Pursuit) -> Markup:
    """Return the climb towards one class."""
    known = np.flatnonzero(np.isfinite(pursuit.probability))
    own = axis(pursuit.probability[known])
    scale, ticks = own.part, own.ticks
    shown = _thinned(known, pursuit)
    count = len(pursuit.rows)
    across = PLOT_WIDTH / max(1, count - 1)
    points = [(across * row, _down(scale(float(pursuit.probability[row])))) for row in shown]
    best = [(across * row, _down(scale(float(pursuit.best_so_far[row])))) for row in _steps(pursuit.best_so_far)]
    if best:
        best.append((float(PLOT_WIDTH), best[-1][1]))
    drawing = [
        *_phases(pursuit),
        *(element("path", class_="grid", d=f"M0 {_down(scale(tick)):.1f}H{PLOT_WIDTH}") for tick in ticks),
        dots(points, "dot-attack"),
        line(best, "line-best", stepped=True),
        element("path", class_="axis", d=f"M0 {_PLOT}H{PLOT_WIDTH}"),
    ]
    # Left of the plot: its figure keeps a margin free for them.
    labels = [label(spelled(tick), "-8", _TOP + _down(scale(tick)) + 4, anchor="end") for tick in ticks]
    content = [plot(_TOP, _PLOT, drawing), *labels, *_phase_names(pursuit), *_places(count)]
    return chart(key, f"Probability of class {pursuit.target}", _description(pursuit), _HEIGHT, content)


def axis(values: NDArray[np.float64]) -> Axis:
    """Return the scale for these probabilities, all of them finite."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if low >= 0.02 and high <= 0.98:
        return Axis(odds=False, low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
    bottom, top = _odds(low) - 0.4, _odds(high) + 0.4
    ticks = [tick for tick in _TICKS if bottom <= _odds(tick) <= top]
    step = -(-len(ticks) // _MOST_TICKS) if ticks else 1
    return Axis(odds=True, low=bottom, high=top, ticks=tuple(ticks[::step]))


def climbing(pursuit: Pursuit) -> list[Stretch]:
    """Return the stretches that the chart sets off."""
    return [one for one in pursuit.stretches if one.name == CLIMB]


def _odds(probability: float) -> float:
    held = min(max(probability, _ENDS), 1 - _ENDS)
    return math.log(held / (1 - held))


def _down(part: float) -> float:
    return _PLOT * (1 - part)


def _steps(best: NDArray[np.float64]) -> list[int]:
    """Return the places where the best so far moves."""
    known = np.flatnonzero(np.isfinite(best))
    moves = np.diff(best[known], prepend=-1.0) > 0
    steps = [int(place) for place in known[moves]]
    if len(steps) <= _MOST_POINTS:
        return steps
    return [steps[i] for i in np.linspace(0, len(steps) - 1, _MOST_POINTS).astype(int)]


def _thinned(known: NDArray[np.int64], pursuit: Pursuit) -> list[int]:
    """Return the queries to draw: evenly spaced ones, and the reconstruction."""
    if len(known) <= _MOST_POINTS:
        return [int(row) for row in known]
    kept = known[np.linspace(0, len(known) - 1, _MOST_POINTS).astype(int)]
    best = np.searchsorted(pursuit.rows, pursuit.best)
    return [int(row) for row in np.union1d(kept, best)]


def _phases(pursuit: Pursuit) -> Iterable[Markup]:
    count = len(pursuit.rows)
    for stretch in climbing(pursuit):
        first, width = PLOT_WIDTH * stretch.first / count, PLOT_WIDTH * (stretch.end - stretch.first) / count
        yield element("rect", class_="phase", x=first, y=0, width=width, height=_PLOT)


def spelled(tick: float) -> str:
    """Return the name of a tick."""
    return f"{tick:.6f}".rstrip("0").rstrip(".")


def _phase_names(pursuit: Pursuit) -> Iterable[Markup]:
    """Return names of the phases that are wide enough to carry one on a small screen."""
    count = len(pursuit.rows)
    for stretch in pursuit.stretches:
        if (stretch.end - stretch.first) / count >= 0.25:
            yield label(stretch.name, percent((stretch.first + stretch.end) / 2 / count), 14, "tick strong", "middle")


def _places(count: int) -> Iterable[Markup]:
    y = _TOP + _PLOT + 18
    yield label("query 1", "0", y)
    if count > 1:
        yield label(words.count(count // 2), "50%", y, anchor="middle")
        yield label(words.count(count), "100%", y, anchor="end")


def _description(pursuit: Pursuit) -> str:
    phases = "; ".join(f"{one.name} from query {one.first + 1:,} to {one.end:,}" for one in pursuit.stretches)
    return (
        f"Over {len(pursuit.rows):,} queries the probability of class {pursuit.target} went from "
        f"{words.probability(pursuit.start)} to {words.probability(pursuit.final)}. Phases: {phases or 'none'}."
    )
