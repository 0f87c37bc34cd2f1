"""BLAKE2b with 16-byte digests (RFC 7693) over many byte ranges of one buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel, last_word, word_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

# RFC 7693, section 2.6 (initialisation vector) and 2.7 (message schedule; rounds 10 and 11 repeat the first two).
_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    dtype=np.uint64,
)
_SCHEDULE = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    dtype=np.uint8,
)
# Parameter block of an unkeyed digest of 16 bytes, folded into the first word.
_PARAMETERS = np.uint64(0x01010010)
_LAST, _NOT_LAST = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
_BLOCK = np.uint64(128)
# So many ranges are hashed side by side, in the lanes of vector registers: thrice as fast as one after the other.
_LANES = 16
_MESSAGE = 16 * _LANES
_R32, _R24, _R16, _R63 = np.uint64(32), np.uint64(24), np.uint64(16), np.uint64(63)
_L32, _L40, _L48, _L1 = np.uint64(32), np.uint64(40), np.uint64(48), np.uint64(1)


def hash_ranges(data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the digests of the ranges `data[start:end]`.

    Returns:
        (n, 2): the digest's first and second eight bytes, each read as a little-endian signed number.
    """
    out = np.empty((len(start), 2), dtype=np.uint64)
    _hash_ranges(data, start, end, out)
    return out.view(np.int64)


@inner
def _mix(w, a, b, c, d, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mix words x and y of the message into rows a, b, c, d of the working vector, in every lane."""
    a, b, c, d = a * _LANES, b * _LANES, c * _LANES, d * _LANES
    x, y = _MESSAGE + x * _LANES, _MESSAGE + y * _LANES
    for lane in range(_LANES):
        va = w[a + lane] + w[b + lane] + w[x + lane]
        vd = w[d + lane] ^ va
        vd = (vd >> _R32) | (vd << _L32)
        vc = w[c + lane] + vd
        vb = w[b + lane] ^ vc
        vb = (vb >> _R24) | (vb << _L40)
        va = va + vb + w[y + lane]
        vd = vd ^ va
        vd = (vd >> _R16) | (vd << _L48)
        vc = vc + vd
        vb = vb ^ vc
        vb = (vb >> _R63) | (vb << _L1)
        w[a + lane], w[b + lane], w[c + lane], w[d + lane] = va, vb, vc, vd


@inner
def _rounds(w, message):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Run the twelve rounds; the message is laid out anew for each, so that the compiler knows every place."""
    for turn in range(12):
        for k in range(16):
            word = _SCHEDULE[turn, k] * _LANES
            for lane in range(_LANES):
                w[_MESSAGE + k * _LANES + lane] = message[word + lane]
        _mix(w, 0, 4, 8, 12, 0, 1)
        _mix(w, 1, 5, 9, 13, 2, 3)
        _mix(w, 2, 6, 10, 14, 4, 5)
        _mix(w, 3, 7, 11, 15, 6, 7)
        _mix(w, 0, 5, 10, 15, 8, 9)
        _mix(w, 1, 6, 11, 12, 10, 11)
        _mix(w, 2, 7, 8, 13, 12, 13)
        _mix(w, 3, 4, 9, 14, 14, 15)


@inner
def _compress(h, w, message, count, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take one block of each lane into the states `h`."""
    for lane in range(_LANES):
        for k in range(8):
            w[k * _LANES + lane] = h[k * _LANES + lane]
            w[(8 + k) * _LANES + lane] = _IV[k]
        w[12 * _LANES + lane] ^= count[lane]
        w[14 * _LANES + lane] ^= last[lane]
    _rounds(w, message)
    for k in range(8 * _LANES):
        h[k] ^= w[k] ^ w[8 * _LANES + k]


@inner
def _load(data, at, stop, message, lane):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay up to 128 bytes into a lane of the message, NUL after them; return the place after them."""
    if at + _BLOCK <= stop:
        for k in range(16):
            message[k * _LANES + lane] = word_at(data, at + np.uint64(8 * k))
        return at + _BLOCK
    for k in range(16):
        message[k * _LANES + lane] = last_word(data, at + np.uint64(8 * k), stop)
    return stop


@kernel
def _hash_ranges(data, start, end, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    w, message, h = np.zeros(2 * _MESSAGE, np.uint64), np.zeros(_MESSAGE, np.uint64), np.zeros(8 * _LANES, np.uint64)
    count, last = np.zeros(_LANES, np.uint64), np.zeros(_LANES, np.uint64)
    at, stop = np.zeros(_LANES, np.uint64), np.zeros(_LANES, np.uint64)
    row = np.full(_LANES, -1, np.int64)
    following, live = 0, 0
    while following < len(start) or live > 0:
        for lane in range(_LANES):
            if row[lane] < 0 and following < len(start):
                row[lane], at[lane], stop[lane] = following, start[following], end[following]
                following += 1
                live += 1
                for k in range(8):
                    h[k * _LANES + lane] = _IV[k]
                h[lane] ^= _PARAMETERS
            if row[lane] >= 0:
                at[lane] = _load(data, at[lane], stop[lane], message, lane)
                count[lane] = at[lane] - np.uint64(start[row[lane]])
                last[lane] = _LAST if at[lane] == stop[lane] else _NOT_LAST
        _compress(h, w, message, count, last)
        for lane in range(_LANES):
            if row[lane] >= 0 and at[lane] == stop[lane]:
                out[row[lane], 0], out[row[lane], 1] = h[lane], h[_LANES + lane]
                row[lane] = -1
                live -= 1
