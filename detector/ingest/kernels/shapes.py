"""Nested JSON arrays of numbers, and objects in a canonical order: what DuckDB leaves open, on its compact texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _COMMA, _COLON = 34, 92, 44, 58
_OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT = 91, 93, 123, 125
_DEEPEST = 16


def even_shapes(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Measure JSON arrays of arrays of numbers.

    Returns:
        the number of values of each, -1 where its lists are not of even length (or nest more than 16 deep), and the
        length of its innermost lists.
    """
    total, last = np.zeros(len(start), np.int64), np.zeros(len(start), np.int64)
    _even_shapes(data, start, end, total, last)
    return total, last


def canonical_objects(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Write JSON objects with their members ordered by name, the first of equal names kept; values as they are.

    Returns:
        the texts end to end, and n + 1 offsets.
    """
    out, offsets = np.empty(int((end - start).sum()), np.uint8), np.zeros(len(start) + 1, np.int64)
    most = int(np.count_nonzero(data == _COLON)) + 1
    _canonical(data, start, end, out, offsets, np.empty((most, 4), np.int64), np.empty((2, most), np.int64))
    return out[: offsets[-1]], offsets


@kernel
def _even_shapes(data, start, end, total, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count, expected = np.zeros(_DEEPEST, np.int64), np.zeros(_DEEPEST, np.int64)
    for i in range(len(start)):
        expected[:] = -1
        depth, leaf_depth, even, values = -1, -1, True, 0
        for at in range(start[i], end[i]):
            octet = data[at]
            if octet == _OPEN_LIST:
                depth += 1
                if depth >= _DEEPEST or depth == leaf_depth + 1 > 0:
                    even = False
                    break
                count[depth] = 0
            elif octet == _CLOSE_LIST:
                if expected[depth] == -1:
                    expected[depth] = count[depth]
                even = even and expected[depth] == count[depth] and count[depth] > 0
                depth -= 1
                if depth >= 0:
                    count[depth] += 1
            elif octet != _COMMA and (data[at - 1] == _COMMA or data[at - 1] == _OPEN_LIST):
                if leaf_depth == -1:
                    leaf_depth = depth
                even = even and leaf_depth == depth
                count[depth] += 1
                values += 1
        total[i] = values if even and values > 0 else -1
        last[i] = expected[leaf_depth] if leaf_depth >= 0 else 0


@inner
def _end_of_string(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the place after the string that begins at `at`."""
    at += 1
    while data[at] != _QUOTE:
        at += 2 if data[at] == _BACKSLASH else 1
    return at + 1


@inner
def _end_of_value(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the place of the comma or brace after the value that begins at `at`."""
    depth = 0
    while at < stop:
        octet = data[at]
        if octet == _QUOTE:
            at = _end_of_string(data, at)
            continue
        if octet == _OPEN_LIST or octet == _OPEN_OBJECT:  # noqa: PLR1714, SIM109 - membership tests are slow here
            depth += 1
        elif depth == 0 and (octet == _COMMA or octet == _CLOSE_OBJECT):  # noqa: PLR1714, SIM109
            break
        elif octet == _CLOSE_LIST or octet == _CLOSE_OBJECT:  # noqa: PLR1714, SIM109
            depth -= 1
        at += 1
    return at


@inner
def _before(data, members, a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether the name of member `a` sorts before (-1), with (0) or after (1) that of `b`."""
    p, q = members[a, 0], members[b, 0]
    p_end, q_end = members[a, 1], members[b, 1]
    while p < p_end and q < q_end:
        if data[p] != data[q]:
            return -1 if data[p] < data[q] else 1
        p += 1
        q += 1
    if p == p_end and q == q_end:
        return 0
    return -1 if p == p_end else 1


@kernel
def _sorted(data, members, found, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Merge sort (stable, n log n) of the members' numbers into order[0]."""
    for k in range(found):
        order[0, k] = k
    width = 1
    while width < found:
        for low in range(0, found, 2 * width):
            middle, high = min(low + width, found), min(low + 2 * width, found)
            left, right, to = low, middle, low
            while left < middle or right < high:
                take_left = right >= high or (
                    left < middle and _before(data, members, order[0, left], order[0, right]) <= 0
                )
                if take_left:
                    order[1, to] = order[0, left]
                    left += 1
                else:
                    order[1, to] = order[0, right]
                    right += 1
                to += 1
        for k in range(found):
            order[0, k] = order[1, k]
        width *= 2


@kernel
def _canonical(data, start, end, out, offsets, members, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    to = 0
    for i in range(len(start)):
        at, found = start[i] + 1, 0
        while at < end[i] and data[at] == _QUOTE:
            name_end = _end_of_string(data, at)
            value_end = _end_of_value(data, name_end + 1, end[i])
            members[found, 0], members[found, 1] = at, name_end
            members[found, 2], members[found, 3] = name_end, value_end
            found += 1
            at = value_end + 1
        _sorted(data, members, found, order)
        out[to] = _OPEN_OBJECT
        to += 1
        for k in range(found):
            m = order[0, k]
            if k > 0 and _before(data, members, order[0, k - 1], m) == 0:
                continue
            if k > 0:
                out[to] = _COMMA
                to += 1
            for p in range(members[m, 0], members[m, 3]):
                out[to] = data[p]
                to += 1
        out[to] = _CLOSE_OBJECT
        to += 1
        offsets[i + 1] = to
