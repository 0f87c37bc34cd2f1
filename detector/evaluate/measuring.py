"""From matched labels to rates: detection, confusion, alarms on benign workloads, purity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.evaluate.intervals import cluster_interval, upper_bound
from detector.evaluate.labels import BENIGN
from detector.evaluate.matching import groups
from detector.evaluate.results import MISSED, Campaign, Confusion, DetectionRate, Purity, WorkloadAlarms
from detector.model import Technique

if TYPE_CHECKING:
    from detector.evaluate.labels import Labels
    from detector.evaluate.matching import Observed

BEFORE_ATTACK = "before_attack"
_WHO = ["model", "client"]
_NIGHT = [*_WHO, "night"]


def detection_rates(attacks: pd.DataFrame, seed: int, resamples: int) -> tuple[DetectionRate, ...]:
    """Return the detection rate of every group of attacks.

    Args:
        attacks: as `matching.attacks_of` gives them.
        seed: of each group's own draw, so that one group's interval does not hang on what other groups there are.
        resamples: of the bootstrap.
    """
    rates = []
    for grouping, name, part in groups(attacks):
        found, accounts = part["found"].to_numpy(dtype=np.int64), part["accounts"].to_numpy(dtype=np.int64)
        rates.append(
            DetectionRate(
                grouping=grouping,
                name=name,
                attacks=len(part),
                attacks_found=int((found > 0).sum()),
                clients=int(accounts.sum()),
                clients_found=int(found.sum()),
                interval=cluster_interval(found, accounts, np.random.default_rng(seed), resamples),
                technique_right=int((part["told"] == part["technique"]).sum()),
            )
        )
    return tuple(rates)


def confusion(attacks: pd.DataFrame, labels: Labels, observed: Observed) -> Confusion:
    """Return the table of techniques: an attack by the incident that holds most of it, and benign clients."""
    benign = labels.frame[~labels.frame["attack"]][_WHO].merge(observed.nights[_WHO].drop_duplicates(), on=_WHO)
    gravest = observed.alarms.sort_values("order", kind="stable").drop_duplicates(_WHO)
    named = benign.merge(gravest[[*_WHO, "told"]], on=_WHO, how="left").assign(technique=BENIGN)
    both = pd.concat([attacks[["technique", "told"]], named[["technique", "told"]]])
    told = (*(one.value for one in Technique), MISSED)
    present = set(both["technique"])
    actual = tuple(name for name in (*(one.value for one in Technique), BENIGN) if name in present)
    counts = pd.crosstab(both["technique"], both["told"].astype(object).where(both["told"].notna(), MISSED))
    counts = counts.reindex(index=list(actual), columns=list(told), fill_value=0)
    return Confusion(actual, told, tuple(tuple(int(n) for n in row) for row in counts.to_numpy()))


def workload_alarms(labels: Labels, attackers: pd.DataFrame, observed: Observed) -> tuple[WorkloadAlarms, ...]:
    """Return the alarms on each benign family, by name, and on attackers in the nights before their attack."""
    named = observed.alarms[_NIGHT].drop_duplicates()
    nights = observed.nights[_NIGHT].merge(named.assign(alarm=True), on=_NIGHT, how="left")
    nights["alarm"] = nights["alarm"].notna()
    benign = nights.merge(labels.frame[~labels.frame["attack"]][[*_WHO, "family"]], on=_WHO)
    before = nights.merge(attackers[[*_WHO, "first_night"]], on=_WHO)
    before = before[before["night"] < before["first_night"]].assign(family=BEFORE_ATTACK)
    rows = []
    # A family of that name in the labels stays apart: those of the labels come first.
    for part in (benign, before):
        for name, mine in part.groupby("family", sort=True):
            by_client = mine.groupby(_WHO)["alarm"].any()
            clients, alarming = len(by_client), int(by_client.sum())
            nights_alarming = int(mine["alarm"].sum())
            bound = upper_bound(alarming, clients)
            rows.append(WorkloadAlarms(str(name), len(mine), nights_alarming, clients, alarming, bound))
    return tuple(rows)


def purity(attacks: pd.DataFrame, hits: pd.DataFrame, labels: Labels, observed: Observed) -> Purity:
    """Return who is named in the incidents that hold an attacker."""
    holding = observed.alarms[observed.alarms["incident"].isin(hits["incident"])]
    members = holding[["incident", *_WHO]].drop_duplicates()
    members = members.merge(labels.frame[[*_WHO, "attack"]], on=_WHO, how="left")
    unlabelled = members["attack"].isna()
    known = members[~unlabelled]
    benign = ~known["attack"].astype(bool)
    shares = benign.groupby(known["incident"]).mean()
    traces = hits.groupby("incident")["trace"].nunique()
    several = attacks[attacks["accounts"] > 1]
    return Purity(
        incidents=int(hits["incident"].nunique()),
        attackers=int((~benign).sum()),
        benign=int(benign.sum()),
        unlabelled=int(unlabelled.sum()),
        most_benign=float(shares.max()) if len(shares) else 0.0,
        mixed=int((traces > 1).sum()),
        campaigns=tuple(
            Campaign(
                model=row["model"],
                trace=row["trace"],
                technique=row["technique"],
                family=row["family"],
                variant=row["variant"],
                accounts=int(row["accounts"]),
                found=int(row["found"]),
                attributed=int(row["attributed"]),
                incidents=int(row["incidents"]),
            )
            for row in several.to_dict("records")
        ),
    )
