from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evidence_making import climb_incident, context

from detector.audit.declared import declared_epsilon
from detector.audit.service import Verdict
from detector.config import ModelSettings, Privacy
from detector.evidence import privacy, samples
from detector.features.reference import read_inputs
from detector.model import EvidenceStatus, Technique

if TYPE_CHECKING:
    from pathlib import Path

    from detector.evidence.privacy import PrivacyEvidence

CAPTURED, UNAVAILABLE, NOT_APPLICABLE = EvidenceStatus
DECLARED = Privacy(noise_multiplier=1.1, sampling_rate=0.01, steps=1000, delta=1e-6)
SIZE = 400


def _examined(**settings: Any) -> PrivacyEvidence:
    return privacy.examine(context(settings=ModelSettings(**settings)))


def _write(file: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def _sure(folder: Path, **more: Any) -> dict[str, Path]:
    """Samples with the confidences of a model that knows its members."""
    rng = np.random.default_rng(8)
    return {
        "training_sample": _write(folder / "train.parquet", confidence=rng.beta(20, 1, SIZE), **more),
        "holdout_sample": _write(folder / "holdout.parquet", confidence=rng.beta(5, 2, SIZE), **more),
    }


def test_nothing_given_says_what_to_provide() -> None:
    evidence = _examined()
    assert (evidence.item.status, evidence.item.facts) == (UNAVAILABLE, ())
    for words in (
        "noise_multiplier",
        "training_sample = FILE and holdout_sample = FILE",
        "a column confidence (",
        "included (true",
    ):
        assert words in evidence.item.reason


def test_a_declaration_alone_is_a_promise() -> None:
    evidence = _examined(privacy=DECLARED)
    assert evidence.item.status is CAPTURED
    assert evidence.promised == declared_epsilon(DECLARED)
    assert f"ε of at most {evidence.promised.epsilon:.3f} (δ = 1e-06)" in evidence.item.reason
    assert "not a measurement" in evidence.item.reason
    assert ("Declared steps", "1,000") in evidence.item.facts
    assert "For an empirical lower bound" in evidence.item.reason


def test_a_declaration_without_accountants_shows_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    unseen = DECLARED.model_copy(update={"steps": 777})
    evidence = _examined(privacy=unseen)
    assert (evidence.item.status, evidence.promised) == (UNAVAILABLE, None)
    assert "inversion-detector[audit]" in evidence.item.reason
    assert ("Declared steps", "777") in evidence.item.facts
    assert "Declared ε" not in dict(evidence.item.facts)


def test_confidences_of_the_samples_bound_it_from_below(tmp_path: Path) -> None:
    evidence = _examined(privacy=DECLARED, **_sure(tmp_path))
    assert evidence.audit is not None
    assert (evidence.audit.members, evidence.audit.delta) == (SIZE, DECLARED.delta)
    assert evidence.audit.verdict is Verdict.CONTRADICTED
    assert "That contradicts the declared ε" in evidence.item.reason
    assert "Computed from train.parquet and holdout.parquet." in evidence.item.reason
    assert str(tmp_path) not in evidence.item.reason
    facts = dict(evidence.item.facts)
    shown = ["Declared ε", "Members and non-members", "Median confidence in the true class", "Membership attack, AUC"]
    assert list(facts)[4:8] == shown
    assert facts["ε is at least, one training run"].startswith(f"{evidence.audit.epsilon:.3f} (at 95% confidence")


def test_a_bound_without_a_declaration_is_captured(tmp_path: Path) -> None:
    evidence = _examined(**_sure(tmp_path))
    assert (evidence.item.status, evidence.promised) == (CAPTURED, None)
    assert evidence.audit is not None
    assert evidence.audit.delta == 1e-5
    assert "No ε is declared" in evidence.item.reason


def test_canaries_are_preferred_to_samples(tmp_path: Path) -> None:
    confidence, included = np.linspace(0, 1, 600), np.arange(600) >= 300
    canaries = _write(tmp_path / "canaries.parquet", confidence=confidence, included=included)
    evidence = _examined(canaries=canaries, **_sure(tmp_path))
    assert evidence.audit is not None
    assert (evidence.audit.members, evidence.audit.auc) == (300, 1.0)
    assert "Computed from canaries.parquet." in evidence.item.reason
    planted = _write(tmp_path / "bare.parquet", input_vector=[[0.5]])
    assert _examined(canaries=planted, **_sure(tmp_path)).audit == _examined(**_sure(tmp_path)).audit


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    files = _sure(tmp_path)
    bare = _write(tmp_path / "bare.parquet", input_vector=[[0.5]])
    unmatched = _examined(training_sample=files["training_sample"], holdout_sample=bare).item.reason
    assert "give bare.parquet a column confidence" in unmatched
    assert "train.parquet" not in unmatched
    alone = _examined(training_sample=files["training_sample"]).item.reason
    assert 'name holdout_sample = FILE under [models."digits"], with a column confidence' in alone
    assert "training_sample" not in alone


def test_files_that_cannot_be_used_are_said_without_their_folder(tmp_path: Path) -> None:
    files = _sure(tmp_path)
    (tmp_path / "holdout.parquet").unlink()
    gone = _examined(**files).item
    assert gone.status is UNAVAILABLE
    assert "could not be computed: holdout.parquet: cannot be read as Parquet." in gone.reason
    _write(tmp_path / "holdout.parquet", confidence=[0.5, 7.0])
    wrong = _examined(**files).item
    assert "holdout.parquet: the confidence in the true class of record 2 is 7" in wrong.reason
    assert str(tmp_path) not in gone.reason + wrong.reason


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    files = _sure(tmp_path)
    before = _examined(**files).audit
    _write(files["holdout_sample"], confidence=np.linspace(0.1, 0.2, SIZE + 1))
    after = _examined(**files).audit
    assert before is not None
    assert after is not None
    assert (before.others, after.others) == (SIZE, SIZE + 1)


@pytest.mark.parametrize("technique", [Technique.EXTRACTION, Technique.EVASION])
def test_it_is_about_records(technique: Technique) -> None:
    asked = context(incident=climb_incident(technique=technique, techniques=(technique,)))
    assert privacy.examine(asked).item.status is NOT_APPLICABLE


def test_what_the_audit_reads_is_no_field_of_a_record(tmp_path: Path) -> None:
    columns = {"age": [30, 40], "label": ["a", "b"], "confidence": [0.5, 0.6], "included": [True, False]}
    file = _write(tmp_path / "train.parquet", **columns)
    assert read_inputs(file)[1].to_pylist() == [b'{"age":30}', b'{"age":40}']
    held = samples._read(file, 10)
    assert held.records == [{"age": 30}, {"age": 40}]
