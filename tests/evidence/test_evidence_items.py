from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from evidence_making import climb_incident, context, inputs, no_inputs, queries

from detector.evidence import comparison, confidence, privacy, pursuit, reconstruction
from detector.evidence.comparison import told
from detector.evidence.context import Inputs, Reference, Sample, Training
from detector.evidence.shapes import image_shape, is_channels_first
from detector.evidence.space import RecordSpace, VectorSpace, measured, record_space
from detector.model import EvidenceStatus, InputKind, Technique

if TYPE_CHECKING:
    from detector.evidence.context import IncidentContext

CAPTURED, UNAVAILABLE, NOT_APPLICABLE = EvidenceStatus
NAMES = ("cat", "dog")


def _climbed(points: Any, **different: Any) -> IncidentContext:
    rising = np.linspace(0.02, 0.98, len(points))
    held = queries(np.stack([rising, 1 - rising], axis=1), classes=NAMES)
    found = pursuit.find(held, {"cat": (np.arange(len(held)), "climb-1")})
    given = {"queries": held, "pursuits": found, "inputs": inputs(points)}
    return context(**{**given, **different})


def _training(members: np.ndarray, others: np.ndarray | None) -> Training:
    space = VectorSpace(np.ones(members.shape[1]))
    spacing, contrast = measured(members, others, len(members))
    labels = np.array(["cat"] * len(members), dtype=object)
    outside = Sample("holdout.parquet", others, None, len(others)) if others is not None else None
    inside = Sample("train.parquet", members, labels, len(members))
    return Training(inside, outside, spacing, contrast, space)


def _points(count: int, last: Any) -> np.ndarray:
    rng = np.random.default_rng(9)
    points = rng.normal(size=(count, 2)).astype(np.float32)
    points[-10:] = np.asarray(last, dtype=np.float32) + 1e-6 * np.arange(10)[:, None]
    return points


