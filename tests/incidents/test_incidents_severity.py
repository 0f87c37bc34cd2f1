from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from incident_making import finding

from detector.incidents.severity import judge
from detector.model import Finding, Severity, Technique, Trigger

if TYPE_CHECKING:
    from detector.config import Sensitivity

LOW, MEDIUM, HIGH, CRITICAL = Severity
INVERSION = Technique.INVERSION


def climb(level: Severity, offset: int = 0, rule: str = "climb", feature: str = "confidence_ascent") -> Finding:
    return finding(offset=offset, level=level, rule=rule, trigger=(Trigger(feature, 0.9),))


def reached(level: Severity, confidence: float) -> Finding:
    return finding(level=level, rule="end", trigger=(Trigger("final_confidence", confidence),))


@pytest.mark.parametrize(
    ("findings", "sensitivity", "expected"),
    [
        ([climb(LOW)], "none", LOW),
        ([climb(MEDIUM), climb(HIGH, rule="other")], "none", HIGH),
        ([climb(MEDIUM), climb(MEDIUM, rule="other", feature="feedback_alignment")], "none", HIGH),
        ([climb(LOW), climb(MEDIUM, rule="other", feature="feedback_alignment")], "none", MEDIUM),
        ([climb(HIGH), climb(HIGH, rule="other", feature="feedback_alignment")], "none", HIGH),
        ([climb(MEDIUM), climb(MEDIUM, rule="habit", feature="finding")], "none", MEDIUM),
        ([climb(MEDIUM)], "health", HIGH),
        ([climb(MEDIUM)], "biometric", HIGH),
        ([climb(MEDIUM)], "personal", MEDIUM),
        ([climb(LOW)], "health", LOW),
        ([climb(CRITICAL)], "health", CRITICAL),
        ([climb(MEDIUM, offset) for offset in range(2)], "none", MEDIUM),
        ([climb(MEDIUM, offset) for offset in range(3)], "none", HIGH),
        ([climb(MEDIUM, offset) for offset in range(9)], "none", HIGH),
        ([climb(LOW, offset) for offset in range(9)], "none", LOW),
        ([reached(HIGH, 0.95)], "none", HIGH),
        ([reached(HIGH, 0.6)], "none", MEDIUM),
        ([reached(CRITICAL, 0.6)], "none", HIGH),
        ([reached(MEDIUM, 0.1)], "none", MEDIUM),
        ([reached(LOW, 0.1)], "none", LOW),
        ([reached(HIGH, float("nan"))], "none", HIGH),
        ([climb(HIGH, rule="anomaly.iforest"), climb(CRITICAL, rule="anomaly.hbos", feature="x")], "health", LOW),
        ([climb(MEDIUM), climb(CRITICAL, rule="anomaly.iforest", feature="x")], "none", MEDIUM),
    ],
)
def test_severity(findings: list[Finding], sensitivity: Sensitivity, expected: Severity) -> None:
    assert judge(findings, INVERSION, sensitivity).severity is expected


def test_sensitive_data_does_not_make_a_copied_model_graver() -> None:
    assert judge([climb(MEDIUM)], Technique.EXTRACTION, "health").severity is MEDIUM


def test_a_finding_lowered_for_a_workload_is_told_once_with_the_workload() -> None:
    lowered = [replace(climb(LOW, offset), explained_by="video: frames that drift slowly") for offset in range(2)]
    assert judge(lowered, INVERSION, "health").reasons == (
        "starts at low: the highest level of a finding, Climb",
        "Climb is lowered to low: this behaves like video: frames that drift slowly",
    )


def test_reasons_are_told() -> None:
    findings = [climb(MEDIUM, offset) for offset in range(3)] + [reached(MEDIUM, 0.42)]
    assert judge(findings, INVERSION, "health").reasons == (
        "starts at medium: the highest level of a finding, Climb",
        "raised by one: two rules agree on inversion from different measurements, Climb and End",
        "raised by one: the model is declared health data",
        "raised by one: it went on for 3 nights",
        "lowered by one: the climb ended at a confidence of 0.42, below 0.9",
    )
