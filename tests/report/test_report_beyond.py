from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from evidence_making import AS_OF, MODEL, NIGHT
from page_reading import check

from detector.evidence.capture import capture
from detector.incidents import response
from detector.model import Severity
from detector.report import advice, beyond
from detector.report.notes import RunNotes
from detector.report.writer import write_night
from detector.store.upkeep import purge

if TYPE_CHECKING:
    from evidence_making import AttackedSite
    from page_reading import Page

    from detector.config import Settings

PLACE = f"{NIGHT}/INC-0a1b2c3d4e5f.html"


def _written(site: AttackedSite, settings: Settings | None = None) -> Page:
    notes = RunNotes(version="1.2.3")
    write_night(
        site.store,
        settings or site.settings,
        out=site.folder / "out",
        nights=[(MODEL, NIGHT)],
        as_of=AS_OF,
        run_notes=notes,
    )
    return check((site.folder / "out" / PLACE).read_text(encoding="utf-8"))


def test_controls_can_be_chosen_on_the_spot(site: AttackedSite) -> None:
    text = _written(site).text
    assert "Set a limit or a filter: 2 queries an hour" in text[: text.index("Evidence checklist")]
    told = text[text.index("260 queries of the attack replayed") :]
    for said in (
        "Removing at least nine in ten of its 49 steps at the smallest cost: 2 queries an hour",
        "(enough for the busiest benign client), which touches none of 9 benign clients.",
        "Probabilities rounded to 2 decimals",
        "The last progress that shows is at query 239 of 260.",
        "all 9",
        "Waiting it out takes 2 hours instead of 1 minute.",
        "Labels alone do not stop every inversion",
    ):
        assert said in told


def test_phases_and_queries_link_to_each_other(site: AttackedSite) -> None:
    page = _written(site)
    ids, links = page.values("id"), page.values("href")
    for place in (1, 2):
        assert f"phase-{place}" in ids
        assert f"phase-{place}-queries" in ids
        assert {f"#phase-{place}", f"#phase-{place}-queries"} <= set(links)
    assert "Climb towards 3" in page.text
    assert "Refinement towards 3" in page.text


def test_the_page_shows_who_ticked_what_and_when(site: AttackedSite) -> None:
    with site.store.begin() as connection:
        for step in ("suspend", "authority"):
            response.tick(
                connection,
                site.incident.id,
                step,
                by="<kim>\u202e",
                sensitivity="biometric",
                as_of=AS_OF,
                note="<b>rule 7</b>",
            )
    text = _written(site).text
    assert "2 of 13 steps done" in text
    assert "2026-11-14 02:00 UTC by <kim>⟨U+202E⟩" in text
    assert "<b>rule 7</b>" in text
    assert "2026-11-17 02:00 UTC if that was when the incident was opened" in text


def test_the_model_file_is_shown_whatever_it_calls_itself(site: AttackedSite) -> None:
    hostile = "</table><script>alert(1)</script>\u202e"
    header = {
        f"{hostile}{i}.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
        for i in range(beyond.MAX_LAYERS + 5)
    }
    content = json.dumps(header).encode()
    path = site.folder / "model.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    told = site.settings.models[MODEL].model_copy(update={"weights": path})
    page = _written(site, site.settings.model_copy(update={"models": {MODEL: told}}))
    assert len(page.scripts) == 2
    assert "5 more layers are in the evidence bundle" in page.text
    assert f"{6 * (beyond.MAX_LAYERS + 5):,}" in page.text
    assert "⟨U+202E⟩" in page.text
    assert "#weights" in page.values("href")


def test_the_replay_is_still_shown_when_the_queries_are_gone(site: AttackedSite) -> None:
    _written(site)
    purge(site.store, 2**62, "2027-01-01", windows=False)
    text = _written(site).text
    assert "260 queries of the attack replayed" in text
    assert "no phases can be told apart" in text


def test_an_incident_without_replay_says_why(site: AttackedSite) -> None:
    purge(site.store, 2**62, "2027-01-01", windows=False)
    assert "nothing was kept of an earlier replay" in _written(site).text


def test_effects_are_told_in_words() -> None:
    from detector.evidence.controls import ControlEvidence, Outcome

    limit = Outcome("hour", "20 queries an hour", 0.5, 21, 30, None, 3_600_000_000)
    found = ControlEvidence("told apart", 50, 50, 40, 7_200_000_000, 3, ("2026-11-13",), (limit,), None)
    assert beyond._effect(found, limit) == "Refused from query 21 of 50 on: 30 queries."
    assert beyond._effect(found, replace(limit, kind="answers", stops_at=None)) == "Answers tell less."
    assert beyond.touched(found, limit) == "not measured"
    assert beyond.touched(replace(found, bystanders=0), limit) == "none to count"
    assert beyond.touched(replace(found, bystanders=1), replace(limit, touched=1)) == "the only one"
    assert "evenly spaced ones and the best" in beyond._controls_told(found)
    assert "No control of these" in beyond._controls_told(found)


def test_what_a_workload_explains_is_headed_by_it_and_asked_about(site: AttackedSite) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    like = tuple(replace(one, explained_by="a LIME explainer: no class is pursued") for one in site.incident.findings)
    incident = replace(site.incident, severity=Severity.LOW, findings=like)
    explained = replace(dossier, context=replace(dossier.context, incident=incident))
    assert advice.heading(explained).striptags().endswith("behaves like a LIME explainer")
    told = " ".join(one.striptags() for one in advice.actions(explained))
    assert "whether they run a LIME explainer on" in told
    assert "Suspend" not in told
    grave = replace(explained, context=replace(dossier.context, incident=replace(incident, severity=Severity.MEDIUM)))
    assert "Suspend" in advice.actions(grave)[0]


def test_only_a_control_that_hardly_touches_anybody_is_advised(site: AttackedSite) -> None:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    found = dossier.controls
    assert found is not None
    assert found.best is not None
    assert "Set a limit or a filter" in " ".join(advice.actions(dossier))
    costly = tuple(replace(one, touched=5) if i == found.best else one for i, one in enumerate(found.outcomes))
    told = " ".join(advice.actions(replace(dossier, controls=replace(found, outcomes=costly))))
    assert "Set a limit or a filter" not in told
    assert "Return labels, or probabilities rounded" in told
