from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from evidence_making import AS_OF, MODEL, NIGHT, QUIET_NIGHT, SECOND, climb_incident, finding, save
from page_reading import check

from detector.cli.report import report
from detector.errors import ReportError
from detector.model import IncidentStatus, Segment, Severity, Technique
from detector.report import files, writer
from detector.report.writer import write_night
from detector.store.incidents import get_incident

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_making import AttackedSite


def _write(site: AttackedSite, **different: object) -> writer.ReportPaths:
    given = {"nights": [(MODEL, NIGHT)], "as_of": AS_OF, "out": site.folder / "out", **different}
    return write_night(site.store, site.settings, **given)  # type: ignore[arg-type]


def test_the_store_knows_where_the_report_lies(site: AttackedSite) -> None:
    paths = _write(site)
    place = f"{NIGHT}/{site.incident.id}.html"
    assert paths.incidents == {site.incident.id: place}
    assert paths.nights == {NIGHT: site.folder / "out" / str(NIGHT) / "index.html"}
    assert (paths.index.parent / place).is_file()
    with site.store.begin() as connection:
        assert get_incident(connection, site.incident.id).report == place


def test_nothing_is_left_behind_but_pages(site: AttackedSite) -> None:
    _write(site)
    found = {path.relative_to(site.folder / "out").as_posix() for path in (site.folder / "out").rglob("*.*")}
    assert found == {"index.html", f"{NIGHT}/index.html", f"{NIGHT}/{site.incident.id}.html"}


def test_an_incident_of_two_nights_is_in_both_folders(site: AttackedSite) -> None:
    early = Segment(site.incident.first_ts - 86_400 * SECOND, site.incident.first_ts - 86_000 * SECOND, None)
    older = finding(id="00000000000000e5", night=QUIET_NIGHT, segment=early)
    both = replace(site.incident, findings=(*site.incident.findings, older), nights=(QUIET_NIGHT, NIGHT))
    with site.store.begin() as connection:
        save(connection, both)
    paths = _write(site, nights=[(MODEL, QUIET_NIGHT), (MODEL, NIGHT)])
    assert paths.incidents == {both.id: f"{NIGHT}/{both.id}.html"}
    for night in (QUIET_NIGHT, NIGHT):
        page = check((site.folder / "out" / str(night) / f"{both.id}.html").read_text())
        assert "2 nights" in page.text


def test_the_index_keeps_the_nights_of_earlier_runs(site: AttackedSite) -> None:
    _write(site, nights=[(MODEL, QUIET_NIGHT)])
    paths = _write(site)
    html = paths.index.read_text()
    assert html.index(f'href="{NIGHT}/index.html"') < html.index(f'href="{QUIET_NIGHT}/index.html"')
    (paths.index.parent / "not-a-night").mkdir()
    (paths.index.parent / "not-a-night" / "index.html").write_text("")
    assert _write(site).index.read_text() == html


def test_models_share_the_page_of_a_night(site: AttackedSite) -> None:
    low = finding(id="00000000000000f6", rule="probe-1", model="other", technique=Technique.PROBING, level=Severity.LOW)
    other = climb_incident(
        id="INC-555555555555", model="other", findings=(low,), technique=Technique.PROBING, severity=Severity.LOW,
        techniques=(Technique.PROBING,),
    )  # fmt: skip
    with site.store.begin() as connection:
        save(connection, other)
    _write(site)
    html = (site.folder / "out" / str(NIGHT) / "index.html").read_text()
    # its page was not asked for: it is listed, and leads nowhere
    assert "1 of severity low" in html
    assert f"{other.id}.html" not in html


def test_settled_incidents_are_told_apart(site: AttackedSite) -> None:
    with site.store.begin() as connection:
        save(connection, replace(site.incident, status=IncidentStatus.CLOSED))
    paths = _write(site)
    night = (site.folder / "out" / str(NIGHT) / "index.html").read_text()
    assert "1 no longer open" in night
    assert "No open incident in 1 night." in paths.index.read_text()
    page = (site.folder / "out" / paths.incidents[site.incident.id]).read_text()
    assert "Nothing: the incident is closed." in page


def test_a_page_too_large_to_open_is_written_with_fewer_rows(
    site: AttackedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = _write(site)
    place = site.folder / "out" / paths.incidents[site.incident.id]
    full = place.stat().st_size
    monkeypatch.setattr(writer, "MAX_BYTES", full - 1)
    _write(site)
    assert place.stat().st_size < full
    assert "200 of 260 queries: where the climbs converged" in place.read_text()
    monkeypatch.setattr(writer, "MAX_BYTES", 1)
    monkeypatch.setattr(files, "MAX_BYTES", 2_000_000)
    _write(site)
    assert "40 of 260 queries" in place.read_text()


def test_a_page_that_stays_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    with pytest.raises(ReportError, match="too large"):
        files.write_page(tmp_path / "page.html", "x" * 11)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportError, match="cannot be written"):
        files.write_page(tmp_path / "file" / "page.html", "x")


def test_a_page_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    files.write_page(place, "old")
    files.write_page(place, "new \ud800")
    assert place.read_bytes() == b"new \\ud800"
    assert files.page_name("INC-1/../x") == "INC-1_.._x.html"


def test_the_command_writes_and_tells(site: AttackedSite) -> None:
    database = ["--db", site.store.url, "--as-of", AS_OF.isoformat()]
    run = CliRunner().invoke(report, ["--out", "out", "--json", *database], catch_exceptions=False)
    place = f"{NIGHT}/{site.incident.id}.html"
    assert json.loads(run.stdout) == {
        "index": "out/index.html",
        "reports": {site.incident.id: place},
        "warnings": [],
    }
    again = CliRunner().invoke(report, [site.incident.id[:8], "--out", "out", *database], catch_exceptions=False)
    assert again.stdout == "1 incident reports, 1 nights: out/index.html\n"
    silent = CliRunner().invoke(report, ["--night", str(NIGHT), "--out", "out", "--quiet", *database])
    assert (silent.exit_code, silent.stdout) == (0, "")


@pytest.mark.parametrize(
    ("asked", "error"), [(["INC-ffff"], "IncidentError"), (["--night", "2020-01-01"], "NothingToReadError")]
)
def test_what_is_not_there_is_an_error(site: AttackedSite, asked: list[str], error: str) -> None:
    run = CliRunner().invoke(report, [*asked, "--out", "out", "--db", site.store.url])
    assert type(run.exception).__name__ == error
    assert not (site.folder / "out").exists()
