"""Each attack against a real model, through the oracle that a drill uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.redteam.attacks.attribute_sweep import AttributeSweep
from detector.redteam.attacks.base import Attack, Outcome
from detector.redteam.attacks.extraction import Extraction
from detector.redteam.attacks.finite_difference import FiniteDifferenceInversion
from detector.redteam.attacks.hop_skip_jump import HopSkipJump
from detector.redteam.attacks.merlin import MerlinMembership
from detector.redteam.attacks.one_plus_one import OnePlusOneInversion
from detector.redteam.attacks.spsa import SpsaInversion
from detector.redteam.models import CLINIC_SENSITIVE, Sample, TargetModel
from detector.redteam.networks import Network
from detector.redteam.oracle import Oracle
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.referee import Verdict, judge
from detector.redteam.sessions import Quarry, attribute_quarry, membership_quarry, outsider
from detector.redteam.traffic import Asking, Client, Pace


def oracle_of(service: Service, asking: Asking, *, refused: float = 0.0) -> Oracle:
    client = Client("00000000000000aa", "10.1.2.3", "curl/8.9.1")
    return Oracle(service, client, asking, Pace(0.1), stream(1, "line"), begins=1_000_000, refused=refused)


def attacked(attack: Attack, service: Service, quarry: Quarry | None = None) -> tuple[Outcome, Verdict]:
    knowledge = outsider(service.model, quarry, stream(1, "knowledge"))
    outcome = attack.run(oracle_of(service, attack.asking), knowledge, stream(1, "attack"))
    return outcome, judge(attack.technique, service.model, outcome, knowledge, quarry)


def asked(service: Service) -> int:
    return sum(len(block.times) for block in service.blocks)


@pytest.mark.parametrize(
    "attack",
    [OnePlusOneInversion(9, budget=400), FiniteDifferenceInversion(9, budget=700), SpsaInversion(9, budget=400)],
    ids=lambda attack: attack.family,
)
def test_inversions_reach_their_class_within_budget(attack: Attack, service: Service) -> None:
    outcome, verdict = attacked(attack, service)
    shown = np.concatenate([block.probabilities[:, 9] for block in service.blocks])
    assert outcome.target == "9"
    assert outcome.confidence == shown.max()
    assert outcome.best is not None
    assert service.model.predict(service.model.form.clean(outcome.best[None]))[0, 9] == pytest.approx(shown.max(), 1e-4)
    assert shown[0] < 0.5
    assert verdict == Verdict(success=True, resembles=False)
    assert asked(service) == attack.budget  # type: ignore[attr-defined]


def test_an_inversion_without_the_queries_for_it_fails(service: Service) -> None:
    _, verdict = attacked(OnePlusOneInversion(9, budget=5), service)
    assert verdict == Verdict(success=False, resembles=False)


def test_hop_skip_jump_comes_close_with_labels_alone(service: Service) -> None:
    outcome, verdict = attacked(HopSkipJump(budget=800), service)
    assert outcome.confidence is None
    assert {block.asking for block in service.blocks} == {Asking()}
    assert verdict.success
    assert 800 <= asked(service) <= 1_200


def test_hop_skip_jump_gives_up_on_a_model_with_one_answer(digits: TargetModel) -> None:
    nothing = Network(np.arange(10), (np.zeros((64, 1)), np.zeros((1, 10))), (np.zeros(1), np.zeros(10)))
    service = Service(replace(digits, classifier=nothing))
    _, verdict = attacked(HopSkipJump(budget=100), service)
    assert not verdict.success
    assert asked(service) > 100


@pytest.mark.parametrize("source", ["natural", "random"])
def test_extraction_copies_the_model(source: str, service: Service) -> None:
    attack = Extraction("natural", 900) if source == "natural" else Extraction("random", 900)
    outcome, verdict = attacked(attack, service)
    assert outcome.best is None
    assert asked(service) == 900
    assert verdict.success == (source == "natural")


def test_extraction_of_a_constant_model_is_constant(service: Service) -> None:
    outcome, _ = attacked(Extraction("natural", 1), service)
    assert outcome.claims is not None
    assert len(set(outcome.claims.tolist())) == 1


def test_merlin_asks_for_each_candidate_and_its_copies(clinic: TargetModel) -> None:
    service = Service(clinic)
    quarry = membership_quarry(clinic, 80, stream(2, "quarry"))
    outcome, verdict = attacked(MerlinMembership(repeats=10), service, quarry)
    assert asked(service) == 80 * 11
    assert int(quarry.truth.sum()) == 40
    assert outcome.claims is not None
    members, others = outcome.claims[quarry.truth == 1], outcome.claims[quarry.truth == 0]
    above = np.mean(members[:, None] > others[None])
    assert verdict.success == bool(above >= 0.6)
    first = np.vstack([block.inputs[0] for block in service.blocks])
    assert np.array_equal(first, quarry.known.rows)


def test_attribute_sweep_recovers_more_than_the_diagnosis_tells(clinic: TargetModel) -> None:
    column = list(clinic.form.columns(clinic.train.rows)).index(CLINIC_SENSITIVE)
    quarry = attribute_quarry(clinic, column, 200, stream(2, "quarry"))
    assert np.isnan(quarry.known.rows[:, column]).all()
    service = Service(clinic)
    outcome, verdict = attacked(AttributeSweep(column, (0.5, 0.3, 0.2)), service, quarry)
    assert asked(service) == 600
    assert outcome.claims is not None
    assert set(outcome.claims.tolist()) <= {0, 1, 2}
    assert verdict.success


def test_membership_of_nobody_is_no_success(service: Service) -> None:
    knowledge = outsider(service.model, None, stream(1, "knowledge"))
    assert judge("membership", service.model, Outcome(), knowledge, None) == Verdict(success=False)
    assert judge("evasion", service.model, Outcome(), knowledge, None) == Verdict(success=False)


def test_an_attribute_guess_by_diagnosis_alone_is_no_success() -> None:
    quarry = Quarry(Sample(np.zeros((4, 1)), np.array([0, 0, 1, 1])), np.array([2, 2, 1, 0]))
    knowledge_free = judge("attribute", None, Outcome(claims=np.array([2, 2, 0, 0])), None, quarry)  # type: ignore[arg-type]
    assert knowledge_free == Verdict(success=False)


class TestOracle:
    def test_the_attacker_sees_what_the_log_holds(self, service: Service) -> None:
        answer = oracle_of(service, Asking(probabilities=True)).ask(np.full((2, 64), 1 / 3))
        (block,) = service.blocks
        assert np.array_equal(block.inputs, np.full((2, 64), 0.33333))
        assert np.array_equal(answer.probabilities, block.probabilities)
        assert answer.confidence.tolist() == block.probabilities.max(axis=1).tolist()

    def test_labels_alone_hide_every_number(self, service: Service) -> None:
        answer = oracle_of(service, Asking()).ask(service.model.field.rows[:20])
        assert np.isnan(answer.confidence).all()
        assert np.isnan(answer.probabilities).all()
        assert answer.labels.tolist() == service.blocks[0].probabilities.argmax(axis=1).tolist()

    def test_top_k_hides_the_rest(self, service: Service) -> None:
        answer = oracle_of(service, Asking(probabilities=True, top_k=3)).ask(service.model.field.rows[:20])
        shown = service.blocks[0].probabilities
        assert np.isfinite(answer.probabilities).sum(axis=1).tolist() == [3] * 20
        assert np.array_equal(np.nanmin(answer.probabilities, axis=1), np.sort(shown, axis=1)[:, -3])

    def test_a_refused_query_is_logged_and_sent_again(self, service: Service) -> None:
        oracle = oracle_of(service, Asking(confidence=True), refused=0.5)
        answer = oracle.ask(service.model.field.rows[:100])
        (block,) = service.blocks
        failed = np.flatnonzero(block.status != 200)
        assert len(answer.labels) == 100
        assert 30 < len(failed) < 70
        assert oracle.asked == 100 + len(failed)
        assert np.array_equal(block.inputs[failed], block.inputs[failed + 1])
        assert set(block.status[failed + 1].tolist()) == {200}

    def test_time_passes_between_queries(self, service: Service) -> None:
        oracle = oracle_of(service, Asking())
        oracle.ask(service.model.field.rows[:5])
        oracle.ask(service.model.field.rows[:5])
        times = np.concatenate([block.times for block in service.blocks])
        assert (np.diff(times) >= 1_000).all()
        assert np.array_equal(oracle.times["00000000000000aa"], times)
        assert times[0] > 1_000_000
