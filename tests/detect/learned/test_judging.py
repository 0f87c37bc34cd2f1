from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from learned_making import CLIMB, ORDINARY, moved, windows_of

from detector.detect.learned import Resemblance, lowered, resemblances, suspects
from detector.detect.learned.forest import shipped
from detector.detect.learned.resemblance import FEWEST_QUERIES, SUSPICIOUS
from detector.features.registry import NAMES
from detector.model import RESEMBLANCE, EntityKind, Finding, Severity, Technique, Trigger
from tests.baseline.baseline_making import baseline_of, benign


def test_a_climb_is_found_named_and_explained() -> None:
    windows = windows_of(moved(**CLIMB), ORDINARY)
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
    assert found.p is not None
    assert found.p < 0.05
    assert found.atlas == ("AML.T0024.001",)
    assert len({trigger.feature for trigger in found.trigger} & set(CLIMB)) >= 3
    assert "resembles are attacks" in found.sentence


def test_p_is_that_of_workloads_elsewhere_or_of_the_models_own_nights_where_these_reach_as_much() -> None:
    known = benign(300)
    known[:, NAMES.index("query_count")] = 500
    poisoned = known.copy()
    poisoned[::3] = moved(**CLIMB, query_count=500)
    windows = windows_of(moved(**CLIMB))
    without, beside, among = (
        resemblances(windows, baseline)[0] for baseline in (None, baseline_of(known), baseline_of(poisoned))
    )
    assert [one.p for one in (without, beside)] == [shipped().p(np.array([one.attack]))[0] for one in (without, beside)]
    assert among.p == pytest.approx(101 / 301)


def test_the_more_it_is_like_an_attack_the_rarer_among_benign_work() -> None:
    p = shipped().p(np.array([0.1, 0.6, 0.8, 0.95]))
    assert (np.diff(p) < 0).all()
    assert p[1] < 0.15


def test_few_queries_are_not_judged() -> None:
    assert resemblances(windows_of(moved(**CLIMB), queries=FEWEST_QUERIES - 1), None) == ()


def test_a_baseline_that_scores_like_attacks_lifts_the_bar_only_so_far() -> None:
    poisoned = benign(300)
    poisoned[::3] = moved(**CLIMB)
    poisoned[:, NAMES.index("query_count")] = 500
    windows = windows_of(moved(**CLIMB))
    (alone,), (beside,) = resemblances(windows, None), resemblances(windows, baseline_of(poisoned))
    assert (alone.bar, beside.bar) == (SUSPICIOUS, 0.7)
    assert beside.suspicious


@pytest.mark.parametrize("kind", ["network", "campaign"])
def test_what_several_send_has_to_be_more_like_an_attack_than_a_client(kind: str) -> None:
    windows = windows_of(moved(**CLIMB), moved(**CLIMB))
    windows.frame.loc[1, "entity_kind"] = kind
    client, pooled = resemblances(windows, None)
    assert (client.bar, pooled.bar) == (SUSPICIOUS, 0.72)


def test_what_strangers_at_one_address_resemble_together_is_low() -> None:
    windows = windows_of(moved(**CLIMB))
    windows.frame.loc[0, "entity_kind"] = "network"
    (found,) = suspects(windows, resemblances(windows, None))
    assert (found.entity_kind, found.level) == (EntityKind.NETWORK, Severity.LOW)


def test_a_baseline_of_clients_says_nothing_of_what_several_send() -> None:
    windows = windows_of(moved(**CLIMB), moved(**CLIMB))
    windows.frame.loc[1, "entity_kind"] = "campaign"
    known = benign(300)
    known[:, NAMES.index("query_count")] = 500
    (_, alone), (_, beside) = resemblances(windows, None), resemblances(windows, baseline_of(known))
    assert alone.attack == beside.attack


EXPLAINED = Resemblance(
    row=0, window=("client", "x0", "night"), seen=np.empty(0), attack=0.1, boosted=0.01, bar=0.55, p=0.4,
    technique=Technique.INVERSION, family="inv_de", workload="benign_shap", workload_share=0.6, ordinary=0.1,
)  # fmt: skip


def _finding(feature: str = "confidence_ascent", level: Severity = Severity.HIGH) -> Finding:
    windows = windows_of(moved(**CLIMB))
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
