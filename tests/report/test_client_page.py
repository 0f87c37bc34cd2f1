from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from evidence_making import AS_OF, ATTACKER, MODEL, NIGHT, QUIET_NIGHT
from page_reading import check

from detector.cli.explain import explain as command
from detector.errors import ReportError
from detector.evidence.explanation import explain
from detector.model import Severity
from detector.report.client_page import write_client
from detector.report.writer import write_night

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_making import AttackedSite
    from page_reading import Page

    from detector.evidence.explanation import Explanation


def _explained(site: AttackedSite, client: str = ATTACKER) -> Explanation:
    with site.store.begin() as connection:
        (found,) = explain(connection, client, None, None)
    return found


def _page(site: AttackedSite, one: Explanation) -> Page:
    path = site.folder / "out" / "client.html"
    write_client(path, [one], site.settings, AS_OF)
    return check(path.read_text(encoding="utf-8"))


def test_an_attacker_s_page_says_what_it_is_part_of(site: AttackedSite) -> None:
    page = _page(site, _explained(site))
    assert f"Client {ATTACKER}" in page.text
    assert "Part of an incident of severity high: model inversion." in page.text
    assert site.incident.id in page.text
    assert not [link for link in page.values("href") if site.incident.id in link]


def test_it_leads_to_the_incident_where_that_page_lies_beside_it(site: AttackedSite) -> None:
    write_night(site.store, site.settings, out=site.folder / "out", nights=[(MODEL, NIGHT)], as_of=AS_OF)
    assert f"{NIGHT}/{site.incident.id}.html" in _page(site, _explained(site)).values("href")


def test_a_client_of_no_incident_is_called_that(site: AttackedSite) -> None:
    one = _explained(site, "shop-0")
    assert (one.incidents, one.findings) == ((), ())
    assert "No rule or detector spoke of this client in this night." in _page(site, one).text


def test_its_other_nights_stand_beside_it(site: AttackedSite) -> None:
    one = _explained(site)
    assert [(night.night, night.gravest) for night in one.history] == [(QUIET_NIGHT, None), (NIGHT, Severity.HIGH)]
    assert "(this page)" in _page(site, one).text


def test_what_is_unlike_the_others_comes_first(site: AttackedSite) -> None:
    one = _explained(site)
    assert [m.surprise for m in one.features] == sorted((m.surprise for m in one.features), reverse=True)
    decided = {trigger.feature for finding in one.findings for trigger in finding.trigger}
    text = _page(site, one).text
    assert decided & {m.spec.name for m in one.features}
    assert "decided" in text


def test_a_hostile_name_is_shown_and_does_nothing(site: AttackedSite) -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[31m\"onload='"
    one = replace(_explained(site), client=hostile, model=hostile)
    path = site.folder / "out" / "client.html"
    write_client(path, [one], site.settings, AS_OF)
    html = path.read_text(encoding="utf-8")
    assert check(html).scripts == []
    assert "<script>alert" not in html
    assert "⟨U+202E⟩⟨U+001B⟩[31m" in html


def test_a_page_that_cannot_be_written_says_where(site: AttackedSite, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        write_client(tmp_path / "file" / "client.html", [_explained(site)], site.settings, AS_OF)


def test_the_command_writes_the_same_page_twice(site: AttackedSite) -> None:
    arguments = [ATTACKER, "--db", site.store.url, "--html", "c.html", "--as-of", AS_OF.isoformat(), "--json"]
    told, pages = [], []
    for _ in range(2):
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        told.append(json.loads(done.stdout)["windows"][0]["incidents"])
        pages.append((site.folder / "c.html").read_bytes())
    assert told == [[site.incident.id]] * 2
    assert pages[0] == pages[1]
