"""Rates, bounds, confusion and purity of made-up incidents, against what fingers count."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

import pytest
from evaluation_making import Row, incident, labels_of, observed

from detector.evaluate.matching import attackers_of, attacks_of, hits_of
from detector.evaluate.measuring import confusion, detection_rates, purity, workload_alarms
from detector.evaluate.results import Campaign, Grouping
from detector.model import IncidentStatus, Severity, Technique

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from detector.evaluate.labels import Labels
    from detector.evaluate.matching import Observed
    from detector.model import Incident

INVERSION, EXTRACTION = Technique.INVERSION, Technique.EXTRACTION

# Four attacks: one over three accounts, two alone, and one that the log does not have.
ROWS = (
    Row("a1", "inversion", "climb", "A", (2, 3), 900, "True"),
    Row("a2", "inversion", "climb", "A", (2, 3), 900, "False"),
    Row("a3", "inversion", "climb", "A", (2, 3), 900, "False"),
    Row("b", "extraction", "copy", "B", (3, 3), 500, "False"),
    Row("c", "inversion", "walk", "C", (3, 3), 700),
    Row("gone", "evasion", "walk", "D", (9, 9), 700),
    Row("u", family="benign_batch"),
    Row("v", family="benign_batch"),
    Row("w"),
)
NIGHTS = {
    "a1": (0, 1, 2, 3), "a2": (2, 3), "a3": (3,), "b": (0, 3), "c": (3,), "u": (0, 1, 2, 3), "v": (0, 1), "w": (0,),
    "stranger": (0,), "gone": (0,),
}  # fmt: skip


class Measured:
    """Labels and incidents held against each other."""

    def __init__(self, folder: Path, *incidents: Incident) -> None:
        self.labels: Labels = labels_of(folder, *ROWS)
        self.observed: Observed = observed(NIGHTS, *incidents)
        self.attackers = attackers_of(self.labels, self.observed.nights, time(0))
        self.hits = hits_of(self.attackers, self.observed.alarms)
        self.attacks = attacks_of(self.attackers, self.hits)

    @property
    def attack(self) -> pd.DataFrame:
        return self.attacks.set_index("trace")


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    return Measured(
        tmp_path,
        incident("INC-1", EXTRACTION, {"a1": (2,), "u": (2, 3), "stranger": (2,)}, severity=Severity.CRITICAL),
        incident("INC-2", INVERSION, {"a1": (3,), "a2": (3,)}),
        incident("INC-3", INVERSION, {"b": (3,), "c": (0,)}),
        incident("INC-4", Technique.PROBING, {"v": (0,)}),
    )


def test_attacks_are_held_against_the_incident_with_most_of_their_accounts(measured: Measured) -> None:
    columns = ["accounts", "found", "attributed", "incidents", "incident", "told", "outcome", "history"]
    assert measured.attack[columns].to_dict("index") == {
        "A": {"accounts": 3, "found": 2, "attributed": 2, "incidents": 2, "incident": "INC-2", "told": "inversion",
              "outcome": "succeeded", "history": "no_history"},
        "B": {"accounts": 1, "found": 1, "attributed": 1, "incidents": 1, "incident": "INC-3", "told": "inversion",
              "outcome": "failed", "history": "clean_history"},
        "C": {"accounts": 1, "found": 0, "attributed": 0, "incidents": 0, "incident": None, "told": None,
              "outcome": "unknown", "history": "no_history"},
    }  # fmt: skip


def test_an_incident_of_another_night_is_not_about_the_attack(measured: Measured) -> None:
    assert set(measured.hits["client"]) == {"a1", "a2", "b"}


def test_detection_rates_count_attacks_and_clients(measured: Measured) -> None:
    rates = {(rate.grouping, rate.name): rate for rate in detection_rates(measured.attacks, 0, 500)}
    counted = {
        key: (one.attacks, one.attacks_found, one.clients, one.clients_found, one.technique_right)
        for key, one in rates.items()
    }
    assert counted == {
        (Grouping.ALL, "all"): (3, 2, 5, 3, 1),
        (Grouping.TECHNIQUE, "extraction"): (1, 1, 1, 1, 0),
        (Grouping.TECHNIQUE, "inversion"): (2, 1, 4, 2, 1),
        (Grouping.FAMILY, "climb"): (1, 1, 3, 2, 1),
        (Grouping.FAMILY, "copy"): (1, 1, 1, 1, 0),
        (Grouping.FAMILY, "walk"): (1, 0, 1, 0, 0),
        (Grouping.VARIANT, "climb/plain"): (1, 1, 3, 2, 1),
        (Grouping.VARIANT, "copy/plain"): (1, 1, 1, 1, 0),
        (Grouping.VARIANT, "walk/plain"): (1, 0, 1, 0, 0),
        (Grouping.OUTCOME, "failed"): (1, 1, 1, 1, 0),
        (Grouping.OUTCOME, "succeeded"): (1, 1, 3, 2, 1),
        (Grouping.OUTCOME, "unknown"): (1, 0, 1, 0, 0),
        (Grouping.HISTORY, "clean_history"): (1, 1, 1, 1, 0),
        (Grouping.HISTORY, "no_history"): (2, 1, 4, 2, 1),
    }
    every = rates[Grouping.ALL, "all"]
    assert (every.rate, every.technique_accuracy) == (0.6, 0.5)
    assert rates[Grouping.FAMILY, "walk"].technique_accuracy is None


def test_the_confusion_table(measured: Measured) -> None:
    table = confusion(measured.attacks, measured.labels, measured.observed)
    assert table.actual == ("inversion", "extraction", "benign")
    assert table.told == ("inversion", "membership", "attribute", "extraction", "evasion", "probing", "missed")
    assert table.counts == ((1, 0, 0, 0, 0, 0, 1), (1, 0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 1, 1))


def test_alarms_on_benign_workloads(measured: Measured) -> None:
    found = workload_alarms(measured.labels, measured.attackers, measured.observed)
    counted = [(w.family, w.client_nights, w.alarming_nights, w.clients, w.alarming_clients) for w in found]
    # a1 asked in two nights before its attack, b in one; gone is no attacker of a night that is in the log.
    assert counted == [
        ("benign_batch", 6, 3, 2, 2),
        ("benign_ordinary", 1, 0, 1, 0),
        ("before_attack", 3, 0, 2, 0),
    ]
    assert [w.upper for w in found] == pytest.approx([1.0, 0.95, 1 - 0.05**0.5])
    assert found[0].rate == 0.5


def test_an_alarm_before_the_attack_is_a_false_one(tmp_path: Path) -> None:
    early = Measured(tmp_path, incident("INC-1", INVERSION, {"a1": (1,), "b": (0,)}))
    (before,) = [
        w for w in workload_alarms(early.labels, early.attackers, early.observed) if w.family == "before_attack"
    ]
    assert (before.alarming_nights, before.alarming_clients) == (2, 2)
    assert early.attacks["found"].tolist() == [0, 0, 0]


def test_purity(measured: Measured) -> None:
    told = purity(measured.attacks, measured.hits, measured.labels, measured.observed)
    # INC-1 holds a1, u and a stranger, INC-2 two attackers, INC-3 b and c.
    assert (told.incidents, told.attackers, told.benign, told.unlabelled) == (3, 5, 1, 1)
    assert (told.most_benign, told.benign_share, told.mixed) == (0.5, 1 / 6, 0)
    assert told.campaigns == (Campaign("digits", "A", "inversion", "climb", "plain", 3, 2, 2, 2),)


def test_an_incident_of_two_attacks_is_mixed(tmp_path: Path) -> None:
    both = Measured(tmp_path, incident("INC-1", INVERSION, {"a1": (3,), "b": (3,)}))
    assert purity(both.attacks, both.hits, both.labels, both.observed).mixed == 1


@pytest.mark.parametrize(
    ("status", "withdrawn", "found"),
    [
        (IncidentStatus.OPEN, False, 1),
        (IncidentStatus.CLOSED, False, 1),
        (IncidentStatus.ACKNOWLEDGED, False, 1),
        (IncidentStatus.CLOSED, True, 0),
        (IncidentStatus.SUPPRESSED, False, 0),
        (IncidentStatus.MERGED, False, 0),
    ],
)
def test_which_incidents_alarm(tmp_path: Path, status: IncidentStatus, withdrawn: bool, found: int) -> None:
    one = Measured(tmp_path, incident("INC-1", EXTRACTION, {"b": (3,)}, status=status, withdrawn=withdrawn))
    assert int(one.attack["found"]["B"]) == found


def test_nothing_found_is_measured_as_well(tmp_path: Path) -> None:
    nothing = Measured(tmp_path)
    assert [rate.rate for rate in detection_rates(nothing.attacks, 0, 10)[:1]] == [0.0]
    told = purity(nothing.attacks, nothing.hits, nothing.labels, nothing.observed)
    assert (told.incidents, told.benign_share, told.most_benign) == (0, None, 0.0)
    assert confusion(nothing.attacks, nothing.labels, nothing.observed).counts[0] == (0, 0, 0, 0, 0, 0, 2)


def test_a_night_that_starts_at_noon_moves_the_attack(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, Row("a", "inversion", "f", "t", (2, 2)))
    nights = observed({"a": (1, 2)}).nights
    assert attackers_of(labels, nights, time(12, 0, 1))["first_night"].tolist() == [20767 + 1]
    assert attackers_of(labels, nights, time(0))["first_night"].tolist() == [20767 + 2]
    assert attackers_of(labels, nights, time(0))["history"].tolist() == [True]
