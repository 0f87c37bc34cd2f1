"""Arrays as npz bytes, read back without trusting them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What NumPy and the zip reader under it raise on bytes that are cut or changed.
_DAMAGED = (
    KeyError, OSError, EOFError, TypeError, AttributeError, NotImplementedError, RuntimeError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_npz(blob: bytes, *names: str) -> tuple[NDArray[Any], ...]:
    """Return the arrays called `names`.

    Raises:
        ValueError: the bytes are damaged, or hold a pickle or no such array.
    """
    try:
        # NumPy reads a header as Python source before any checksum is looked at.
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            broken = archive.testzip()
    except (ValueError, *_DAMAGED) as error:
        raise ValueError(f"the stored arrays are damaged: {error}") from error
    if broken is not None:
        raise ValueError(f"the stored arrays are damaged: the checksum of {broken} is wrong")
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as held:
            return tuple(held[name] for name in names)
    except _DAMAGED as error:
        raise ValueError(f"the stored arrays are damaged: {error}") from error
