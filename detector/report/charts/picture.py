"""Inputs as pictures: pixels as paths by shade, or values by place beside what is usual there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.report.charts.svg import PLOT_WIDTH, chart, dots, element, label, line, plot

if TYPE_CHECKING:
    from markupsafe import Markup
    from numpy.typing import NDArray

_MOST_SIDE = 48
_SHADES = 32
_PROFILE = 150
_TOP = 16


def image(
    key: str,
    title: str,
    vector: NDArray[np.float32],
    shape: tuple[int, int, int],
    ends: tuple[float, float],
    *,
    channels_first: bool = False,
) -> Markup:
    """Return a vector as a picture.

    Args:
        key: unique on the page.
        title: what it shows.
        vector: the input.
        shape: height, width, channels.
        ends: the values of black and white.
        channels_first: whether the channels come before height and width in the vector.
    """
    height, width, channels = shape
    pixels = vector.reshape((channels, height, width)).transpose(1, 2, 0) if channels_first else vector.reshape(shape)
    low, high = ends
    levels = np.clip((np.nan_to_num(pixels, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    levels = _smaller(levels)
    codes = np.rint(levels[:, :, :3] * (_SHADES - 1)).astype(int)
    if codes.shape[2] != 3:
        codes = np.repeat(codes[:, :, :1], 3, axis=2)
    rows, columns = codes.shape[:2]
    paths = [
        element("path", fill=_colour(shade), d="".join(_runs((codes == shade).all(axis=2))))
        for shade in np.unique(codes.reshape(-1, 3), axis=0)
    ]
    head = (element("title", title, id=f"{key}-t"), element("desc", _told(shape), id=f"{key}-d"))
    return element(
        "svg",
        (*head, *paths),
        class_="picture",
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        viewBox=f"0 0 {columns} {rows}",
        shape_rendering="crispEdges",
    )


def profile(key: str, title: str, vector: NDArray[np.float32], usual: NDArray[np.float32] | None, whose: str) -> Markup:
    """Return the values of a vector by place, over the band in which nine tenths of `usual` lie."""
    count = len(vector)
    band = np.quantile(usual, (0.05, 0.95), axis=0) if usual is not None and len(usual) else None
    everything = np.concatenate([vector, *(band if band is not None else ())])
    low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
    reach = max(high - low, 1e-9)

    def at(place: int, value: float) -> tuple[float, float]:
        return PLOT_WIDTH * (place + 0.5) / count, _PROFILE * (1 - (value - low) / reach)

    drawing = []
    if band is not None:
        edge = [at(i, float(v)) for i, v in enumerate(band[1])] + [at(i, float(band[0][i])) for i in range(count)][::-1]
        outline = "L".join(f"{x:.1f} {y:.1f}" for x, y in edge)
        drawing.append(element("path", class_="band", d=f"M{outline}z"))
    points = [at(i, float(v)) for i, v in enumerate(vector)]
    drawing += [line(points, "grid"), dots(points, "dot-attack")]
    y = _TOP + _PROFILE + 16
    content = [
        plot(_TOP, _PROFILE, drawing),
        label(f"{high:.3g}", "0", 11),
        label(f"{low:.3g}", "0", y),
        label(f"places 1 to {count:,}", "100%", y, anchor="end"),
    ]
    outside = 0 if band is None else int(((vector < band[0]) | (vector > band[1])).sum())
    told = f" {outside} lie outside the band of {whose}." if band is not None else ""
    return chart(key, title, f"{count} values from {low:.3g} to {high:.3g}.{told}", _TOP + _PROFILE + 22, content)


def _smaller(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture with blocks of pixels averaged until neither side is too long for a page."""
    step = max(1, -(-max(levels.shape[:2]) // _MOST_SIDE))
    if step == 1:
        return levels
    height, width = (side // step * step for side in levels.shape[:2])
    cut = levels[:height, :width]
    blocks = cut.reshape(height // step, step, width // step, step, levels.shape[2])
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _runs(mask: NDArray[np.bool_]) -> list[str]:
    """Return the pixels of one shade as rectangles: neighbours of a row together."""
    parts = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
        parts += [f"M{first} {y}h{end - first}v1h-{end - first}z" for first, end in edges.reshape(-1, 2)]
    return parts


def _colour(shade: NDArray[np.int64]) -> str:
    red, green, blue = (round(255 * int(level) / (_SHADES - 1)) for level in shade)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _told(shape: tuple[int, int, int]) -> str:
    height, width, channels = shape
    return f"A picture of {width} by {height} pixels, {'grey' if channels == 1 else 'coloured'}."
