from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from evidence_making import queries

from detector.evidence import pursuit

if TYPE_CHECKING:
    from detector.evidence.context import Queries

NAMES = ("cat", "dog")


def _climb(count: int = 100, start: float = 0.02, end: float = 0.98) -> Queries:
    """Return queries of which one class rises for three quarters of the time and then stays."""
    rising = np.interp(np.arange(count), [0, 0.75 * count, count], [start, end, end])
    return queries(np.stack([rising, 1 - rising], axis=1), classes=NAMES)


def _all(held: Queries) -> dict[str, tuple[np.ndarray, str]]:
    return {"cat": (np.arange(len(held)), "climb-1")}


def test_a_climb_has_its_phases_its_best_and_its_rise() -> None:
    held = _climb()
    (found,) = pursuit.find(held, _all(held))
    assert (found.target, found.named_by, found.scored) == ("cat", "climb-1", True)
    assert found.rise == pytest.approx(0.94, abs=0.02)
    assert found.best[0] == 75
    assert [stretch.name for stretch in found.stretches] == ["sweep", "climb", "refinement"]
    assert [stretch.first for stretch in found.stretches][1:] == [stretch.end for stretch in found.stretches][:-1]
    assert found.stretches[-1].end == 100


def test_the_first_of_equal_answers_is_the_one_that_was_kept() -> None:
    values = np.array([[0.1, 0.9]] * 5 + [[0.9, 0.1]] * 5)
    held = queries(values, classes=NAMES)
    (found,) = pursuit.find(held, _all(held))
    assert found.best[:2] == (5, 6)


def test_without_a_named_class_the_one_that_rises_most_is_taken() -> None:
    held = _climb(start=0.98, end=0.02)
    (found,) = pursuit.find(held, {})
    assert (found.target, found.named_by) == ("dog", "its probability rises most")


def test_a_class_that_never_got_above_chance_was_not_pursued() -> None:
    rising = np.linspace(1e-9, 1e-5, 60)
    values = np.stack([rising, 1 - rising], axis=1)
    held = queries(values, classes=NAMES)
    (found,) = pursuit.find(held, _all(held))
    assert (found.target, found.named_by) == ("dog", "most queries were answered with it")


def test_accounts_that_take_turns_climb_by_themselves() -> None:
    rising = np.linspace(0.02, 0.98, 40)
    values = np.concatenate([np.stack([rising, 1 - rising], axis=1), np.stack([1 - rising, rising], axis=1)])
    held = queries(values, classes=NAMES, client=np.array(["a"] * 40 + ["b"] * 40, dtype=object))
    found = pursuit.find(held, _all(held))
    assert {(one.target, one.clients) for one in found} == {("cat", ("a",)), ("dog", ("b",))}


def test_accounts_that_share_one_climb_stay_together() -> None:
    held = _climb()
    mixed = queries(held.probabilities.values, classes=NAMES, client=np.array(["a", "b"] * 50, dtype=object))
    (found,) = pursuit.find(mixed, _all(mixed))
    assert found.clients == ("a", "b")
    assert len(found.rows) == 100


def test_labels_alone_leave_the_last_queries_that_kept_the_label() -> None:
    labels = np.array(["dog"] * 10 + ["cat"] * 10 + ["dog"], dtype=object)
    held = queries(count=21, label=labels)
    (found,) = pursuit.find(held, {"cat": (np.arange(21), "label-only")})
    assert (found.scored, found.stretches) == (False, ())
    assert found.best == (19, 18, 17, 16)


def test_confidence_stands_in_for_the_answered_class() -> None:
    labels = np.array(["dog", "cat", "cat"], dtype=object)
    held = queries(count=3, label=labels, confidence=np.array([0.9, 0.6, 0.8]))
    np.testing.assert_array_equal([np.nan, 0.6, 0.8], pursuit.target_probability(held, "cat"))


def test_a_flat_pursuit_has_one_phase_and_one_milestone() -> None:
    for level, name in ((0.6, "refinement"), (0.01, "sweep")):
        held = queries(np.array([[level, 1 - level]] * 30), classes=("cat", "dog"))
        rows = np.arange(30)
        one = pursuit._pursue(held, "cat", "climb-1", rows)
        assert [stretch.name for stretch in one.stretches] == [name]
        assert pursuit.milestones(one) == [0]


