"""Inputs that the schema cannot give back are mixed of stored queries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from canary_making import detector, run, site

from detector.canary import parents
from detector.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def _log(folder: Path, length: int) -> Path:
    rng = np.random.default_rng(0)
    line = {"client_id": "c", "model": "m"}
    rows = [
        line | {"timestamp": f"2026-11-10T00:{n:02}:00Z", "input": rng.integers(0, 9, length).tolist()}
        for n in range(40)
    ]
    file = folder / "log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_vectors_longer_than_their_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, _log(tmp_path, 5000))
    out = tmp_path / "c.parquet"
    command = ("canary", "plant", "--model", "m", "--count", 3, *site(tmp_path))
    assert detector(*command, "--out", out).code == 0
    values = np.stack(pq.read_table(out)["input_vector"].to_numpy())
    assert (values.shape, values.min(), values.max()) == ((3, 5000), 0, 8)
    monkeypatch.setattr(parents, "_FEWEST", 41)
    with pytest.raises(UsageError, match="only 40 stored queries"):
        detector(*command, "--out", tmp_path / "other.parquet")
