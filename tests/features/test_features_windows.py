from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from feature_making import SECOND, START, Stream, answers, ordinary, schema_of, states_of

from detector.features import windows
from detector.features.families import LAYOUT
from detector.features.night import EntityStates
from detector.features.registry import NAMES
from detector.features.state import stacked
from detector.features.windows import NightStates, frame_of, rounded, rows_of, trailing_nights, windows_of
from detector.model import EntityKind, Horizon

if TYPE_CHECKING:
    from detector.store.window_rows import WindowRow

SCHEMA = schema_of(ordinary(256))
NIGHT = date(2026, 11, 16)
DAY = 86_400 * SECOND
NAMES_OF = ("alice", "böb", "carol")


def _states(seed: int, names: tuple[str, ...] = NAMES_OF, day: int = 0) -> NightStates:
    """Return the states of a night of clients, and of one network that all share."""
    streams = []
    for number, _ in enumerate(names):
        view = ordinary(80 + 10 * number, 10 * seed + number)
        ts = START + day * DAY + 30 * SECOND * np.arange(len(view))
        streams.append(Stream(view, answers(view), ts=ts))
    clients = EntityStates(EntityKind.CLIENT, names, tuple((n,) for n in names), states_of(SCHEMA, *streams))
    pooled = Stream(ordinary(200, seed), answers(ordinary(200, seed)))
    network = EntityStates(EntityKind.NETWORK, ("10.0.0.0/24",), (names,), states_of(SCHEMA, pooled))
    return NightStates.of([clients, network])


def _together(nights: list[NightStates]) -> NightStates:
    return NightStates(
        tuple(kind for one in nights for kind in one.kinds),
        tuple(name for one in nights for name in one.ids),
        tuple(clients for one in nights for clients in one.clients),
        stacked([one.states for one in nights]),
    )


def _rows(own: NightStates) -> list[WindowRow]:
    return rows_of(windows_of("m", NIGHT, own, own.present(set()), SCHEMA), own)


OWN = _states(0, day=6)
WEEK = [_states(seed, day=seed - 1) for seed in range(1, 7)]


def test_the_trailing_window_is_a_week_that_ends_with_the_night() -> None:
    assert trailing_nights(NIGHT) == tuple(f"2026-11-{day}" for day in range(10, 17))


def test_the_first_nights_of_a_year_reach_back_into_the_last() -> None:
    assert trailing_nights(date(2027, 1, 2))[0] == "2026-12-27"


def test_a_frame_has_a_row_an_entity_and_a_column_a_feature() -> None:
    frame = frame_of(OWN, Horizon.NIGHT, SCHEMA)
    assert list(frame.columns) == [*windows.IDENTITY, *(name for name in NAMES if name != "query_count")]
    assert frame["entity_id"].tolist() == [*NAMES_OF, "10.0.0.0/24"]
    assert frame["query_count"].tolist() == [80, 90, 100, 200]
    assert frame["clients"].tolist()[3] == NAMES_OF
    assert set(frame["target"]) <= {"a", "b", "c", None}
    assert (frame["first_ts"] <= frame["segment_first"].fillna(frame["first_ts"])).all()


def test_without_a_week_both_horizons_say_the_same() -> None:
    none = OWN.present(set())
    both = windows_of("m", NIGHT, OWN, none, SCHEMA).frame
    night, trailing = (both[both["horizon"] == h.value].reset_index(drop=True) for h in Horizon)
    assert night.drop(columns="horizon").equals(trailing.drop(columns="horizon"))


def test_the_trailing_window_is_the_merge_of_the_nights_that_were_stored() -> None:
    stored = [
        NightStates.from_rows(rows_of(windows_of("m", NIGHT, one, one.present(set()), SCHEMA), one)) for one in WEEK
    ]
    both = windows_of("m", NIGHT, OWN, _together(stored), SCHEMA).frame
    trailing = both[both["horizon"] == Horizon.TRAILING.value].set_index("entity_id")
    all_nights = stacked([*(one.states for one in WEEK), OWN.states])
    merged = all_nights.merged(np.tile(np.arange(4), 7), 4)
    np.testing.assert_array_equal(merged["queries"], trailing.loc[list(OWN.ids), "query_count"])
    np.testing.assert_array_equal(merged["first_ts"], trailing.loc[list(OWN.ids), "first_ts"])
    expected = frame_of(NightStates(OWN.kinds, OWN.ids, OWN.clients, merged), Horizon.TRAILING, SCHEMA)
    got = trailing.loc[list(OWN.ids)].reset_index()
    for name in NAMES:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-6, err_msg=name)


