from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from detector.detect.learned import Resemblance, lowered, resemblances, suspects
from detector.detect.learned.judging import FEWEST_QUERIES, SUSPICIOUS
from detector.features.registry import NAMES
from detector.model import RESEMBLANCE, EntityKind, Finding, Horizon, Severity, Technique, Trigger, Windows
from tests.baseline.baseline_making import baseline_of, benign

NIGHT = date(2026, 11, 13)
ORDINARY = np.median(benign(400), axis=0)
# What a (1+1) evolution strategy on an image model leaves.
CLIMB = {
    "confidence_ascent": 0.97, "confidence_ascent_short": 0.95, "climbing_share": 0.7, "confidence_ascent_window": 0.9,
    "confidence_rise": 0.6, "confidence_record_z": 25.0, "record_asymmetry": 18.0, "target_concentration": 1.0,
    "final_confidence": 1.0, "off_manifold_ratio": 1.0, "noise_likeness": 0.5, "near_duplicate_ratio": 0.9,
    "nearest_previous_distance": 0.05, "kin_ratio": 0.9, "thread_share": 0.9, "thread_ascent": 0.95, "thread_rise": 0.5,
    "parent_rank": 0.94, "parent_rank_asymmetry": 0.6, "offspring_selection": 20.0, "offspring_asymmetry": 13.0,
    "label_entropy": 0.2, "label_balance": 0.2, "sliced_wasserstein": 1.5, "input_psi_mean": 1.5, "input_psi_max": 4.0,
    "duplicate_ratio": 0.0, "single_field_change_ratio": 0.0, "enumeration_ratio": 0.0, "query_entropy": 0.6,
}  # fmt: skip


def _windows(*rows: np.ndarray, queries: int = 500) -> Windows:
    features = pd.DataFrame(np.array(rows), columns=list(NAMES)).drop(columns="query_count")
    names = [f"x{number}" for number in range(len(rows))]
    identity = pd.DataFrame(
        {
            "entity_kind": EntityKind.CLIENT.value, "entity_id": names, "horizon": Horizon.NIGHT.value,
            "query_count": queries, "first_ts": 1, "last_ts": 9, "clients": [(name,) for name in names],
            "target": "7", "segment_first": 3.0, "segment_last": 5.0,
        }
    )  # fmt: skip
    return Windows("m", NIGHT, pd.concat([identity, features], axis=1), "m@1")


def _moved(**values: float) -> np.ndarray:
    row = ORDINARY.copy()
    for name, value in values.items():
        row[NAMES.index(name)] = value
    return row


def test_a_climb_is_found_named_and_explained() -> None:
    windows = _windows(_moved(**CLIMB), ORDINARY)
    known = benign(300)
    known[:, NAMES.index("query_count")] = 500
    (found,) = suspects(windows, resemblances(windows, baseline_of(known)))
    assert (found.rule, found.technique, found.entity_id, found.clients) == (
        RESEMBLANCE,
        Technique.INVERSION,
        "x0",
        ("x0",),
    )
    assert found.level.rank >= Severity.MEDIUM.rank
    assert (found.segment.first_ts, found.segment.last_ts, found.segment.target) == (3, 5, "7")
    assert found.p == pytest.approx(1 / 301)
    assert found.atlas == ("AML.T0024.001",)
    assert len({trigger.feature for trigger in found.trigger} & set(CLIMB)) >= 3
    assert "resembles are attacks" in found.sentence


def test_without_a_baseline_there_is_no_p() -> None:
    windows = _windows(_moved(**CLIMB))
    (found,) = suspects(windows, resemblances(windows, None))
    assert found.p is None


def test_few_queries_are_not_judged() -> None:
    assert resemblances(_windows(_moved(**CLIMB), queries=FEWEST_QUERIES - 1), None) == ()


def test_a_baseline_that_scores_like_attacks_lifts_the_bar_only_so_far() -> None:
    poisoned = np.tile(_moved(query_count=500, **CLIMB), (300, 1))
    windows = _windows(_moved(**CLIMB))
    (alone,), (beside,) = resemblances(windows, None), resemblances(windows, baseline_of(poisoned))
    assert (alone.bar, beside.bar) == (SUSPICIOUS, 0.7)
    assert alone.attack == beside.attack
    assert beside.suspicious


EXPLAINED = Resemblance(
    row=0, window=("client", "x0", "night"), attack=0.1, boosted=0.01, bar=0.55, p=0.4,
    technique=Technique.INVERSION, family="inv_de", workload="benign_shap", workload_share=0.6,
)  # fmt: skip


def _finding(feature: str = "confidence_ascent", level: Severity = Severity.HIGH) -> Finding:
    windows = _windows(_moved(**CLIMB))
    (found,) = suspects(windows, resemblances(windows, None))
    return replace(found, rule="r", level=level, trigger=(Trigger(feature, 0.9),), sentence="It climbs.")


def test_what_a_workload_explains_is_lowered_named_and_kept() -> None:
    (found,) = lowered([_finding()], [EXPLAINED])
    assert found.level is Severity.LOW
    assert found.sentence.startswith("It climbs. But it behaves like a SHAP explainer")
    assert found.explained_by is not None
    assert found.explained_by.startswith("a SHAP explainer: ")


@pytest.mark.parametrize("feature", ["thread_ascent", "canary_hits", "training_hit_ratio", "gradient_ratio"])
def test_hard_evidence_is_never_lowered(feature: str) -> None:
    found = _finding(feature)
    assert lowered([found], [EXPLAINED]) == (found,)


@pytest.mark.parametrize(
    "other",
    [
        replace(EXPLAINED, attack=0.35),
        replace(EXPLAINED, boosted=0.1),
        replace(EXPLAINED, workload_share=0.1),
        replace(EXPLAINED, window=("client", "x1", "night")),
        replace(EXPLAINED, window=("network", "x0", "night")),
        replace(EXPLAINED, window=("client", "x0", "trailing")),
    ],
)
def test_what_no_workload_explains_stays_as_it_is(other: Resemblance) -> None:
    found = _finding()
    assert lowered([found], [other]) == (found,)


def test_a_sweep_for_a_copy_has_to_be_very_much_like_a_workload() -> None:
    found = replace(_finding(), technique=Technique.EXTRACTION)
    (kept,) = lowered([found], [replace(EXPLAINED, workload_share=0.25)])
    (told,) = lowered([found], [replace(EXPLAINED, workload_share=0.35)])
    assert (kept.level, told.level) == (Severity.HIGH, Severity.LOW)


def test_a_counterfactual_explainer_is_said_and_not_lowered() -> None:
    maybe = replace(EXPLAINED, attack=0.5, workload="benign_counterfactual", workload_share=0.2)
    (found,) = lowered([_finding()], [maybe])
    assert found.level is Severity.HIGH
    assert "It may be a counterfactual explainer" in found.sentence
