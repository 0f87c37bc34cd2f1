from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from evidence_making import BEGINS, SECOND, context, inputs, queries
from page_reading import read

from detector.evidence import confidence, pursuit
from detector.evidence.context import Timeline
from detector.model import Technique
from detector.report import taxonomy, words
from detector.report.charts import distribution, picture, strip, svg, timeline, trajectory
from detector.report.visible import name, sentence, visible

HIDDEN = "\x00\x07\x1b\x7f\x9b\xad\u061c\u200b\u200e\u202e\u2066\u2028\ufeff\ud800\U000e0041"


@pytest.mark.parametrize("character", list(HIDDEN))
def test_what_cannot_be_seen_is_spelled_out(character: str) -> None:
    shown = visible(f"a{character}b")
    assert character not in shown
    assert shown[0] + shown[-1] == "ab"
    assert len(shown) > 2


def test_a_pile_of_marks_is_spelled_out_from_the_fourth_on() -> None:
    pile = "\u0301" * 50
    shown = visible(f"o{pile}k")
    assert shown.startswith("o\u0301\u0301\u0301⟨U+0301⟩")
    assert shown.count("\u0301") == 3
    assert shown.endswith("k")
    for text in ("Ve\u0302\u0301n", "\u0e19\u0e49\u0e33", "\u05e9\u05c1\u05bc\u05b8"):
        assert visible(text) == text


def test_ordinary_text_stays_as_it_is() -> None:
    text = "naïve Kundin 客户 عميل 🦉 {{ 7*7 }}"
    assert visible(text) == text
    assert visible("a\tb\nc") == "a\tb\nc"


def test_names_stay_on_one_line_and_end() -> None:
    assert name("a\tb\nc") == "a⟨U+0009⟩b⟨U+000A⟩c"
    assert len(name("x" * 5000)) == 120
    assert name("x" * 5000).endswith("…")
    assert len(sentence("x" * 5000)) == 1000
    assert sentence("on\ntwo lines") == "on\ntwo lines"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.500"),
        (0.99995, "over 0.9999"),
        (1e-7, "under 0.0001"),
        (0.995, "0.9950"),
        (0.0023, "0.0023"),
        (float("nan"), "—"),
    ],
)
def test_a_probability_reads_0_or_1_only_where_it_is(value: float, told: str) -> None:
    assert words.probability(value) == told


def test_numbers_and_times_as_a_reader_wants_them() -> None:
    assert [words.share(one) for one in (0, 1, 0.5, 0.9996, 0.0004, 0.997, 0.034, float("nan"))] == [
        "0 %", "100 %", "50 %", "over 99.9 %", "under 0.1 %", "99.7 %", "3.4 %", "—",
    ]  # fmt: skip
    assert [words.number(one) for one in (None, "x", 3.0, 12345.678, 0.00001, 2e9, float("nan"), -0.25)] == [
        "—", "x", "3", "1.235e+04", "1.00e-05", "2.00e+09", "—", "-0.25",
    ]  # fmt: skip
    assert [words.one_in(one) for one in (0.0, 2e-5, 0.03, 0.5)] == [
        "none of the benign windows measured",
        "about 1 in 50,000 benign windows",
        "about 1 in 33 benign windows",
        "50% of benign windows",
    ]
    assert [words.size(one) for one in (0, 999, 1000, 12_345_678, 10**15)] == [
        "0 bytes", "999 bytes", "1.0 kB", "12.3 MB", "1,000 TB",
    ]  # fmt: skip
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert (words.listed(["a"]), words.listed([])) == ("a", "")
    assert [words.plural(one, "query", "queries") for one in (0, 1, 2)] == ["0 queries", "1 query", "2 queries"]
    lengths = [1, 59, 90, 3600, 7200, 86_400, 3 * 86_400]
    assert [words.duration(0, one * SECOND) for one in lengths] == [
        "1 second", "59 seconds", "2 minutes", "60 minutes", "2 hours", "24 hours", "3 days",
    ]  # fmt: skip
    assert words.span(BEGINS, BEGINS + 90 * SECOND) == "13 November 2026, 14:00:00 to 14:01:30 UTC"
    assert words.span(BEGINS, BEGINS + 86_400 * SECOND) == "13 November 2026, 14:00 to 14 November 2026, 14:00 UTC"
    assert words.clock(BEGINS + 1_500) == "14:00:00.001"
    assert words.day(date(2026, 1, 2)) == "2 January 2026"
    assert words.minute(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"


def test_svg_escapes_what_it_is_given() -> None:
    hostile = "</title><script>alert(1)</script>\"'\u202e"
    drawn = svg.chart("a", hostile, hostile, 10, [svg.label(hostile, "0", 1), svg.element("g", class_=hostile)])
    page = read(str(drawn))
    assert "script" not in page.tags
    assert "\u202e" not in drawn


def _climb(count: int, low: float, high: float) -> pursuit.Pursuit:
    rising = np.linspace(low, high, count)
    held = queries(np.stack([rising, 1 - rising], axis=1), classes=("cat", "dog"))
    return pursuit.find(held, {"cat": (np.arange(count), "climb-1")})[0]


@pytest.mark.parametrize("count", [1, 2, 40, 5_000])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.2, 0.8), (0.9999, 0.99999)])
def test_a_climb_of_any_length_is_drawn_in_few_bytes(count: int, ends: tuple[float, float]) -> None:
    drawn = trajectory.draw("c", _climb(count, *ends))
    read(str(drawn))
    assert len(drawn) < 40_000
    assert "NaN" not in drawn
    assert "nan" not in drawn


