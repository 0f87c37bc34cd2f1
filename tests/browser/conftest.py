from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The attacked site and the hostile strings are shared with the tests of evidence and report.
sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from evidence_making import AS_OF, ATTACKER, NIGHT, AttackedSite, attacked_site
from watching import ARGUMENTS, CLIENT, Watched

from detector.evidence.explanation import explain
from detector.report.client_page import write_client
from detector.report.writer import write_night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def recorded_site(tmp_path_factory: pytest.TempPathFactory) -> AttackedSite:
    """A site with an attack in its store; not to be changed."""
    return attacked_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(recorded_site: AttackedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AttackedSite]:
    """A copy of that site, with its folder as the working folder: logs are named relative to it."""
    copy = recorded_site.copy(tmp_path / "site")
    monkeypatch.chdir(copy.folder)
    yield copy
    copy.store.close()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    page = Watched(browser, viewport={"width": 1280, "height": 900})
    yield page
    page.page.close()


@pytest.fixture(scope="session")
def climb(recorded_site: AttackedSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the recorded attack's reports."""
    site = recorded_site.copy(tmp_path_factory.mktemp("climb"))
    with contextlib.chdir(site.folder):
        write_night(site.store, site.settings, out=site.folder / "out", nights=[("digits", NIGHT)], as_of=AS_OF)
        with site.store.begin() as connection:
            told = explain(connection, ATTACKER, None, None)
        write_client(site.folder / "out" / CLIENT, told, site.settings, AS_OF)
    site.store.close()
    return site.folder / "out"
