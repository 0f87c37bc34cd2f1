"""What the page's script adds: charts that can be zoomed, a table that can be searched, links that filter it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from watching import CLIMB, Watched

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(climb: Path, watched: Watched) -> Page:
    return watched.open(climb / CLIMB)


def _count(page: Page) -> str:
    return page.locator("[data-count]").text_content() or ""


def _shown(page: Page) -> int:
    return page.locator(".queries tbody tr:visible").count()


def _chart(page: Page, which: str) -> Locator:
    return page.locator(f"figure[data-chart='{which}']")


def _drag(page: Page, chart: Locator, begin: float, end: float) -> None:
    over = chart.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 60, steps=6)
    page.mouse.up()


def test_dragging_over_a_climb_zooms_it_and_filters_the_table(page: Page, watched: Watched) -> None:
    assert _count(page) == "260 of 260 queries"
    chart = _chart(page, "0")
    _drag(page, chart, 0.25, 0.5)
    assert "of 260 queries, numbers 66 to 130 of climb 1" in _count(page)
    assert _shown(page) == 65
    assert "Queries 66 to 130" in (chart.locator("[data-told]").text_content() or "")
    chart.locator(".u-over").dblclick()
    assert _count(page) == "260 of 260 queries"
    assert _shown(page) == 260
    assert watched.seen == []


def test_dragging_over_the_timeline_filters_by_time(page: Page, watched: Watched) -> None:
    chart = _chart(page, "timeline")
    chart.locator("[data-do=home]").click()
    _drag(page, chart, 0.0, 0.5)
    assert "14:00:00 to 13 Nov 14:00:31 UTC" in _count(page)
    assert 125 <= _shown(page) <= 135
    last = page.locator(".queries tbody tr:visible td").nth(0).text_content() or ""
    assert last.startswith("14:00:0")
    # a second chart takes over from the first, which shows everything again
    _drag(page, _chart(page, "0"), 0.5, 0.9)
    assert "of climb 1" in _count(page)
    assert chart.locator("[data-told]").text_content() == ""
    page.locator("[data-do=clear]").click()
    assert _count(page) == "260 of 260 queries"
    assert watched.seen == []


def test_the_keyboard_alone_zooms_and_goes_back(page: Page, watched: Watched) -> None:
    chart = _chart(page, "0")
    for action, told in (("in", "numbers 66 to 195"), ("on", "numbers 131 to 260"), ("back", "numbers 66 to 195")):
        chart.locator(f"[data-do={action}]").focus()
        page.keyboard.press("Enter")
        assert told in _count(page)
    for _ in range(20):
        chart.locator("[data-do=in]").press("Space")
    assert _shown(page) >= 9
    chart.locator("[data-do=all]").press("Enter")
    assert _count(page) == "260 of 260 queries"
    assert watched.seen == []


def test_searching_and_choosing_narrow_the_table_together(page: Page, watched: Watched) -> None:
    page.locator(".tools input").fill("REFINEMENT 14:00:5")
    expect(page.locator("[data-count]")).to_have_text(re.compile("^[1-9]. of 260"))
    found = _shown(page)
    assert _count(page) == f"{found} of 260 queries"
    assert page.locator("[data-count]").get_attribute("role") == "status"
    page.get_by_label("Phase", exact=True).select_option(label="1. Climb towards 3")
    assert _count(page) == "0 of 260 queries"
    page.get_by_role("button", name="Clear all").click()
    page.get_by_label("Answer", exact=True).select_option(label="3")
    assert page.get_by_label("Finding", exact=True).locator("option").count() == 3
    labels = page.locator(".queries tbody tr:visible td:nth-child(3)").all_text_contents()
    assert set(labels) == {"3"}
    assert 0 < len(labels) < 260
    assert watched.seen == []


def test_the_queries_of_a_finding_can_be_chosen(page: Page, watched: Watched) -> None:
    page.get_by_label("Finding", exact=True).select_option(index=1)
    times = page.locator(".queries tbody tr:visible td:nth-child(1)").all_text_contents()
    assert 110 < len(times) < 125
    assert (times[0] >= "14:00:12", times[-1] <= "14:00:40") == (True, True)
    page.get_by_label("Finding", exact=True).select_option(index=2)
    assert _count(page) == "260 of 260 queries"
    assert watched.seen == []


def test_a_phase_leads_to_its_queries(page: Page, watched: Watched) -> None:
    page.locator(".tools input").fill("nothing is called like this")
    expect(page.locator("[data-count]")).to_have_text("0 of 260 queries")
    page.locator("#phase-2 a").click()
    assert _count(page) == "55 of 260 queries"
    assert page.url.endswith("#phase-2-queries")
    assert page.locator("#phase-2-queries").is_visible()
    # a link to a row that the filter hides shows it again
    page.evaluate("location.hash = 'phase-1-queries'")
    expect(page.locator("#phase-1-queries")).to_be_visible()
    assert _count(page) == "260 of 260 queries"
    assert watched.seen == []


def test_charts_have_the_names_of_the_drawn_ones(page: Page) -> None:
    for chart in page.locator(".plot").all():
        ids = (chart.get_attribute("aria-labelledby") or "").split()
        assert len(ids) == 2
        assert all(len(page.locator(f"#{one}").text_content() or "") > 10 for one in ids)
    assert page.get_by_role("img", name="Queries in each 15 minutes").is_visible()


def test_on_paper_the_charts_are_drawn_whole_and_controls_are_gone(page: Page, watched: Watched) -> None:
    _drag(page, _chart(page, "0"), 0.25, 0.5)
    page.emulate_media(media="print")
    assert page.locator("figure[data-chart] > svg.chart").first.is_visible()
    assert not page.locator(".plot, .buttons, .tools").first.is_visible()
    assert _shown(page) == 65
    page.emulate_media(media="screen", color_scheme="dark")
    assert not page.locator("figure[data-chart] > svg.chart").first.is_visible()
    assert watched.seen == []


def test_without_script_the_page_is_whole(climb: Path, browser: Browser) -> None:
    watched = Watched(browser, java_script_enabled=False)
    page = watched.open(climb / CLIMB)
    assert page.locator("figure[data-chart] > svg.chart").first.is_visible()
    assert page.locator(".tools, .stage").count() > 0
    assert not page.locator(".tools").is_visible()
    assert not page.locator(".stage").first.is_visible()
    assert page.locator(".queries tbody tr").count() == 260
    watched.page.close()
    assert watched.seen == []


def test_a_foreign_script_is_not_let_in(page: Page) -> None:
    page.evaluate("""() => {
        window.blocked = [];
        addEventListener("securitypolicyviolation", (event) => window.blocked.push(event.violatedDirective));
        const script = document.createElement("script");
        try { script.textContent = "window.pwned = 1"; } catch { window.blocked.push("trusted types"); }
        document.body.append(script);
        try { document.body.innerHTML = "<b>x</b>"; } catch { window.blocked.push("trusted types"); }
    }""")
    assert len(page.evaluate("window.blocked")) >= 2
    assert page.evaluate("window.pwned") is None
    assert page.locator("h1").count() == 1
