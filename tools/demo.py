"""Show the product at work: simulate three nights, run the nightly job on each, tell what it found.

`python -m tools.demo` begins with an empty folder `demo/` and runs the same commands that a user would type.
"""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from detector.exits import ExitCode

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path("demo")
LOGS, REPORTS = DEMO / "logs", DEMO / "reports"
STORE = ("--db", f"sqlite:///{DEMO / 'detector.db'}", "--config", str(LOGS / "detector.toml"))
MEANING = {
    ExitCode.CLEAN: "nothing at or above medium",
    ExitCode.LOW: "an open incident of severity low",
    ExitCode.MEDIUM: "an open incident of severity medium",
    ExitCode.HIGH: "an open incident of severity high",
    ExitCode.CRITICAL: "an open incident of severity critical",
}


def main() -> int:
    """Play the demonstration; return 0 where the simulated attacker was found."""
    if (ROOT / DEMO).exists():
        print("removing the demonstration of before (folder demo)")
        shutil.rmtree(ROOT / DEMO)
    if _detector("simulate", "--out", str(LOGS)) != ExitCode.CLEAN:
        return 1
    nights = sorted({_night(file) for file in (ROOT / LOGS).glob("*.jsonl.gz")})
    codes = []
    for night in nights:
        code = _nightly(night)
        if code not in MEANING:
            print(f"the nightly job did not come to its end: exit code {code}", file=sys.stderr)
            return 1
        codes.append(ExitCode(code))
    return _tell(dict(zip(nights, codes, strict=True)))


def _night(file: Path) -> date:
    """Return the night that a simulated log's name ends with."""
    return date.fromisoformat(file.name.removesuffix(".jsonl.gz").rpartition("_")[2])


def _nightly(night: date) -> int:
    """Run the nightly job as cron would, at two in the morning after `night`."""
    files = [str(LOGS / file.name) for file in sorted((ROOT / LOGS).glob(f"*_{night}.jsonl.gz"))]
    morning = datetime.combine(night + timedelta(days=1), time(2), UTC).isoformat()
    return _detector("run", *files, *STORE, "--out", str(REPORTS), "--as-of", morning)


def _detector(*arguments: str) -> int:
    """Run the command in the checkout, showing it as one would type it; return its exit code."""
    print(f"\n$ detector {shlex.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", "detector", *arguments], cwd=ROOT, check=False).returncode


def _incidents() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "detector", "incidents", "list", "--json", *STORE]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: list[dict[str, Any]] = json.loads(told)["incidents"]
    return found


def _tell(codes: dict[date, ExitCode]) -> int:
    """Print what was found beside the truth, and where the reports lie."""
    print("\nExit codes, as a scheduler sees them:")
    for night, code in codes.items():
        print(f"  {night}  {code:>2}  {MEANING[code]}")
    incidents = _incidents()
    print("\nOpen incidents:")
    for one in incidents:
        nights = f"{one['nights'][0]} to {one['nights'][-1]}" if len(one["nights"]) > 1 else one["nights"][0]
        print(
            f"  {one['severity']:<9}{one['technique']:<11}{one['entity_id']}  {one['query_count']:,} queries, {nights}"
        )
    with (ROOT / LOGS / "labels.csv").open(encoding="utf-8", newline="") as lines:
        attackers = [row for row in csv.DictReader(lines) if row["is_attack"] == "True"]
    print(f"\nThe truth, which the detector does not read ({LOGS}/labels.csv):")
    missed = 0
    for row in attackers:
        found = next((one for one in incidents if row["client_id"] in one["clients"]), None)
        missed += found is None
        print(f"  {row['technique']} by {row['client_id']}: {'missed' if found is None else 'found'}")
    print(f"\nThe report of the last night: {REPORTS}/{max(codes)}/index.html")
    worst = incidents[0] if incidents else None
    if worst is not None and worst["report"]:
        print(f"Its gravest incident:         {_page(worst)}")
    return 1 if missed else 0


def _page(incident: dict[str, Any]) -> Path:
    """Return the incident's page, whose path is told relative to the reports."""
    told = Path(incident["report"])
    return REPORTS / told if (ROOT / REPORTS / told).is_file() else told


if __name__ == "__main__":
    sys.exit(main())
