"""Queries over time: all of the clients', and those that are evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.clock import DAY, moment
from detector.report import words
from detector.report.charts.svg import PLOT_WIDTH, chart, element, label, percent, plot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markupsafe import Markup

    from detector.evidence.context import Timeline

_HEIGHT = 170
_TOP = 18
_PLOT = 124
_HOURS = (0, 6, 12, 18, 24)
_MOST_LABELS = 6


def draw(key: str, timeline: Timeline) -> Markup:
    """Return bars of queries by bin; evidence is drawn over the rest."""
    highest = int(timeline.all.max(initial=1))
    minutes = timeline.width // 60_000_000
    title = f"Queries in each {minutes} minutes"
    telling, total = int(timeline.telling.sum()), int(timeline.all.sum())
    description = (
        f"{total:,} queries of the incident's clients on this model, {telling:,} of them evidence; "
        f"at most {highest:,} in {minutes} minutes. {_when(timeline)}"
    )
    bars = [
        _bars(timeline.all, highest, "bar-other"),
        _bars(timeline.telling, highest, "bar-attack"),
        element("path", class_="axis", d=f"M0 {_PLOT}H{PLOT_WIDTH}"),
    ]
    content = [plot(_TOP, _PLOT, bars), label(f"{highest:,} queries", "0", 12), *_ticks(timeline)]
    return chart(key, title, description, _HEIGHT, content)


def _bars(counts: object, highest: int, class_: str) -> Markup:
    """Return all bars of one colour as one path; a bin with any query is at least a line high."""
    values = np.asarray(counts)
    width = PLOT_WIDTH / len(values)
    parts = []
    for place in np.flatnonzero(values):
        height = max(3.0, _PLOT * float(values[place]) / highest)
        parts.append(f"M{place * width:.2f} {_PLOT}v-{height:.1f}h{0.86 * width:.2f}v{height:.1f}z")
    return element("path", class_=class_, d="".join(parts))


def _ticks(timeline: Timeline) -> Iterable[Markup]:
    length = timeline.width * len(timeline.all)
    y = _TOP + _PLOT + 18
    if length <= DAY:
        begin = moment(timeline.first_ts)
        for hour in _HOURS:
            place = hour * 3_600_000_000 / length
            text = f"{(begin.hour + hour) % 24 if hour != 24 else begin.hour or 24:02d}:{begin.minute:02d}"
            yield label(text, percent(min(place, 1)), y, anchor=_anchor(place))
        return
    step = max(1, -(-len(timeline.nights) // _MOST_LABELS))
    for start in timeline.nights[::step]:
        place = (start - timeline.first_ts) / length
        yield label(f"{moment(start):%d %b}", percent(place), y, anchor="start")


def _anchor(place: float) -> str:
    return "start" if place <= 0 else "end" if place >= 1 else "middle"


def _when(timeline: Timeline) -> str:
    places = np.flatnonzero(timeline.telling)
    if not len(places):
        return ""
    first = timeline.first_ts + int(places[0]) * timeline.width
    last = timeline.first_ts + (int(places[-1]) + 1) * timeline.width
    return f"The evidence lies between {words.span(first, last)}."
