"""Finding the records in a block of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel, word_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEWLINE, _SPACE, _TAB, _RETURN = 10, 32, 9, 13
_ONE, _WORD = np.uint64(1), np.uint64(8)
_ONES = np.uint64(0x0101010101010101)
_NEWLINES, _TOP_BITS = _ONES * np.uint64(_NEWLINE), _ONES * np.uint64(0x80)


def count_newlines(data: bytes | bytearray, size: int) -> int:
    """Return how many newlines the first `size` bytes of `data` hold."""
    return int(_count(np.frombuffer(data, np.uint8, size))) if size else 0


def split_lines(
    data: NDArray[np.uint8], newlines: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], bool]:
    """Find the lines of `data`, which holds so many `newlines`, that are not blank.

    White space and control characters around a line are no part of it: crashes leave runs of NUL between records.

    Returns:
        starts and ends, the number of the line counted from 0, and whether only white space lies between the lines.
    """
    start, end, line = (np.empty(newlines + 1, np.int64) for _ in range(3))
    found, clean = _split(data, start, end, line)
    return start[:found], end[:found], line[:found], clean


@kernel
def _count(data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = 0
    for at in range(len(data)):
        count += data[at] == _NEWLINE
    return count


@inner
def _is_space(octet):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return octet == _SPACE or octet == _NEWLINE or octet == _RETURN or octet == _TAB  # noqa: PLR1714


@inner
def _next_newline(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the place of the first newline from `at` on, or the end: eight bytes at a time while there is none."""
    size = np.uint64(len(data))
    while at + _WORD <= size:
        # A byte of `other` is zero where `data` has a newline; the formula lifts the top bit of zero bytes.
        other = word_at(data, at) ^ _NEWLINES
        if (other - _ONES) & ~other & _TOP_BITS:
            break
        at += _WORD
    while at < size and data[at] != _NEWLINE:
        at += _ONE
    return at


@kernel
def _split(data, start, end, line):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    size = len(data)
    found, lines, begin, clean = 0, 0, np.int64(0), True
    while begin < size:
        at = np.int64(_next_newline(data, np.uint64(begin)))
        first, stop = begin, at
        while stop > first and data[stop - 1] <= _SPACE:
            stop -= 1
            clean = clean and _is_space(data[stop])
        while first < stop and data[first] <= _SPACE:
            clean = clean and _is_space(data[first])
            first += 1
        if stop > first:
            start[found] = first
            end[found] = stop
            line[found] = lines
            found += 1
        lines += 1
        begin = at + 1
    return found, clean
