"""Running the command as a user would, in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = "2026-11-20T00:00:00Z"
NIGHTS = ("2026-11-10", "2026-11-11", "2026-11-12")


@dataclass(frozen=True)
class Done:
    """What a process of the command line left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def detector(*arguments: str | Path, cwd: Path) -> Done:
    """Run the command as a user would, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "detector", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def log_of(drill: Path, night: str) -> Path:
    (log,) = drill.glob(f"*_{night}.jsonl.gz")
    return log
