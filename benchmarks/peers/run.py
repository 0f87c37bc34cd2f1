"""Compare this product with published detectors, and with what teams do, on the same labelled logs in one run.

Usage: python benchmarks/peers/run.py LOGDIR... [--out DIR] [--page FILE]

A LOGDIR is what `detector simulate --out` wrote, or any folder with logs in the generic layout and labels.csv. Writes
peers.md and peers.json to DIR; `--page` also puts the table between the marks of a Markdown page.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from peer_blacklight import Blacklight
from peer_counts import CallsAnHour, CountsForest
from peer_graph import Graph
from peer_logs import Night, Site, read_sites
from peer_neighbours import Neighbours
from peer_prada import Prada
from peer_product import NAME, run_product
from peer_table import Row, Run, into_page, write
from peer_truth import allowing, best_threshold, gathered, measure, truth_of

from detector.evaluate.labels import read_labels
from detector.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from peer_kinds import Judged, Peer
    from peer_truth import Truth

OWN, KNOWN, ALLOWED = "own rule", "1 %, labels known", "the same, allow-list"
ALLOW_LIST = ("benign_counterfactual",)
_WARM = 300


def peers() -> tuple[Peer, ...]:
    """Return every peer, in the order of the table."""
    return (
        Prada(),
        Blacklight(shared=False),
        Blacklight(shared=True),
        Neighbours(),
        Graph(shared=False),
        Graph(shared=True),
        CallsAnHour(),
        CountsForest(),
    )


@dataclass
class Sheet:
    """What one detector said about all client-nights, folder after folder."""

    alarms: dict[str, list[NDArray[np.bool_]]] = field(default_factory=dict)
    readings: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, judged: Judged) -> None:
        """Append a night."""
        for name, alarm in judged.alarms.items():
            self.alarms.setdefault(name, []).append(alarm)
        for name, reading in judged.readings.items():
            self.readings.setdefault(name, []).append(reading)


def main() -> None:
    """Read, judge, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="LOGDIR")
    parser.add_argument("--out", type=Path, default=Path("peers"), help="folder for peers.md and peers.json [peers]")
    parser.add_argument("--page", type=Path, help="Markdown page that shows the table, such as docs/peers.md")
    parser.add_argument("--peers", default="", help="only peers whose name contains this")
    parser.add_argument(
        "--allow", nargs="*", default=ALLOW_LIST, help="families of the allow-list [counterfactual search]"
    )
    parser.add_argument("--no-product", action="store_true", help="leave this product out")
    arguments = parser.parse_args()
    chosen = [peer for peer in peers() if arguments.peers.lower() in peer.name.lower()]
    run = compare(arguments.folders, chosen, arguments.allow, product=not arguments.no_product)
    print(write(run, arguments.out))
    if arguments.page is not None:
        into_page(run, arguments.page)


def compare(folders: list[Path], chosen: list[Peer], allow: Sequence[str], *, product: bool) -> Run:
    """Judge all folders with all detectors and measure each in the same way."""
    sheets = {peer.name: Sheet() for peer in chosen}
    own = Sheet()
    truths: list[pd.DataFrame] = []
    queries = sites = 0
    for folder in folders:
        found = read_sites(folder)
        if not truths:
            _warm_up(chosen, found[0])
        for site in found:
            for peer in chosen:
                _ask(peer, site, sheets[peer.name])
        rows = pd.concat([_rows(night) for site in found for night in site.nights], ignore_index=True)
        truths.append(truth_of(read_labels(folder / "labels.csv"), rows, sites))
        queries += sum(len(night.ts) for site in found for night in site.nights)
        sites += len(found)
        if product:
            _ask_product(folder, rows, own)
    if product:
        sheets[NAME] = own
    truth = gathered(truths)
    return Run(
        folders=tuple(folder.name for folder in folders),
        queries=queries,
        truth=truth,
        allowed=tuple(allow),
        rows=(*_own_rules(sheets, truth, queries), *_at_best(sheets, truth, queries, KNOWN))
        + (_at_best(sheets, allowing(truth, allow), queries, ALLOWED) if allow else ()),
    )


def _warm_up(chosen: list[Peer], site: Site) -> None:
    """Have every kernel compiled before a clock runs."""
    night = max(site.nights, key=lambda one: len(one.ts))
    rows = slice(0, _WARM)
    few = Night(
        night.model,
        night.number,
        ("warm", "up"),
        np.array([0, _WARM // 2, _WARM]),
        np.sort(night.ts[rows]),
        night.view[rows],
        night.label[rows],
    )
    for peer in chosen:
        peer.learn(Site(site.folder, site.model, (few,), site.sample))(few)


def _ask(peer: Peer, site: Site, sheet: Sheet) -> None:
    begun = time.perf_counter()
    judge = peer.learn(site)
    for night in site.nights:
        sheet.add(judge(night))
    sheet.seconds += time.perf_counter() - begun


def _ask_product(folder: Path, rows: pd.DataFrame, sheet: Sheet) -> None:
    done = run_product(folder)
    told = rows.merge(done.named, on=["model", "client", "night"], how="left")
    level = told["level"].fillna(-1).to_numpy()
    for least in (Severity.MEDIUM, Severity.HIGH):
        sheet.alarms.setdefault(f"severity {least} or higher", []).append(level >= least.rank)
    sheet.readings.setdefault("score", []).append(told["reading"].fillna(-1.0).to_numpy())
    sheet.seconds += done.judging_seconds


def _rows(night: Night) -> pd.DataFrame:
    return pd.DataFrame({"model": night.model, "client": list(night.clients), "night": night.number})


def _own_rules(sheets: dict[str, Sheet], truth: Truth, queries: int) -> Iterator[Row]:
    for name, sheet in sheets.items():
        for rule, parts in sheet.alarms.items():
            alarm = np.concatenate(parts)
            yield Row(name, OWN, rule, alarm, measure(truth, alarm), _speed(sheet, queries))


def _at_best(sheets: dict[str, Sheet], bound: Truth, queries: int, threshold: str) -> tuple[Row, ...]:
    """Return every detector at the best threshold within the budget, then what an alarm of any peer would find."""
    rows = []
    for name, sheet in sheets.items():
        reading, alarm = best_threshold(bound, {key: np.concatenate(parts) for key, parts in sheet.readings.items()})
        rows.append(Row(name, threshold, reading, alarm, measure(bound, alarm), _speed(sheet, queries)))
    others = [row for row in rows if row.detector != NAME]
    if len(others) > 1:
        alarm = np.any([row.alarm for row in others], axis=0)
        speed = sum(row.speed for row in others)
        rows.insert(len(others), Row("any of the peers", threshold, "union", alarm, measure(bound, alarm), speed))
    return tuple(rows)


def _speed(sheet: Sheet, queries: int) -> float:
    return sheet.seconds / queries * 100_000


if __name__ == "__main__":
    main()
