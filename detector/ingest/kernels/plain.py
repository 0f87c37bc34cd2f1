"""Reading generic records that are plainly written, in one pass: most of a night's lines.

Whatever is out of the ordinary (an escape in a text, a field of another type or an unknown one, a field twice, a number
that needs care, broken JSON) leaves the record to the lanes of DuckDB, so nothing here decides what a record means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.kernels.compiling import tight, tight_kernel
from detector.ingest.kernels.numbers import read_number, word_within
from detector.ingest.kernels.tokens import FOUR, NULL, integer_end, is_at, list_end, params_end, past_space, text_end

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPACE, _TAB, _RETURN, _NEWLINE, _QUOTE, _COMMA, _COLON, _OPEN, _CLOSE = 32, 9, 13, 10, 34, 44, 58, 123, 125
# The first two are texts.
_TEXT, _LABEL, _NUMBER, _VECTOR, _CHANCES, _PARAMS, _OUTPUT = range(7)

TEXTS = (
    "timestamp", "client_id", "model", "request_id", "source_ip", "user_agent", "model_version", "endpoint",
    "operation", "params", "label",
)  # fmt: skip
_NUMBERS = ("status", "latency_ms", "sampling_rate", "confidence", "value")
_KINDS = {"params": _PARAMS, "label": _LABEL, "input": _VECTOR, "output": _OUTPUT, "probabilities": _CHANCES}
_INSIDE = ("label", "confidence", "value", "probabilities")
_NAMES = (*TEXTS, *_NUMBERS, "input", "output", "probabilities")
_COUNT = len(_NAMES)
_LENGTHS = np.array([len(name) for name in _NAMES])
_HEADS = np.array([int.from_bytes(name[:8].encode(), "little") for name in _NAMES], np.uint64)
_TAILS = np.array([int.from_bytes(name[8:].encode(), "little") for name in _NAMES], np.uint64)
_HEAD_MASKS = np.array([(1 << 8 * min(len(name), 8)) - 1 for name in _NAMES], np.uint64)
_TAIL_MASKS = np.array([(1 << 8 * max(len(name) - 8, 0)) - 1 for name in _NAMES], np.uint64)
_KIND = np.array([_KINDS.get(name, _NUMBER if name in _NUMBERS else _TEXT) for name in _NAMES])
_LEVEL = np.array([int(name in _INSIDE) for name in _NAMES])
_FIRST_NUMBER = len(TEXTS)
# Without these a record is not plain: the first three texts, an input.
_REQUIRED = 0b111 | 1 << _NAMES.index("input")
_NOTHING = np.uint64(0)


@dataclass(frozen=True)
class Plain:
    """The m plain records among n.

    Attributes:
        done: bool (n,), which they are.
        spans: int32 (len(TEXTS), 2, m), where each text begins and ends in the data; -1 where there is none.
        numbers: float64 (5, m), in the order of `lanes.NUMBERS`, NaN where there is none.
        inputs, input_offsets: the values end to end, and m + 1 places in them.
        chances, chance_offsets: the same of class probabilities; an empty range is none.
    """

    done: NDArray[np.bool_]
    spans: NDArray[np.int32]
    numbers: NDArray[np.float64]
    inputs: NDArray[np.float64]
    input_offsets: NDArray[np.int32]
    chances: NDArray[np.float64]
    chance_offsets: NDArray[np.int32]


def read_plain(data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> Plain:
    """Read the records `data[start:end]`, which are UTF-8; white space may follow them."""
    size, most = len(start), int((end - start).sum()) // 2 + 1
    done = np.zeros(size, bool)
    spans, numbers = np.empty((len(TEXTS), 2, size), np.int32), np.empty((len(_NUMBERS), size))
    inputs, chances = np.empty(most), np.empty(most)
    offsets = np.zeros((2, size + 1), np.int32)
    fixed = data.view()
    fixed.flags.writeable = False
    follower = np.zeros(_COUNT + 1, np.int64)
    found = _read(fixed, start, end, done, spans, numbers, inputs, chances, offsets, np.zeros(2, np.int64), follower)
    bounds = offsets[:, : found + 1]
    return Plain(done, spans[:, :, :found], numbers[:, :found], inputs[: bounds[0, -1]], bounds[0],
                 chances[: bounds[1, -1]], bounds[1])  # fmt: skip


def gather(
    data: NDArray[np.uint8], spans: NDArray[np.int32], *, compact: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Lay `data[spans[0]:spans[1]]` end to end, with `compact` without white space outside of quotes.

    Returns:
        the bytes, and one more offset than there are spans.
    """
    offsets = np.zeros(spans.shape[1] + 1, np.int32)
    out = np.empty(int((spans[1] - spans[0]).sum()), np.uint8)
    fixed = data.view()
    fixed.flags.writeable = False
    (_gather_compact if compact else _gather)(fixed, spans[0], spans[1], out, offsets)
    return out[: offsets[-1]], offsets


