from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_making import BEGINS, SECOND, queries

from detector.evidence import phases, pursuit
from detector.model import Technique

if TYPE_CHECKING:
    from detector.evidence.context import Queries

RNG = np.random.default_rng(4)


def _asked(values: Any, gaps: Any = None, **columns: Any) -> Queries:
    values = np.asarray(values, dtype=np.float64)
    seconds = np.cumsum(np.ones(len(values)) if gaps is None else gaps)
    ts = BEGINS + (SECOND * seconds).astype(np.int64)
    return queries(np.stack([values, 1 - values], axis=1), classes=("cat", "dog"), ts=ts, **columns)


def _found(held: Queries, near: Any, *targets: tuple[str, Any]) -> tuple[phases.Phase, ...]:
    steps = np.asarray(near, dtype=np.float32)
    named = {name: (np.asarray(rows), "climb-1") for name, rows in targets}
    gone = pursuit.find(held, named) if targets else ()
    return phases.find(held, [phases.refine(one, held, steps) for one in gone], steps)


def _story(found: tuple[phases.Phase, ...]) -> list[tuple[str, str | None, int]]:
    return [(one.name, one.target, len(one.rows)) for one in found]


def test_a_bulk_sweep_ends_where_steps_become_small() -> None:
    # The best of 200 random inputs rises by luck; 100 small steps then climb.
    values = np.concatenate([RNG.uniform(0.02, 0.3, 200), np.linspace(0.3, 0.97, 80), np.full(40, 0.972)])
    near = np.concatenate([RNG.uniform(0.8, 1.2, 200), RNG.uniform(0.02, 0.1, 120)])
    found = _found(_asked(values), near, ("cat", np.arange(320)))
    assert [one.name for one in found] == ["bulk sweep", "climb", "refinement"]
    assert abs(len(found[0].rows) - 200) <= 2
    assert found[0].near == 0.0
    assert found[1].near == 1.0
    assert found[1].rate == pytest.approx(60)
    assert found[1].best > 0.9
    assert found[2].rises <= 1


def test_large_steps_that_rise_are_a_climb_from_the_start() -> None:
    values = np.linspace(0.05, 0.97, 200)
    near = np.concatenate([np.full(100, 1.0), np.full(100, 0.05)])
    found = _found(_asked(values), near, ("cat", np.arange(200)))
    assert [one.name for one in found] == ["reconnaissance", "climb"]


def test_a_handful_of_queries_is_no_phase() -> None:
    values = np.concatenate([np.full(3, 0.05), np.linspace(0.06, 0.97, 60), np.full(30, 0.972)])
    found = _found(_asked(values), np.full(93, 0.1), ("cat", np.arange(93)))
    assert [one.name for one in found] == ["climb", "refinement"]
    assert len(found[0].rows) + len(found[1].rows) == 93
    few = _found(_asked(values[-4:]), np.full(4, 0.1), ("cat", np.arange(4)))
    assert [len(one.rows) for one in few] == [4]


def test_a_slow_beginning_is_reconnaissance() -> None:
    values = np.concatenate([np.full(60, 0.05), np.linspace(0.06, 0.97, 60)])
    gaps = np.concatenate([np.full(20, 30.0), np.full(100, 1.0)])
    found = _found(_asked(values, gaps), np.full(120, np.nan), ("cat", np.arange(120)))
    assert _story(found)[:2] == [("reconnaissance", "cat", 20), ("bulk sweep", "cat", len(found[1].rows))]
    assert np.isnan(found[0].step)


def test_another_class_is_the_next_target() -> None:
    cat = np.concatenate([np.linspace(0.05, 0.97, 60), np.linspace(0.95, 0.03, 60)])
    found = _found(_asked(cat), np.full(120, 0.1), ("cat", np.arange(60)), ("dog", np.arange(60, 120)))
    first = [one.target for one in found]
    assert first == sorted(first)
    assert [one.is_next for one in found].count(True) == 1
    assert next(one for one in found if one.is_next).target == "dog"


def test_labels_alone_have_an_inside_and_an_outside() -> None:
    labels = np.array(["dog"] * 30 + ["cat"] * 50, dtype=object)
    held = queries(count=80, label=labels)
    found = _found(held, np.full(80, 0.1), ("cat", np.arange(80)))
    assert _story(found) == [("local search", "cat", 30), ("walk inside the class", "cat", 50)]
    assert found[1].on_target == 1.0
    assert found[0].confidence is None


def test_without_a_class_pauses_tell_phases_apart() -> None:
    gaps = np.ones(90)
    gaps[[30, 60]] = 600
    near = np.concatenate([np.full(30, 1.0), np.full(30, 0.05), np.full(30, np.nan)])
    found = _found(_asked(RNG.uniform(0.4, 0.6, 90), gaps), near)
    assert _story(found) == [("bulk sweep", None, 30), ("local search", None, 30), ("bulk sweep", None, 30)]
    assert _found(_asked(np.full(5, 0.5)), np.full(5, 1.0))[0].name == "reconnaissance"
    assert phases.find(queries(), [], np.empty(0, dtype=np.float32)) == ()


def test_every_query_belongs_to_one_phase_and_says_so() -> None:
    values = np.concatenate([RNG.uniform(0.02, 0.2, 50), np.linspace(0.2, 0.97, 50), RNG.uniform(0.4, 0.6, 30)])
    found = _found(_asked(values), np.full(130, 1.0), ("cat", np.arange(100)))
    rows = np.concatenate([one.rows for one in found])
    np.testing.assert_array_equal(np.arange(130), np.sort(rows))
    words = phases.patterns(130, found, Technique.INVERSION)
    assert words[99].endswith("towards cat")
    assert words[129] == "query of the search"
