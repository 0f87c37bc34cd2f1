from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from evidence_making import AS_OF, ATTACKER, MODEL, NIGHT, QUIET_NIGHT
from page_reading import check

from detector.report import rulebook, sections
from detector.report.notes import FileNote, NightNote, RunNotes, SilentRule
from detector.report.writer import write_night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence_making import AttackedSite

    from detector.report.writer import ReportPaths

GOLDEN = Path(__file__).parents[1] / "golden" / "report"
PAGES = ("index.html", f"{NIGHT}/index.html", f"{NIGHT}/INC-0a1b2c3d4e5f.html")
# Set it and run these tests to write the golden pages anew; then look at what changed, in a browser.
UPDATE = "UPDATE_GOLDEN"

NOTES = RunNotes(
    files=(
        FileNote("digits.jsonl.gz", "stored", 418, 410, 5, 3, (("no timestamp", 2), ("no client", 1))),
        FileNote("torn.jsonl.gz", "failed", 0, 0, 0, 0, (), "nothing readable in it"),
    ),
    nights=(
        NightNote(
            MODEL,
            NIGHT,
            346,
            "judged by rules and by the baseline digits@1, learned from 3 nights",
            (SilentRule("r-1", "Logit bias rotates", ("parameter_rotation",)),),
            (("inputs", 1.0), ("scores_known", 0.25)),
        ),
    ),
    exit_code=13,
    version="1.2.3",
)


@pytest.fixture(scope="module")
def own_words() -> Iterator[None]:
    """Describe features in words that other stages cannot change."""
    spec = rulebook.BY_NAME["confidence_ascent"]
    words = {"confidence_ascent": replace(spec, formula="formula", signal="somebody climbs")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rulebook, "BY_NAME", words)
        patch.setattr(sections, "BY_NAME", words)
        yield


@pytest.fixture(scope="module")
def written(own_words: None, recorded_site: AttackedSite, tmp_path_factory: pytest.TempPathFactory) -> AttackedSite:  # noqa: ARG001
    """A site whose reports were written; not to be changed."""
    site = recorded_site.copy(tmp_path_factory.mktemp("written"))
    with contextlib.chdir(site.folder):
        _write(site)
    site.store.close()
    return site


def _write(site: AttackedSite, out: str = "out", **different: object) -> ReportPaths:
    given = {"nights": [(MODEL, NIGHT)], "as_of": AS_OF, "run_notes": NOTES, **different}
    return write_night(site.store, site.settings, out=site.folder / out, **given)  # type: ignore[arg-type]


def _page(site: AttackedSite, place: str, out: str = "out") -> str:
    return (site.folder / out / place).read_text(encoding="utf-8")


@pytest.mark.parametrize("place", PAGES)
def test_pages_are_those_that_were_looked_at(written: AttackedSite, place: str) -> None:
    got = _page(written, place)
    golden = GOLDEN / place.replace("/", "_")
    if os.environ.get(UPDATE):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(got, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == got


@pytest.mark.parametrize("place", PAGES)
def test_pages_keep_to_the_rules_of_all_pages(written: AttackedSite, place: str) -> None:
    check(_page(written, place))


def test_the_same_store_gives_the_same_bytes(site: AttackedSite, written: AttackedSite) -> None:
    _write(site)
    for place in PAGES:
        assert _page(written, place) == _page(site, place)


def test_the_top_answers_what_a_commander_asks(written: AttackedSite) -> None:
    page = check(_page(written, PAGES[2]))
    top = page.text[: page.text.index("Evidence checklist")]
    for said in (
        "A client climbed towards class 3 of digits",
        "key-7c1f",
        "Declared to hold biometric data.",
        "260 queries",
        "About 1 in 50,000 benign windows looks like this",
        "13 November 2026, 14:00:00 to 14:01:02 UTC",
        "Do this now",
        "Suspend or slow down key-7c1f on digits",
    ):
        assert said in top


def test_reconstructions_are_covered_until_somebody_opens_them(written: AttackedSite) -> None:
    html = _page(written, PAGES[2])
    covered = html[html.index('<details class="covered">') : html.index("</details>", html.index('class="covered"'))]
    assert "shape-rendering" in covered
    assert "shape-rendering" not in html.replace(covered, "")
    assert '<details class="covered" open' not in html


def test_a_redacted_report_shows_no_input(site: AttackedSite) -> None:
    _write(site, redact=True)
    html = _page(site, PAGES[2])
    page = check(html)
    assert "shape-rendering" not in html
    assert "Left out of this redacted copy." in page.text
    assert "(64 values)" not in page.text
    assert ATTACKER in page.text


def test_every_number_of_the_run_is_on_the_page_of_the_night(written: AttackedSite) -> None:
    text = check(_page(written, PAGES[1])).text
    for said in (
        "418 queries read = 410 stored + 5 known already + 3 rejected.",
        "2 no timestamp; 1 no client",
        "nothing readable in it",
        "judged by rules and by the baseline digits@1",
        "Logit bias rotates",
        "25 %",
        "1 high",
        "Checklist: captured 1, 2, 3 and 5; unavailable 6.",
    ):
        assert said in text


def test_a_night_without_incident_is_clean_only_where_everything_was_read(site: AttackedSite) -> None:
    place = f"{QUIET_NIGHT}/index.html"
    _write(site, nights=[(MODEL, QUIET_NIGHT)], run_notes=None)
    clean = _page(site, place)
    assert '<p class="clean">No open incident.</p>' in clean
    assert "Judged by rules alone: no baseline yet." in clean
    assert "418 queries read = 418 stored" in clean
    _write(site, nights=[(MODEL, QUIET_NIGHT)])
    assert 'class="warn">No open incident in what could be read' in _page(site, place)


def test_a_night_that_nobody_judged_is_not_clean(site: AttackedSite) -> None:
    unknown = NIGHT.replace(day=20)
    _write(site, nights=[(MODEL, unknown)], run_notes=RunNotes())
    assert 'class="warn">Nothing was judged' in _page(site, f"{unknown}/index.html")
