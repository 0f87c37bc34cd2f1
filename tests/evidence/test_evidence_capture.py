from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from evidence_making import ATTACKER, BEGINS, CLIMB_QUERIES, LOG, MODEL, NIGHT, SECOND, climb_incident, finding, save

from detector.evidence import gather as gathering
from detector.evidence import telling
from detector.evidence.capture import capture
from detector.model import EvidenceStatus, Member, Segment, Severity, Technique
from detector.store.evidence import read_items, read_pins

if TYPE_CHECKING:
    from evidence_making import AttackedSite

    from detector.evidence.checklist import Dossier

CAPTURED, UNAVAILABLE = EvidenceStatus.CAPTURED, EvidenceStatus.UNAVAILABLE


def _only(site: AttackedSite) -> Dossier:
    (dossier,) = capture(site.store, site.settings, [site.incident])
    return dossier


def test_every_item_of_a_score_guided_inversion_is_had_or_says_what_is_missing(site: AttackedSite) -> None:
    dossier = _only(site)
    statuses = [item.status for item in dossier.items]
    assert statuses == [CAPTURED, CAPTURED, CAPTURED, EvidenceStatus.NOT_APPLICABLE, CAPTURED, UNAVAILABLE]
    assert [item.number for item in dossier.items] == [1, 2, 3, 4, 5, 6]
    assert dossier.items == read_items(site.store, site.incident.id)


def test_the_climb_is_followed_to_its_ends_beyond_the_findings_stretch(site: AttackedSite) -> None:
    context = _only(site).context
    assert context.query_total == CLIMB_QUERIES
    assert set(context.queries.client) == {ATTACKER}
    (pursuit,) = context.pursuits
    assert pursuit.target == "3"
    assert [stretch.name for stretch in pursuit.stretches] == ["climb", "refinement"]
    assert pursuit.final == pytest.approx(0.955, abs=0.01)
    assert pursuit.best[0] == int(pursuit.rows[int(np.nanargmax(pursuit.probability))])


def test_raw_lines_are_kept_with_the_hash_that_anybody_can_repeat(site: AttackedSite) -> None:
    dossier = _only(site)
    pins = read_pins(site.store, site.incident.id)
    assert len(pins) == CLIMB_QUERIES
    assert pins == dossier.queries.pinned
    lines = gzip.decompress((site.folder / LOG).read_bytes()).split(b"\n")
    for pin in pins:
        line = lines[pin.line - 1]
        assert pin.raw == line.decode()
        assert pin.raw_sha256 == hashlib.sha256(line).hexdigest()
    assert pins[0].file_sha256 == hashlib.sha256(b"\n".join(lines)).hexdigest()
    assert pins[0].path == LOG


def test_lines_once_kept_outlive_their_source(site: AttackedSite) -> None:
    _only(site)
    before = read_pins(site.store, site.incident.id)
    (site.folder / LOG).unlink()
    assert _only(site).items[0].status is CAPTURED
    assert before == read_pins(site.store, site.incident.id)


def test_a_source_that_is_gone_leaves_what_the_store_kept(site: AttackedSite) -> None:
    (site.folder / LOG).unlink()
    dossier = _only(site)
    assert dossier.items[0].status is CAPTURED
    assert "no longer at hand" in dossier.items[0].reason
    assert {pin.raw for pin in read_pins(site.store, site.incident.id)} == {None}


def test_a_source_that_changed_is_no_evidence(site: AttackedSite) -> None:
    with gzip.open(site.folder / LOG, "ab") as file:
        file.write(b"{}\n")
    dossier = _only(site)
    assert "no longer holds what was read" in dossier.items[0].reason
    assert {pin.raw_sha256 for pin in dossier.queries.pinned} == {None}


def test_confidences_are_set_beside_those_before_and_those_of_others(site: AttackedSite) -> None:
    evidence = _only(site).confidence
    names = [one.name for one in evidence.distributions]
    assert names == ["During the attack", "Same client before", "Benign clients"]
    assert [one.count for one in evidence.distributions] == [CLIMB_QUERIES, 14, 72]
    for one in evidence.distributions:
        assert sum(one.shares) == pytest.approx(1)


