"""Whether a vector is an image, and of which shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST_SIDE = 8
_CHANNELS = (1, 3, 4)
_BYTE = 255.0


def image_shape(
    dimension: int, declared: tuple[int, ...] | None, values: NDArray[np.float32]
) -> tuple[int, int, int] | None:
    """Return height, width and channels of inputs of `dimension` values, None where they are no image.

    Args:
        dimension: number of values of an input.
        declared: the shape that the configuration names; one of another size is no help.
        values: some inputs: brightness does not go below nothing, nor above full.
    """
    if declared and math.prod(declared) == dimension:
        return _three(declared)
    side = math.isqrt(dimension)
    known = values[np.isfinite(values)]
    if side < _SMALLEST_SIDE or side * side != dimension or not known.size:
        return None
    if known.min() < 0 or known.max() > _BYTE:
        return None
    return side, side, 1


def _three(declared: tuple[int, ...]) -> tuple[int, int, int] | None:
    if len(declared) == 2:
        return declared[0], declared[1], 1
    if len(declared) != 3:
        return None
    if is_channels_first(declared):
        return declared[1], declared[2], declared[0]
    return (declared[0], declared[1], declared[2]) if declared[2] in _CHANNELS else None


def is_channels_first(declared: tuple[int, ...] | None) -> bool:
    """Whether the configuration names channels before height and width; a 4 at an end is the weaker sign of them."""
    if declared is None or len(declared) != 3 or declared[2] in _CHANNELS[:2]:
        return False
    return declared[0] in _CHANNELS[:2] or (declared[0] in _CHANNELS and declared[2] not in _CHANNELS)
