"""What an evaluation gives: rates with their intervals, counts, and whatever they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from detector.model import Severity

MISSED = "missed"
"""The column of the confusion table for what no incident tells of."""


class Grouping(StrEnum):
    """By what attacks are put together."""

    ALL = "all"
    TECHNIQUE = "technique"
    FAMILY = "family"
    VARIANT = "variant"
    OUTCOME = "outcome"
    HISTORY = "history"


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of a share, both ends from 0 to 1.

    Attributes:
        method: `bootstrap`, which resamples attacks and then the clients of each; `exact`, Clopper and Pearson's over
            attacks, where all attacks went the same way and resampling would know of no doubt.
    """

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class DetectionRate:
    """How much of a group of attacks was found.

    Attributes:
        grouping, name: which group; a variant's name is FAMILY/VARIANT.
        attacks: how many (trace ids).
        attacks_found: of how many at least one client was found.
        clients: attacking clients.
        clients_found: those in an incident of `fail_on` or higher with a finding in a night of the attack.
        interval: of clients_found / clients.
        technique_right: found attacks of which the incident that holds most of its clients has the right technique
            (its first one).
    """

    grouping: Grouping
    name: str
    attacks: int
    attacks_found: int
    clients: int
    clients_found: int
    interval: Interval
    technique_right: int

    @property
    def rate(self) -> float:
        """Share of the clients that were found."""
        return self.clients_found / self.clients

    @property
    def technique_accuracy(self) -> float | None:
        """Share of the found attacks that were called by their name; None where none was found."""
        return self.technique_right / self.attacks_found if self.attacks_found else None


@dataclass(frozen=True)
class Confusion:
    """Techniques as labelled (rows) against the first technique of the incident (columns), in counts.

    Attributes:
        actual: row names: techniques, whose rows count attacks, and `benign`, whose row counts clients.
        told: column names: techniques, then `missed`.
        counts: a row a name of `actual`.
    """

    actual: tuple[str, ...]
    told: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class WorkloadAlarms:
    """Alarms on one family of benign clients.

    Attributes:
        family: as labelled, or `before_attack`: attacking clients in the nights before their attack.
        client_nights: nights in which a client asked, summed over clients.
        alarming_nights: those of them in which an incident of `fail_on` or higher names the client.
        clients, alarming_clients: the same, counting a client once.
        upper: one-sided 95 % Clopper-Pearson bound on the share of clients that alarm, 0 to 1.
    """

    family: str
    client_nights: int
    alarming_nights: int
    clients: int
    alarming_clients: int
    upper: float

    @property
    def rate(self) -> float:
        """Share of the client-nights that alarm."""
        return self.alarming_nights / self.client_nights


@dataclass(frozen=True)
class Campaign:
    """One attack over several accounts.

    Attributes:
        model, trace: which one.
        technique, family, variant: as labelled.
        accounts: labelled with it and in the log.
        found: accounts in any incident of `fail_on` or higher.
        attributed: accounts in the incident that holds most of them.
        incidents: how many incidents hold its accounts.
    """

    model: str
    trace: str
    technique: str
    family: str
    variant: str
    accounts: int
    found: int
    attributed: int
    incidents: int


@dataclass(frozen=True)
class Purity:
    """Who is named in the incidents that hold an attacker.

    Attributes:
        incidents: how many these are.
        attackers, benign, unlabelled: their members, a client counted once an incident.
        most_benign: the largest share of benign members in one incident.
        mixed: incidents that hold clients of several attacks.
        campaigns: attacks over several accounts.
    """

    incidents: int
    attackers: int
    benign: int
    unlabelled: int
    most_benign: float
    mixed: int
    campaigns: tuple[Campaign, ...]

    @property
    def benign_share(self) -> float | None:
        """Share of benign among all labelled members; None where there is no such incident."""
        members = self.attackers + self.benign
        return self.benign / members if members else None


@dataclass(frozen=True)
class PrefixRate:
    """How early the found attacks of a group could have been found.

    Attributes:
        attacks: found attacks of the group.
        within: for each prefix, how many of them are found when every attack ends with so many queries.
    """

    grouping: Grouping
    name: str
    attacks: int
    within: tuple[int, ...]


@dataclass(frozen=True)
class Replay:
    """Queries until detection.

    Attributes:
        prefixes: attack queries, ascending.
        rates: by group; empty where `note` says why there was no replay.
        note: why nothing was replayed, None where it was.
    """

    prefixes: tuple[int, ...]
    rates: tuple[PrefixRate, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class Attack:
    """One attack, and what became of it.

    Attributes:
        attack_queries: by the labels, of all its accounts.
        accounts, found: clients, and those found.
        incident, told: the incident that holds most of its accounts and its first technique; None where missed.
        first_prefix: the smallest replayed prefix with which it is found; None where there is none.
    """

    model: str
    trace: str
    technique: str
    family: str
    variant: str
    attack_queries: int
    accounts: int
    found: int
    incident: str | None
    told: str | None
    first_prefix: int | None


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured.

    Attributes:
        fail_on: lowest severity that counts as an alarm.
        seed, resamples: of the bootstrap.
        models: in the log.
        nights: that were judged.
        queries: in these nights.
        absent: labelled attacks of which no night is in the log: not measured.
        unlabelled: clients (of a model) in the log that the labels do not know.
        unlabelled_alarms: those of them that an incident of `fail_on` or higher names.
        detection, confusion, workloads, purity, replay: the results.
        attacks: one by one.
    """

    fail_on: Severity
    seed: int
    resamples: int
    models: tuple[str, ...]
    nights: tuple[date, ...]
    queries: int
    absent: int
    unlabelled: int
    unlabelled_alarms: int
    detection: tuple[DetectionRate, ...]
    confusion: Confusion
    workloads: tuple[WorkloadAlarms, ...]
    purity: Purity
    replay: Replay
    attacks: tuple[Attack, ...]
