"""Texts that a database would refuse or choke on, made storable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import kernel
from detector.ingest.kernels.hashing import hash_ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_TEXT = 16_384
_SUFFIX = 33  # a tilde and 32 hexadecimal digits
_KEPT = LONGEST_TEXT - _SUFFIX
_ESCAPE = np.frombuffer(b"\\u0000", np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_TILDE, _CONTINUATION_MASK, _CONTINUATION = 126, 0xC0, 0x80


def storable(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Write NUL as the six characters of its escape, and cut what is then longer than 16,384 bytes.

    A cut text ends in a tilde and the hexadecimal BLAKE2b-128 of the whole, so that different texts stay different.

    Returns:
        the texts end to end, n + 1 offsets, where NUL was escaped, where a text was cut.
    """
    escaped, cut = np.zeros(len(start), bool), np.zeros(len(start), bool)
    digests = hash_ranges(data, start, end).view(np.uint8).reshape(len(start), 16)
    out = np.empty(int(np.minimum((end - start) * len(_ESCAPE), LONGEST_TEXT + len(_ESCAPE)).sum()), np.uint8)
    offsets = np.zeros(len(start) + 1, np.int64)
    _storable(data, start, end, digests, out, offsets, escaped, cut)
    return out[: offsets[-1]], offsets, escaped, cut


@kernel
def _storable(data, start, end, digests, out, offsets, escaped, cut):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    to = 0
    for i in range(len(start)):
        begin = to
        keep = -1  # the end of the last whole character that leaves room for the suffix
        for at in range(start[i], end[i]):
            if (data[at] & _CONTINUATION_MASK) != _CONTINUATION and to - begin <= _KEPT:
                keep = to
            if to - begin > LONGEST_TEXT:
                break
            if data[at] == 0:
                escaped[i] = True
                for k in range(len(_ESCAPE)):
                    out[to] = _ESCAPE[k]
                    to += 1
            else:
                out[to] = data[at]
                to += 1
        if to - begin > LONGEST_TEXT:
            cut[i] = True
            to = keep
            out[to] = _TILDE
            to += 1
            for k in range(16):
                out[to] = _HEX[digests[i, k] >> 4]
                out[to + 1] = _HEX[digests[i, k] & 15]
                to += 2
        offsets[i + 1] = to
