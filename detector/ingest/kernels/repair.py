r"""Bytes that are not UTF-8, and JSON that breaks no more than the rules for strings, written so that it can be read.

What cannot be represented is spelled out in the text itself: a byte that is not UTF-8 as `\xNN`, half a surrogate pair
as `\uD8NN`, an escape that JSON does not know with its backslash kept. Nothing is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import inner, kernel, put, put_all

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _BACKSLASH, _SPACE, _X, _U = 34, 92, 32, 120, 117
_CONTROL = np.frombuffer(b"u00", np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_KNOWN_ESCAPES = np.zeros(256, np.bool_)
_KNOWN_ESCAPES[np.frombuffer(b'"\\/bfnrtu', np.uint8)] = True


def not_utf8(data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the ranges hold something that is not UTF-8."""
    bad = np.zeros(len(start), bool)
    if len(data) and int(data.max()) >= 0x80:
        _not_utf8(data, start, end, bad)
    return bad


def readable_json(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return JSON texts with the strings in them made valid: the bytes end to end, and n + 1 offsets."""
    return _written(data, start, end, as_json=True)


def printable(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return any bytes as UTF-8 without control characters: the bytes end to end, and n + 1 offsets."""
    return _written(data, start, end, as_json=False)


def _written(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], *, as_json: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    offsets = np.zeros(len(start) + 1, np.int64)
    nothing = np.empty(0, np.uint8)
    size = _write(data, start, end, as_json, nothing, offsets)
    out = np.empty(size, np.uint8)
    _write(data, start, end, as_json, out, offsets)
    return out, offsets


@inner
def _sequence(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the length of the UTF-8 character at `at`, 0 if there is none (RFC 3629: no surrogates, no overlong)."""
    a = data[at]
    size = 1 if a < 0x80 else 2 if 0xC2 <= a <= 0xDF else 3 if 0xE0 <= a <= 0xEF else 4 if 0xF0 <= a <= 0xF4 else 0
    if size > stop - at:
        size = 0
    for k in range(1, size):
        if (data[at + k] & 0xC0) != 0x80:
            size = 0
    if size >= 3:
        b = data[at + 1]
        if (
            (a == 0xE0 and b < 0xA0)
            or (a == 0xED and b >= 0xA0)
            or (a == 0xF0 and b < 0x90)
            or (a == 0xF4 and b >= 0x90)
        ):
            size = 0
    return size


@kernel
def _not_utf8(data, start, end, bad):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(len(start)):
        at = start[i]
        while at < end[i]:
            size = _sequence(data, at, end[i])
            if size == 0:
                bad[i] = True
                break
            at += size


@inner
def _surrogate(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return which half of a surrogate pair the escape at `at` is, 1 or 2; 0 if it is none, -1 if it is no escape."""
    if stop - at < 6 or data[at] != _BACKSLASH or data[at + 1] != _U:
        return -1
    value = np.int64(0)
    for k in range(2, 6):
        octet = np.int64(data[at + k])
        digit = octet - 48 if 48 <= octet <= 57 else (octet | 32) - 87 if 97 <= (octet | 32) <= 102 else -1
        if digit < 0:
            return -1
        value = value * 16 + digit
    return 1 if 0xD800 <= value <= 0xDBFF else 2 if 0xDC00 <= value <= 0xDFFF else 0


@inner
def _put_spelled(out, to, octet, as_json):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    r"""Write a byte by its number: as \u00NN where JSON has an escape for it, else as the text \xNN."""
    to = put(out, to, _BACKSLASH)
    if as_json and octet < _SPACE:
        to = put_all(out, to, _CONTROL, 0, len(_CONTROL))
    else:
        if as_json:
            to = put(out, to, _BACKSLASH)
        to = put(out, to, _X)
    to = put(out, to, _HEX[octet >> 4])
    return put(out, to, _HEX[octet & 15])


@inner
def _escape(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return how many bytes of the escape at `at` are good as they are; 0 if its backslash must be doubled."""
    following = data[at + 1] if at + 1 < stop else 0
    if following != _U:
        return 2 if _KNOWN_ESCAPES[following] else 0
    half = _surrogate(data, at, stop)
    if half == 1 and _surrogate(data, at + 6, stop) == 2:
        return 12
    return 6 if half == 0 else 0


@kernel
def _write(data, start, end, as_json, out, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the texts, or, with an empty `out`, only measure them; return the size."""
    to = 0
    for i in range(len(start)):
        at, stop, inside = start[i], end[i], False
        while at < stop:
            octet = data[at]
            copied = _sequence(data, at, stop)
            if copied == 0 or (octet < _SPACE and (inside or not as_json)):
                to = _put_spelled(out, to, octet, as_json)
                at += 1
                continue
            if as_json and octet == _QUOTE:
                inside = not inside
            elif as_json and inside and octet == _BACKSLASH:
                copied = _escape(data, at, stop)
                if copied == 0:
                    to = put(out, to, _BACKSLASH)
                    copied = 1
            to = put_all(out, to, data, at, at + copied)
            at += copied
        offsets[i + 1] = to
    return to
