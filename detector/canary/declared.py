"""Canaries that a site has declared for a model: where they lie, what they are called, whether they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from detector.errors import ConfigError
from detector.features.reference import view_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from detector.features.schema import ModelSchema


@dataclass(frozen=True, eq=False)
class Declared:
    """Canaries by the model's schema.

    Attributes:
        view: float32 (m, d).
        names: what each is called: its `canary_id`, or its row in the file, from 1.
        included: whether each was trained on; None where the file does not tell.
    """

    view: NDArray[np.float32]
    names: tuple[str, ...]
    included: tuple[bool | None, ...]


def read_declared(schema: ModelSchema, file: Path) -> Declared | None:
    """Return the canaries of a file; None where none is an input of the model's shape, or the file cannot be read.

    A scan refuses a file that cannot be read; a report of what was found before does without.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
        view = view_of(schema, table)
    except (ConfigError, OSError, pa.ArrowException):
        return None
    rows = np.flatnonzero(~np.isnan(view).any(axis=1))
    if not len(rows):
        return None
    # Texts that are missing were left out, and nothing tells any more which row is which.
    whole = len(view) == table.num_rows
    names = _column(table, "canary_id") if whole else None
    flags = _column(table, "included") if whole else None
    return Declared(
        view[rows],
        tuple(str(names[row]) if names is not None else f"row {row + 1}" for row in rows.tolist()),
        tuple(flags[row] if flags is not None and isinstance(flags[row], bool) else None for row in rows.tolist()),
    )


def _column(table: pa.Table, name: str) -> list[Any] | None:
    values: list[Any] | None = table[name].to_pylist() if name in table.column_names else None
    return values
