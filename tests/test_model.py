"""The vocabulary."""

from __future__ import annotations

from itertools import combinations

from detector.model import Severity


def test_severities_compare_by_gravity_and_not_by_alphabet() -> None:
    ordered = [Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]
    for lesser, greater in combinations(ordered, 2):
        assert (lesser < greater, lesser <= greater, lesser > greater, lesser >= greater) == (True, True, False, False)
        assert (greater < lesser, greater <= lesser, greater > lesser, greater >= lesser) == (False, False, True, True)
    assert sorted([Severity.HIGH, Severity.CRITICAL, Severity.LOW, Severity.MEDIUM]) == ordered
    assert max(ordered) is Severity.CRITICAL
