from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from evidence_making import AS_OF, NIGHT
from hostile_site import HOSTILE, MODEL, TOGETHER, hostile_site
from watching import CLIENT, CLIMB, Watched

from detector.report.notes import FileNote, NightNote, RunNotes, SilentRule
from detector.report.writer import write_night
from detector.store.incident_bodies import clean

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MOST_BYTES = 2_000_000

# Luminance contrast of every piece of text against what lies behind it (WCAG 2), the lowest first.
CONTRASTS = """() => {
  const light = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parse = s => s.match(/[\\d.]+/g).map(Number);
  const lum = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility()) continue;
    const style = getComputedStyle(e);
    const ink = parse(e instanceof SVGElement ? style.fill : style.color), paper = behind(e);
    const [a, b] = [lum(ink), lum(paper)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), `${e.tagName} ${e.getAttribute("class")}: ${e.textContent.slice(0, 40)}`]);
  }
  return found.sort((x, y) => x[0] - y[0]).slice(0, 3);
}"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hostile site's reports."""
    site = hostile_site(tmp_path_factory.mktemp("hostile") / "site")
    model = clean(MODEL)
    notes = RunNotes(
        files=tuple(FileNote(name, "stored", 1, 1, 0, 0, ((name, 1),), name) for name in HOSTILE),
        nights=(NightNote(model, NIGHT, 720, HOSTILE[0], tuple(SilentRule(n, n, (n,)) for n in HOSTILE)),),
        exit_code=13,
    )
    with contextlib.chdir(site.folder):
        write_night(
            site.store, site.settings, out=site.folder / "out", nights=[(model, NIGHT)], as_of=AS_OF, run_notes=notes
        )
    site.store.close()
    return site.folder / "out"


def test_hostile_names_do_nothing_in_a_browser(hostile: Path, watched: Watched) -> None:
    pages = sorted(hostile.rglob("*.html"))
    assert len(pages) == len(HOSTILE) // TOGETHER + 2
    for path in pages:
        assert path.stat().st_size < MOST_BYTES
        page = watched.open(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("document.querySelectorAll('iframe, img, base, link:not([rel=icon])').length") == 0
        # its own: the data, the library, the script
        assert page.locator("script").count() == (3 if path.name.startswith("INC-") else 0)
        assert page.url == path.as_uri()
    assert watched.seen == []


def test_hostile_names_are_shown_and_not_swallowed(hostile: Path, watched: Watched) -> None:
    text = watched.open(hostile / str(NIGHT) / "index.html").evaluate("document.body.textContent")
    shown = ("<script>window.pwned=1</script>", "{{ 7*7 }}", "⟨U+202E⟩evil", "zero⟨U+200B⟩width", "⟨U+001B⟩[31mred")
    assert [name for name in shown if name not in text] == []
    for hidden in ("\u202e", "\u200b", "\x1b", "\x00"):
        assert hidden not in text


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_screen(hostile: Path, climb: Path, browser: Browser, width: int) -> None:
    watched = Watched(browser, viewport={"width": width, "height": 900})
    for path in (
        climb / "index.html",
        climb / str(NIGHT) / "index.html",
        climb / CLIMB,
        climb / CLIENT,
        *hostile.rglob("*.html"),
    ):
        page = watched.open(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
    watched.page.close()
    assert watched.seen == []


def test_reconstructions_open_by_keyboard_alone(climb: Path, watched: Watched) -> None:
    page = watched.open(climb / CLIMB)
    picture = page.locator(".covered .picture").first
    assert not picture.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator(".covered summary").first.focus()
    page.keyboard.press("Enter")
    assert picture.is_visible()
    assert watched.seen == []


def test_on_paper_everything_can_be_read_but_what_is_covered(climb: Path, watched: Watched, tmp_path: Path) -> None:
    page = watched.open(climb / CLIMB)
    page.emulate_media(media="print")
    shown = "one => [...document.querySelectorAll(one)].every(e => e.checkVisibility({contentVisibilityAuto: true}))"
    watched.wait_until(shown, ".checklist .facts")
    assert page.evaluate(shown, ".queries tbody tr:not(.more)")
    assert not page.locator(".covered .picture").first.is_visible()
    cut = "[...document.querySelectorAll('.scroll')].every(e => e.scrollHeight <= e.clientHeight + 1)"
    assert page.evaluate(cut)
    page.emulate_media(media="screen")
    printed = tmp_path / "report.pdf"
    page.pdf(path=printed, format="A4")
    assert printed.read_bytes().startswith(b"%PDF-")
    assert watched.seen == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(climb: Path, browser: Browser, scheme: str) -> None:
    watched = Watched(browser, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    for place in ("index.html", f"{NIGHT}/index.html", CLIMB):
        page = watched.open(climb / place)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        weakest = page.evaluate(CONTRASTS)
        assert weakest[0][0] >= 4.5, weakest
    watched.page.close()
    assert watched.seen == []


def test_dark_is_dark(climb: Path, browser: Browser) -> None:
    watched = Watched(browser, color_scheme="dark")
    paper = watched.open(climb / CLIMB).evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(22, 24, 27)"
    watched.page.close()


def test_charts_speak_to_those_who_cannot_see_them(climb: Path, watched: Watched) -> None:
    page = watched.open(climb / CLIMB)
    names = page.evaluate(
        """() => [...document.querySelectorAll('svg[role=img]')].map(svg =>
        svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent.length))"""
    )
    assert len(names) > 8
    assert all(min(lengths) > 10 for lengths in names)
