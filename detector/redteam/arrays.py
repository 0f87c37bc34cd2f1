"""Names for the arrays that travel between the parts of a drill."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Column: TypeAlias = "list[float] | list[str] | list[list[float]]"
JsonValue: TypeAlias = "str | float | list[float] | dict[str, float | str]"
