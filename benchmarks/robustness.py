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
from robustness_logs import AGAIN, DAY, altered, micros, replayed, shortened, shuffled, spread, truth_of
from sqlalchemy import func, select

from detector.config import Settings, load_settings
from detector.detect.rules.model import Rule
from detector.features.registry import BY_NAME
from detector.features.scan import NightBounds
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.jobs.nightly import scan_nights, site_rules
from detector.model import IncidentStatus, Severity, Technique
from detector.store.engine import Store
from detector.store.incidents import list_incidents, load_findings
from detector.store.tables import query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from robustness_logs import Alteration, Truth
    from sqlalchemy import Connection

ORDINARY = "benign_ordinary"
_AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
_UNHEARD = frozenset({IncidentStatus.SUPPRESSED, IncidentStatus.MERGED})
_OF_ORDER = frozenset(name for name, one in BY_NAME.items() if one.family in {"confidence trajectory", "feedback"})


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


def judged(files: Sequence[Path], settings: Settings, truth: Truth, work: Path) -> tuple[Count, Count]:
    """Judge logs night by night; return what was found of all attackers, and of those with a clean history."""
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        store = Store(f"sqlite:///{Path(scratch) / 'robustness.db'}")
        own = settings.model_copy(update={"db": store.url})
        read = ingest(store, files, IngestOptions(night_starts=own.night_starts, as_of=_AS_OF))
        nights = sorted(read.nights, key=lambda pair: (pair[1], pair[0]))
        rules = site_rules(own)
        scan_nights(store, [(m, NightBounds.of(n, own.night_starts)) for m, n in nights], own, rules, _AS_OF)
        with store.begin() as connection:
            named = set(_named(connection))
            by_order = {one.id for one in rules.rules if isinstance(one, Rule) and one.fields & _OF_ORDER}
            ordered = {
                (one.finding.model, client)
                for one in load_findings(connection)
                if one.finding.rule in by_order
                for client in one.finding.clients
            }
            seen = _seen(connection)
        store.close()
    return _count(truth, named, ordered, seen), _count(truth, named, ordered, seen, clean_history=True)


def _named(connection: Connection) -> Iterator[tuple[str, str, int]]:
    for one in list_incidents(connection, severity_at_least=Severity.MEDIUM):
        if one.status not in _UNHEARD:
            for member in one.members:
                for night in member.nights:
                    yield one.model, member.client, micros(f"{night.isoformat()}T00:00:00+00:00") // DAY


def _seen(connection: Connection) -> dict[tuple[str, str], list[int]]:
    """Return the nights of each client, ascending."""
    column = query.c
    day = (column.ts - func.mod(column.ts, DAY)).label("day")
    asked = select(column.model, column.client_id, day).distinct().order_by(column.model, column.client_id, "day")
    rows = connection.execute(asked)
    found = defaultdict(list)
    for model, client, night in rows:
        found[model, client].append(night // DAY)
    return found


def _count(
    truth: Truth,
    named: set[tuple[str, str, int]],
    ordered: set[tuple[str, str]],
    seen: Mapping[tuple[str, str], list[int]],
    *,
    clean_history: bool = False,
) -> Count:
    count = Count()
    for who, attack in truth.attacks.items():
        nights = range(attack.first // DAY, attack.last // DAY + 1)
        if clean_history and not (who in seen and seen[who][0] < nights[0]):
            continue
        count.attackers[attack.technique] += 1
        count.found[attack.technique] += any((*who, night) in named for night in nights)
        count.of_order += who in ordered
    for (model, client), nights in seen.items():
        family = truth.benign.get((model, client.removeprefix(AGAIN)))
        if family is not None:
            kind = "ordinary" if family == ORDINARY else "look-alikes"
            count.nights[kind] += len(nights)
            count.alarms[kind] += sum((model, client, night) in named for night in nights)
            count.replays += client.startswith(AGAIN)
            count.replays_of_order += client.startswith(AGAIN) and (model, client) in ordered
    return count


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
        truth = truth_of(folder / "labels.csv")
        config = folder / "detector.toml"
        settings = load_settings(config) if config.exists() else Settings()
        files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
        for name, alter in alterations.items():
            with tempfile.TemporaryDirectory(dir=arguments.work) as scratch:
                chance = np.random.default_rng(arguments.seed)
                logs = altered(files, alter, truth, chance, Path(scratch)) if alter else files
                everybody, clean = judged(logs, settings, truth, Path(scratch))
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
