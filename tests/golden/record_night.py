"""Record the log that the report's tests read: ordinary clients of a digits model, and one that climbs towards a class.

Run it by hand when the recording has to change: `python tests/golden/record_night.py`. The tests read its output.
"""

from __future__ import annotations

import gzip
import json
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

FOLDER = Path(__file__).parent / "night"
FIRST = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)
TARGET = 3
CLIMB = 260


def main() -> None:
    rng = np.random.default_rng(20_261_112)
    digits = load_digits()
    images, labels = digits.data / 16, digits.target
    order = rng.permutation(len(images))
    train, rest = order[:400], order[400:]
    model = MLPClassifier((24,), max_iter=150, random_state=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(images[train], labels[train])
    lines: list[dict[str, Any]] = []
    for client in range(9):
        for night in range(2):
            start = FIRST + timedelta(days=night, minutes=7 * client)
            for i in range(8):
                row = int(rng.choice(rest))
                at = start + timedelta(minutes=40 * i, milliseconds=int(rng.integers(60_000)))
                lines.append(_answer(model, images[row], f"shop-{client}", at))
    lines += _ordinary(model, images[rest[:14]], "key-7c1f", FIRST + timedelta(minutes=3))
    lines += _climb(model, rng, FIRST + timedelta(days=1, hours=5))
    lines.sort(key=lambda line: line["timestamp"])
    FOLDER.mkdir(exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    with gzip.GzipFile(FOLDER / "digits.jsonl.gz", "wb", mtime=0) as file:
        file.write(text.encode())
    _sample("train", images[train[:60]], labels[train[:60]])
    _sample("holdout", images[rest[:60]], labels[rest[:60]])


def _ordinary(model: MLPClassifier, images: np.ndarray[Any, Any], client: str, at: datetime) -> list[dict[str, Any]]:
    return [_answer(model, image, client, at + timedelta(minutes=11 * i)) for i, image in enumerate(images)]


def _climb(model: MLPClassifier, rng: np.random.Generator, at: datetime) -> list[dict[str, Any]]:
    """A (1+1) evolution strategy on one class's probability: keep what raised it, widen and narrow the step."""
    best, step = rng.uniform(0, 1, 64), 0.25
    reached = -1.0
    lines = []
    for i in range(CLIMB):
        tried = best if i == 0 else np.clip(best + step * rng.normal(size=64), 0, 1)
        line = _answer(model, tried, "key-7c1f", at + timedelta(milliseconds=240 * i))
        lines.append(line)
        if line["output"]["probabilities"][TARGET] > reached:
            best, reached, step = tried, line["output"]["probabilities"][TARGET], step * 1.3
        else:
            step *= 0.93
    return lines


def _answer(model: MLPClassifier, image: np.ndarray[Any, Any], client: str, at: datetime) -> dict[str, Any]:
    probabilities = [float(f"{p:.5g}") for p in model.predict_proba(image[None, :])[0]]
    label = int(np.argmax(probabilities))
    return {
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "request_id": f"{client}-{at:%d%H%M%S%f}",
        "client_id": client,
        "model": "digits",
        "endpoint": "predict",
        "status": 200,
        "input": [float(f"{value:.4g}") for value in image],
        "output": {"label": str(label), "confidence": probabilities[label], "probabilities": probabilities},
    }


def _sample(name: str, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
    table = pa.table({"input_vector": [row.tolist() for row in images.astype(np.float32)], "label": labels.tolist()})
    pq.write_table(table, FOLDER / f"{name}.parquet")


if __name__ == "__main__":
    main()