@tight
def _is_key(data, at, head, tail, field):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    same = ((head ^ _HEADS[field]) & _HEAD_MASKS[field]) | ((tail ^ _TAILS[field]) & _TAIL_MASKS[field])
    return same == _NOTHING and is_at(data, at + _LENGTHS[field], _QUOTE)


@tight
def _key(data, at, guess):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return which field the key at `at` names, -1 for none; `guess` is tried first."""
    head, tail = word_within(data, at), word_within(data, at + 8)
    if _is_key(data, at, head, tail, guess):
        return guess
    for field in range(_COUNT):
        if _is_key(data, at, head, tail, field):
            return field
    return -1


@tight
def _text(data, at, field, spans, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note a text, or null; return where it ends, -1 for anything else."""
    if is_at(data, at, _QUOTE):
        after = text_end(data, at + 1)
        if after < 0:
            return -1
        spans[field, 0, row], spans[field, 1, row] = at + 1, after
        return after + 1
    if _KIND[field] == _LABEL:
        after = integer_end(data, at)
        spans[field, 0, row], spans[field, 1, row] = at, after
        # What goes on as a decimal number is printed otherwise.
        return after
    return at + 4 if word_within(data, at) & FOUR == NULL else -1


@tight
def _value(data, at, field, row, spans, numbers, inputs, chances, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note the value of a field; return where it ends, -1 for one that is not plain."""
    kind = _KIND[field]
    if kind <= _LABEL:
        return _text(data, at, field, spans, row)
    if kind == _NUMBER:
        if word_within(data, at) & FOUR == NULL:
            return at + 4
        numbers[field - _FIRST_NUMBER, row], at = read_number(data, at)
        return at
    if kind == _PARAMS:
        after = params_end(data, at)
        spans[field, 0, row], spans[field, 1, row] = at, after
        return after
    if kind == _VECTOR:
        at, counts[0] = list_end(data, at, inputs, counts[0])
    else:
        at, counts[1] = list_end(data, at, chances, counts[1])
    return at


@tight
def _record(data, at, stop, row, spans, numbers, inputs, chances, counts, follower):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, C901, PLR0911
    """Read one record as row `row`; return whether it is plain."""
    seen, level, previous, told = 0, 0, _COUNT, False
    if not is_at(data, at, _OPEN):
        return False
    while True:
        at = past_space(data, at + 1)
        if not is_at(data, at, _QUOTE):
            return False
        field = _key(data, at + 1, follower[previous])
        if field < 0 or _LEVEL[field] != level or (seen >> field) & 1:
            return False
        seen |= 1 << field
        follower[previous] = field
        previous = field
        at = past_space(data, at + 2 + _LENGTHS[field])
        if not is_at(data, at, _COLON):
            return False
        at = past_space(data, at + 1)
        if _KIND[field] == _OUTPUT:
            if not is_at(data, at, _OPEN):
                return False
            level = 1
            continue
        told = told or (level == 1 and word_within(data, at) & FOUR != NULL)
        at = _value(data, at, field, row, spans, numbers, inputs, chances, counts)
        if at < 0:
            return False
        at = past_space(data, at)
        if level == 1 and is_at(data, at, _CLOSE):
            level = 0
            at = past_space(data, at + 1)
        if not is_at(data, at, _COMMA):
            break
    if not (level == 0 and is_at(data, at, _CLOSE)):
        return False
    at += 1
    while at < stop and (data[at] == _SPACE or _TAB <= data[at] <= _NEWLINE or data[at] == _RETURN):
        at += 1
    return at == stop and told and seen & _REQUIRED == _REQUIRED and _has_ends(spans, row)


@tight
def _has_ends(spans, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether the texts that a record must have are none of them null."""
    return spans[0, 0, row] >= 0 and spans[1, 0, row] >= 0 and spans[2, 0, row] >= 0


@tight_kernel
def _read(data, start, end, done, spans, numbers, inputs, chances, offsets, counts, follower):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row = 0
    for i in range(len(start)):
        for field in range(len(TEXTS)):
            spans[field, 0, row] = -1
            spans[field, 1, row] = -1
        for field in range(len(_NUMBERS)):
            numbers[field, row] = np.nan
        counts[0], counts[1] = offsets[0, row], offsets[1, row]
        if _record(data, start[i], end[i], row, spans, numbers, inputs, chances, counts, follower):
            done[i] = True
            row += 1
            offsets[0, row], offsets[1, row] = counts[0], counts[1]
    return row


@tight_kernel
def _gather(data, start, end, out, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    to = 0
    for i in range(len(start)):
        for at in range(start[i], end[i]):
            out[to] = data[at]
            to += 1
        offsets[i + 1] = to


@tight_kernel
def _gather_compact(data, start, end, out, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    to = 0
    for i in range(len(start)):
        quoted = False
        for at in range(start[i], end[i]):
            octet = data[at]
            if octet == _QUOTE:
                quoted = not quoted
            if quoted or octet not in (_SPACE, _TAB):
                out[to] = octet
                to += 1
        offsets[i + 1] = to
