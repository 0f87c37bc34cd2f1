"""Measure what detection rests on: alter labelled nights in ways that should matter, or should not, and judge again.

Usage: python benchmarks/robustness.py FOLDER... [--length N] [--seed S] [--work DIR]

A FOLDER holds logs in the generic layout (`*.jsonl`, `*.jsonl.gz`; a client's night in one file), labels.csv and,
where the site has one, detector.toml. Its nights are judged as `detector run` does it, each time in a scratch store:

as logged
    nothing is changed;
rhythm masked
    a client's queries of a night keep their order and are spread evenly over it: no pace, pause or hour is left;
equal length
    of each client's night at most N queries in a row are kept, from a random place (of an attacker's, of its attack);
clean history
    as logged, but of the attackers only those count whose account was there in an earlier night;
order shuffled
    the queries of each attack change places at random, their answers with them: what rules read of the order of
    answers must vanish, and what they read of the inputs may stay;
streams replayed
    every benign client's night is sent once more by another account a second later: what was recorded cannot follow
    the answers, so of these accounts nothing may be said to.

Prints a table: attackers found (named by an incident of medium severity or higher in a night of their attack), alarms
by benign client-night, and how many attackers, and how many replaying accounts, a rule names that reads the order of
answers.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from robustness_logs import AGAIN, altered, replayed, shortened, shuffled, spread

from detector.config import Settings, load_settings
from detector.detect.rules.model import Rule
from detector.evaluate.labels import read_labels
from detector.evaluate.matching import attackers_of, hits_of, observe
from detector.evaluate.service import scanned_files
from detector.features.registry import BY_NAME
from detector.ingest.options import IngestOptions
from detector.jobs.nightly import site_rules
from detector.model import Severity, Technique
from detector.store.incidents import load_findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from robustness_logs import Alteration
    from sqlalchemy import Connection

    from detector.evaluate.labels import Labels
    from detector.evaluate.matching import Observed

ORDINARY = "benign_ordinary"
_AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
_OF_ORDER = frozenset(name for name, one in BY_NAME.items() if one.family in {"confidence trajectory", "feedback"})
_WHO = ["model", "client"]


@dataclass
class Count:
    """What judging an altered folder gave: counters by technique or workload, (found, all)."""

    found: Counter[str] = field(default_factory=Counter)
    attackers: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    nights: Counter[str] = field(default_factory=Counter)
    of_order: int = 0
    replays_of_order: int = 0
    replays: int = 0

    def add(self, other: Count) -> None:
        """Count what another folder gave, too."""
        for name in ("found", "attackers", "alarms", "nights"):
            getattr(self, name).update(getattr(other, name))
        self.of_order += other.of_order
        self.replays_of_order += other.replays_of_order
        self.replays += other.replays


def judged(files: Sequence[Path], settings: Settings, labels: Labels) -> tuple[Count, Count]:
    """Judge logs night by night; return what was found of all attackers, and of those with a clean history."""
    reading = IngestOptions(night_starts=settings.night_starts, as_of=_AS_OF)
    with scanned_files(files, settings, reading, _AS_OF) as (store, own), store.begin() as connection:
        observed = observe(connection, Severity.MEDIUM)
        ordered = _named_by_order(connection, own)
    attackers = attackers_of(labels, observed.nights, settings.night_starts)
    attackers["found"] = _among(attackers, hits_of(attackers, observed.alarms))
    attackers["ordered"] = _among(attackers, ordered)
    benign = _benign(labels, observed, ordered)
    return _count(attackers, benign), _count(attackers[attackers["history"]], benign)


def _named_by_order(connection: Connection, settings: Settings) -> pd.DataFrame:
    """Return the clients, `model` and `client`, that a rule names which reads the order of answers."""
    reads = {one.id for one in site_rules(settings).rules if isinstance(one, Rule) and one.fields & _OF_ORDER}
    findings = [one.finding for one in load_findings(connection) if one.finding.rule in reads]
    return pd.DataFrame([(one.model, client) for one in findings for client in one.clients], columns=_WHO)


def _among(rows: pd.DataFrame, others: pd.DataFrame, by: Sequence[str] = _WHO) -> pd.Series[bool]:
    known = pd.MultiIndex.from_frame(others[list(by)])
    return pd.Series(pd.MultiIndex.from_frame(rows[list(by)]).isin(known), index=rows.index)


def _benign(labels: Labels, observed: Observed, ordered: pd.DataFrame) -> pd.DataFrame:
    """Return the client-nights of benign clients: `model`, `client`, `kind`, `alarm`, `again` and `ordered`."""
    nights = observed.nights.copy()
    nights["again"] = nights["client"].str.startswith(AGAIN)
    nights["alarm"] = _among(nights, observed.alarms, [*_WHO, "night"])
    nights["ordered"] = nights["again"] & _among(nights, ordered)
    family = labels.frame[~labels.frame["attack"]].set_index(_WHO)["family"]
    told = nights.assign(client=nights["client"].str.removeprefix(AGAIN)).join(family, on=_WHO)["family"]
    nights["kind"] = np.where(told == ORDINARY, "ordinary", "look-alikes")
    return nights[told.notna()]


def _count(attackers: pd.DataFrame, benign: pd.DataFrame) -> Count:
    streams = benign[benign["again"]].drop_duplicates(_WHO)
    return Count(
        found=Counter(attackers.loc[attackers["found"], "technique"]),
        attackers=Counter(attackers["technique"]),
        alarms=Counter(benign.loc[benign["alarm"], "kind"]),
        nights=Counter(benign["kind"]),
        of_order=int(attackers["ordered"].sum()),
        replays_of_order=int(streams["ordered"].sum()),
        replays=len(streams),
    )


def main() -> None:
    """Alter, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    alterations: dict[str, Alteration | None] = {
        "as logged": None,
        "rhythm masked": spread,
        "equal length": shortened(arguments.length),
        "order shuffled": shuffled,
        "streams replayed": replayed,
    }
    counts: dict[str, Count] = defaultdict(Count)
    for folder in arguments.folders:
        labels = read_labels(folder / "labels.csv")
        config = folder / "detector.toml"
        settings = load_settings(config) if config.exists() else Settings()
        files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
        for name, alter in alterations.items():
            with tempfile.TemporaryDirectory(dir=arguments.work) as scratch:
                chance = np.random.default_rng(arguments.seed)
                logs = altered(files, alter, labels, chance, Path(scratch)) if alter else files
                everybody, clean = judged(logs, settings, labels)
            counts[name].add(everybody)
            if name == "as logged":
                counts["clean history"].add(clean)
    show(counts)


def show(counts: Mapping[str, Count]) -> None:
    """Print the table."""
    techniques = [t.value for t in Technique if any(count.attackers[t.value] for count in counts.values())]
    kinds = ("look-alikes", "ordinary")
    print("| | " + " | ".join((*techniques, *kinds, "by the order of answers")) + " |")
    print("|---|" + "---:|" * (len(techniques) + len(kinds) + 1))
    for name, count in counts.items():
        cells = [f"{count.found[t]} of {count.attackers[t]}" for t in techniques]
        cells += [f"{count.alarms[kind]} of {count.nights[kind]}" for kind in kinds]
        replays = f"{count.replays_of_order} of {count.replays} replays"
        cells.append(replays if count.replays else f"{count.of_order} of {count.attackers.total()} attackers")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
