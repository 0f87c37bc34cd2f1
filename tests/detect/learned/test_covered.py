from __future__ import annotations

import pytest
from learned_making import CLIMB, CUSTOMER, moved, windows_of

from detector.detect.learned import covered, resemblances
from detector.detect.learned.covered import TITLE
from detector.model import RESEMBLANCE, MixedWindows, Severity, Technique, Windows

# What an explainer leaves: records perturbed one field at a time.
PERTURBED = {
    "near_duplicate_ratio": 0.9, "single_field_change_ratio": 0.9, "kin_ratio": 0.9, "thread_share": 0.0,
    "query_entropy": 0.2, "nearest_previous_distance": 0.05,
}  # fmt: skip


def _both(apart: dict[str, float], rest: dict[str, float]) -> MixedWindows:
    return MixedWindows(windows_of(moved(**apart), queries=300), windows_of(moved(**rest), queries=1200))


def _whole(**values: float) -> Windows:
    return windows_of(moved(**values), queries=1500)


def test_a_climb_among_ordinary_queries_is_found_and_said_to_be_that() -> None:
    (found,) = covered(_both(CLIMB, CUSTOMER), resemblances(_whole(**CUSTOMER), None))
    assert (found.rule, found.title, found.technique) == (RESEMBLANCE, TITLE, Technique.INVERSION)
    assert found.level.rank >= Severity.MEDIUM.rank
    assert found.sentence.startswith("300 queries lie among 1,200 ordinary ones")
    assert found.clients == ("x0",)


@pytest.mark.parametrize(
    ("apart", "rest"),
    [(CLIMB, PERTURBED), (CLIMB, CLIMB), (CUSTOMER, CUSTOMER)],
    ids=["no cover", "all of it", "nothing"],
)
def test_what_is_no_attack_under_cover_is_not_told(apart: dict[str, float], rest: dict[str, float]) -> None:
    assert covered(_both(apart, rest), resemblances(_whole(**CUSTOMER), None)) == ()


# A model of seven coarse fields: its customers' records are near copies of one another.
COARSE = CUSTOMER | {"kin_ratio": 0.4}


@pytest.mark.parametrize(("off_manifold", "expected"), [(0.05, 0), (0.6, 1)], ids=["chance", "elsewhere"])
def test_threads_among_customers_whose_records_are_alike_are_no_attack_under_cover(
    off_manifold: float, expected: int
) -> None:
    apart = CLIMB | {"off_manifold_ratio": off_manifold}
    assert len(covered(_both(apart, COARSE), resemblances(_whole(**CUSTOMER), None))) == expected


def test_who_is_suspicious_in_whole_is_told_once() -> None:
    assert covered(_both(CLIMB, CUSTOMER), resemblances(_whole(**CLIMB), None)) == ()


def test_it_is_another_finding_than_that_of_the_whole_window() -> None:
    from detector.detect.learned import suspects

    (hidden,) = covered(_both(CLIMB, CUSTOMER), ())
    windows = _whole(**CLIMB)
    (plain,) = suspects(windows, resemblances(windows, None))
    assert hidden.id != plain.id
