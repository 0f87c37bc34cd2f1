from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from feature_making import ordinary, schema_of
from query_making import climb, sent, shuffled

from detector.config import IdentitySettings
from detector.features import mixed as parts
from detector.features.assemble import Reading
from detector.features.contact import Contacts
from detector.features.families import LAYOUT
from detector.features.mixed import FEWEST_APART, candidates
from detector.features.night import measure_night
from detector.features.state import States

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.mixed import Mixed

READING = Reading(schema_of(ordinary(1024)), {})
ATTACK = 300


def _covered(own: int, cover: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a climb of `own` queries, evenly spread among `cover` ordinary ones."""
    view = ordinary(own + cover, 40 + seed)
    view[np.linspace(0, own + cover - 1, own).astype(int)] = climb(own, seed)
    return view


def _mixed(*tables: pa.Table) -> Mixed | None:
    table = pa.concat_tables(tables)
    return measure_night([table], table.num_rows, READING, Contacts(), IdentitySettings()).mixed


def _one(view: NDArray[np.float32], name: str = "hidden") -> pa.Table:
    return sent(view, [name] * len(view))


def test_a_climb_under_cover_is_set_apart_from_its_cover() -> None:
    found = _mixed(_one(_covered(ATTACK, 900)), _one(ordinary(500, 7), "plain"))
    assert found is not None
    assert found.names == ("hidden",)
    apart, rest = float(found.apart["queries"][0]), float(found.rest["queries"][0])
    assert apart + rest == ATTACK + 900
    assert abs(apart - ATTACK) <= 0.1 * ATTACK
    assert found.apart["off_manifold"][0] >= 0.8 * found.apart["looked_at"][0]
    assert found.rest["off_manifold"][0] <= 0.05 * found.rest["looked_at"][0]


@pytest.mark.parametrize(
    "view", [ordinary(1200, 3), climb(1200), _covered(FEWEST_APART - 30, 1000), _covered(900, 300)]
)
def test_who_does_one_thing_is_not_parted(view: NDArray[np.float32]) -> None:
    assert _mixed(_one(view)) is None


def test_the_parts_do_not_depend_on_the_order_in_which_queries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.concat_tables([_one(_covered(ATTACK, 900, n), f"c{n}") for n in range(3)])
    one = _mixed(table)
    monkeypatch.setattr("detector.features.night.PART_ROWS", 1000)
    other = _mixed(shuffled(table, 5))
    assert one is not None
    assert other is not None
    assert (one.names, other.names) == (("c0", "c1", "c2"),) * 2
    np.testing.assert_array_equal(one.apart.rows, other.apart.rows)
    np.testing.assert_array_equal(one.rest.rows, other.rest.rows)


def test_no_more_is_looked_at_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.zeros((4, LAYOUT.width))
    told = {"queries": (1000, 1000, 1000, 1000), "off_manifold": (20, 60, 40, 0), "looked_at": (100,) * 4}
    for name, values in told.items():
        rows[:, LAYOUT.places[name].start] = values
    states = States(LAYOUT, rows)
    assert candidates(states).tolist() == [True, True, True, False]
    monkeypatch.setattr(parts, "_MOST_ROWS", 2000)
    assert candidates(states).tolist() == [False, True, True, False]
