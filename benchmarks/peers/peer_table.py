"""The comparison as one table: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from peer_truth import BUDGET, Measured, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BEGIN, END = "<!-- peers: table -->", "<!-- peers: end -->"


@dataclass(frozen=True)
class Row:
    """One detector with one way of choosing its threshold.

    Attributes:
        detector: its name.
        threshold: how the threshold was chosen.
        rule: the published rule, or the reading that served best.
        alarm: a row a client-night.
        measured: what these alarms amount to.
        speed: seconds per 100,000 queries, without reading the logs.
    """

    detector: str
    threshold: str
    rule: str
    alarm: NDArray[np.bool_]
    measured: Measured
    speed: float


@dataclass(frozen=True)
class Run:
    """Everything that one run measured."""

    folders: tuple[str, ...]
    queries: int
    truth: Truth
    allowed: tuple[str, ...]
    rows: tuple[Row, ...]


def write(run: Run, out: Path) -> str:
    """Write peers.md and peers.json into a folder; return the Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    text = markdown(run)
    (out / "peers.md").write_text(text + "\n", encoding="utf-8")
    (out / "peers.json").write_text(json.dumps(document(run), indent=1) + "\n", encoding="utf-8")
    return text


def into_page(run: Run, page: Path) -> None:
    """Replace what stands between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    head, mark, rest = text.partition(BEGIN)
    _, other, tail = rest.partition(END)
    if not mark or not other:
        raise SystemExit(f"{page}: no {BEGIN} and {END}")
    page.write_text(f"{head}{BEGIN}\n{markdown(run)}\n{END}{tail}", encoding="utf-8")


def markdown(run: Run) -> str:
    """Return the table, and what it was measured on."""
    return "\n".join(_lines(run))


def _lines(run: Run) -> Iterator[str]:
    truth = run.truth
    benign = truth.workload != ""
    sizes = np.unique(truth.workload[benign], return_counts=True)[1]
    folders = ", ".join(f"`{name}`" for name in run.folders)
    fewest = int(sizes.min()) if len(sizes) else 0
    yield (
        f"{run.queries:,} queries of {folders}; {len(truth.techniques):,} attacking clients; {int(benign.sum()):,} "
        f"benign client-nights in {len(sizes)} workloads, {fewest:,} in the smallest."
    )
    yield ""
    groups = list(run.rows[0].measured.found)
    head = ["detector", "threshold", "rule or reading", *groups, "worst workload", "mean", "s / 100,000"]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * 3}{'---:|' * len(groups)}---|---:|---:|"
    for row in run.rows:
        found = [_share(*row.measured.found[name]) for name in groups]
        worst = f"{row.measured.worst_rate:.1%} {row.measured.worst.removeprefix('benign_')}"
        cells = [row.detector, row.threshold, row.rule, *found, worst, f"{row.measured.mean_rate:.1%}"]
        yield f"| {' | '.join(cells)} | {row.speed:.1f} |"
    yield ""
    totals = ", ".join(f"{name} {run.rows[0].measured.found[name][1]:,}" for name in groups)
    yield f"Attacking clients: {totals}. Allow-list: {', '.join(run.allowed) or 'none'}."


def _share(found: int, total: int) -> str:
    return f"{found / total:.0%}"


def document(run: Run) -> dict[str, Any]:
    """Return the run as JSON values; shares from 0 to 1."""
    workloads, sizes = np.unique(run.truth.workload[run.truth.workload != ""], return_counts=True)
    return {
        "folders": list(run.folders),
        "queries": run.queries,
        "budget": BUDGET,
        "allow_list": list(run.allowed),
        "client_nights": dict(zip(workloads.tolist(), sizes.tolist(), strict=True)),
        "rows": [
            {
                "detector": row.detector,
                "threshold": row.threshold,
                "rule": row.rule,
                "found": {name: {"clients": n, "of": of} for name, (n, of) in row.measured.found.items()},
                "alarms": {name: round(rate, 6) for name, rate in row.measured.rates.items()},
                "worst": row.measured.worst,
                "worst_rate": round(row.measured.worst_rate, 6),
                "mean_rate": round(row.measured.mean_rate, 6),
                "seconds_per_100000": round(row.speed, 2),
            }
            for row in run.rows
        ],
    }
