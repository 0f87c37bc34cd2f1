"""What lies beside a drill's logs: samples, results, settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from detector.redteam.models import Sample, TargetModel
    from detector.redteam.sessions import Played

_RESULTS = pa.schema(
    [
        ("client_id", pa.string()),
        ("model", pa.string()),
        ("family", pa.string()),
        ("target", pa.string()),
        ("final_confidence", pa.float64()),
        ("input_vector", pa.list_(pa.float64())),
        ("input_record", pa.string()),
        ("input_text", pa.string()),
    ],
)


def write_results(played: Iterable[tuple[Played, TargetModel]], path: Path) -> None:
    """Write each attacker's best queried input, as it was logged.

    Attackers that pursue no single input, such as extraction, have no row. Where the input is a record, `input_record`
    holds it as JSON, and `input_vector` has its fields in the order of the record, categories by their level's number.
    A text stands in `input_text` alone.
    """
    rows = []
    for each, model in played:
        if each.struck is None or each.struck.outcome.best is None:
            continue
        outcome, best = each.struck.outcome, each.struck.outcome.best
        sent = model.form.clean(best[None])
        value = model.form.values(sent)[0]
        rows.append(
            {
                "client_id": each.session.client.client_id,
                "model": model.name,
                "family": each.struck.strike.attack.family,
                "target": outcome.target,
                "final_confidence": outcome.confidence,
                "input_vector": None if isinstance(value, str) else sent[0].tolist(),
                "input_record": json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else None,
                "input_text": value if isinstance(value, str) else None,
            },
        )
    rows.sort(key=lambda row: (row["model"], row["client_id"]))
    pq.write_table(pa.Table.from_pylist(rows, _RESULTS), path)


def write_reference(model: TargetModel, folder: Path) -> None:
    """Write what a site would give as members and non-members of `model`, with each record's label."""
    for kind, sample in (("train", model.train), ("holdout", model.holdout)):
        pq.write_table(_reference(model, sample), folder / f"{model.name}_{kind}.parquet")


def _reference(model: TargetModel, sample: Sample) -> pa.Table:
    columns: dict[str, object] = {**model.form.columns(sample.rows)}
    return pa.table({**columns, "label": [model.classes[label] for label in sample.labels.tolist()]})


def settings_toml(models: Iterable[TargetModel]) -> str:
    """Return a detector.toml that tells the detector what these models are; paths are relative to it."""
    lines = []
    for model in models:
        lines += [f"[models.{model.name}]", f'sensitivity = "{model.sensitivity}"']
        if model.image_shape is not None:
            lines.append(f"image_shape = [{model.image_shape[0]}, {model.image_shape[1]}]")
        lines.append(f'training_sample = "reference/{model.name}_train.parquet"')
        lines += [f'holdout_sample = "reference/{model.name}_holdout.parquet"', ""]
    return "\n".join(lines)
