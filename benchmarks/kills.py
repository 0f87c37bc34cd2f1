"""Kill nightly runs at random times, over and over, and check that the last repetition ends as an undisturbed run does.

Usage: python benchmarks/kills.py [--rounds N] [--seed S]

A round kills the same run one to four times at random times and then lets it finish. The tests kill at seeded moments;
this is the longer, random version.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from detector.redteam.simulation import simulate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))

from test_killed_runs import AS_OF, Site


def start(site: Site) -> subprocess.Popen[bytes]:
    """Start the run as a scheduler would."""
    command = [sys.executable, "-m", "detector", "run", str(site.log), "--db", site.url, "--as-of", AS_OF, "--quiet"]
    return subprocess.Popen(command, cwd=site.folder, stderr=subprocess.DEVNULL)


def main() -> None:
    """Measure an undisturbed run, then disturb."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)  # noqa: S311 - a seed, not a secret
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        folder = Path(name)
        simulate(folder / "drill", nights=1)
        (log,) = (folder / "drill").glob("*.jsonl.gz")
        calm = _site(folder / "calm", log)
        begun = time.perf_counter()
        code = start(calm).wait()
        length = time.perf_counter() - begun
        expected = calm.state()
        sites = [_site(folder / str(number), log) for number in range(arguments.rounds)]
        differing = sum(not _round(site, draw, length, code, expected) for site in sites)
    print(f"{arguments.rounds} rounds of kills (undisturbed: {length:.1f} s a run): {differing} ended differently")
    sys.exit(1 if differing else 0)


def _site(folder: Path, log: Path) -> Site:
    folder.mkdir()
    return Site(folder, f"sqlite:///{folder / 'nights.db'}", log)


def _round(site: Site, draw: random.Random, length: float, code: int, expected: dict[str, object]) -> bool:
    for _ in range(draw.randint(1, 4)):
        run = start(site)
        try:
            run.wait(draw.uniform(0.05, 1.1) * length)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
    last = start(site).wait()
    state = site.state()
    # A run that was let finish before the last one has left its own line.
    same = all(state[part] == rows for part, rows in expected.items() if part != "run")
    if last != code or not same:
        print(f"{site.folder.name}: exit {last}, expected {code}; tables {'alike' if same else 'differ'}")
    return last == code and same


if __name__ == "__main__":
    main()
