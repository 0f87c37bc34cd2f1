"""Queries until detection: the nights judged again as they would be, had every attack ended early.

For each number of attack queries the found attacks are cut short, all of them together, in a copy of the database, and
every night from the first attack on is scanned again: same baseline, same rules, same other clients. Nothing of this is
an approximation of a detector, so what holds for the nightly job holds here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from detector.evaluate.matching import ATTACK, EPOCH, alarms, groups, hits_of
from detector.evaluate.results import Grouping, PrefixRate, Replay
from detector.features.scan import NightBounds
from detector.incidents.service import apply
from detector.jobs.nightly import site_rules
from detector.jobs.scan import scan_night
from detector.store import scanning, window_rows
from detector.store.evaluating import Cut, copy_of, cut_short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from detector.config import Settings
    from detector.detect.rules import RuleSet
    from detector.model import Severity
    from detector.store.engine import Store

    Tell = Callable[[str], None]
    Key = tuple[str, str]

_SHOWN = frozenset({Grouping.ALL, Grouping.TECHNIQUE, Grouping.FAMILY})


@dataclass(frozen=True)
class Judging:
    """How nights are judged: as they were."""

    settings: Settings
    fail_on: Severity
    as_of: datetime


def why_not(store: Store, nights: pd.DataFrame, settings: Settings) -> str | None:
    """Return why attacks cannot be replayed from this store; None where they can."""
    if not store.is_sqlite:
        return "replay needs a copy of the database: give the log files as PATH, or use an SQLite database"
    judged = nights.groupby(["model", "night"])[["queries"]].sum().reset_index()
    with store.begin() as connection:
        for row in judged.to_dict("records"):
            bounds = NightBounds.of(date.fromordinal(row["night"] + EPOCH), settings.night_starts)
            if scanning.count_queries(connection, row["model"], bounds.first_ts, bounds.last_ts) < row["queries"]:
                return f"the store does not hold the raw queries of the night {bounds.night} any more"
    return None


def first_prefixes(
    store: Store,
    attackers: pd.DataFrame,
    found: pd.DataFrame,
    nights: pd.DataFrame,
    prefixes: Sequence[int],
    judging: Judging,
    tell: Tell | None = None,
) -> dict[Key, int]:
    """Return, by model and trace, the smallest prefix with which an attack is found.

    An attack of which the log has no query between the times of its label is left out.

    Args:
        store: an embedded database, which stays as it is.
        attackers: as `matching.attackers_of` gives them.
        found: the found ones among `matching.attacks_of`.
        nights: `Observed.nights`.
        prefixes: numbers of attack queries.
        judging: how.
        tell: told what is being done.
    """
    asked = _asked(store, _of(attackers, found))
    mine = _of(attackers, asked)
    if mine.empty:
        return {}
    first: dict[Key, int] = {}
    again = _nights_from(nights, mine)
    rules = site_rules(judging.settings)
    with TemporaryDirectory(prefix="detector-") as folder:
        # One copy serves all: every shorter prefix is cut out of the longer one.
        copy = copy_of(store, Path(folder) / "replay.db")
        last = set(_keys(mine))
        for prefix in sorted(set(prefixes), reverse=True):
            cuts = cuts_of(mine, asked, prefix)
            if cuts:
                if tell is not None:
                    tell(f"replaying the first {prefix:,} queries of {len(set(_keys(mine))):,} attacks")
                with copy.begin() as connection:
                    cut_short(connection, cuts)
                for model, night in again:
                    judge_again(copy, model, night, rules, judging)
                with copy.begin() as connection:
                    hits = hits_of(mine, alarms(connection, judging.fail_on))
                last = set(_keys(hits))
            first |= dict.fromkeys(last, prefix)
        copy.close()
    return first


def summary(attacks: pd.DataFrame, first: dict[Key, int], prefixes: Sequence[int]) -> Replay:
    """Return how many found attacks of each group each prefix finds."""
    found = attacks[attacks["found"] > 0]
    ascending = tuple(sorted(set(prefixes)))
    rates = []
    for grouping, name, part in groups(found):
        if grouping in _SHOWN:
            keys = _keys(part)
            within = tuple(sum(first.get(key, prefix + 1) <= prefix for key in keys) for prefix in ascending)
            rates.append(PrefixRate(grouping, name, len(part), within))
    return Replay(ascending, tuple(rates))


def _keys(rows: pd.DataFrame) -> list[Key]:
    return [(str(model), str(trace)) for model, trace in rows[ATTACK].to_numpy(dtype=object).tolist()]


def _of(attackers: pd.DataFrame, attacks: pd.DataFrame) -> pd.DataFrame:
    """Return the attackers of some attacks."""
    return attackers[pd.MultiIndex.from_frame(attackers[ATTACK]).isin(pd.MultiIndex.from_frame(attacks[ATTACK]))]


def _asked(store: Store, attackers: pd.DataFrame) -> pd.DataFrame:
    """Return when attackers asked during their attack: `model`, `trace`, `ts`, sorted."""
    parts = [pd.DataFrame({"client": [], "ts": np.empty(0, dtype=np.int64), "model": []})]
    for model, mine in attackers.groupby("model", sort=True):
        first, last = int(mine["first_ts"].min()), int(mine["last_ts"].max()) + 1
        wanted = pa.array(mine["client"].tolist(), pa.string())
        for table in scanning.stream_queries(store, str(model), first, last, ("ts", "client_id")):
            theirs = table.filter(pc.is_in(pc.cast(table["client_id"], pa.string()), value_set=wanted))
            parts.append(pd.DataFrame({"client": theirs["client_id"].to_pylist(), "ts": theirs["ts"].to_numpy()}))
            parts[-1]["model"] = str(model)
    rows = pd.concat(parts, ignore_index=True).merge(
        attackers[["model", "client", "trace", "first_ts", "last_ts"]], on=["model", "client"]
    )
    rows = rows[rows["ts"].between(rows["first_ts"], rows["last_ts"])]
    return rows[[*ATTACK, "ts"]].sort_values([*ATTACK, "ts"], ignore_index=True)


def cuts_of(attackers: pd.DataFrame, asked: pd.DataFrame, prefix: int) -> list[Cut]:
    """Return where the clients of each longer attack end.

    Labels do not tell cover traffic from attack queries: where clients asked more during the attack than the labels
    count, the attack's queries are taken to lie evenly among them.
    """
    times = {key: ts.to_numpy() for key, ts in asked.groupby(ATTACK, sort=True)["ts"]}
    cuts = []
    for key, mine in attackers.groupby(ATTACK, sort=True):
        ts = times[key]
        attack = min(int(mine["attack_queries"].sum()) or len(ts), len(ts))
        if attack > prefix:
            last = int(ts[int(np.ceil(prefix * len(ts) / attack)) - 1])
            cuts += [Cut(model, client, last) for model, client in zip(mine["model"], mine["client"], strict=True)]
    return cuts


def _nights_from(nights: pd.DataFrame, attackers: pd.DataFrame) -> list[tuple[str, date]]:
    """Return the scanned nights of each model from its first attack on, oldest first."""
    begins = attackers.groupby("model")["first_night"].min()
    pairs = nights[["model", "night"]].drop_duplicates()
    pairs = pairs[pairs["night"] >= pairs["model"].map(begins)].sort_values(["night", "model"])
    return [(str(model), date.fromordinal(night + EPOCH)) for model, night in pairs.to_numpy(dtype=object).tolist()]


def judge_again(store: Store, model: str, night: date, rules: RuleSet, judging: Judging) -> None:
    """Judge a night again; one that only attackers asked in may be empty now, and then nothing is found in it."""
    bounds = NightBounds.of(night, judging.settings.night_starts)
    with store.begin() as connection:
        if scanning.count_queries(connection, model, bounds.first_ts, bounds.last_ts) == 0:
            window_rows.replace_windows(connection, model, night.isoformat(), [])
            apply(connection, model=model, night=night, findings=(), settings=judging.settings, as_of=judging.as_of)
            return
    scan_night(store, model, bounds, judging.settings, rules, judging.as_of)
