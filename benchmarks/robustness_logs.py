"""Altered logs: what `robustness.py` does to labelled nights before they are judged again."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from detector.evidence.clock import DAY, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.random import Generator

    from detector.evaluate.labels import Labels

    Log = dict[str, list[dict[str, Any]]]
    Alteration = Callable[["Log", "Truth", Generator], Log]

AGAIN = "again-"


@dataclass(frozen=True)
class Truth:
    """Labels by (model, client): when attacks begin and end, in UTC microseconds, and which clients are benign."""

    attacks: Mapping[tuple[str, str], tuple[int, int]]
    benign: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, labels: Labels) -> Truth:
        """Index labels."""
        who = labels.frame.set_index(["model", "client"])
        mine = who[who["attack"]]
        spans = zip(mine["first_ts"].tolist(), mine["last_ts"].tolist(), strict=True)
        return cls(dict(zip(mine.index, spans, strict=True)), frozenset(who.index[~who["attack"]]))

    def attacking(self, client: str, records: Sequence[dict[str, Any]]) -> list[int]:
        """Return the places of the records that a client sent during its attack."""
        span = self.attacks.get((records[0]["model"], client))
        if span is None:
            return []
        first, last = span
        return [i for i, record in enumerate(records) if first <= micros(record["timestamp"]) <= last]


def micros(text: str) -> int:
    """Return UTC microseconds of an ISO time."""
    return (datetime.fromisoformat(text) - moment(0)) // timedelta(microseconds=1)


def spread(log: Log, _truth: Truth, _chance: Generator) -> Log:
    """Mask the rhythm."""
    for records in log.values():
        day = micros(records[0]["timestamp"]) // DAY * DAY
        for i, record in enumerate(records):
            record["timestamp"] = moment(day + int((i + 0.5) / len(records) * DAY)).isoformat()
    return log


def shortened(length: int) -> Alteration:
    """Return what cuts every client's night to `length` queries in a row."""

    def cut(log: Log, truth: Truth, chance: Generator) -> Log:
        for client, records in log.items():
            own = [records[i] for i in truth.attacking(client, records)] or records
            start = int(chance.integers(0, max(1, len(own) - length + 1)))
            log[client] = own[start : start + length]
        return log

    return cut


def shuffled(log: Log, truth: Truth, chance: Generator) -> Log:
    """Put the queries of each attack in another order."""
    for client, records in log.items():
        places = truth.attacking(client, records)
        before = [records[i] for i in places]
        for i, other in enumerate(chance.permutation(len(places))):
            records[places[i]] = before[other] | {"timestamp": before[i]["timestamp"]}
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
    again = {"timestamp": moment(min(ts + 1_000_000, last)).isoformat(), "client_id": AGAIN + record["client_id"]}
    return record | again | ({"request_id": AGAIN + str(record["request_id"])} if record.get("request_id") else {})


def altered(files: Sequence[Path], alter: Alteration, labels: Labels, chance: Generator, out: Path) -> list[Path]:
    """Write altered logs; one file is in memory at a time."""
    truth, written = Truth.of(labels), []
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
