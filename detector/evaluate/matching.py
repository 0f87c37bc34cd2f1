"""Holding incidents against labels: which client was named in which night, and which attacks that finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from detector.evaluate.results import Grouping
from detector.ingest.nights import night_numbers
from detector.model import IncidentStatus
from detector.store.evaluating import client_nights
from detector.store.incidents import list_incidents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import time

    from sqlalchemy import Connection

    from detector.evaluate.labels import Labels
    from detector.model import Incident, Severity

EPOCH = date(1970, 1, 1).toordinal()
_UNHEARD = frozenset({IncidentStatus.SUPPRESSED, IncidentStatus.MERGED})
_WHO = ["model", "client"]
ATTACK = ["model", "trace"]


@dataclass(frozen=True)
class Observed:
    """What the store knows.

    Attributes:
        nights: every client of every scanned night: `model`, `client`, `night` (day number since 1970), `queries`.
        alarms: see `alarms_of`.
    """

    nights: pd.DataFrame
    alarms: pd.DataFrame


def observe(connection: Connection, fail_on: Severity) -> Observed:
    """Read the scanned nights, and the incidents of `fail_on` or higher."""
    found = client_nights(connection)
    nights = pd.DataFrame(
        [(one.model, one.client, date.fromisoformat(one.night).toordinal() - EPOCH, one.queries) for one in found],
        columns=[*_WHO, "night", "queries"],
    )
    return Observed(nights, alarms(connection, fail_on))


def alarms(connection: Connection, fail_on: Severity) -> pd.DataFrame:
    """Read the incidents of `fail_on` or higher as `alarms_of` shows them."""
    return alarms_of(list_incidents(connection, severity_at_least=fail_on))


def alarms_of(incidents: Sequence[Incident]) -> pd.DataFrame:
    """Return who was named in which night.

    Suppressed incidents alarm nobody, merged and withdrawn ones are no more; a closed one did alarm.

    Args:
        incidents: the gravest first.

    Returns:
        A row a member and night: `model`, `client`, `night` (day number since 1970), `incident`, `order` (of the
        incident, from 0), `told` (its first technique).
    """
    rows = [
        (one.model, member.client, night.toordinal() - EPOCH, one.id, order, one.technique.value)
        for order, one in enumerate(incidents)
        if one.status not in _UNHEARD and one.findings
        for member in one.members
        for night in member.nights
    ]
    return pd.DataFrame(rows, columns=[*_WHO, "night", "incident", "order", "told"])


def attackers_of(labels: Labels, nights: pd.DataFrame, starts: time) -> pd.DataFrame:
    """Return the labelled attackers who asked in a scanned night of their attack.

    Returns:
        The labels' columns, `first_night` and `last_night` of the attack (day numbers), and `history`: whether the
        client asked in an earlier night; by model, trace and client.
    """
    mine = labels.frame[labels.frame["attack"]].copy()
    mine["first_night"] = night_numbers(mine["first_ts"].to_numpy(), starts)
    mine["last_night"] = night_numbers(mine["last_ts"].to_numpy(), starts)
    seen = mine[[*_WHO, "first_night", "last_night"]].merge(nights, on=_WHO)
    during = seen[seen["night"].between(seen["first_night"], seen["last_night"])]
    before = seen[seen["night"] < seen["first_night"]]
    keys = pd.MultiIndex.from_frame(mine[_WHO])
    mine["history"] = keys.isin(pd.MultiIndex.from_frame(before[_WHO]))
    mine = mine[keys.isin(pd.MultiIndex.from_frame(during[_WHO]))]
    return mine.sort_values([*ATTACK, "client"], ignore_index=True)


def hits_of(attackers: pd.DataFrame, alarmed: pd.DataFrame) -> pd.DataFrame:
    """Return which attacker is in which incident with a night of the attack: a row a pair."""
    both = attackers[[*_WHO, "trace", "first_night", "last_night"]].merge(alarmed, on=_WHO)
    both = both[both["night"].between(both["first_night"], both["last_night"])]
    return both[[*ATTACK, "client", "incident", "order", "told"]].drop_duplicates(ignore_index=True)


def attacks_of(attackers: pd.DataFrame, hits: pd.DataFrame) -> pd.DataFrame:
    """Return a row an attack, by model and trace.

    Returns:
        `model`, `trace`, `technique`, `family`, `variant`, `attack_queries`, `accounts`, `found` (accounts),
        `attributed` (those in the incident that holds most), `incidents` (that hold any), `incident`, `told` (of the
        one that holds most, the gravest among equals; None where there is none), `outcome`, `history`.
    """
    grouped = attackers.groupby(ATTACK, sort=True)
    table = grouped.agg(
        technique=("technique", "first"),
        family=("family", "first"),
        variant=("variant", "first"),
        attack_queries=("attack_queries", "sum"),
        accounts=("client", "size"),
        outcome=("success", _outcome),
        history=("history", lambda known: "clean_history" if known.all() else "no_history"),
    )
    by_incident = hits.groupby([*ATTACK, "incident", "order", "told"], sort=True).size().rename("attributed")
    ranked = by_incident.reset_index().sort_values(["attributed", "order"], ascending=[False, True], kind="stable")
    best = ranked.drop_duplicates(ATTACK).set_index(ATTACK)[["incident", "told", "attributed"]]
    table = table.join(best)
    table["found"] = hits.groupby(ATTACK)["client"].nunique()
    table["incidents"] = hits.groupby(ATTACK)["incident"].nunique()
    whole = ["found", "attributed", "incidents"]
    table[whole] = table[whole].astype(float).fillna(0).astype("int64")
    names = ["incident", "told"]
    table[names] = table[names].astype(object).where(table[names].notna(), None)
    return table.reset_index()


def _outcome(success: pd.Series[bool]) -> str:
    told = [one for one in success if one is not None]
    return "unknown" if not told else "succeeded" if any(told) else "failed"


def groups(attacks: pd.DataFrame) -> Iterator[tuple[Grouping, str, pd.DataFrame]]:
    """Yield all attacks, then those of each technique, family, variant, outcome and history, names in order."""
    if attacks.empty:
        return
    yield Grouping.ALL, "all", attacks
    names = {
        Grouping.TECHNIQUE: attacks["technique"],
        Grouping.FAMILY: attacks["family"],
        Grouping.VARIANT: attacks["family"] + "/" + attacks["variant"],
        Grouping.OUTCOME: attacks["outcome"],
        Grouping.HISTORY: attacks["history"],
    }
    for grouping, key in names.items():
        for name, part in attacks.groupby(key, sort=True):
            yield grouping, str(name), part