def test_windows_are_shown_against_peers(site: AttackedSite) -> None:
    (portrait, *_) = _only(site).context.portraits
    assert portrait.entity_id == ATTACKER
    ascent = next(one for one in portrait.peculiarities if one.feature == "confidence_ascent")
    assert (ascent.value, ascent.below, ascent.tail, ascent.triggered) == (0.9341, 1.0, 4.12, True)
    assert len(ascent.peers) == 9
    entropy = next(one for one in portrait.peculiarities if one.feature == "query_entropy")
    assert (entropy.below, entropy.triggered) == (0.0, False)


def test_memory_is_bounded_and_the_rest_is_counted(site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_QUERIES", 50)
    monkeypatch.setattr(gathering, "INPUT_BYTES", 30 * 64 * 4)
    monkeypatch.setattr(telling, "MAX_PINNED", 50)
    full = site.incident
    dossier = _only(site)
    assert dossier.context.query_total == CLIMB_QUERIES
    assert len(dossier.context.queries) <= 50
    assert len(dossier.context.inputs.rows) == 30
    assert dossier.context.pursuits[0].final == pytest.approx(0.955, abs=0.01)
    assert dossier.reconstruction.item.status is CAPTURED
    assert full.query_count == CLIMB_QUERIES


def test_contexts_that_are_not_held_are_gathered_again(site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    held = _only(site).items
    monkeypatch.setattr("detector.evidence.capture.MOST_HELD", 0)
    assert held == _only(site).items


def test_several_incidents_read_each_file_once(site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    other = climb_incident(
        id="INC-999999999999",
        technique=Technique.EXTRACTION,
        techniques=(Technique.EXTRACTION,),
        entity_id="shop-1",
        members=(Member("shop-1", (NIGHT,), 8, Severity.LOW),),
        findings=(
            finding(
                id="00000000000000d4",
                clients=("shop-1",),
                entity_id="shop-1",
                technique=Technique.EXTRACTION,
                segment=Segment(BEGINS - 86_400 * SECOND, BEGINS + 86_400 * SECOND, None),
            ),
        ),
    )
    with site.store.begin() as connection:
        save(connection, other)
    asked = []
    original = telling.reread
    monkeypatch.setattr(telling, "reread", lambda file, lines: asked.append(file.path) or original(file, lines))
    first, second = capture(site.store, site.settings, [site.incident, other])
    assert asked == [LOG]
    assert first.items[1].status is CAPTURED
    assert second.items[1].status is EvidenceStatus.NOT_APPLICABLE
    assert len(read_pins(site.store, other.id)) == 8


def test_an_incident_whose_queries_were_purged_says_so(site: AttackedSite) -> None:
    gone = replace(site.incident, members=(Member("nobody", (NIGHT,), 3, Severity.LOW),), entity_id="nobody")
    (dossier,) = capture(site.store, site.settings, [replace(gone, findings=(finding(clients=("nobody",)),))])
    assert [item.status for item in dossier.items[:3]] == [UNAVAILABLE] * 3
    assert "no longer in the store" in dossier.items[0].reason


def test_an_unconfigured_model_gets_what_needs_no_configuration(site: AttackedSite) -> None:
    bare = site.settings.model_copy(update={"models": {}})
    (dossier,) = capture(site.store, bare, [site.incident])
    assert [item.status for item in dossier.items] == [
        CAPTURED,
        CAPTURED,
        CAPTURED,
        EvidenceStatus.NOT_APPLICABLE,
        UNAVAILABLE,
        UNAVAILABLE,
    ]
    assert f'[models."{MODEL}"]' in dossier.items[4].reason
    # 64 values between 0 and 1 are drawn as a picture without being told
    assert dossier.reconstruction.reconstructions[0].shape == (8, 8, 1)
