"""Drawing made-up inputs: each mixes ordinary ones, field by field, as strange as it has to be and no stranger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.features.schema import RecordField

LEVELS = 3
"""0: two ordinary inputs, numbers blended. 1: parts of four. 2: each part from any; less plausible, further away."""

_RUNS = 8
_FEW_VALUES = 8
_MOST_DIGITS = 12
_LOOKED_AT = 2**23
_EXACT = 2.0**53


class Mixer(Protocol):
    """Something that draws made-up inputs."""

    def draw(self, level: int, count: int, rng: np.random.Generator) -> pa.Table:
        """Return `count` made-up inputs of a level of LEVELS, as a reference file would hold them."""


@dataclass(frozen=True)
class _Choice:
    """Which two parents each part of each input has, int64 (n, parts), and the weight of the first, 0 to 1."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weight: NDArray[np.float64]


def _choose(level: int, shape: tuple[int, int], parents: int, rng: np.random.Generator) -> _Choice:
    if level == 0:
        pair = rng.integers(0, parents, (shape[0], 2))
        first, second = (np.repeat(pair[:, [side]], shape[1], axis=1) for side in (0, 1))
        return _Choice(first, second, rng.random(shape))
    if level == 1:
        four = rng.integers(0, parents, (shape[0], 4))
        picked = np.take_along_axis(four, rng.integers(0, 4, shape), axis=1)
    else:
        picked = rng.integers(0, parents, shape)
    return _Choice(picked, picked, np.ones(shape))


@dataclass(frozen=True, eq=False)
class VectorMixer:
    """Mixes vectors in runs of neighbouring values, so that what belongs together mostly stays together.

    Attributes:
        parents: float32 (n, length), ordinary inputs as they are logged.
    """

    parents: NDArray[np.float32]

    @cached_property
    def _decimals(self) -> NDArray[np.int64]:
        return _digits(self.parents)

    def draw(self, level: int, count: int, rng: np.random.Generator) -> pa.Table:
        """Return a column `input_vector`."""
        length = self.parents.shape[1]
        runs = length if level == LEVELS - 1 else min(_RUNS, length)
        run = np.arange(length) * runs // length
        chosen = _choose(level, (count, runs), len(self.parents), rng)
        weight = chosen.weight[:, run]
        place = np.arange(length)
        mixed = weight * self.parents[chosen.first[:, run], place]
        mixed += (1 - weight) * self.parents[chosen.second[:, run], place]
        values = _written(mixed, self._decimals).astype(np.float32)
        offsets = pa.array(np.arange(count + 1) * length, pa.int32())
        return pa.table({"input_vector": pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))})


@dataclass(frozen=True, eq=False)
class RecordMixer:
    """Mixes records field by field: numbers are blended, or picked where they have few values; categories are picked.

    Attributes:
        fields: the model's fields.
        parents: float64 (n, fields): a number, or the place of a category's value, -1 for one that is not known.
    """

    fields: tuple[RecordField, ...]
    parents: NDArray[np.float64]

    @classmethod
    def of(cls, fields: tuple[RecordField, ...], raw: NDArray[np.float64]) -> RecordMixer:
        """Read records (n, d) in raw units, their categories as indicators."""
        columns, at = [], 0
        for field in fields:
            width = 1 if field.categories is None else len(field.categories)
            part = raw[:, at : at + width]
            at += width
            if field.categories is None:
                columns.append(part[:, 0])
            else:
                known = part.sum(axis=1) > 0
                columns.append(np.where(known, part.argmax(axis=1) if width else -1, -1).astype(np.float64))
        return cls(fields, np.stack(columns, axis=1))

    @cached_property
    def _decimals(self) -> NDArray[np.int64]:
        return _digits(self.parents)

    def draw(self, level: int, count: int, rng: np.random.Generator) -> pa.Table:
        """Return a column a field, in the units of the log."""
        chosen = _choose(level, (count, len(self.fields)), len(self.parents), rng)
        place = np.arange(len(self.fields))
        first, second = self.parents[chosen.first, place], self.parents[chosen.second, place]
        blended = chosen.weight * first + (1 - chosen.weight) * second
        picked = np.where(chosen.weight >= 0.5, first, second)
        columns = {}
        for at, field in enumerate(self.fields):
            if field.categories is not None:
                columns[field.name] = _category(field.categories, picked[:, at])
            else:
                few = len(np.unique(self.parents[:, at])) <= _FEW_VALUES
                columns[field.name] = _numbers((picked if few else blended)[:, at], int(self._decimals[at]))
        return pa.table(columns)


@dataclass(frozen=True)
class TextMixer:
    """Mixes texts word by word.

    Attributes:
        parents: the words of ordinary texts, at least one each.
    """

    parents: tuple[tuple[str, ...], ...]

    def draw(self, level: int, count: int, rng: np.random.Generator) -> pa.Table:
        """Return a column `text`."""
        return pa.table({"text": pa.array([" ".join(self._words(level, rng)) for _ in range(count)], pa.string())})

    def _words(self, level: int, rng: np.random.Generator) -> Sequence[str]:
        if level == LEVELS - 1:
            length = len(self._any(rng))
            return [(words := self._any(rng))[int(rng.integers(0, len(words)))] for _ in range(length)]
        parts = 2 if level == 0 else 4
        mixed: list[str] = []
        for part in range(parts):
            words = self._any(rng)
            cut = words[len(words) * part // parts : len(words) * (part + 1) // parts]
            mixed.extend(cut or words[:1])
        return mixed

    def _any(self, rng: np.random.Generator) -> tuple[str, ...]:
        return self.parents[int(rng.integers(0, len(self.parents)))]


def _category(categories: tuple[str, ...], codes: NDArray[np.float64]) -> pa.Array:
    places = codes.astype(np.int64)
    found = pa.array(categories, pa.string()).take(pa.array(places, mask=places < 0))
    # Booleans are logged as such; a training would stumble over the words.
    return found.cast(pa.bool_()) if categories and set(categories) <= {"true", "false"} else found


def _numbers(values: NDArray[np.float64], digits: int) -> pa.Array:
    written = _written(values, np.array(digits))
    return pa.array(written.astype(np.int64) if not digits and np.abs(written).max(initial=0) < _EXACT else written)


def _written(values: NDArray[np.float64], digits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return numbers with as many decimals as the log's have; more would tell the made-up from the real."""
    steps = 10.0**digits
    return np.asarray(np.round(values * steps) / steps)


def _digits(held: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return how many decimals the values of each column of `held` (n, d) have, as far as 32 bits tell, (d,)."""
    part = np.asarray(held[:: max(1, held.size // _LOOKED_AT)], dtype=np.float64)
    # What was divided by its scale and multiplied again is off by some of the last bits.
    room = 2e-7 * np.abs(part).max(axis=0, initial=0.0)
    found = np.full(part.shape[1], _MOST_DIGITS)
    left = np.arange(part.shape[1])
    for digits in range(_MOST_DIGITS):
        off = np.abs(part[:, left] - np.round(part[:, left], digits)).max(axis=0, initial=0.0)
        told = (off <= room[left]) | (10.0**-digits <= 2 * room[left])
        found[left[told]] = digits
        left = left[~told]
    return found
