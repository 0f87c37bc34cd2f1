"""What a model's input looks like: how a row of numbers becomes the input that the log shows.

Inside a drill every input is a row of floats, so that attacks and workloads can move and batch inputs of any kind the
same way; a category is the number of its level, and a word its number in a vocabulary. A form turns rows into what was
really sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from detector.redteam.rounding import significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.redteam.arrays import Column, FloatArray, JsonValue


class InputForm(Protocol):
    """The shape of one model's input, as its public documentation would give it."""

    @property
    def low(self) -> FloatArray:
        """Smallest sensible value of each column, shape (width,)."""
        ...

    @property
    def high(self) -> FloatArray:
        """Largest sensible value of each column, shape (width,)."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each column; 0 where it is a number."""
        ...

    def clean(self, rows: FloatArray) -> FloatArray:
        """Return `rows`, shape (n, width), as they travel: rounded, categories on a level, counts whole."""
        ...

    def values(self, rows: FloatArray) -> Sequence[JsonValue]:
        """Return the logged input of each of the cleaned `rows`."""
        ...

    def columns(self, rows: FloatArray) -> dict[str, Column]:
        """Return the cleaned `rows` as the columns of a reference sample."""
        ...


@dataclass(frozen=True, slots=True)
class VectorForm:
    """A plain list of numbers, within one common range or each within its own."""

    width: int
    least: float | tuple[float, ...]
    """Smallest sensible value: of all numbers, or of each."""
    most: float | tuple[float, ...]
    """Largest sensible value: of all numbers, or of each."""

    @property
    def low(self) -> FloatArray:
        """See InputForm."""
        return np.full(self.width, self.least)

    @property
    def high(self) -> FloatArray:
        """See InputForm."""
        return np.full(self.width, self.most)

    @property
    def levels(self) -> tuple[int, ...]:
        """See InputForm."""
        return (0,) * self.width

    def clean(self, rows: FloatArray) -> FloatArray:
        """See InputForm. Numbers outside the range pass: a real endpoint takes them too."""
        return significant(rows)

    def values(self, rows: FloatArray) -> list[JsonValue]:
        """See InputForm."""
        listed: list[JsonValue] = rows.tolist()
        return listed

    def columns(self, rows: FloatArray) -> dict[str, Column]:
        """See InputForm: the one column `input_vector`."""
        return {"input_vector": rows.tolist()}


@dataclass(frozen=True, slots=True)
class Field:
    """One named field of a record."""

    name: str
    least: float
    """Smallest value; 0 for a category."""
    most: float
    """Largest value; the last level's number for a category."""
    categories: tuple[str, ...] = ()
    """The levels' names in order; empty for a number."""
    whole: bool = False
    """Whether a number is counted: years, visits, answers from 1 to 5."""


@dataclass(frozen=True, slots=True)
class RecordForm:
    """A record of named fields, numbers and categories."""

    fields: tuple[Field, ...]

    @property
    def low(self) -> FloatArray:
        """See InputForm."""
        return np.array([field.least for field in self.fields])

    @property
    def high(self) -> FloatArray:
        """See InputForm."""
        return np.array([field.most for field in self.fields])

    @property
    def levels(self) -> tuple[int, ...]:
        """See InputForm."""
        return tuple(len(field.categories) for field in self.fields)

    def clean(self, rows: FloatArray) -> FloatArray:
        """See InputForm."""
        cleaned = significant(rows)
        for column, field in enumerate(self.fields):
            if field.categories:
                cleaned[:, column] = np.clip(np.rint(rows[:, column]), 0, len(field.categories) - 1)
            elif field.whole:
                cleaned[:, column] = np.rint(rows[:, column]) + 0.0
        return cleaned

    def values(self, rows: FloatArray) -> list[JsonValue]:
        """See InputForm."""
        columns = self.columns(rows)
        return [dict(zip(columns, record, strict=True)) for record in zip(*columns.values(), strict=True)]

    def columns(self, rows: FloatArray) -> dict[str, Column]:
        """See InputForm: one column a field, under its name."""
        named: dict[str, Column] = {}
        for column, field in enumerate(self.fields):
            numbers: list[float] = rows[:, column].tolist()
            named[field.name] = [field.categories[int(n)] for n in numbers] if field.categories else numbers
        return named


@dataclass(frozen=True, slots=True)
class TextForm:
    """A text of up to so many words of a known vocabulary.

    A row holds the words by their number in the vocabulary. Number 0 is no word: gaps leave no trace in the text.
    """

    vocabulary: tuple[str, ...]
    """All words, each with its punctuation, at least two; the first is empty and stands for no word."""
    length: int
    """Most words in a text."""

    @property
    def low(self) -> FloatArray:
        """See InputForm."""
        return np.zeros(self.length)

    @property
    def high(self) -> FloatArray:
        """See InputForm."""
        return np.full(self.length, len(self.vocabulary) - 1.0)

    @property
    def levels(self) -> tuple[int, ...]:
        """See InputForm: every position can hold every word."""
        return (len(self.vocabulary),) * self.length

    def clean(self, rows: FloatArray) -> FloatArray:
        """See InputForm."""
        return np.clip(np.rint(rows), 0.0, len(self.vocabulary) - 1.0) + 0.0

    def values(self, rows: FloatArray) -> list[JsonValue]:
        """See InputForm."""
        return [*self._texts(rows)]

    def columns(self, rows: FloatArray) -> dict[str, Column]:
        """See InputForm: the one column `text`."""
        return {"text": self._texts(rows)}

    def rows(self, texts: Iterable[str]) -> FloatArray:
        """Return `texts` as rows, shape (n, length): words beyond the length or the vocabulary are left out."""
        numbers = {word: float(number) for number, word in enumerate(self.vocabulary)}
        known = [[numbers[word] for word in text.split() if word in numbers][: self.length] for text in texts]
        return np.array([words + [0.0] * (self.length - len(words)) for words in known]).reshape(-1, self.length)

    def _texts(self, rows: FloatArray) -> list[str]:
        words = self.vocabulary
        return [" ".join(words[number] for number in row if number) for row in rows.astype(np.int64).tolist()]
