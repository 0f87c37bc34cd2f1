"""What the labels make of alarms: attacking clients found by technique, alarms by benign workload, best thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.evaluate.matching import attackers_of
from detector.model import Technique

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from detector.evaluate.labels import Labels

BUDGET = 0.01
BEFORE = "before_attack"
SEVERAL = "several accounts"
_WHO = ["model", "client"]
Counted = tuple[int, int]


@dataclass(frozen=True)
class Truth:
    """Client-nights and what they are; a row each, in the order in which detectors are asked.

    Attributes:
        site: number of the folder and model, from 0; thresholds are sought for each.
        workload: the benign family, `before_attack` for attackers in earlier nights, or empty.
        attacker: number of the attacking client, from 0, in a night of its attack; else -1.
        techniques: of the attacking clients.
        shared: whether an attacking client shares its attack with other accounts.
    """

    site: NDArray[np.int64]
    workload: NDArray[np.str_]
    attacker: NDArray[np.int64]
    techniques: NDArray[np.str_]
    shared: NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """What alarms amount to.

    Attributes:
        found: attacking clients found and in all, by technique, then `several accounts` and `all`.
        worst, worst_rate: the workload that alarms most, and in which share of its client-nights.
        mean_rate: mean of the workloads' shares.
        rates: all shares by workload.
    """

    found: dict[str, Counted]
    worst: str
    worst_rate: float
    mean_rate: float
    rates: dict[str, float]


def truth_of(labels: Labels, rows: pd.DataFrame, site: int) -> pd.DataFrame:
    """Return what each client-night of a folder is.

    Args:
        labels: of the folder.
        rows: `model`, `client`, `night` (day number), in the order wanted.
        site: number to begin with for the folder's models.

    Returns:
        `site`, `workload`, `attacker` (text, empty where it is none), `technique`, `shared`.
    """
    mine = attackers_of(labels, rows.assign(queries=1), time(0))
    accounts = mine.groupby(["model", "trace"])["client"].transform("size")
    mine = mine.assign(shared=accounts > 1)[[*_WHO, "technique", "shared", "first_night", "last_night"]]
    both = rows.merge(mine, on=_WHO, how="left")
    benign = labels.frame[~labels.frame["attack"]][[*_WHO, "family"]]
    family = rows.merge(benign, on=_WHO, how="left")["family"].fillna("")
    during = both["night"].between(both["first_night"], both["last_night"])
    early = both["night"] < both["first_night"]
    return pd.DataFrame(
        {
            "site": site + pd.factorize(rows["model"], sort=True)[0],
            "workload": family.where(~early, BEFORE),
            "attacker": (both["model"] + "/" + both["client"]).where(during, ""),
            "technique": both["technique"].where(during, ""),
            "shared": both["shared"].eq(True) & during,
        }
    )


def gathered(frames: list[pd.DataFrame]) -> Truth:
    """Put the client-nights of all folders together."""
    whole = pd.concat([frame.assign(folder=number) for number, frame in enumerate(frames)], ignore_index=True)
    name = whole["folder"].astype(str) + "/" + whole["attacker"]
    attacks = (whole["attacker"] != "").to_numpy()
    codes = np.full(len(whole), -1)
    codes[attacks] = pd.factorize(name[attacks])[0]
    first = whole[attacks].assign(code=codes[attacks]).drop_duplicates("code")
    return Truth(
        site=whole["site"].to_numpy(dtype=np.int64),
        workload=whole["workload"].to_numpy(dtype=str),
        attacker=codes,
        techniques=first["technique"].to_numpy(dtype=str),
        shared=first["shared"].to_numpy(dtype=bool),
    )


def allowing(truth: Truth, families: Collection[str]) -> Truth:
    """Return the same without the benign workloads that a site would allow-list: they neither count nor bind."""
    return replace(truth, workload=np.where(np.isin(truth.workload, list(families)), "", truth.workload))


def measure(truth: Truth, alarm: NDArray[np.bool_]) -> Measured:
    """Return what alarms (a row a client-night) find and disturb."""
    hit = np.zeros(len(truth.techniques), dtype=bool)
    hit[truth.attacker[alarm & (truth.attacker >= 0)]] = True
    groups = {one.value: truth.techniques == one.value for one in Technique}
    groups |= {SEVERAL: truth.shared, "all": np.ones(len(hit), dtype=bool)}
    found = {name: (int(hit[who].sum()), int(who.sum())) for name, who in groups.items() if who.any()}
    benign = truth.workload != ""
    rates = {str(name): float(alarm[truth.workload == name].mean()) for name in np.unique(truth.workload[benign])}
    worst = max(rates, key=lambda name: (rates[name], name), default="")
    mean = float(np.mean(list(rates.values()))) if rates else 0.0
    return Measured(found, worst, rates.get(worst, 0.0), mean, rates)


def best_threshold(truth: Truth, readings: dict[str, NDArray[np.float64]]) -> tuple[str, NDArray[np.bool_]]:
    """Return the reading, and the alarms it gives, that find most within the budget of every workload.

    Thresholds are chosen with the labels known, for each reading in two ways: one for all sites, and one on the rank
    among the site's own benign client-nights. Nobody who runs a detector could choose as well.
    """
    alarms = {name: _within_budget(truth, values) for name, values in readings.items()}
    alarms |= {f"{name}, by site": _within_budget(truth, _ranks(truth, values)) for name, values in readings.items()}
    best = max(alarms, key=lambda name: measure(truth, alarms[name]).found.get("all", (0, 0))[0])
    return best, alarms[best]


def _ranks(truth: Truth, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the site's benign client-nights that lie below each value."""
    ranks = np.empty(len(values))
    for site in np.unique(truth.site):
        here = truth.site == site
        benign = np.sort(values[here & (truth.workload != "")])
        ranks[here] = np.searchsorted(benign, values[here]) / max(1, len(benign))
    return ranks


def _within_budget(truth: Truth, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the alarms of the lowest threshold that alarms in at most 1 % of every workload's client-nights."""
    limit = -np.inf
    for name in np.unique(truth.workload[truth.workload != ""]):
        mine = np.sort(values[truth.workload == name])[::-1]
        limit = max(limit, mine[int(BUDGET * len(mine))])
    return values > limit