def test_a_timeline_of_a_night_and_of_a_week() -> None:
    for nights in (1, 7, 30):
        bins = 96 * nights
        counts = np.zeros(bins, dtype=np.int64)
        counts[::5] = 3
        starts = tuple(BEGINS + 86_400 * SECOND * i for i in range(nights))
        drawn = timeline.draw("t", Timeline(BEGINS, 900 * SECOND, counts, counts // 2, starts))
        read(str(drawn))
        assert f"{counts.sum():,} queries" in drawn
    quiet = Timeline(BEGINS, 900 * SECOND, np.zeros(96, dtype=np.int64), np.zeros(96, dtype=np.int64), (BEGINS,))
    read(str(timeline.draw("t", quiet)))


@pytest.mark.parametrize("others", [[], [0.5], [0.1, 0.2, 0.9], [1.0] * 40, [1, 2, 3, 5_000]])
@pytest.mark.parametrize("value", [0.5, -3.0, 1e9])
def test_a_strip_of_any_company(others: list[float], value: float) -> None:
    drawn = strip.draw("s", "a feature", value, np.array(others, dtype=np.float64))
    read(str(drawn))
    assert "nan" not in drawn


def test_distributions_and_pictures_are_drawn() -> None:
    held = queries(np.array([[0.9, 0.1]] * 4), classes=("cat", "dog"))
    (one,) = confidence.examine(context(queries=held)).distributions
    read(str(distribution.draw("d", one, attack=True, axis=True)))
    for shape in ((8, 8, 1), (4, 4, 4), (96, 96, 3)):
        vector = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32)
        drawn = picture.image("p", "a picture", vector, shape, (0, 1))
        read(str(drawn))
        assert len(drawn) < 120_000
    first = picture.image("p", "x", np.arange(48, dtype=np.float32), (4, 4, 3), (0, 48), channels_first=True)
    assert first != picture.image("p", "x", np.arange(48, dtype=np.float32), (4, 4, 3), (0, 48))
    vector = np.array([1.0, np.nan, 3.0], dtype=np.float32)
    usual = np.array(inputs(np.eye(3)).vectors)
    for known in (usual, None, usual[:0]):
        read(str(picture.profile("v", "values", np.nan_to_num(vector), known, "others")))


def test_every_technique_has_its_names() -> None:
    for technique in Technique:
        rows = taxonomy.terms([technique], [])
        assert rows[0].scheme == "MITRE ATLAS"
        assert rows[0].name
    assert taxonomy.terms([], ["AML.T9999"])[0].name == ""
    assert len(taxonomy.terms([Technique.INVERSION], ["AML.T0024.001"])) == 3


def test_a_pursuit_without_rows_has_no_milestones() -> None:
    empty = replace(_climb(3, 0.1, 0.9), rows=np.empty(0, dtype=np.int64))
    assert pursuit.milestones(empty) == []
