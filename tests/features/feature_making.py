"""Blocks, schemas and streams for the tests: real arrays, with everything that is not said left unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import settings

from detector.features import families
from detector.features.block import Block
from detector.features.contact import Contacts
from detector.features.schema import ModelSchema, RecordField
from detector.model import InputKind

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from detector.features.state import States

START = 1_794_268_800_000_000  # 2026-11-10 00:00 UTC, in microseconds
SECOND = 1_000_000
CLASSES = tuple("abcdefghij")
DIMENSION = 8
_UNSAID = -99

# The first call of a kernel may compile it.
quick = settings(deadline=None, max_examples=60)


def schema_of(
    reference: NDArray[np.floating],
    *,
    classes: int = 3,
    kind: InputKind = InputKind.VECTOR,
    fields: tuple[RecordField, ...] = (),
) -> ModelSchema:
    """Return a schema whose reference is taken as it is."""
    return ModelSchema(
        model="m",
        version=1,
        night="2026-11-10",
        kind=kind,
        length=reference.shape[1],
        dimension=reference.shape[1],
        classes=CLASSES[:classes],
        positions=tuple(enumerate(CLASSES[:classes])),
        fields=fields,
        scale=np.ones(reference.shape[1], dtype=np.float32),
        reference=reference.astype(np.float32),
    )


def ordinary(rows: int, seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Return inputs as customers send them: correlated, so that noise lies off their manifold."""
    rng = np.random.default_rng(20_261_110 + seed)
    mix = np.random.default_rng(7).normal(size=(dimension // 2, dimension))
    return (rng.normal(size=(rows, dimension // 2)) @ mix + 0.05 * rng.normal(size=(rows, dimension))).astype(
        np.float32
    )


def answers(view: NDArray[np.floating], classes: int = 3, sharpness: float = 0.5) -> NDArray[np.float32]:
    """Return the probabilities of a smooth model: a softmax of the distances to fixed centres."""
    centres = np.random.default_rng(3).normal(size=(classes, view.shape[1]))
    score = -sharpness * ((np.asarray(view, dtype=float)[:, None, :] - centres[None]) ** 2).mean(axis=2)
    score -= score.max(axis=1, keepdims=True)
    grown = np.exp(4.0 * score)
    return (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Stream:
    """One entity's queries; what is None is unknown."""

    view: ArrayLike | None = None
    probabilities: ArrayLike | None = None
    ts: ArrayLike | None = None
    label: ArrayLike | None = None
    hashes: ArrayLike | None = None
    scored: ArrayLike | None = None
    operation: ArrayLike | None = None
    status: ArrayLike | None = None
    params: ArrayLike | None = None
    flags: ArrayLike | None = None
    length: int | None = None

    @property
    def size(self) -> int:
        """Number of queries."""
        for column in (self.view, self.probabilities, self.ts, self.label, self.hashes, self.scored, self.operation):
            if column is not None:
                return len(np.asarray(column))
        for column in (self.status, self.params, self.flags):
            if column is not None:
                return len(np.asarray(column))
        return self.length or 0

    def cut(self, first: int, last: int) -> Stream:
        """Return some of the queries."""
        kept = {
            name: None if value is None else np.asarray(value)[first:last]
            for name, value in self.__dict__.items()
            if name != "length"
        }
        return Stream(**kept, length=last - first)


def block_of(*streams: Stream, schema: ModelSchema) -> Block:
    """Lay streams side by side; a stream without times asks once a second."""
    sizes = [stream.size for stream in streams]
    rows = sum(sizes)

    def column(name: str, default: object, dtype: type) -> NDArray[np.generic]:
        parts = []
        for stream, size in zip(streams, sizes, strict=True):
            value = getattr(stream, name)
            parts.append(np.full(size, default, dtype) if value is None else np.asarray(value).astype(dtype))
        return np.concatenate(parts)

    clock = [START + SECOND * np.arange(size) if s.ts is None else s.ts for s, size in zip(streams, sizes, strict=True)]
    shown = [stream.probabilities for stream in streams if stream.probabilities is not None]
    width = np.asarray(shown[0]).shape[1] if shown else len(schema.classes)
    told = [np.full((n, width), np.nan) if s.probabilities is None else s.probabilities for s, n in _pairs(streams)]
    probabilities = np.concatenate(told).astype(np.float32)
    with np.errstate(invalid="ignore"):
        top = np.fmax.reduce(probabilities, axis=1, initial=np.nan)
        best = np.where(np.isnan(top), -1, np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1))
    label, told_scored = column("label", _UNSAID, np.int32), column("scored", _UNSAID, np.int32)
    return Block(
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        ts=np.concatenate(clock).astype(np.int64),
        view=_views(streams),
        input_hash=_hashes(streams, rows),
        label=np.where(label == _UNSAID, best, label).astype(np.int32),
        top=top,
        probabilities=probabilities,
        scored=np.where(told_scored == _UNSAID, np.where(np.isnan(top), -1, 1), told_scored).astype(np.int8),
        operation=column("operation", 0, np.int8),
        status=column("status", -1, np.int32),
        params=column("params", 0, np.int64),
        flags=column("flags", 0, np.int32),
        field_of=schema.field_of,
    )


def _pairs(streams: tuple[Stream, ...]) -> list[tuple[Stream, int]]:
    return [(stream, stream.size) for stream in streams]


def _views(streams: tuple[Stream, ...]) -> NDArray[np.float32] | None:
    shown = [np.asarray(stream.view) for stream in streams if stream.view is not None]
    if not shown:
        return None
    width = shown[0].shape[1]
    views = [np.full((n, width), np.nan) if s.view is None else np.asarray(s.view) for s, n in _pairs(streams)]
    return np.ascontiguousarray(np.concatenate(views), dtype=np.float32)


def _hashes(streams: tuple[Stream, ...], rows: int) -> NDArray[np.int64]:
    """Return the hashes told; those of the float32 views where none are; 0 where there is neither."""
    parts = []
    for stream, size in _pairs(streams):
        if stream.hashes is not None:
            parts.append(np.asarray(stream.hashes, dtype=np.int64))
        elif stream.view is not None:
            view = np.ascontiguousarray(np.asarray(stream.view), dtype=np.float32)
            _, code = np.unique(view, axis=0, return_inverse=True)
            parts.append(code.ravel().astype(np.int64) + 1)
        else:
            parts.append(np.zeros(size, dtype=np.int64))
    return np.concatenate(parts) if parts else np.zeros(rows, dtype=np.int64)


def states_of(schema: ModelSchema, *streams: Stream, contacts: Contacts | None = None) -> States:
    """Measure streams side by side."""
    return families.measure(block_of(*streams, schema=schema), schema, contacts or Contacts())


def features_of(schema: ModelSchema, *streams: Stream, contacts: Contacts | None = None) -> pd.DataFrame:
    """Return the features of streams, a row each."""
    return families.finish(states_of(schema, *streams, contacts=contacts), schema)


def feature(schema: ModelSchema, name: str, stream: Stream, contacts: Contacts | None = None) -> float:
    """Return one feature of one stream."""
    return float(features_of(schema, stream, contacts=contacts)[name].iloc[0])
