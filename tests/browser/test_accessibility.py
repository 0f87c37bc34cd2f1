"""Every page through axe-core, by light and dark, on a wide and a narrow screen, everything unfolded."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from evidence_making import AS_OF, NIGHT, climb_incident, save
from watching import CLIENT, CLIMB, Watched

from detector.evaluate.page import write_evaluation
from detector.evaluate.results import (
    Attack,
    Campaign,
    Confusion,
    DetectionRate,
    Evaluation,
    Grouping,
    Interval,
    PrefixRate,
    Purity,
    Replay,
    WorkloadAlarms,
)
from detector.model import IncidentStatus, Severity
from detector.report.writer import write_night

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_making import AttackedSite
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PAGES = ("index.html", f"{NIGHT}/index.html", CLIMB, CLIENT)
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 400, "height": 800}}


def violations(browser: Browser, path: Path, **options: object) -> list[str]:
    # axe makes nodes of its own, which the page's policy would not let in
    watched = Watched(browser, bypass_csp=True, **options)
    page = watched.open(path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = Axe().run(page, options=RULES).response["violations"]
    watched.page.close()
    assert watched.seen == []
    return [f"{one['id']}: {node['html'][:160]}: {node['failureSummary']}" for one in found for node in one["nodes"]]


def evaluation() -> Evaluation:
    """Return an evaluation with a row in each of its tables."""
    part = Interval(0.4, 1.0, "Wilson")
    rates = tuple(DetectionRate(one, f"some {one}", 4, 3, 4, 3, part, 3) for one in Grouping)
    campaign = Campaign("digits", "t-1", "inversion", "inv", "plain", 3, 2, 2, 1)
    attack = Attack("digits", "t-1", "inversion", "inv", "plain", 260, 1, 1, "INC-1", "inversion", 100)
    return Evaluation(
        fail_on=Severity.MEDIUM,
        seed=1,
        resamples=10,
        models=("digits",),
        nights=(NIGHT,),
        queries=1_000,
        absent=1,
        unlabelled=2,
        unlabelled_alarms=1,
        detection=rates,
        confusion=Confusion(("inversion",), ("inversion", "none"), ((3, 1),)),
        workloads=(WorkloadAlarms("benign_sweep", 10, 1, 5, 1, 0.3),),
        purity=Purity(2, 3, 1, 0, 0.25, 1, (campaign,)),
        replay=Replay((100, 200), tuple(PrefixRate(one, f"some {one}", 4, (1, 3)) for one in Grouping)),
        attacks=(attack,),
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_evaluation_has_no_barrier(tmp_path: Path, browser: Browser, scheme: str) -> None:
    page = write_evaluation(evaluation(), tmp_path, AS_OF)
    assert violations(browser, page, color_scheme=scheme, viewport=SIZES["wide"]) == []


def test_pages_with_much_on_them_have_no_barrier(site: AttackedSite, browser: Browser) -> None:
    """Findings and incidents of every kind: settled and minor ones, twice each."""
    (found, *_) = site.incident.findings
    others = []
    for i, (severity, status) in enumerate(product((Severity.LOW, Severity.HIGH), IncidentStatus)):
        findings = tuple(
            replace(found, id=f"{i}{k:015x}", rule=f"r-{k}", level=severity if k else Severity.LOW) for k in range(4)
        )
        id_ = f"INC-{i:012x}"
        others.append(climb_incident(id=id_, severity=severity, status=status, findings=findings))
    with site.store.begin() as connection:
        save(connection, site.incident, *others)
    write_night(site.store, site.settings, out=site.folder / "out", nights=[("digits", NIGHT)], as_of=AS_OF)
    for place in (f"{NIGHT}/index.html", "index.html", f"{NIGHT}/{others[-1].id}.html"):
        assert violations(browser, site.folder / "out" / place, viewport=SIZES["wide"]) == []


@pytest.mark.parametrize("place", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_report_has_no_barrier(climb: Path, browser: Browser, place: str, scheme: str, size: str) -> None:
    assert violations(browser, climb / place, color_scheme=scheme, viewport=SIZES[size]) == []
