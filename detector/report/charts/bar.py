"""A share as a bar beside its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.report.charts.svg import element

if TYPE_CHECKING:
    from markupsafe import Markup

_HEIGHT = 8


def draw(share: float, *, attack: bool = True) -> Markup:
    """Return a share between 0 and 1 as a bar on a track as wide as its place; the number beside it is what is read.

    `attack` is whether the colour of attacks is meant.
    """
    width = 100 * min(max(share, 0.0), 1.0)
    drawing = [
        element("rect", class_="band", x="0", y="0", width="100%", height=_HEIGHT),
        element(
            "rect", class_="bar-attack" if attack else "bar-peer", x="0", y="0", width=f"{width:.1f}%", height=_HEIGHT
        ),
    ]
    return element("svg", drawing, class_="bar", aria_hidden="true", width="100%", height=_HEIGHT)
