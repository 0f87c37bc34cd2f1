"""The drill's logs on disk: the generic layout, one gzip file for each model and night."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.errors import SimulationError
from detector.redteam.nights import Nights, iso
from detector.redteam.randomness import hex_ids
from detector.redteam.recorder import OK, Block, shown_classes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Service


@dataclass(frozen=True, slots=True)
class LogFile:
    """One written log."""

    path: Path
    model: str
    night: date
    queries: int


def log_name(model: str, night: date) -> str:
    """Return the file name of a model's night."""
    return f"{model}_{night.isoformat()}.jsonl.gz"


def write_nights(service: Service, nights: Nights, out: Path, rng: np.random.Generator) -> list[LogFile]:
    """Write everything that `service` recorded into `out`, a file a night, and return the files in order of time.

    Raises:
        SimulationError: a query lies outside the nights, or a file cannot be written.
    """
    blocks = service.blocks
    times = np.concatenate([np.empty(0, dtype=np.int64), *(block.times for block in blocks)])
    order = np.argsort(times, kind="stable")
    night_of = nights.index_of(times[order])
    if len(times) and (night_of[0] < 0 or night_of[-1] >= nights.count):
        raise SimulationError(f"a session on {service.model.name} leaves the drill", expected=f"{nights.count} nights")
    latencies = np.round(rng.lognormal(1.1, 0.35, size=len(times)), 2)
    ids = hex_ids(rng, len(times), 20)
    edges = np.searchsorted(night_of, np.arange(nights.count + 1)).tolist()
    files = []
    # A night's text at a time: that of all nights together would be most of a drill's memory.
    for number, (night, first, last) in enumerate(zip(nights.dates(), edges, edges[1:], strict=False)):
        begins, ends = nights.midnight(number), nights.midnight(number + 1)
        lines = _lines(service.model, blocks, begins, ends, ids[first:last], latencies[first:last])
        path = out / log_name(service.model.name, night)
        try:
            with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
                file.write("".join(lines).encode())
        except OSError as error:
            raise SimulationError(f"the log cannot be written: {error.strerror}", file=path) from error
        files.append(LogFile(path, service.model.name, night, last - first))
    return files


def _lines(
    model: TargetModel,
    blocks: tuple[Block, ...],
    begins: int,
    ends: int,
    ids: list[str],
    latencies: FloatArray,
) -> list[str]:
    """Return the log lines from `begins` (included) to `ends`, in time order; equal times keep the order of asking."""
    parts = [part for block in blocks if len((part := block.between(begins, ends)).times)]
    times = np.concatenate([np.empty(0, dtype=np.int64), *(part.times for part in parts)])
    order = np.argsort(times, kind="stable")
    bodies = [body for part in parts for body in _bodies(model, part)]
    rows = zip(iso(times[order]), ids, latencies.tolist(), (bodies[at] for at in order.tolist()), strict=True)
    return [
        f'{{"timestamp":"{stamp}","request_id":"{request}",{head},"latency_ms":{latency},{tail}}}\n'
        for stamp, request, latency, (head, tail) in rows
    ]


def _bodies(model: TargetModel, block: Block) -> Iterator[tuple[str, str]]:
    """Yield, for each query of `block`, the members of its log line before the latency and after it."""
    client = {
        "client_id": block.client.client_id,
        "source_ip": block.client.source_ip,
        "user_agent": block.client.user_agent,
        "model": model.name,
        "model_version": model.version,
        "endpoint": block.asking.endpoint,
    }
    head = json.dumps(client, separators=(",", ":"))[1:-1]
    params = json.dumps(block.asking.params(), separators=(",", ":"))
    outputs = _outputs(model, block)
    for status, value, output in zip(block.status.tolist(), model.form.values(block.inputs), outputs, strict=True):
        tail = json.dumps({"input": value, "output": output}, separators=(",", ":"))[1:-1]
        yield f'{head},"status":{status}', f'"params":{params},{tail}'


def _outputs(model: TargetModel, block: Block) -> Iterator[dict[str, object] | None]:
    """Yield each query's logged output: as much as was asked for, and nothing where the query failed."""
    listed = block.asking.top_k is None and model.image_shape is not None
    shown = shown_classes(block.probabilities, block.asking)
    rows = zip(block.status.tolist(), block.probabilities.tolist(), shown.tolist(), strict=True)
    for status, probabilities, visible in rows:
        if status != OK:
            yield None
            continue
        confidence = max(probabilities)
        output: dict[str, object] = {"label": model.classes[probabilities.index(confidence)]}
        if block.asking.confidence or block.asking.probabilities:
            output["confidence"] = confidence
        if block.asking.probabilities:
            named = {name: p for name, p, seen in zip(model.classes, probabilities, visible, strict=True) if seen}
            output["probabilities"] = probabilities if listed else named
        yield output


def wanted_names(models: tuple[str, ...], nights: Nights) -> set[str]:
    """Return the names of all logs that a drill of `models` writes."""
    return {log_name(model, night) for model in models for night in nights.dates()}
