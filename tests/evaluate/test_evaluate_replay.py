"""Where attacks are cut short, and what the replay of their prefixes adds up to, counted by hand."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from evaluation_making import Row, incident, labels_of, observed

from detector.evaluate.matching import attackers_of, attacks_of, hits_of
from detector.evaluate.replay import cuts_of, summary
from detector.evaluate.results import Grouping, PrefixRate
from detector.model import Technique
from detector.store.evaluating import Cut

if TYPE_CHECKING:
    from pathlib import Path

ROWS = (
    Row("a1", "inversion", "climb", "A", attack_queries=2),
    Row("a2", "inversion", "climb", "A", attack_queries=3),
    Row("b", "extraction", "copy", "B", attack_queries=4),
)


@pytest.fixture
def attackers(tmp_path: Path) -> pd.DataFrame:
    nights = dict.fromkeys(("a1", "a2", "b"), (0,))
    return attackers_of(labels_of(tmp_path, *ROWS), observed(nights).nights, time(0))


def asked(**times: list[int]) -> pd.DataFrame:
    rows = [("digits", trace, ts) for trace, found in times.items() for ts in found]
    return pd.DataFrame(rows, columns=["model", "trace", "ts"])


def test_accounts_of_an_attack_are_cut_at_the_same_moment(attackers: pd.DataFrame) -> None:
    # Five queries of A by two accounts, together; B has fewer queries in the log than its label tells.
    told = cuts_of(attackers, asked(A=[10, 20, 30, 40, 50], B=[7, 8]), 3)
    assert told == [Cut("digits", "a1", 30), Cut("digits", "a2", 30)]


def test_cover_traffic_counts_by_its_share(attackers: pd.DataFrame) -> None:
    # Of eight queries during B four are the attack's: the second lies at the fourth.
    told = cuts_of(attackers, asked(A=[10], B=[1, 2, 3, 4, 5, 6, 7, 8]), 2)
    assert told == [Cut("digits", "b", 4)]


def test_a_prefix_as_long_as_the_attack_cuts_nothing(attackers: pd.DataFrame) -> None:
    assert cuts_of(attackers, asked(A=[10, 20, 30, 40, 50], B=[1, 2, 3, 4]), 5) == []


def test_what_is_found_early_is_found_later_as_well(attackers: pd.DataFrame) -> None:
    both = observed({}, incident("INC-1", Technique.INVERSION, {"a1": (0,), "b": (0,)}))
    attacks = attacks_of(attackers, hits_of(attackers, both.alarms))
    told = summary(attacks, {("digits", "A"): 250}, (1000, 250, 500))
    assert told.prefixes == (250, 500, 1000)
    assert told.rates == (
        PrefixRate(Grouping.ALL, "all", 2, (1, 1, 1)),
        PrefixRate(Grouping.TECHNIQUE, "extraction", 1, (0, 0, 0)),
        PrefixRate(Grouping.TECHNIQUE, "inversion", 1, (1, 1, 1)),
        PrefixRate(Grouping.FAMILY, "climb", 1, (1, 1, 1)),
        PrefixRate(Grouping.FAMILY, "copy", 1, (0, 0, 0)),
    )
