"""Numbers as a log shows them: five significant digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray

LOG_DIGITS = 5
# 10**22 is the largest power of ten that a double holds exactly; a quotient of two exact doubles is correctly
# rounded, and therefore prints in its shortest form.
_EXACT_POWER = 22


def significant(values: FloatArray, digits: int = LOG_DIGITS) -> FloatArray:
    """Round to `digits` significant digits, so that `repr` of each number prints no more than those.

    Args:
        values: finite numbers of any shape.
        digits: how many digits to keep, 1 to 15.

    Returns:
        A new array of the same shape. Magnitudes below about 1e-18 keep fewer digits, and vanish below 1e-22.
    """
    magnitude = np.abs(values)
    exponent = np.floor(np.log10(np.where(magnitude > 0, magnitude, 1.0)))
    shift = np.clip(digits - 1 - exponent, -_EXACT_POWER, _EXACT_POWER)
    scale = 10.0 ** np.abs(shift)
    whole = np.rint(np.where(shift >= 0, values * scale, values / scale))
    rounded = np.where(shift >= 0, whole / scale, whole * scale)
    return np.asarray(rounded + 0.0, dtype=np.float64)
