"""The stage's entry: a scanned store and its labels become an evaluation."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from detector.errors import NothingToReadError
from detector.evaluate import measuring, replay
from detector.evaluate.matching import EPOCH, attackers_of, attacks_of, hits_of, observe
from detector.evaluate.results import Attack, Evaluation, Replay
from detector.features.scan import NightBounds
from detector.jobs.nightly import scan_nights, site_rules
from detector.model import Severity
from detector.store.engine import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from detector.config import Settings
    from detector.evaluate.labels import Labels
    from detector.evaluate.matching import Observed
    from detector.evaluate.replay import Key, Tell
    from detector.ingest.options import IngestOptions, Progress

PREFIXES = (250, 500, 1000, 2000, 4000)
RESAMPLES = 2000
_WHO = ["model", "client"]


@dataclass(frozen=True)
class EvaluateOptions:
    """What an evaluation is asked for.

    Attributes:
        as_of: the present, for the nights that are judged again.
        fail_on: lowest severity that counts as an alarm.
        seed: of the bootstrap, 0 or more.
        resamples: of the bootstrap.
        prefixes: numbers of attack queries to replay; none leaves the replay out.
    """

    as_of: datetime
    fail_on: Severity = Severity.MEDIUM
    seed: int = 0
    resamples: int = RESAMPLES
    prefixes: tuple[int, ...] = PREFIXES


def evaluate(
    store: Store, labels: Labels, settings: Settings, options: EvaluateOptions, tell: Tell | None = None
) -> Evaluation:
    """Measure what the incidents in the store find of what the labels tell; the store stays as it is.

    Args:
        store: in which nights were scanned.
        labels: the truth about their clients.
        settings: by which they were scanned.
        options: what to measure.
        tell: told what is being done, where that takes time.

    Raises:
        NothingToReadError: no night was scanned, or the labels know none of the clients in it.
        StoreError: the store cannot be read or copied.
    """
    with store.begin() as connection:
        observed = observe(connection, options.fail_on)
    known = pd.MultiIndex.from_frame(labels.frame[_WHO])
    if not pd.MultiIndex.from_frame(observed.nights[_WHO]).isin(known).any():
        what = "the labels know no client of the scanned nights" if len(observed.nights) else "no night was scanned"
        raise NothingToReadError(what, file=labels.file, expected="labels of the clients and models in the log")
    attackers = attackers_of(labels, observed.nights, settings.night_starts)
    hits = hits_of(attackers, observed.alarms)
    attacks = attacks_of(attackers, hits)
    replayed, first = _replay(store, settings, options, attackers, attacks, observed, tell)
    nights = observed.nights
    strangers = ~pd.MultiIndex.from_frame(nights[_WHO]).isin(known)
    alarmed = ~pd.MultiIndex.from_frame(observed.alarms[_WHO]).isin(known)
    labelled = labels.frame[labels.frame["attack"]][["model", "trace"]].drop_duplicates()
    return Evaluation(
        fail_on=options.fail_on,
        seed=options.seed,
        resamples=options.resamples,
        models=tuple(sorted(set(nights["model"]))),
        nights=tuple(date.fromordinal(int(night) + EPOCH) for night in sorted(set(nights["night"]))),
        queries=int(nights["queries"].sum()),
        absent=len(labelled) - len(attacks),
        unlabelled=len(nights[strangers][_WHO].drop_duplicates()),
        unlabelled_alarms=len(observed.alarms[alarmed][_WHO].drop_duplicates()),
        detection=measuring.detection_rates(attacks, options.seed, options.resamples),
        confusion=measuring.confusion(attacks, labels, observed),
        workloads=measuring.workload_alarms(labels, attackers, observed),
        purity=measuring.purity(attacks, hits, labels, observed),
        replay=replayed,
        attacks=_one_by_one(attacks, first),
    )


@contextmanager
def scanned_files(
    paths: Sequence[Path],
    settings: Settings,
    reading: IngestOptions,
    as_of: datetime,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Iterator[tuple[Store, Settings]]:
    """Yield a store of its own in which the files' nights were judged as the nightly job judges them.

    Raises:
        NothingToReadError: there is no query in the files.
        DetectorError: a file, setting or rule cannot be used.
    """
    from detector.ingest.pipeline import ingest

    with TemporaryDirectory(prefix="detector-") as folder:
        store = Store(f"sqlite:///{Path(folder) / 'evaluate.db'}")
        own = settings.model_copy(update={"db": store.url})
        try:
            ingested = ingest(store, paths, reading, progress)
            nights = [(model, NightBounds.of(night, own.night_starts)) for model, night in ingested.nights]
            if not nights:
                raise NothingToReadError("there is no query in these files", expected="at least one query")
            told = None if tell is None else lambda model, night: tell(f"judging {night} of {model}")
            scan_nights(store, nights, own, site_rules(own), as_of, told)
            yield store, own
        finally:
            store.close()


def _replay(
    store: Store,
    settings: Settings,
    options: EvaluateOptions,
    attackers: pd.DataFrame,
    attacks: pd.DataFrame,
    observed: Observed,
    tell: Tell | None,
) -> tuple[Replay, dict[Key, int]]:
    prefixes = tuple(sorted(set(options.prefixes)))
    note = replay.why_not(store, observed.nights, settings) if prefixes else "no prefix was asked for"
    if note:
        return Replay(prefixes, note=note), {}
    judging = replay.Judging(settings, options.fail_on, options.as_of)
    found = attacks[attacks["found"] > 0]
    first = replay.first_prefixes(store, attackers, found, observed.nights, prefixes, judging, tell)
    return replay.summary(attacks, first, prefixes), first


def _one_by_one(attacks: pd.DataFrame, first: dict[Key, int]) -> tuple[Attack, ...]:
    return tuple(
        Attack(
            model=row["model"],
            trace=row["trace"],
            technique=row["technique"],
            family=row["family"],
            variant=row["variant"],
            attack_queries=int(row["attack_queries"]),
            accounts=int(row["accounts"]),
            found=int(row["found"]),
            incident=row["incident"],
            told=row["told"],
            first_prefix=first.get((row["model"], row["trace"])),
        )
        for row in attacks.to_dict("records")
    )