RNG = np.random.default_rng(4)
MEMBERS = RNG.normal(size=(50, 2)).astype(np.float32)
OTHERS = RNG.normal(size=(50, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("reached", "verdict"),
    [
        (MEMBERS[7], "a record"),
        (MEMBERS[7] + 0.003, "closer to a person"),
        (np.array([1.9, -0.4]), "like a real record"),
        (np.array([30.0, 30.0]), "the class only"),
    ],
)
def test_a_reconstruction_is_told_apart_from_a_person(reached: np.ndarray, verdict: str) -> None:
    evidence = comparison.examine(_climbed(_points(40, reached), training=_training(MEMBERS, OTHERS)))
    assert [one.verdict for one in evidence.closeness] == [verdict]
    assert evidence.item.status is CAPTURED
    assert told(evidence.closeness[0]) in evidence.item.reason
    assert any(name == "… nearest hold-out record" for name, _ in evidence.item.facts)


def test_without_a_hold_out_sample_training_records_are_the_measure() -> None:
    evidence = comparison.examine(_climbed(_points(40, [30, 30]), training=_training(MEMBERS, None)))
    assert evidence.item.status is CAPTURED
    assert evidence.closeness[0].to_other is None
    assert any("other training records" in value for _, value in evidence.item.facts)


def test_inputs_of_another_length_or_kind_cannot_be_compared() -> None:
    wide = _climbed(np.zeros((40, 3)), training=_training(MEMBERS, OTHERS))
    assert "different length" in comparison.examine(wide).item.reason
    rows = np.arange(40)
    text = Inputs(rows, InputKind.TEXT, np.empty((40, 0), dtype=np.float32), (b"a text",) * 40)
    spoken = _climbed(np.zeros((40, 2)), training=_training(MEMBERS, OTHERS), inputs=text)
    assert comparison.examine(spoken).item.status is UNAVAILABLE


def test_records_and_texts_are_compared_in_a_space_of_their_own() -> None:
    rows = [{"age": 30 + i, "city": "Bonn" if i % 2 else "Köln"} for i in range(20)]
    space = record_space(rows, ["age", "city"])
    payloads = tuple(json.dumps(rows[3]).encode() for _ in range(40))
    held = Inputs(np.arange(40), InputKind.RECORD, np.empty((40, 0), dtype=np.float32), payloads)
    vectors = space.encode(rows)
    training = Training(members=Sample("train.parquet", vectors, None, 20), spacing=np.full(20, 0.5), space=space)
    evidence = comparison.examine(_climbed(np.zeros((40, 2)), training=training, inputs=held))
    assert evidence.closeness[0].verdict == "a record"
    strange = replace(held, payloads=(b"not json",) * 40)
    assert comparison.examine(_climbed(np.zeros((40, 2)), training=training, inputs=strange)).closeness


def test_fields_that_are_absent_or_unknown_do_not_break_a_record() -> None:
    space = record_space([{"age": 30, "city": "Bonn"}, {"age": None, "city": "Köln"}], ["age", "city"])
    assert isinstance(space, RecordSpace)
    got = space.encode([{}, {"age": "old", "city": "Rom"}])
    np.testing.assert_array_equal(np.zeros((2, 3), dtype=np.float32), got)


def test_probed_records_are_counted() -> None:
    incident = climb_incident(technique=Technique.MEMBERSHIP, techniques=(Technique.MEMBERSHIP,))
    probes = np.concatenate([MEMBERS[:6], OTHERS[:3], [[40, 40]]])
    asked = context(
        incident=incident, queries=queries(count=10), inputs=inputs(probes), training=_training(MEMBERS, OTHERS)
    )
    evidence = comparison.examine(asked)
    assert evidence.probed is not None
    assert (evidence.probed.inputs, evidence.probed.members, evidence.probed.others) == (10, 6, 3)
    assert "6 of 10 probed inputs" in evidence.item.reason


def test_techniques_that_do_not_aim_at_records_need_no_comparison() -> None:
    incident = climb_incident(technique=Technique.EVASION, techniques=(Technique.EVASION,))
    asked = context(incident=incident)
    assert comparison.examine(asked).item.status is NOT_APPLICABLE
    assert reconstruction.examine(asked).item.status is NOT_APPLICABLE
    assert privacy.examine(asked).item.status is NOT_APPLICABLE


@pytest.mark.parametrize("kind", [InputKind.NONE, InputKind.DIGEST])
def test_no_inputs_no_reconstruction(kind: InputKind) -> None:
    evidence = reconstruction.examine(_climbed(np.zeros((40, 2)), inputs=no_inputs(kind)))
    assert evidence.item.status is UNAVAILABLE
    assert "`input`" in evidence.item.reason


def test_nothing_in_the_answers_no_reconstruction() -> None:
    silent = context(queries=queries(count=3), inputs=inputs(np.zeros((3, 2))))
    assert "No answer tells" in reconstruction.examine(silent).item.reason
    assert "log" in confidence.examine(silent).item.reason
    assert confidence.examine(silent).item.status is UNAVAILABLE


def test_labels_alone_leave_the_last_input() -> None:
    labels = np.array(["dog"] * 5 + ["cat"] * 5, dtype=object)
    held = queries(count=10, label=labels)
    found = pursuit.find(held, {"cat": (np.arange(10), "label-only")})
    evidence = reconstruction.examine(context(queries=held, pursuits=found, inputs=inputs(np.eye(10))))
    assert evidence.item.status is CAPTURED
    assert "labels only" in evidence.item.reason
    assert evidence.reconstructions[0].best[0].place == 10


def test_records_and_texts_are_reconstructions_too() -> None:
    payloads = tuple(b"text %d" % i for i in range(40))
    held = Inputs(np.arange(40), InputKind.TEXT, np.empty((40, 0), dtype=np.float32), payloads)
    evidence = reconstruction.examine(_climbed(np.zeros((40, 2)), inputs=held))
    (one,) = evidence.reconstructions
    assert (one.best[0].payload, one.best[0].vector, one.shape) == (b"text 39", None, None)


@pytest.mark.parametrize(
    ("values", "ends"), [([0.0, 0.7], (0, 1)), ([0, 250], (0, 255)), ([-0.5, 0.5], (-1, 1)), ([-7, 3], (-7, 3))]
)
def test_black_and_white_are_the_customary_ends(values: list[float], ends: tuple[float, float]) -> None:
    points = np.tile(np.array(values, dtype=np.float32), (40, 1))
    (one,) = reconstruction.examine(_climbed(points)).reconstructions
    assert (one.low, one.high) == ends


def test_distances_of_distributions() -> None:
    low, high = np.linspace(0.1, 0.2, 50), np.linspace(0.8, 0.9, 70)
    assert confidence.distance(low, low) == 0
    assert confidence.distance(low, high) == 1
    asked = _climbed(np.zeros((40, 2)), peers=Reference(high, np.empty((0, 2), dtype=np.float32), 3, ("2026-11-13",)))
    evidence = confidence.examine(asked)
    assert [one.name for one in evidence.distributions] == ["During the attack", "Benign clients"]
    assert "no logged confidences from before" in evidence.item.reason


def test_what_is_a_picture() -> None:
    bright = np.array([[0.0, 1.0]], dtype=np.float32)
    assert image_shape(64, None, bright) == (8, 8, 1)
    assert image_shape(784, (28, 28), bright) == (28, 28, 1)
    assert image_shape(48, (4, 4, 3), bright) == (4, 4, 3)
    assert image_shape(48, (3, 4, 4), bright) == (4, 4, 3)
    assert image_shape(30, None, bright) is None
    assert image_shape(16, None, bright) is None
    assert image_shape(64, None, np.array([[-2.0, 1.0]], dtype=np.float32)) is None
    assert image_shape(64, (4, 4), bright) == (8, 8, 1)
    assert (is_channels_first((3, 4, 4)), is_channels_first((4, 4, 3)), is_channels_first(None)) == (True, False, False)
