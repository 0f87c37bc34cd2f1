"""Altered logs: what `robustness.py` does to labelled nights before they are judged again."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evaluate.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.random import Generator

    Log = dict[str, list[dict[str, Any]]]
    Alteration = Callable[["Log", "Truth", Generator], Log]

AGAIN = "again-"
DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Attack:
    """One attacking client: its technique, and when, in UTC microseconds."""

    technique: str
    first: int
    last: int


@dataclass(frozen=True)
class Truth:
    """Labels of a folder, by (model, client): attacks, and the families of benign clients."""

    attacks: Mapping[tuple[str, str], Attack]
    benign: Mapping[tuple[str, str], str]


def micros(text: str) -> int:
    """Return UTC microseconds of an ISO time."""
    since = datetime.fromisoformat(text) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(ts: int) -> str:
    """Return the ISO time of UTC microseconds."""
    return str(np.datetime64(ts, "us")) + "Z"


def truth_of(file: Path) -> Truth:
    """Read labels."""
    attacks, benign = {}, {}
    for row in read_labels(file).frame.itertuples():
        if row.attack:
            attacks[row.model, row.client] = Attack(row.technique, row.first_ts, row.last_ts)
        else:
            benign[row.model, row.client] = row.family
    return Truth(attacks, benign)


def spread(log: Log, _truth: Truth, _chance: Generator) -> Log:
    """Mask the rhythm."""
    for records in log.values():
        day = micros(records[0]["timestamp"]) // DAY * DAY
        for i, record in enumerate(records):
            record["timestamp"] = moment(day + int((i + 0.5) / len(records) * DAY))
    return log


def shortened(length: int) -> Alteration:
    """Return what cuts every client's night to `length` queries in a row."""

    def cut(log: Log, truth: Truth, chance: Generator) -> Log:
        for client, records in log.items():
            attack = truth.attacks.get((records[0]["model"], client))
            own = [r for r in records if attack and attack.first <= micros(r["timestamp"]) <= attack.last] or records
            start = int(chance.integers(0, max(1, len(own) - length + 1)))
            log[client] = own[start : start + length]
        return log

    return cut


def shuffled(log: Log, truth: Truth, chance: Generator) -> Log:
    """Put the queries of each attack in another order."""
    for client, records in log.items():
        attack = truth.attacks.get((records[0]["model"], client))
        if attack is None:
            continue
        times = [record["timestamp"] for record in records]
        places = [i for i, time in enumerate(times) if attack.first <= micros(time) <= attack.last]
        before = [records[i] for i in places]
        for place, other in zip(places, chance.permutation(len(places)), strict=True):
            records[place] = before[other] | {"timestamp": times[place]}
    return log


def replayed(log: Log, truth: Truth, _chance: Generator) -> Log:
    """Send every benign client's night once more, by another account."""
    twins = {
        AGAIN + client: [_once_more(record) for record in records]
        for client, records in log.items()
        if (records[0]["model"], client) in truth.benign
    }
    return log | twins


def _once_more(record: dict[str, Any]) -> dict[str, Any]:
    ts = micros(record["timestamp"])
    last = ts // DAY * DAY + DAY - 1
    again = {"timestamp": moment(min(ts + 1_000_000, last)), "client_id": AGAIN + record["client_id"]}
    return record | again | ({"request_id": AGAIN + str(record["request_id"])} if record.get("request_id") else {})


def altered(files: Sequence[Path], alter: Alteration, truth: Truth, chance: Generator, out: Path) -> list[Path]:
    """Write altered logs; one file is in memory at a time."""
    written = []
    for file in files:
        log: Log = defaultdict(list)
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                record = json.loads(line)
                log[record["client_id"]].append(record)
        records = [record for own in alter(log, truth, chance).values() for record in own]
        records.sort(key=lambda record: micros(record["timestamp"]))
        target = out / (file.name.removesuffix(".gz"))
        with target.open("w") as sink:
            sink.writelines(json.dumps(record) + "\n" for record in records)
        written.append(target)
    return written
