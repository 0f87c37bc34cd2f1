"""An incident of 120,000 queries: its page stays small, opens at once, and still tells which queries are which."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from evidence_making import AS_OF, ATTACKER, BEGINS, MODEL, NIGHT, SECOND, AttackedSite, climb_incident, finding, save
from sqlalchemy import insert
from watching import Watched

from detector.config import Settings
from detector.evidence.clock import moment
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.model import Member, Segment, Severity
from detector.report.writer import write_night
from detector.store import tables
from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUERIES = 120_000
EVERY = SECOND // 4
MOST_SECONDS = 2.0


def _lines() -> Iterator[str]:
    """Return a climb that goes on for eight hours."""
    way = np.linspace(-4, 6, QUERIES) + np.random.default_rng(3).normal(0, 0.7, QUERIES)
    for i, part in enumerate(1 / (1 + np.exp(-way))):
        one = round(float(part), 5)
        told = {
            "timestamp": moment(BEGINS + i * EVERY).isoformat().replace("+00:00", "Z"),
            "request_id": str(i),
            "client_id": ATTACKER,
            "model": MODEL,
            "status": 200,
            "input": [round(i / QUERIES, 5), one, 0.5, 0.25],
            "output": {"label": "3" if one > 0.5 else "4", "probabilities": {"3": one, "4": round(1 - one, 5)}},
        }
        yield json.dumps(told) + "\n"


@pytest.fixture(scope="module")
def page_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    with (folder / "many.jsonl").open("w", encoding="utf-8") as log:
        log.writelines(_lines())
    store = Store(f"sqlite:///{folder / 'detector.db'}")
    upgrade(store)
    last = BEGINS + QUERIES * EVERY
    incident = climb_incident(
        findings=(finding(segment=Segment(BEGINS, last, "3"), query_count=QUERIES),),
        members=(Member(ATTACKER, (NIGHT,), QUERIES, Severity.HIGH),),
        last_ts=last,
        query_count=QUERIES,
    )
    site = AttackedSite(folder, store, Settings(), incident)
    night = {"model": MODEL, "night": NIGHT.isoformat(), "query_count": QUERIES, "stale": False}
    with contextlib.chdir(folder):
        ingest(store, [folder / "many.jsonl"], IngestOptions(as_of=AS_OF))
        with store.begin() as connection:
            connection.execute(
                insert(tables.night).values(
                    **night, baseline_id=None, schema_version=1, coverage="{}", scanned_at=AS_OF.isoformat()
                )
            )
            save(connection, site.incident)
        paths = write_night(store, site.settings, out=folder / "out", nights=[(MODEL, NIGHT)], as_of=AS_OF)
    store.close()
    return folder / "out" / paths.incidents[incident.id]


def test_the_page_of_120_000_queries_is_small_and_opens_at_once(page_of_many: Path, browser: Browser) -> None:
    assert page_of_many.stat().st_size < 2_000_000
    took = []
    # The best of three: other work on the machine is not the page's fault.
    for _ in range(3):
        watched = Watched(browser, viewport={"width": 1280, "height": 900})
        page = watched.open(page_of_many)
        took.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"))
        assert page.locator("[data-count]").text_content() == "2,000 of 2,000 queries"
        assert watched.seen == []
        watched.page.close()
    assert min(took) < MOST_SECONDS


def test_the_page_of_120_000_queries_can_be_looked_into(page_of_many: Path, watched: Watched) -> None:
    page = watched.open(page_of_many)
    told = json.loads(page.locator("#live").text_content() or "")
    assert sum(told["timeline"]["telling"]) == sum(told["timeline"]["fine"]["telling"]) == QUERIES
    assert len(told["climbs"][0]["at"]) < 3_200
    assert "2,000 of 120,000 queries" in (page.locator("#queries").text_content() or "")
    chart = page.locator("figure[data-chart='0']")
    for _ in range(3):
        chart.locator("[data-do=in]").click()
    shown = page.locator(".queries tbody tr:not([hidden])").count()
    assert 200 < shown < 300
    assert f"{shown} of 2,000 queries, numbers " in (page.locator("[data-count]").text_content() or "")
    assert page.locator(".queries tbody tr:not(.more)").count() == 200
    assert watched.seen == []
