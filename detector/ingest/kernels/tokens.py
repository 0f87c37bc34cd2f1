"""The tokens of JSON that is plainly written; whatever is out of the ordinary is answered with -1."""

from __future__ import annotations

import numpy as np

from detector.ingest.kernels.compiling import tight
from detector.ingest.kernels.numbers import first_marked, read_number, word_within

_SPACE, _TAB, _QUOTE, _COMMA, _COLON, _ZERO, _MINUS, _POINT = 32, 9, 34, 44, 58, 48, 45, 46
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93
_ONES, _TOP = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES, _SPACES = _ONES * np.uint64(34), _ONES * np.uint64(92), _ONES * np.uint64(32)
NULL, _TRUE = (np.uint64(int.from_bytes(word, "little")) for word in (b"null", b"true"))
_FALSE = np.uint64(int.from_bytes(b"false", "little"))
FOUR, _FIVE = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF)
_MOST_DIGITS = 15


@tight
def past_space(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the first place from `at` on that holds no white space."""
    while at < len(data) and (data[at] == _SPACE or data[at] == _TAB):
        at += 1
    return at


@tight
def is_at(data, at, octet):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Whether `octet` stands at `at`."""
    return at < len(data) and data[at] == octet


@tight
def text_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return where the text that begins at `at` is closed, -1 for one with an escape or a control character."""
    while True:
        word = word_within(data, at)
        quote, escape = word ^ _QUOTES, word ^ _BACKSLASHES
        # Each term lifts the top bit of the bytes meant; above the lowest such byte it may lift others too.
        marks = ((quote - _ONES) & ~quote) | ((escape - _ONES) & ~escape) | ((word - _SPACES) & ~word)
        if marks & _TOP:
            found = at + first_marked(marks & _TOP)
            return found if is_at(data, found, _QUOTE) else -1
        at += 8


@tight
def integer_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return where an integer ends that is written as it would be printed, -1 for none."""
    first = at + 1 if is_at(data, at, _MINUS) else at
    after = first
    while after < len(data) and _ZERO <= data[after] <= _ZERO + 9:
        after += 1
    odd = is_at(data, first, _ZERO) and (after > first + 1 or first > at)
    return -1 if odd or not first < after <= first + _MOST_DIGITS else after


@tight
def _scalar_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return where a text, a word or a number ends that is written as it would be printed, -1 for none."""
    if is_at(data, at, _QUOTE):
        after = text_end(data, at + 1)
        return after + 1 if after >= 0 else -1
    word = word_within(data, at)
    if word & FOUR == _TRUE or word & FOUR == NULL:
        return at + 4
    if word & _FIVE == _FALSE:
        return at + 5
    after = integer_end(data, at)
    if after < 0 or not is_at(data, after, _POINT):
        return after
    fraction, first = after + 1, after
    after = fraction
    while after < len(data) and _ZERO <= data[after] <= _ZERO + 9:
        after += 1
    single = after == fraction + 1
    # Small numbers are printed with an exponent, and zeros at the end are left out.
    odd = after == fraction or after - at > _MOST_DIGITS or (not single and data[after - 1] == _ZERO)
    small = data[first - 1] == _ZERO and data[fraction] == _ZERO and not (single and first - at == 1)
    return -1 if odd or small else after


@tight
def params_end(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0911
    """Return where an object of scalars ends, -1 for anything else."""
    if not is_at(data, at, _OPEN):
        return -1
    while True:
        at = past_space(data, at + 1)
        if not is_at(data, at, _QUOTE):
            return -1
        at = text_end(data, at + 1)
        if at < 0:
            return -1
        at = past_space(data, at + 1)
        if not is_at(data, at, _COLON):
            return -1
        at = _scalar_end(data, past_space(data, at + 1))
        if at < 0:
            return -1
        at = past_space(data, at)
        if is_at(data, at, _CLOSE):
            return at + 1
        if not is_at(data, at, _COMMA):
            return -1


@tight
def list_end(data, at, values, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Append the numbers of a list to `values`; return where it ends, -1 for an empty one or another value."""
    if not is_at(data, at, _OPEN_LIST):
        return -1, count
    while True:
        value, at = read_number(data, past_space(data, at + 1))
        if at < 0:
            return -1, count
        values[count] = value
        count += 1
        if not is_at(data, at, _COMMA):
            at = past_space(data, at)
            if is_at(data, at, _CLOSE_LIST):
                return at + 1, count
            if not is_at(data, at, _COMMA):
                return -1, count
