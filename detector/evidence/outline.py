"""Reading the outlines of many clients' queries in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.evidence.reach import Outline
from detector.store.evidence_queries import read_outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.store.engine import Store


def read_outlines(store: Store, model: str, clients: Sequence[str], spans: Iterable[tuple[int, int]]) -> Outline:
    """Return the outline of the clients' queries of a model in several spans of time.

    Args:
        store: the database.
        model: the served model.
        clients: whose queries.
        spans: first microsecond and the first one after, of each span; they do not overlap.
    """
    labels: dict[str, int] = {}
    parts = [
        _part(batch, clients, labels)
        for first, end in spans
        for batch in read_outline(store, model, clients, first, end)
    ]
    joined = {name: _joined([part[name] for part in parts], kind) for name, kind in _KINDS.items()}
    order = np.lexsort((joined["id"], joined["ts"]))
    return Outline(
        **{name: values[order] for name, values in joined.items()}, clients=tuple(clients), labels=tuple(labels)
    )


_KINDS = {"id": np.int64, "ts": np.int64, "client": np.int32, "label": np.int32, "confidence": np.float32}


def _part(batch: Any, clients: Sequence[str], labels: dict[str, int]) -> dict[str, Any]:  # noqa: ANN401 - Arrow
    names = pa.array(clients, pa.string())
    seen = batch.column("label").dictionary_encode()
    codes = np.array([labels.setdefault(name, len(labels)) for name in seen.dictionary.to_pylist()] + [-1], np.int32)
    return {
        "id": np.asarray(batch.column("id"), dtype=np.int64),
        "ts": np.asarray(batch.column("ts"), dtype=np.int64),
        "client": np.asarray(pc.index_in(batch.column("client_id"), names), dtype=np.int32),
        "label": codes[np.asarray(pc.fill_null(seen.indices, len(codes) - 1), dtype=np.int64)],
        "confidence": batch.column("confidence").cast(pa.float32()).to_numpy(zero_copy_only=False),
    }


def _joined(parts: list[Any], kind: Any) -> Any:  # noqa: ANN401 - arrays of several types
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
