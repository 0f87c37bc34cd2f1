"""How the kernels are compiled: once, kept beside the package or in the user's cache where that can be written.

What is kept is known by the file of the kernel alone: who changes what a kernel calls in another file removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_UNCOUNTED: dict[str, Any] = {"_nrt": False}


def kernel(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - numba's dispatcher has no type
    """Compile `function` on first use, without the interpreter lock; keep the code unless no folder can be written."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # a read-only installation without a home folder: compile anew in each process
        return numba.njit(nogil=True)(function)


def inner(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Compile `function` for the kernels that call it."""
    return numba.njit(nogil=True)(function)


def tight(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Compile `function` into the kernels that call it: for what runs once a character.

    It must make no arrays; in return nobody counts who holds those that it is given, which costs more than the work.
    """
    return numba.njit(nogil=True, forceinline=True, **_UNCOUNTED)(function)


def tight_kernel(function: Callable[..., Any]) -> Any:  # noqa: ANN401
    """Compile `function` as `kernel` does, under the conditions of `tight`."""
    try:
        return numba.njit(nogil=True, cache=True, **_UNCOUNTED)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **_UNCOUNTED)(function)


_WORD_BITS = np.uint64(64)
_STEPS = tuple(np.uint64(k) for k in range(9))
_SHIFTS = tuple(np.uint64(8 * k) for k in range(8))


@tight
def word_at(data, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the eight bytes at `at` (unsigned, or negative places would be looked for) as a little-endian number.

    Spelled out like this it compiles to a single load.
    """
    return (
        np.uint64(data[at])
        | (np.uint64(data[at + _STEPS[1]]) << _SHIFTS[1])
        | (np.uint64(data[at + _STEPS[2]]) << _SHIFTS[2])
        | (np.uint64(data[at + _STEPS[3]]) << _SHIFTS[3])
        | (np.uint64(data[at + _STEPS[4]]) << _SHIFTS[4])
        | (np.uint64(data[at + _STEPS[5]]) << _SHIFTS[5])
        | (np.uint64(data[at + _STEPS[6]]) << _SHIFTS[6])
        | (np.uint64(data[at + _STEPS[7]]) << _SHIFTS[7])
    )


@tight
def last_word(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the up to eight bytes from `at` to `end` as a little-endian number, NUL after them."""
    word, shift = np.uint64(0), np.uint64(0)
    while at < end and shift < _WORD_BITS:
        word |= np.uint64(data[at]) << shift
        shift += _SHIFTS[1]
        at += _STEPS[1]
    return word


@tight
def put(out, to, octet):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write one byte and return the place after it; beyond the end of `out` only the place moves, which measures."""
    if to < len(out):
        out[to] = octet
    return to + 1


@tight
def put_all(out, to, data, start, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write `data[start:end]` as `put` does."""
    for at in range(start, end):
        if to < len(out):
            out[to] = data[at]
        to += 1
    return to
