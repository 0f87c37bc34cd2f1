"""Killed at any moment and started again, ingest ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from ingest_making import ABSENT, Bench, line

from detector.ingest import storing
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.store.ingesting import IngestLane

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORKER = """
import sys
from pathlib import Path
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.store.engine import Store
from datetime import UTC, datetime
options = IngestOptions(block_bytes=20_000, as_of=datetime(2026, 11, 22, tzinfo=UTC))
ingest(Store(sys.argv[1]), [Path(p) for p in sys.argv[2:]], options)
"""


def _logs(folder: Path) -> list[Path]:
    rng = random.Random(23)  # noqa: S311 - a repeatable choice
    paths = []
    for name, ids in (("a.jsonl", True), ("b.jsonl", False)):
        lines = []
        for i in range(450):
            when = f"2026-11-10T00:{rng.randrange(60):02}:00Z"
            output = {"label": "x", "probabilities": {f"class {rng.randrange(40)}": 1.0}}
            changes: dict[str, Any] = {"timestamp": when, "client_id": f"c{rng.randrange(4)}", "output": output}
            changes["request_id"] = f"r{rng.randrange(400)}" if ids else ABSENT
            changes["input"] = [rng.randrange(2)]
            lines.append("broken" if i % 50 == 7 else line(**changes))
        path = folder / name
        path.write_text("".join(text + "\n" for text in lines))
        paths.append(path)
    return paths


def _everything(bench: Bench) -> dict[str, Any]:
    with bench.store.begin() as connection:
        classes = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM model_class ORDER BY 1, 2")]
    rows = [{k: v for k, v in row.items() if k != "id"} for row in bench.rows()]
    ledger = [{k: v for k, v in row.items() if k != "batches_committed"} for row in bench.ledger()]
    return {"query": rows, "reject": bench.rejects(), "source_file": ledger, "model_class": classes}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return _logs(tmp_path_factory.mktemp("logs"))


OPTIONS = IngestOptions(block_bytes=20_000, as_of=datetime(2026, 11, 22, tzinfo=UTC))


@pytest.mark.parametrize("seed", range(2))
def test_killed_and_started_again(new_bench: Callable[[], Bench], logs: list[Path], seed: int) -> None:
    """Killed when so many batches are committed, and at an arbitrary moment after that."""
    calm, killed = new_bench(), new_bench()
    ingest(calm.store, logs, OPTIONS)
    total = sum(entry["batches_committed"] for entry in calm.ledger())
    assert total > 12
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice
    command = [sys.executable, "-c", WORKER, killed.store.url, *map(str, logs)]
    kills = 0
    for goal in sorted(rng.sample(range(1, total - 3), 2)):
        process = subprocess.Popen(command)
        while process.poll() is None and sum(e["batches_committed"] for e in killed.ledger()) < goal:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.05)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    ingest(killed.store, logs, OPTIONS)
    assert _everything(calm) == _everything(killed)
    assert kills


class _StopError(Exception):
    pass


@pytest.mark.parametrize("after", [False, True])
def test_stopped_at_transaction_boundaries(
    bench: Bench, blank: Path, logs: list[Path], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Stopped just before, or just after, a commit; the rest is read in blocks of another size."""
    genuine = IngestLane.commit
    left = 10**9

    def counting(self: IngestLane) -> None:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            raise _StopError
        genuine(self)
        if left == 0 and after:
            raise _StopError

    monkeypatch.setattr(IngestLane, "commit", counting)
    ingest(bench.store, logs, OPTIONS)
    expected = _everything(bench)
    commits = 10**9 - left
    file = bench.folder.parent / "store.db"
    for stop_at in random.Random(after).sample(range(2, commits), 2):  # noqa: S311 - a repeatable choice
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        shutil.copy(blank, file)
        left = stop_at
        with pytest.raises(_StopError):
            ingest(bench.store, logs, OPTIONS)
        left = 10**9
        ingest(bench.store, logs, replace(OPTIONS, block_bytes=27_000))
        assert expected == _everything(bench)


def test_blocks_are_bounded_however_large_the_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    genuine = storing.read_block

    def watched(block: Any, reader: Any) -> Any:
        sizes.append(len(block.data))
        return genuine(block, reader)

    monkeypatch.setattr(storing, "read_block", watched)
    path = bench.write(*(line(request_id=f"r{i}", user_agent="x" * (i % 97)) for i in range(2000)))
    result = bench.load(path, block_bytes=50_000)
    assert result.stored == 2000
    assert path.stat().st_size > 700_000
    assert max(sizes) <= 50_000
    assert len(sizes) >= path.stat().st_size // 50_000
