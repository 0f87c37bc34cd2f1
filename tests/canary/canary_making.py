"""Nights of a small site whose canaries the tests plant and touch: logs of records, vectors and texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from click.testing import CliRunner

from detector.cli import cli

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KINDS = ("records", "vectors", "texts")
CLIENTS = 6
EACH = 40
THIEF = "thief"
NIGHTS = ("2026-11-10", "2026-11-11")
AS_OF = "2026-11-12T02:00:00Z"
_TEXT = "the patient reports pain in left right knee hand after fall no fever mild strong since two three days"


def ordinary(kind: str, rng: np.random.Generator) -> Any:
    """Return one input as customers send them."""
    if kind == "records":
        age = int(rng.integers(18, 90))
        return {
            "age": age,
            "income": round(float(rng.normal(400 * age, 4000)), 2),
            "region": str(rng.choice(["north", "south", "west"])),
            "member": bool(rng.random() < 0.3),
        }
    if kind == "vectors":
        return [int(one) for one in np.clip(rng.normal(8, 4, 16), 0, 16)]
    return " ".join(rng.choice(_TEXT.split(), 9))


def log(file: Path, kind: str, night: str, touched: Sequence[Any] = ()) -> Path:
    """Write a night of ordinary clients, and of one who asks for `touched`."""
    rng = np.random.default_rng(int(night[-2:]))
    asked = {f"client-{n}": [ordinary(kind, rng) for _ in range(EACH)] for n in range(CLIENTS)}
    if touched:
        asked[THIEF] = [*(ordinary(kind, rng) for _ in range(20)), *touched]
    start = datetime.fromisoformat(night).replace(tzinfo=UTC)
    lines = [
        {
            "timestamp": (start + timedelta(minutes=10 * at, seconds=seconds)).isoformat(),
            "client_id": client,
            "model": "m",
            "input": value,
            "output": {"label": "yes" if rng.random() < 0.5 else "no", "confidence": round(float(rng.random()), 4)},
        }
        for seconds, (client, values) in enumerate(asked.items())
        for at, value in enumerate(values)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@dataclass(frozen=True)
class Said:
    """What a command left."""

    code: int
    out: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def detector(*arguments: object) -> Said:
    """Run a command; errors that the product raises on purpose pass through."""
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    return Said(done.exit_code, done.stdout)


def run(folder: Path, file: Path, *more: object) -> Said:
    """Run the nightly job in `folder`."""
    return detector("run", file, *site(folder), "--as-of", AS_OF, "--out", folder / "reports", "--json", *more)


def site(folder: Path) -> tuple[str, str]:
    return "--db", f"sqlite:///{folder / 'site.db'}"


def inputs_of(file: Path, rows: int) -> list[Any]:
    """Return the first canaries of a file as a client would send them."""
    table = pq.read_table(file).slice(0, rows)
    for name in ("input_vector", "text"):
        if name in table.column_names:
            return table[name].to_pylist()
    return table.drop_columns(["canary_id", "included", "label"]).to_pylist()