def test_milestones_lie_on_the_way() -> None:
    held = _climb()
    (found,) = pursuit.find(held, _all(held))
    marks = pursuit.milestones(found)
    assert marks[0] == 0
    assert marks == sorted(marks)
    assert len(marks) == 4


def test_answers_that_tell_nothing_are_passed_over() -> None:
    values = np.full((30, 2), np.nan)
    values[::2, 0] = np.linspace(0.1, 0.9, 15)
    values[::2, 1] = 1 - values[::2, 0]
    held = queries(values, classes=NAMES, confidence=np.full(30, np.nan), label=np.array([None] * 30, dtype=object))
    (found,) = pursuit.find(held, _all(held))
    assert found.best[0] == 28
    assert np.isnan(found.probability).sum() == 15


def test_no_query_means_no_pursuit() -> None:
    assert pursuit.find(queries(), {}) == ()
    assert pursuit.find(queries(), {"cat": (np.empty(0, dtype=np.int64), "climb-1")}) == ()


def test_a_class_that_only_moved_along_is_not_the_one_pursued() -> None:
    cat = np.interp(np.arange(100), [0, 30, 100], [0.6, 0.99, 0.99])
    owl = np.interp(np.arange(100), [0, 50, 51, 100], [0.0, 0.9, 0.0, 0.0]) * (1 - cat)
    values = np.stack([cat, 1 - cat - owl, owl], axis=1)
    values[50] = [0.05, 0.05, 0.9]
    held = queries(values, classes=("cat", "dog", "owl"))
    rows = np.arange(100)
    found = pursuit.find(held, {"owl": (rows, "climb-1"), "cat": (rows, "climb-2")})
    assert [one.target for one in found] == ["cat"]


def test_one_failed_line_search_does_not_change_the_class() -> None:
    cat = np.interp(np.arange(200), [0, 60, 200], [0.7, 0.999, 0.999])
    cat[172:190] = 0.1
    held = queries(np.stack([cat, 1 - cat], axis=1), classes=NAMES)
    (found,) = pursuit.find(held, _all(held))
    assert (found.target, found.named_by) == ("cat", "climb-1")


def test_a_search_that_begins_anew_keeps_its_class_though_it_breaks_off_elsewhere() -> None:
    cat = np.concatenate([np.full(60, 0.01), np.full(90, 0.9999), np.full(150, 0.15)])
    owl = np.concatenate([np.full(150, 0.0), np.full(150, 0.6)])
    held = queries(np.stack([cat, 1 - cat - owl, owl], axis=1), classes=("cat", "dog", "owl"))
    found = pursuit.find(held, _all(held))
    assert (found[0].target, found[0].named_by) == ("cat", "climb-1")
    assert [one.named_by for one in found[1:]] == [pursuit.UNDECIDED]


def test_of_two_classes_at_the_summit_the_one_answered_most_was_pursued() -> None:
    rng = np.random.default_rng(2)
    owl = (rng.random(400) < 0.3) * 1.0
    cat = (1 - owl) * (rng.random(400) < 0.7)
    held = queries(np.stack([cat, owl, 1 - cat - owl], axis=1), classes=("cat", "owl", "dog"))
    found = pursuit.find(held, {"owl": (np.arange(400), "climb-1")})
    assert [one.target for one in found] == ["cat", "owl"]
    assert found[1].named_by == pursuit.UNDECIDED


def test_a_plateau_does_not_tell_the_class_and_both_are_shown() -> None:
    dog = np.repeat([0.98, 0.7, 0.98, 0.3], 40)
    held = queries(np.stack([1 - dog, dog], axis=1), classes=NAMES)
    found = pursuit.find(held, {"dog": (np.arange(160), "climb-1")})
    assert [(one.target, one.named_by) for one in found] == [("dog", "climb-1"), ("cat", pursuit.UNDECIDED)]


def test_a_clear_climb_shows_one_class_though_it_begins_at_a_record_of_another() -> None:
    held = _climb(200, start=0.001, end=0.999)
    assert [one.target for one in pursuit.find(held, _all(held))] == ["cat"]