def test_the_order_of_the_nights_does_not_matter() -> None:
    frames = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]):
        week = _together([WEEK[i] for i in order])
        frames.append(windows_of("m", NIGHT, OWN, week, SCHEMA).frame)
    assert frames[0]["entity_id"].tolist() == frames[1]["entity_id"].tolist()
    for name in NAMES:
        np.testing.assert_allclose(frames[0][name], frames[1][name], rtol=1e-6, err_msg=name)


def test_who_did_not_ask_tonight_has_no_window_tonight() -> None:
    week = _states(1, ("alice", "dave", "eve"))
    both = windows_of("m", NIGHT, OWN, week, SCHEMA).frame
    trailing = both[both["horizon"] == Horizon.TRAILING.value]
    assert sorted(trailing["entity_id"]) == sorted(OWN.ids)
    network = trailing[trailing["entity_kind"] == "network"].iloc[0]
    assert network["clients"] == ("alice", "böb", "carol", "dave", "eve")
    counts = dict(zip(trailing["entity_id"], trailing["query_count"], strict=True))
    assert (counts["alice"], counts["böb"]) == (160, 90)


def test_rows_hold_what_the_frame_says_without_the_nulls() -> None:
    told = windows_of("m", NIGHT, OWN, OWN.present(set()), SCHEMA)
    rows = rows_of(told, OWN)
    assert len(rows) == len(told.frame) == 8
    for row, (_, shown) in zip(rows, told.frame.iterrows(), strict=True):
        held = json.loads(row.features)
        assert row.horizon == shown["horizon"]
        assert (row.entity_kind, row.entity_id) == (shown["entity_kind"], shown["entity_id"])
        assert row.query_count == shown["query_count"]
        assert row.clients == (() if row.entity_kind == "client" else NAMES_OF)
        for name in NAMES:
            if name == "query_count":
                continue
            if np.isnan(shown[name]):
                assert name not in held
            else:
                assert held[name] == pytest.approx(shown[name], rel=1e-6)
        assert (row.state is None) == (row.horizon == Horizon.TRAILING.value)


def test_states_come_back_from_rows_bit_by_bit() -> None:
    rows = [row for row in _rows(OWN) if row.state]
    back = NightStates.from_rows(rows)
    assert (back.kinds, back.ids, back.clients) == (OWN.kinds, OWN.ids, OWN.clients)
    np.testing.assert_array_equal(OWN.states.rows, back.states.rows)
    assert NightStates.from_rows([]).states.rows.shape == (0, LAYOUT.width)


def test_states_that_an_older_version_laid_out_otherwise_are_left_out() -> None:
    rows = [row for row in _rows(OWN) if row.state]
    older = [type(rows[0])(**(row.__dict__ | {"state": b"\0" * 8 * (LAYOUT.width - 1)})) for row in rows[:2]]
    back = NightStates.from_rows([*older, *rows[2:]])
    assert back.ids == OWN.ids[2:]
    np.testing.assert_array_equal(OWN.states.rows[2:], back.states.rows)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.23456789, 1.234568), (-123456789.0, -123456800.0), (0.0, 0.0), (1e-12 / 3, 3.333333e-13), (7.0, 7.0),
     (np.nan, np.nan), (1e300, 1e300)],
)  # fmt: skip
def test_features_are_rounded_to_seven_digits(value: float, shown: float) -> None:
    import pandas as pd

    np.testing.assert_allclose(rounded(pd.DataFrame({"x": [value]}))["x"], [shown], rtol=1e-12)
