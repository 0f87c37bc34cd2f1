"""Making canaries: plausible by field, and further from ordinary inputs than those are from each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from detector.canary.mixing import LEVELS
from detector.canary.parents import mixer_of
from detector.errors import UsageError
from detector.features.distances import nearest_distances
from detector.features.reference import RESERVED, view_of
from detector.features.schema import ModelSchema
from detector.store.scanning import latest_schema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from detector.canary.mixing import Mixer
    from detector.store.engine import Store

_ROWS = 256
_VALUES = 2**22
_ROUNDS = 4
_LEAST_GAP = 0.05
"""Of the median distance of two ordinary inputs; five times what counts as contact."""


@dataclass(frozen=True, eq=False)
class Planted:
    """Canaries that were made.

    Attributes:
        model, schema_version: of whose inputs.
        table: `canary_id`, `included`, `label` where the model has classes, and the inputs as in a reference file.
        included: how many are to be put into the training.
        gap: what each keeps at least from ordinary inputs and from the others, in median distances of two of those.
        nearest: how near the nearest comes, in the same unit.
    """

    model: str
    schema_version: int
    table: pa.Table
    included: int
    gap: float
    nearest: float


def read_schema(store: Store, model: str) -> ModelSchema:
    """Return what the model's inputs look like.

    Raises:
        UsageError: no scan has learned it, or its inputs cannot be compared.
        FeatureError: the stored bytes are damaged.
    """
    with store.begin() as connection:
        found = latest_schema(connection, model)
    if found is None:
        raise UsageError(
            f"nothing is known of the inputs of model {model!r}",
            expected="a night of it in the store: run `detector run` on one first",
        )
    schema = ModelSchema.load(found.model, found.version, found.night, found.body, found.arrays)
    if not schema.has_view:
        raise UsageError(
            f"the log does not show inputs of model {model!r} that can be compared",
            expected="vectors, records or texts in at least 8 queries",
        )
    taken = [field.name for field in schema.fields if field.name in RESERVED]
    if taken:
        raise UsageError(
            f"the model has a field {taken[0]!r}, a name that a file of canaries needs for something else",
            expected=f"no field called {', '.join(sorted(RESERVED))}",
        )
    return schema


def plant(store: Store, model: str, count: int, seed: int, share: float) -> Planted:
    """Make canaries for a model; the same store and seed give the same.

    Args:
        store: where the schema lies, and texts and long vectors to mix.
        model: which model.
        count: how many.
        seed: of the draw.
        share: probability with which each is put into the training, by a coin of its own, 0 to 1 exclusive.

    Raises:
        UsageError: nothing is known of the model's inputs, or there is no room for so many.
    """
    schema = read_schema(store, model)
    rng = np.random.default_rng(seed)
    gap = spacing(schema)
    inputs, view = _far_apart(schema, mixer_of(store, schema), count, gap, rng)
    included = rng.random(count) < share
    columns: dict[str, object] = {
        "canary_id": [f"canary-{number:05d}" for number in range(1, count + 1)],
        "included": included,
    }
    if schema.classes:
        columns["label"] = pa.array(schema.classes).take(pa.array(rng.integers(0, len(schema.classes), count)))
    table = pa.table(columns | {name: inputs[name] for name in inputs.column_names})
    nearest = float(nearest_distances(view, schema.reference).min())
    return Planted(model, schema.version, table, int(included.sum()), gap / schema.unit, nearest / schema.unit)


def spacing(schema: ModelSchema) -> float:
    """Return the typical distance of an ordinary input to its nearest, in the view's units; repeats do not count."""
    gaps = nearest_distances(schema.reference[1::2], schema.neighbourhood)
    gaps = gaps[gaps > 1e-3 * schema.unit]
    typical = float(np.median(gaps)) if len(gaps) else 0.0
    return max(typical, _LEAST_GAP * schema.unit)


def refuse_existing(file: Path) -> None:
    """Refuse a file that is there, before any work.

    Raises:
        UsageError: it is there.
    """
    if file.exists() or file.is_symlink():
        raise UsageError(
            "there is a file already, and canaries are never replaced", file=file, expected="another --out"
        )


def write(planted: Planted, file: Path) -> None:
    """Write canaries to a new Parquet file that its owner alone can read: who knows them can walk around them.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    import pyarrow.parquet as pq

    refuse_existing(file)
    sink = pa.BufferOutputStream()
    pq.write_table(planted.table, sink)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(sink.getvalue())
    except OSError as error:
        raise UsageError(f"the canaries cannot be written: {error.strerror}", file=file) from error


def _far_apart(
    schema: ModelSchema, mixer: Mixer, count: int, gap: float, rng: np.random.Generator
) -> tuple[pa.Table, NDArray[np.float32]]:
    """Draw until `count` inputs lie further than `gap` from the reference and from each other."""
    rows = max(8, min(_ROWS, _VALUES // schema.length))
    parts: list[pa.Table] = []
    kept = np.empty((0, schema.dimension), dtype=np.float32)
    for turn in range(LEVELS * (per_level := _ROUNDS * (1 + count // rows))):
        drawn = mixer.draw(turn // per_level, rows, rng)
        view = view_of(schema, drawn)
        free = np.flatnonzero(~np.isnan(view).any(axis=1))
        for others in (schema.reference, kept):
            if len(others):
                free = free[nearest_distances(view[free], others) > gap]
        fresh = _apart(view, free, gap)[: count - len(kept)]
        parts.append(drawn.take(pa.array(fresh)))
        kept = np.concatenate([kept, view[fresh]])
        if len(kept) == count:
            return pa.concat_tables(parts, promote_options="permissive"), kept
    raise UsageError(
        f"only {len(kept)} made-up inputs lie further from ordinary ones, and from each other, than ordinary ones do",
        expected=f"--count {len(kept)}" if len(kept) else "a model whose inputs vary more",
    )


def _apart(view: NDArray[np.float32], rows: NDArray[np.int64], gap: float) -> NDArray[np.int64]:
    """Return those of `rows` that lie further than `gap` from each one returned before."""
    found: list[int] = []
    for row in rows.tolist():
        if not found or float(nearest_distances(view[[row]], view[found])[0]) > gap:
            found.append(row)
    return np.array(found, dtype=np.int64)
