"""Columns as conditions read them: numbers with nulls, or texts as codes into their distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from detector.detect.rules.vocabulary import Category, Kind, kind_of
from detector.model import InputKind, RowFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from detector.model import Windows


@dataclass(frozen=True, eq=False)
class Numbers:
    """A numeric column; NaN is null."""

    values: NDArray[np.float64]

    @cached_property
    def null(self) -> NDArray[np.bool_]:
        """Rows without a value."""
        return np.isnan(self.values)

    def at(self, row: int) -> float | None:
        """Return the value of one row."""
        value = float(self.values[row])
        return None if np.isnan(value) else value


@dataclass(frozen=True, eq=False)
class Texts:
    """A text column, dictionary-encoded: conditions look at each distinct value once.

    Attributes:
        codes: position in `choices` for each row, -1 for null.
        choices: the distinct values, an Arrow array of strings.
    """

    codes: NDArray[np.int64]
    choices: pa.Array

    @cached_property
    def null(self) -> NDArray[np.bool_]:
        """Rows without a value."""
        return self.codes < 0

    def at(self, row: int) -> str | None:
        """Return the value of one row."""
        code = int(self.codes[row])
        return None if code < 0 else str(self.choices[code].as_py())

    def spread(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Carry an answer for each distinct value to the rows; null rows get False."""
        # code -1 reads the element appended at the end
        return np.append(chosen, False)[self.codes]


Column = Numbers | Texts


class Columns(Protocol):
    """Rows that conditions can be asked about."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def column(self, field: str) -> Column:
        """Return one field's values; a field that is not there is null in every row."""


def _all_null(kind: Kind, rows: int) -> Column:
    if kind is Kind.NUMBER:
        return Numbers(np.full(rows, np.nan))
    return Texts(np.full(rows, -1, dtype=np.int64), pa.array([], type=pa.string()))


def _encode(values: NDArray[np.object_]) -> Texts:
    codes, choices = pd.factorize(values)
    return Texts(codes.astype(np.int64), pa.array([str(choice) for choice in choices], type=pa.string()))


class WindowColumns:
    """The windows of one model and night as conditions read them."""

    def __init__(self, windows: Windows) -> None:
        self._frame = windows.frame
        self._model = windows.model
        self._read: dict[str, Column] = {}

    @property
    def rows(self) -> int:
        """How many windows there are."""
        return len(self._frame)

    def column(self, field: str) -> Column:
        """Return one field over all windows, read once."""
        if field not in self._read:
            self._read[field] = self._load(field)
        return self._read[field]

    def _load(self, field: str) -> Column:
        kind = kind_of(Category.WINDOW, field)
        if field == "model":
            return Texts(np.zeros(self.rows, dtype=np.int64), pa.array([self._model], type=pa.string()))
        if field == "client" and "clients" in self._frame:
            only = [clients[0] if len(clients) == 1 else None for clients in self._frame["clients"]]
            return _encode(np.array(only, dtype=object))
        if field not in self._frame:
            return _all_null(kind, self.rows)
        if kind is Kind.NUMBER:
            return Numbers(self._frame[field].to_numpy(dtype=np.float64, na_value=np.nan))
        return _encode(self._frame[field].to_numpy(dtype=object))


def _input_kind(code: int) -> str:
    try:
        return InputKind(code).name.lower()
    except ValueError:
        return str(code)


def _flags(bits: int) -> str:
    return " ".join(str(flag.name).lower() for flag in RowFlag if bits & flag)


# The store's stream spells null as -1 in counts, as a number below any measured one elsewhere, and as the empty text.
_NO_NUMBER = -1e300
_LOWEST = {"status": 0.0, "scored": 0.0}

# stored as numbers, written in rules by their names
_SPELLED: dict[str, Callable[[int], str]] = {"input_kind": _input_kind, "flags": _flags}


class TableColumns:
    """A batch of queries as conditions read them."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._read: dict[str, Column] = {}

    @property
    def rows(self) -> int:
        """How many queries there are."""
        return int(self._table.num_rows)

    def column(self, field: str) -> Column:
        """Return one field over the batch, read once."""
        if field not in self._read:
            self._read[field] = self._load(field)
        return self._read[field]

    def times(self) -> NDArray[np.int64]:
        """Return the queries' times in UTC microseconds."""
        times: NDArray[np.int64] = self._table.column("ts").to_numpy().astype(np.int64, copy=False)
        return times

    def _load(self, field: str) -> Column:
        kind = kind_of(Category.QUERY, field)
        if field not in self._table.column_names or pa.types.is_null(self._table.schema.field(field).type):
            return _all_null(kind, self.rows)
        stored = self._table.column(field).combine_chunks()
        if kind is Kind.NUMBER:
            numbers = np.array(stored.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
            numbers[numbers < _LOWEST.get(field, _NO_NUMBER)] = np.nan
            return Numbers(numbers)
        encoded = stored if pa.types.is_dictionary(stored.type) else stored.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        choices = encoded.dictionary
        if field in _SPELLED:
            if pa.types.is_integer(choices.type):
                choices = pa.array([_SPELLED[field](code) for code in choices.to_pylist()], type=pa.string())
        else:
            empty = pc.equal(pc.binary_length(choices), 0).to_numpy(zero_copy_only=False)
            codes = np.where(np.append(empty, False)[codes], -1, codes)
        return Texts(codes, choices.cast(pa.string()))
