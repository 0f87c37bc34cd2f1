from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_making import AS_OF, BEGINS, MODEL, NIGHT, SECOND, context, queries
from page_reading import check

from detector.evidence import pursuit
from detector.evidence.capture import capture
from detector.evidence.context import Trace
from detector.report import environment, live, tables
from detector.report.charts import trajectory
from detector.report.writer import write_night

if TYPE_CHECKING:
    from evidence_making import AttackedSite
    from numpy.typing import NDArray

HOSTILE = "</script><!--<script>alert(1)//&amp;\u2028\u2029\ud800\x00"


def _page(site: AttackedSite, *, redact: bool = False) -> Any:
    paths = write_night(
        site.store, site.settings, out=site.folder / "out", nights=[(MODEL, NIGHT)], as_of=AS_OF, redact=redact
    )
    return check((site.folder / "out" / paths.incidents[site.incident.id]).read_text(encoding="utf-8"))


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else [value]


def test_the_block_holds_json_that_no_page_can_misread() -> None:
    text = live.block({"a": [HOSTILE, 1.5, None]})
    assert json.loads(text) == {"a": [HOSTILE, 1.5, None]}
    assert text.isascii()
    assert not set("<>&") & set(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        live.block(float("nan"))


@pytest.mark.parametrize("redact", [False, True])
def test_the_script_is_told_numbers_and_no_text_of_the_log(site: AttackedSite, *, redact: bool) -> None:
    page = _page(site, redact=redact)
    (data,) = page.data
    told = json.loads(data)
    names = [name for climb in told["climbs"] for _, name in climb["ticks"]]
    assert {leaf for leaf in _leaves(told) if isinstance(leaf, str)} == set(names)
    assert set("".join(names)) <= set("0123456789.")
    assert len(told["rows"]["at"]) == 260
    assert set(told) == {"timeline", "climbs", "rows"}


def test_rows_are_told_by_phase_answer_and_place_in_the_climb(site: AttackedSite) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    table = tables.queries(dossier, redact=False)
    told = live.build(dossier, table.picked)
    rows = json.loads(told.data)["rows"]
    assert [one.key for one in told.filters] == ["phase", "label", "rule"]
    phases = told.filters[0].options
    assert phases[0] == "1. Climb towards 3"
    for place, row in enumerate(table.rows):
        assert row.phase == f"phase-{rows['phase'][place] + 1}"
        assert row.label == told.filters[1].options[rows["label"][place]]
    # the second finding holds for all of the climb, the first for the middle of it
    assert {one & 2 for one in rows["rule"]} == {2}
    assert 100 < sum(one & 1 for one in rows["rule"]) < 130
    (climb,) = json.loads(told.data)["climbs"]
    assert climb["rows"] == list(range(1, 261))
    assert rows["at"] == sorted(rows["at"])
    assert rows["begin"] == BEGINS // 1000


def test_the_timeline_counts_the_same_queries_in_both_widths(site: AttackedSite) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    told = json.loads(live.build(dossier, (0,)).data)["timeline"]
    assert sum(told["telling"]) == sum(told["fine"]["telling"]) == 260
    assert told["fine"]["width"] == 500
    assert told["begin"] <= told["fine"]["begin"] < told["begin"] + told["width"] * len(told["all"])


@pytest.mark.parametrize(
    ("seconds", "count", "width"), [(1, 2, 100), (60, 4_000, 100), (3_600, 120_000, 2_000), (10**6, 10**4, None)]
)
def test_bins_are_as_fine_as_the_evidence_is_dense(seconds: int, count: int, width: int | None) -> None:
    ts = BEGINS + np.linspace(0, seconds * SECOND, count).astype(np.int64)
    none = np.zeros(count, dtype=np.int64)
    trace = Trace(ts, none.astype(np.int32), none.astype(np.float32), none, BEGINS)
    fine = live._fine(context(trace=trace), 900_000)
    if width is None:
        # 10^6 seconds in 2,000 bins are as wide as those of the timeline
        fine = live._fine(context(trace=trace), 500_000)
        assert fine is None
        return
    assert fine is not None
    assert fine["width"] == width
    assert sum(fine["telling"]) == count
    assert len(fine["telling"]) <= live.MOST_BINS


def test_without_all_of_the_evidence_there_is_no_finer_timeline() -> None:
    held = queries(np.full((5, 2), 0.5), classes=("a", "b"))
    assert live._fine(context(queries=held, query_total=6), 900_000) is None
    assert live._fine(context(queries=held), 900_000) is not None
    assert live._fine(context(), 900_000) is None


def _noisy(count: int) -> NDArray[np.float64]:
    return np.random.default_rng(7).random(count) * np.linspace(0.1, 1, count)


@pytest.mark.parametrize("count", [1, 100, 2_400, 2_401, 120_000])
def test_a_thinned_climb_keeps_its_extremes_and_its_records(count: int) -> None:
    values = _noisy(count)
    values[count // 3] = 1.5
    kept = live.thinned(values, live.MOST_POINTS)
    assert len(kept) <= 1.3 * live.MOST_POINTS
    assert np.array_equal(kept, np.unique(kept))
    assert {int(values.argmax()), int(values.argmin()), 0, count - 1} <= set(kept.tolist())
    best = np.maximum.accumulate(values)
    records = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    assert set(records.tolist()) <= set(kept.tolist())


def test_a_climb_of_records_alone_stays_bounded() -> None:
    values = np.linspace(0, 1, 100_000)
    assert len(live.thinned(values, 2_400)) <= 1.3 * 2_400


def test_the_charts_scale_is_the_drawn_one() -> None:
    rising = np.linspace(0.0, 1.0, 5_000)
    held = queries(np.stack([rising, 1 - rising], axis=1), classes=("cat", "dog"))
    (found,) = pursuit.find(held, {"cat": (np.arange(5_000), "climb-1")})
    told = live._climb(found, 6, np.array([0, 7]))
    axis = trajectory.axis(found.probability)
    assert told["odds"] is axis.odds is True
    assert len(told["at"]) == len(told["value"]) <= 1.3 * live.MOST_POINTS_OF_ALL / 6
    assert [axis.part(tick) == pytest.approx(0, abs=1) for tick, _ in told["ticks"]]
    unknown = live._climb(replace(found, probability=np.full(5_000, np.nan)), 1, found.rows[:1])
    assert unknown["at"] == []


def test_a_query_may_be_part_of_several_climbs() -> None:
    rising = np.linspace(0.1, 0.9, 40)
    held = queries(np.stack([rising, 1 - rising], axis=1), classes=("cat", "dog"))
    rows = np.arange(0, 40, 2)
    (found,) = pursuit.find(held, {"cat": (rows, "climb-1")})
    assert live._places(found, np.array([0, 1, 4, 39])).tolist() == [1, 0, 3, 0]
    assert live._places(replace(found, rows=np.arange(40)), np.array([0, 1, 4, 39])).tolist() == [1, 2, 5, 40]


def test_choices_that_are_none_are_not_offered() -> None:
    assert live._coded(["b", None, "a", "a"]) == (["a", "b"], [1, -1, 0, 0])


def test_assets_cannot_close_their_own_element() -> None:
    charts = environment.charts()
    for asset in (charts.library, charts.script, charts.style, environment.style()):
        assert not [mark for mark in ("</", "<!--", "]]>", "@import", "url(") if mark in asset.text]
    assert "Leon Sorokin" in charts.library.text


def test_a_long_table_is_cut_short_on_paper(site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ON_PAPER", 50)
    page = _page(site)
    assert page.values("class").count("more") == 210
    assert "On paper: 50 of 260." in page.text
