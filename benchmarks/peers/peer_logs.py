"""Labelled logs as arrays: what every peer looks at.

A folder holds logs in the generic layout (`*.jsonl`, `*.jsonl.gz`), `labels.csv`, and, if the site has one, a sample of
each model's training data in `reference/MODEL_train.parquet`.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LEARNING_NIGHTS = 3
_DAY = 86_400_000_000
_ROWS = 20_000
_TEXT_WIDTH = 256
_BESIDE = {"label", "record_id"}
_SPREAD = (0.5, 99.5)


@dataclass(frozen=True)
class Night:
    """The queries of one model in one UTC day, by client and then in time order.

    Attributes:
        model: as logged.
        number: days since 1970.
        clients: ids; client `c` owns the rows `starts[c]` to `starts[c + 1]`.
        starts: shape (clients + 1,).
        ts: UTC microseconds, shape (n,).
        view: inputs as vectors, shape (n, d), float32, each value about 0 to 1.
        label: predicted class as a number, -1 where none was logged, shape (n,).
    """

    model: str
    number: int
    clients: tuple[str, ...]
    starts: NDArray[np.int64]
    ts: NDArray[np.int64]
    view: NDArray[np.float32]
    label: NDArray[np.int64]

    def streams(self) -> Iterator[slice]:
        """Yield each client's rows, in the order of `clients`."""
        for first, last in zip(self.starts[:-1], self.starts[1:], strict=True):
            yield slice(int(first), int(last))


@dataclass(frozen=True)
class Site:
    """One model of one log folder.

    Attributes:
        folder: the log folder.
        model: as logged.
        nights: oldest first.
        sample: training data as vectors like `Night.view`, or, without a reference, queries of the learning nights.
    """

    folder: Path
    model: str
    nights: tuple[Night, ...]
    sample: NDArray[np.float32]

    @property
    def learning(self) -> tuple[Night, ...]:
        """The nights from which a peer may learn what is usual, without labels."""
        return self.nights[: max(1, min(LEARNING_NIGHTS, len(self.nights) - 1))]


class Encoder:
    """Turns inputs (lists of numbers, records, texts) into vectors, by what a sample of them looks like."""

    def __init__(self, sample: Sequence[Any]) -> None:
        first = sample[0]
        self.kind = "record" if isinstance(first, dict) else "text" if isinstance(first, str) else "vector"
        self.levels: dict[str, list[str]] = {}
        self.numbers: list[str] = []
        self.width = len(first) if self.kind == "vector" else _TEXT_WIDTH
        if self.kind == "record":
            self._learn_fields(sample)
        if self.kind != "text":
            raw = self._numbers(sample)
            self.low, high = np.nanpercentile(raw, _SPREAD, axis=0)
            if raw.min() >= 0 and raw.max() <= 1:
                self.low, high = np.zeros_like(self.low), np.ones_like(high)
            self.range = np.where(high > self.low, high - self.low, 1.0)

    def __call__(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """Return shape (n, d); what is missing or unreadable takes the middle of the range."""
        if self.kind == "text":
            return _hashed(inputs)
        scaled = (self._numbers(inputs) - self.low) / self.range
        parts = [np.nan_to_num(scaled, nan=0.5, posinf=1.0, neginf=0.0)]
        if self.kind == "record":
            frame = pd.DataFrame(list(inputs), dtype=object)
            for name, levels in self.levels.items():
                told = frame[name] if name in frame else pd.Series(None, range(len(inputs)), dtype=object)
                codes = pd.Index(levels, dtype=object).get_indexer(told.astype(str).astype(object))
                # Two categories lie as far apart as a number's whole range.
                parts.append((codes[:, None] == np.arange(len(levels))) / np.sqrt(2))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _learn_fields(self, sample: Sequence[dict[str, Any]]) -> None:
        for name in sample[0]:
            told = [row.get(name) for row in sample]
            if all(isinstance(value, int | float) for value in told if value is not None):
                self.numbers.append(name)
            else:
                self.levels[name] = sorted({str(value) for value in told})

    def _numbers(self, inputs: Sequence[Any]) -> NDArray[np.float64]:
        if self.kind == "vector":
            fits = [
                row if isinstance(row, list | np.ndarray) and len(row) == self.width else [None] * self.width
                for row in inputs
            ]
            return np.asarray(fits, dtype=np.float64)
        rows = [[row.get(name) if isinstance(row, dict) else None for name in self.numbers] for row in inputs]
        frame = pd.DataFrame(rows, columns=self.numbers, dtype=object)
        return frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)


def _hashed(texts: Sequence[Any]) -> NDArray[np.float32]:
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=_TEXT_WIDTH)
    return np.asarray(vectorizer.transform([str(text) for text in texts]).toarray(), dtype=np.float32)


def read_sites(folder: Path) -> list[Site]:
    """Read every log of a folder: one site a model, by name."""
    files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
    if not files:
        raise SystemExit(f"{folder}: no *.jsonl or *.jsonl.gz")
    parts: dict[str, list[pd.DataFrame]] = {}
    encoders: dict[str, Encoder] = {}
    samples: dict[str, NDArray[np.float32]] = {}
    for file in files:
        for rows in _batches(file):
            for model in sorted({row["model"] for row in rows}):
                mine = [row for row in rows if row["model"] == model]
                if model not in encoders:
                    sample = _reference(folder, model) or [row["input"] for row in mine if row.get("input")]
                    encoders[model] = Encoder(sample)
                    samples[model] = encoders[model](sample)
                parts.setdefault(model, []).append(_frame(mine, encoders[model]))
    return [Site(folder, model, tuple(_nights(model, parts[model])), samples[model]) for model in sorted(parts)]


def _batches(file: Path) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        for line in lines:
            rows.append(json.loads(line))
            if len(rows) == _ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def _reference(folder: Path, model: str) -> list[Any]:
    file = folder / "reference" / f"{model}_train.parquet"
    if not file.exists():
        return []
    table = pq.read_table(file)
    for column in ("input_vector", "text"):
        if column in table.column_names:
            return table[column].to_pylist()
    return table.drop_columns([name for name in table.column_names if name in _BESIDE]).to_pylist()


def _frame(rows: list[dict[str, Any]], encoder: Encoder) -> pd.DataFrame:
    answers = [row.get("output") or {} for row in rows]
    frame = pd.DataFrame(
        {
            "ts": pd.to_datetime([row["timestamp"] for row in rows], format="ISO8601", utc=True).as_unit("us"),
            "client": [row["client_id"] for row in rows],
            "label": [str(answer.get("label", "")) for answer in answers],
        }
    )
    view = encoder([row.get("input") for row in rows])
    return frame.assign(ts=frame["ts"].astype("int64"), view=list(view))


def _nights(model: str, parts: list[pd.DataFrame]) -> Iterator[Night]:
    whole = pd.concat(parts, ignore_index=True)
    whole["label"] = np.where(whole["label"] == "", -1, pd.factorize(whole["label"], sort=True)[0])
    whole["night"] = whole["ts"] // _DAY
    for number, mine in whole.groupby("night", sort=True):
        rows = mine.sort_values(["client", "ts"], kind="stable")
        clients, firsts = np.unique(rows["client"].to_numpy(dtype=str), return_index=True)
        yield Night(
            model=model,
            number=int(number),
            clients=tuple(clients.tolist()),
            starts=np.append(firsts, len(rows)).astype(np.int64),
            ts=rows["ts"].to_numpy(dtype=np.int64),
            view=np.stack(rows["view"].to_numpy()),
            label=rows["label"].to_numpy(dtype=np.int64),
        )
