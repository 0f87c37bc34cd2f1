"""The few SVG elements that the charts are made of, everything escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from detector.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLOT_WIDTH = 1000
"""Units across the inner, stretched plot: paths use these, text and frames use per cent of the width."""


def element(tag: str, content: Iterable[Markup] | str = (), **attributes: str | float | None) -> Markup:
    """Return one element; `class_` stands for class, and _ in a name for -; None leaves an attribute out."""
    spelled = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = escape(visible(content)) if isinstance(content, str) else Markup("").join(content)
    # Every part is escaped above; names of tags and attributes are the charts' own.
    return Markup(f"<{tag}{spelled}>{inside}</{tag}>")  # noqa: S704


def chart(key: str, title: str, description: str, height: int, content: Iterable[Markup]) -> Markup:
    """Return a chart as wide as its container, whose text keeps its size; `key` is unique on the page."""
    head = (
        element("title", title, id=f"{key}-t"),
        element("desc", description, id=f"{key}-d"),
    )
    return element(
        "svg",
        (*head, *content),
        class_="chart",
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        width="100%",
        height=height,
    )


def plot(top: int, height: int, content: Iterable[Markup]) -> Markup:
    """Return the inner drawing, stretched over the whole width: `PLOT_WIDTH` by `height` units."""
    return element(
        "svg",
        content,
        x="0",
        y=top,
        width="100%",
        height=height,
        viewBox=f"0 0 {PLOT_WIDTH} {height}",
        preserveAspectRatio="none",
    )


def dots(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Return points as one path: strokes of no length with round ends, which stretching leaves round."""
    return element("path", class_=class_, d="".join(f"M{_short(x)} {_short(y)}h0" for x, y in points))


def line(points: Sequence[tuple[float, float]], class_: str, *, stepped: bool = False) -> Markup:
    """Return a line through points; a stepped one holds each value until the next point."""
    if not points:
        return Markup("")
    parts = [f"M{_short(points[0][0])} {_short(points[0][1])}"]
    for x, y in points[1:]:
        parts.append(f"H{_short(x)}V{_short(y)}" if stepped else f"L{_short(x)} {_short(y)}")
    return element("path", class_=class_, d="".join(parts))


def label(text: str, x: str, y: float, class_: str = "tick", anchor: str | None = None) -> Markup:
    """Return a piece of text; `x` is in per cent."""
    return element("text", text, x=x, y=_short(y), class_=class_, text_anchor=anchor)


def percent(part: float) -> str:
    """Return a place along the width."""
    return f"{100 * part:.2f}%"


def _value(value: str | float) -> str:
    return visible(value) if isinstance(value, str) else _short(value)


def _short(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")
