"""A written drill, read back."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.redteam.simulation import Simulation, simulate

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]


@dataclass(frozen=True)
class Drill:
    """A written drill and its log records, file by file."""

    told: Simulation
    logs: dict[str, list[Record]]

    @property
    def records(self) -> list[Record]:
        return [record for name in sorted(self.logs) for record in self.logs[name]]


def written(out: Path, **settings: Any) -> Drill:
    told = simulate(out, **settings)
    logs = {}
    for path in sorted(out.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            logs[path.name] = [json.loads(line) for line in lines]
    return Drill(told, logs)
