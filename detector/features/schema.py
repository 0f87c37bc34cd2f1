"""What a model's inputs and answers look like: learned from its first night, frozen, versioned."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from detector.errors import FeatureError
from detector.features.distances import nearest_distances
from detector.features.npz import read_npz
from detector.features.words import WordUse
from detector.model import InputKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 8
PROJECTIONS = 16
MONITORED = 32
CLASSES = 64
REFERENCE_ROWS = 1024
SKETCH = 8
KIN = 96
_SEED = 20_240_229
WORDING = tuple(field.name for field in fields(WordUse))


@dataclass(frozen=True)
class RecordField:
    """One named field of a record: a number, or a category with its known values."""

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ModelSchema:
    """How a model's queries are read as fixed-length vectors, and what ordinary ones look like.

    Attributes:
        model, version, night: which model, which reading of it, learned from which night.
        kind: what the inputs are.
        length: how many values an input has.
        dimension: length d of the view: shorter where inputs are very long.
        classes: at most CLASSES class names, in column order.
        positions: class name of each position of a probability list, where answers are lists.
        fields: the named fields of records, in order; empty otherwise.
        scale: float32 (d,), positive; the view is the input divided by it.
        reference: float32 (R, d), views of ordinary inputs, no client holding more than its share.
        wording: how ordinary texts are worded; None where inputs are no texts.
    """

    model: str
    version: int
    night: str
    kind: InputKind
    length: int
    dimension: int
    classes: tuple[str, ...]
    positions: tuple[tuple[int, str], ...]
    fields: tuple[RecordField, ...]
    scale: NDArray[np.float32]
    reference: NDArray[np.float32]
    wording: WordUse | None = None

    @property
    def has_view(self) -> bool:
        """Whether the inputs can be looked at as vectors at all."""
        return self.dimension > 0 and len(self.reference) >= 8

    @cached_property
    def field_of(self) -> NDArray[np.int32]:
        """Field that each value of a view belongs to, (d,): the indicators of a category share one."""
        if not self.fields:
            return np.arange(self.dimension, dtype=np.int32)
        widths = [1 if field.categories is None else len(field.categories) for field in self.fields]
        return np.repeat(np.arange(len(widths)), widths).astype(np.int32)

    @cached_property
    def low(self) -> NDArray[np.float32]:
        """Smallest reference value of each field, (d,)."""
        return np.asarray(self.reference.min(axis=0))

    @cached_property
    def high(self) -> NDArray[np.float32]:
        """Largest reference value of each field, (d,)."""
        return np.asarray(self.reference.max(axis=0))

    @cached_property
    def middle(self) -> NDArray[np.float32]:
        """Mean of each field over the reference, (d,)."""
        return np.asarray(self.reference.mean(axis=0))

    @cached_property
    def edge_share(self) -> float:
        """Share of reference values at an end of their field's range."""
        return float(np.mean((self.reference <= self.low) | (self.reference >= self.high)))

    @cached_property
    def unit(self) -> float:
        """Median distance between two reference inputs: the unit of every distance, positive."""
        half = len(self.reference) // 2
        order = np.random.default_rng(_SEED).permutation(len(self.reference))
        gaps = np.linalg.norm(self.reference[order[:half]] - self.reference[order[half : 2 * half]], axis=1)
        positive = gaps[gaps > 0]
        return float(np.median(positive)) if len(positive) else 1.0

    @cached_property
    def sketch(self) -> NDArray[np.float32]:
        """Fixed random projection to SKETCH values that nearly keeps distances, (d, s); none where d is less."""
        if self.dimension <= SKETCH:
            return np.eye(self.dimension, dtype=np.float32)
        draw = np.random.default_rng(_SEED + 1).standard_normal((self.dimension, SKETCH))
        return (draw / np.sqrt(SKETCH)).astype(np.float32)

    @cached_property
    def kin_radius(self) -> float:
        """Distance closer than 99 in 100 unrelated inputs have their nearest among as many as a query is compared to.

        Bounded by a twentieth and two fifths of `unit`: where ordinary inputs repeat each other, the percentile says
        nothing.
        """
        order = np.random.default_rng(_SEED).permutation(len(self.reference))
        held, others = self.reference[order[KIN:]], self.reference[order[:KIN]]
        gaps = nearest_distances(held, others) if len(held) else np.empty(0)
        gaps = gaps[gaps > 1e-3 * self.unit]
        low = float(np.quantile(gaps, 0.01)) if len(gaps) >= 20 else 0.0
        return min(max(low, 0.05 * self.unit), 0.4 * self.unit)

    @cached_property
    def monitored(self) -> NDArray[np.int64]:
        """Positions of the at most MONITORED fields with the largest variance, ascending."""
        order = np.argsort(-self.reference.var(axis=0), kind="stable")[:MONITORED]
        return np.sort(order)

    @cached_property
    def edges(self) -> NDArray[np.float32]:
        """Inner bin edges of the monitored fields, (M, BINS - 1)."""
        quantiles = np.arange(1, BINS) / BINS
        return np.quantile(self.reference[:, self.monitored], quantiles, axis=0).T.astype(np.float32)

    @cached_property
    def reference_bins(self) -> NDArray[np.float64]:
        """Share of reference inputs in each bin of each monitored field, (M, BINS)."""
        return bin_shares(field_bins(self.reference, self), BINS)

    @cached_property
    def directions(self) -> NDArray[np.float32]:
        """Fixed unit projections, (d, PROJECTIONS)."""
        draw = np.random.default_rng(_SEED).standard_normal((self.dimension, PROJECTIONS))
        return (draw / np.linalg.norm(draw, axis=0)).astype(np.float32)

    @cached_property
    def projected_edges(self) -> NDArray[np.float32]:
        """Edges of 31 equal steps over the middle of the projected reference, (PROJECTIONS, 31)."""
        projected = self.reference @ self.directions
        middle = projected.mean(axis=0)
        # Where all reference inputs are equal the steps must still be steps in 32 bits.
        spread = np.maximum(projected.std(axis=0), 1e-5 * (1.0 + np.abs(middle)))
        return (middle[:, None] + spread[:, None] * np.linspace(-3.75, 3.75, 31)[None, :]).astype(np.float32)

    @cached_property
    def reference_projected(self) -> NDArray[np.float64]:
        """Share of the projected reference in each of 32 bins, (PROJECTIONS, 32)."""
        return bin_shares(projected_bins(self.reference, self), 32)

    @cached_property
    def basis(self) -> NDArray[np.float32]:
        """Main components that hold 90 % of the reference's variance, (d, r)."""
        centred = self.reference - self.middle
        _, values, vectors = np.linalg.svd(centred, full_matrices=False)
        energy = np.cumsum(values**2) / max(float(np.sum(values**2)), 1e-12)
        return np.ascontiguousarray(vectors[: int(np.searchsorted(energy, 0.9)) + 1].T)

    @cached_property
    def neighbourhood(self) -> NDArray[np.float32]:
        """Every other reference input, (R / 2, d): what novelty is measured against."""
        return np.ascontiguousarray(self.reference[::2])

    @cached_property
    def manifold_radius(self) -> float:
        """99th percentile of the distance of the other half of the reference to the nearest of `neighbourhood`."""
        held = self.reference[1::2]
        return float(np.quantile(nearest_distances(held, self.neighbourhood), 0.99)) if len(held) else 0.0

    def off_manifold(self, view: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which rows of `view` (n, d) are farther from the reference than 99 % of it from itself; no NaN is."""
        with np.errstate(invalid="ignore"):
            return np.asarray(nearest_distances(view, self.neighbourhood) > self.manifold_radius)

    def body(self) -> str:
        """Everything but the arrays, as canonical JSON."""
        told = {
            "kind": int(self.kind),
            "length": self.length,
            "dimension": self.dimension,
            "classes": self.classes,
            "positions": self.positions,
            "fields": [{"name": f.name, "categories": f.categories} for f in self.fields],
        }
        return json.dumps(told if self.wording is None else told | {"wording": True}, sort_keys=True)

    def arrays(self) -> bytes:
        """The arrays as npz bytes (no pickles)."""
        buffer = io.BytesIO()
        wording = {} if self.wording is None else {name: getattr(self.wording, name) for name in WORDING}
        np.savez(buffer, scale=self.scale, reference=self.reference, **wording)
        return buffer.getvalue()

    @classmethod
    def load(cls, model: str, version: int, night: str, body: str, arrays: bytes) -> ModelSchema:
        """Read what `body` and `arrays` wrote.

        Raises:
            FeatureError: the stored bytes are damaged.
        """
        try:
            told = json.loads(body)
            scale, reference = read_npz(arrays, "scale", "reference")
            wording = WordUse(*read_npz(arrays, *WORDING)) if "wording" in told else None
            fields = tuple(
                RecordField(f["name"], None if f["categories"] is None else tuple(f["categories"]))
                for f in told["fields"]
            )
            loaded = cls(
                model=model,
                version=version,
                night=night,
                kind=InputKind(told["kind"]),
                length=told["length"],
                dimension=told["dimension"],
                classes=tuple(told["classes"]),
                positions=tuple((int(position), str(name)) for position, name in told["positions"]),
                fields=fields,
                scale=scale,
                reference=reference,
                wording=wording,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FeatureError(f"the stored schema {version} of model {model!r} cannot be read: {error}") from error
        if scale.shape != (loaded.dimension,) or reference.shape[1:] != scale.shape:
            raise FeatureError(f"the arrays of the stored schema {version} of model {model!r} belong to another one")
        return loaded


def field_bins(view: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.int8]:
    """Bin of each monitored field, int8 (n, M), from 0 to BINS - 1; -1 for values that are not numbers."""
    values = view[:, schema.monitored]
    codes = np.zeros(values.shape, dtype=np.int8)
    for edge in range(BINS - 1):
        codes += values > schema.edges[:, edge]
    codes[np.isnan(values)] = -1
    return codes


def projected_bins(view: NDArray[np.float32], schema: ModelSchema) -> NDArray[np.int8]:
    """Bin of each fixed projection, int8 (n, PROJECTIONS), from 0 to 31; -1 where the input is not a number."""
    projected = view @ schema.directions
    first, step = schema.projected_edges[:, 0], schema.projected_edges[:, 1] - schema.projected_edges[:, 0]
    codes = np.clip(np.ceil((projected - first) / step), 0, 31)
    return np.where(np.isnan(codes), -1, codes).astype(np.int8)


def bin_shares(codes: NDArray[np.int8], width: int) -> NDArray[np.float64]:
    """Share of rows in each bin of each column: float64 (columns, width)."""
    counts = np.stack([np.bincount(column[column >= 0], minlength=width) for column in codes.T])
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
