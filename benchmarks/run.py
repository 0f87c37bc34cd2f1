"""Measure the nightly job against DuckDB's own reader, side by side in one run, and print ratios.

Usage: python benchmarks/run.py [--queries N] [--work DIR] [--eighth]

The yardstick is DuckDB's `read_json` with named column types into an in-memory table, on the same file, in turn with
what is measured. Ratios travel from machine to machine; seconds are printed to make them plausible.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from generate import generate

YARDSTICK = """
import duckdb, sys
duckdb.connect().execute('''CREATE TABLE q AS SELECT * FROM read_json($file, format='newline_delimited', columns={
  timestamp:'VARCHAR', request_id:'VARCHAR', client_id:'VARCHAR', source_ip:'VARCHAR', user_agent:'VARCHAR',
  model:'VARCHAR', model_version:'VARCHAR', endpoint:'VARCHAR', status:'INTEGER', latency_ms:'DOUBLE',
  params:'STRUCT(return_probabilities BOOLEAN)', input:'DOUBLE[]',
  output:'STRUCT(label VARCHAR, confidence DOUBLE, probabilities DOUBLE[])'})''', {'file': sys.argv[1]})
"""
HASHING = """
import hashlib, sys
with open(sys.argv[1], 'rb') as file: hashlib.file_digest(file, 'sha256')
"""


@dataclass(frozen=True)
class Measured:
    """One process: wall seconds, processor seconds of all threads, and peak resident memory in MB."""

    seconds: float
    processor: float
    megabytes: float


def measure(*command: str | Path) -> Measured:
    """Run a process to its end and account for it alone."""
    # As an installed package is: compiled once, not in every process.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 11, 12, 13, 14}:
        raise SystemExit(f"{command} ended with {code}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def detector(*arguments: str | Path) -> Measured:
    """Measure the command line."""
    return measure(sys.executable, "-m", "detector", *arguments, "--quiet")


def fresh(folder: Path) -> str:
    """Return the URL of a database that is not there yet."""
    for file in folder.glob("night.db*"):
        file.unlink()
    return f"sqlite:///{folder / 'night.db'}"


def show(name: str, runs: list[Measured], base: list[Measured], limit: str) -> None:
    """Print seconds, memory and the ratio of each run to the yardstick measured beside it.

    Beside it stands the ratio of processor seconds, which other work on the machine disturbs less.
    """
    ratios = [run.seconds / other.seconds for run, other in zip(runs, base, strict=True)]
    work = statistics.median(run.processor / other.processor for run, other in zip(runs, base, strict=True))
    print(
        f"{name:<34}{statistics.median(r.seconds for r in runs):>8.2f} s {max(r.megabytes for r in runs):>7.0f} MB   "
        f"ratio {statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f}), work {work:5.2f}   {limit}"
    )


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for logs and databases [temporary]")
    parser.add_argument("--eighth", action="store_true", help="also fill a store with seven nights and run the eighth")
    arguments = parser.parse_args()
    folder = arguments.work or Path(tempfile.mkdtemp(prefix="benchmark-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _measure_all(folder, arguments.queries, arguments.repeat, eighth=arguments.eighth)
    finally:
        if arguments.work is None:
            shutil.rmtree(folder)


def _measure_all(folder: Path, queries: int, repeat: int, *, eighth: bool) -> None:
    first = date(2026, 11, 10)
    log = _night(folder, queries, first, 1)
    print(f"{queries:,} queries, {log.stat().st_size / 1e6:,.0f} MB; {repeat} runs each, median, in turn")
    # Compiled kernels are cached on first use; the measured runs are those of every later night.
    detector("run", log, "--db", fresh(folder), "--out", folder / "reports")
    base, ingests, seconds, hashes, runs = [], [], [], [], []
    for _ in range(repeat):
        base.append(measure(sys.executable, "-c", YARDSTICK, log))
        url = fresh(folder)
        ingests.append(detector("ingest", log, "--db", url))
        seconds.append(detector("ingest", log, "--db", url))
        hashes.append(measure(sys.executable, "-c", HASHING, log))
        runs.append(detector("run", log, "--db", fresh(folder), "--out", folder / "reports"))
    show("yardstick: DuckDB read_json", base, base, "")
    show("detector ingest", ingests, base, "at most 3")
    show("detector run", runs, base, "at most 6")
    show("hashing the file", hashes, base, "")
    show("detector ingest, a second time", seconds, hashes, "ratio to hashing")
    if eighth:
        _eighth_night(folder, queries, repeat, first)


def _eighth_night(folder: Path, queries: int, repeat: int, first: date) -> None:
    url = fresh(folder)
    for number in range(7):
        log = _night(folder, queries, first + timedelta(days=number), 1 + number)
        detector("run", log, "--db", url, "--out", folder / "reports")
        log.unlink()
    log = _night(folder, queries, first + timedelta(days=7), 8)
    runs, base = [], []
    for _ in range(repeat):
        for file in folder.glob("eighth.db*"):
            file.unlink()
        shutil.copyfile(folder / "night.db", folder / "eighth.db")
        # Or the copy would be written to the disk while others are measured.
        os.sync()
        base.append(measure(sys.executable, "-c", YARDSTICK, log))
        copy = f"sqlite:///{folder / 'eighth.db'}"
        runs.append(detector("run", log, "--db", copy, "--out", folder / "reports"))
    show("detector run, the eighth night", runs, base, "at most 6")


def _night(folder: Path, queries: int, night: date, seed: int) -> Path:
    log = folder / f"night-{night}.jsonl"
    if not log.exists():
        generate(log, queries, night, seed=seed)
    return log


if __name__ == "__main__":
    main()
