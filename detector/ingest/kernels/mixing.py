"""A fast 64-bit hash of many byte ranges, for telling equal inputs from unequal ones.

Words of eight bytes are folded in by multiplication and rotation as in the MurmurHash and xxHash families, with the
finaliser of SplitMix64. It is not cryptographic: whoever can choose inputs can make two of them collide, and gains
nothing by it, since equality is a reason for suspicion and never a reason to drop a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel, last_word, word_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_FINAL_1, _FINAL_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_R31, _L33, _R30, _R27 = np.uint64(31), np.uint64(33), np.uint64(30), np.uint64(27)
_WORD = np.uint64(8)


def mix_ranges(data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a signed 64-bit hash of each of the ranges `data[start:end]`."""
    out = np.empty(len(start), dtype=np.uint64)
    _mix_ranges(data, start, end, out)
    return out.view(np.int64)


@inner
def _folded(state, word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    state = (state ^ (word * _FIRST)) * _SECOND
    return (state >> _R31) | (state << _L33)


@inner
def _finished(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Spread 64 bits over 64 bits, 0 to 0."""
    x = (x ^ (x >> _R30)) * _FINAL_1
    x = (x ^ (x >> _R27)) * _FINAL_2
    return x ^ (x >> _R31)


@kernel
def _mix_ranges(data, start, end, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(len(start)):
        at, stop = np.uint64(start[i]), np.uint64(end[i])
        state = (stop - at) * _SECOND + _FIRST
        while at + _WORD <= stop:
            state = _folded(state, word_at(data, at))
            at += _WORD
        out[i] = _finished(_folded(state, last_word(data, at, stop)))
