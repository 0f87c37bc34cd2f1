"""The corpus on a terminal, in JSON and in spreadsheets; tests/browser opens it in a browser."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import unicodedata
import zipfile
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from evidence_making import AS_OF, NIGHT
from hostile_corpus_site import GROUPS, corpus_site, nights
from hostile_strings import CORPUS
from hostile_strings import GROUPS as KINDS
from page_reading import check

from detector.cli.explain import explain
from detector.cli.incidents import incidents
from detector.custody.bundle import custodian
from detector.custody.cells import neutralise, restore
from detector.report.environment import render
from detector.report.visible import name, sentence, visible
from detector.report.writer import write_night
from detector.store.incident_bodies import clean

if TYPE_CHECKING:
    from pathlib import Path

    import click
    from evidence_making import AttackedSite

# What moves, hides or reorders text on a terminal; only line feeds and blanks may stand beside visible characters.
STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
SPREADSHEET = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
# Whose bundles are written: those with formulas, escapes and broken characters.
PERILOUS = {*KINDS["formulas"], *KINDS["terminal"], *KINDS["broken"]}
BUNDLED = tuple(one for one in GROUPS if PERILOUS & set(one.texts))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> AttackedSite:
    return corpus_site(tmp_path_factory.mktemp("corpus") / "site")


def _run(site: AttackedSite, command: click.Command, *arguments: str, of: str | None = None) -> str:
    """Return what a command prints; `of` is an argument that may look like an option."""
    given = [*arguments, "--db", site.store.url, *([] if of is None else ["--", of])]
    run = CliRunner().invoke(command, given, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return run.output


def _steering(text: str) -> set[str]:
    return {f"U+{ord(one):04X}" for one in text if one != "\n" and unicodedata.category(one) in STEERING}


def test_lists_and_pages_of_incidents_steer_no_terminal(site: AttackedSite) -> None:
    listed = _run(site, incidents, "list")
    assert all(group.incident_id in listed for group in GROUPS)
    assert _steering(listed) == set()
    for group in GROUPS:
        shown = _run(site, incidents, "show", of=group.incident_id)
        assert group.incident_id in shown
        assert _steering(shown) == set()


def test_explanations_steer_no_terminal(site: AttackedSite) -> None:
    for text in (*KINDS["terminal"], *KINDS["order"], *KINDS["invisible"], *CORPUS[::9]):
        if clean(text) == text:
            assert _steering(_run(site, explain, of=text)) == set()


def test_json_is_ascii_and_gives_every_string_back(site: AttackedSite) -> None:
    listed = _run(site, incidents, "list", "--json")
    assert listed.isascii()
    clients = {client for one in json.loads(listed)["incidents"] for client in one["clients"]}
    assert {clean(text) for text in CORPUS} == clients
    for text in CORPUS[::7]:
        if clean(text) == text:
            told = _run(site, explain, "--json", of=text)
            assert told.isascii()
            assert json.loads(told)["client"] == text


def _cells(data: bytes) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row]


def _is_number(cell: str) -> bool:
    with contextlib.suppress(ValueError):
        return math.isfinite(float(cell))
    return False


def test_no_cell_of_a_bundle_is_a_formula(site: AttackedSite, tmp_path: Path) -> None:
    names = set()
    with contextlib.chdir(site.folder):
        write_night(
            site.store,
            site.settings,
            out=tmp_path,
            nights=nights(BUNDLED),
            as_of=AS_OF,
            beside=custodian(site.store, site.settings),
        )
    for group in BUNDLED:
        with zipfile.ZipFile(tmp_path / str(NIGHT) / f"{group.incident_id}.zip") as bundle:
            for member in bundle.namelist():
                data = bundle.read(member)
                if member.endswith(".csv"):
                    names.add(member)
                    cells = [cell for cell in _cells(data) if not _is_number(cell)]
                    assert [cell for cell in cells if SPREADSHEET.match(cell.strip())] == []
                    assert [part for cell in cells for part in re.split("[;|]", cell) if SPREADSHEET.match(part)] == []
                    assert _steering("".join(cells)) == set()
                elif member.endswith(".json"):
                    json.loads(data)
    assert {"queries/queries.csv", "queries/lines.csv"} <= names


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_gives_its_string_back(kind: str) -> None:
    for text in KINDS[kind]:
        cell = neutralise(text)
        assert restore(cell) == text
        assert SPREADSHEET.match(cell.strip()) is None
        assert _steering(cell) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_a_page_is_seen_and_ends(kind: str) -> None:
    for text in KINDS[kind]:
        for shown, longest in ((name(text), 120), (sentence(text), 1_000)):
            assert _steering(shown) - {"U+0009"} == set()
            assert len(shown) <= 10 * longest
            assert visible(shown) == shown


def test_every_string_is_text_on_a_page_of_strings() -> None:
    """The template engine by itself, whatever the rest of the report does with a string before."""
    line = {"severity": "low", "technique": "x", "status": "open", "link": None, "evidence": ""}
    lines = [{**line, "id": text, "model": text, "heading": text, "summary": text} for text in CORPUS]
    told = {"told": "", "open": lines, "left": 0, "nights": (), "as_of": "", "version": ""}
    page = check(render("index.html", page=told).encode("utf-8", "backslashreplace").decode())
    assert all(visible(text).strip() in page.text for text in CORPUS)
