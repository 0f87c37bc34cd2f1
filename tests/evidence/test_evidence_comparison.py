from __future__ import annotations

import builtins
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evidence_making import climb_incident, context, inputs, queries
from sklearn.datasets import load_digits

from detector.config import ModelSettings
from detector.custody.plain import document
from detector.evidence import comparison, pursuit
from detector.evidence.comparison import ComparisonEvidence, likeness, masked
from detector.evidence.context import Inputs
from detector.evidence.samples import read_training
from detector.evidence.space import contrast, measured, record_space, two_nearest
from detector.model import EvidenceStatus, InputKind, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from detector.evidence.context import IncidentContext

DIGITS, TARGETS = load_digits(return_X_y=True)
DIGITS = (DIGITS / 16).astype(np.float32)
MEMBERS, OTHERS = slice(0, 600), slice(600, 1000)
STEPS = 30


def _settings(folder: Path, train: Mapping[str, Any], holdout: Mapping[str, Any] | None) -> ModelSettings:
    pq.write_table(pa.table(dict(train)), folder / "train.parquet")
    if holdout is not None:
        pq.write_table(pa.table(dict(holdout)), folder / "holdout.parquet")
    return ModelSettings(
        training_sample=folder / "train.parquet",
        holdout_sample=folder / "holdout.parquet" if holdout is not None else None,
    )


def _digits(folder: Path, *, holdout: bool = True) -> ModelSettings:
    ids = [f"patient-{i:04d}" for i in range(600)]
    train = {"input_vector": DIGITS[MEMBERS].tolist(), "label": TARGETS[MEMBERS], "record_id": ids}
    return _settings(folder, train, {"input_vector": DIGITS[OTHERS].tolist()} if holdout else None)


def _incident(settings: ModelSettings, held: Inputs, target: str = "3", **different: Any) -> IncidentContext:
    """Return an attack of one climb, all of whose queries hold the same input."""
    rising = np.linspace(0.02, 0.98, STEPS)
    asked = queries(np.stack([rising, 1 - rising], axis=1), classes=(target, "other"))
    found = pursuit.find(asked, {target: (np.arange(STEPS), "climb-1")})
    given = {"queries": asked, "pursuits": found, "inputs": held, "training": read_training(settings)}
    return context(**{**given, "settings": settings, **different})


def _reached(settings: ModelSettings, vector: Any) -> ComparisonEvidence:
    return comparison.examine(_incident(settings, inputs(np.tile(vector, (STEPS, 1)))))


def _payloads(kind: InputKind, content: bytes) -> Inputs:
    return Inputs(np.arange(STEPS), kind, np.empty((STEPS, 0), dtype=np.float32), (content,) * STEPS)


@pytest.mark.parametrize("holdout", [True, False])
def test_members_with_noise_are_disclosed_and_class_means_are_not(tmp_path: Path, *, holdout: bool) -> None:
    settings, rng = _digits(tmp_path, holdout=holdout), np.random.default_rng(3)
    members = DIGITS[MEMBERS][::60] + rng.normal(0, 0.06, size=(10, 64)).astype(np.float32)
    means = np.stack([DIGITS[MEMBERS][TARGETS[MEMBERS] == label].mean(axis=0) for label in range(10)])
    remembered = [_reached(settings, one).closeness[0].discloses for one in members]
    averaged = [_reached(settings, one).closeness[0].discloses for one in means]
    assert sum(remembered) >= 9
    assert sum(averaged) <= 1


def test_new_records_are_not_disclosed_more_often_than_the_verdict_says(tmp_path: Path) -> None:
    settings = _digits(tmp_path)
    once = _incident(settings, inputs(np.zeros((STEPS, 64))))
    asked = [replace(once, inputs=inputs(np.tile(one, (STEPS, 1)))) for one in DIGITS[1000:1100]]
    found = [comparison.examine(one).closeness[0].discloses for one in asked]
    assert sum(found) <= 3


def test_a_disclosed_record_is_named_in_the_bundle_and_masked_in_the_report(tmp_path: Path) -> None:
    evidence = _reached(_digits(tmp_path), DIGITS[41] + np.float32(0.01))
    (found,) = evidence.disclosed
    assert (found.record_id, found.row, found.sample) == ("patient-0041", 42, "train.parquet")
    assert "treat record pa… as disclosed" in evidence.item.reason
    assert "patient" not in evidence.item.reason + str(evidence.item.facts)
    assert json.loads(document(evidence))["disclosed"][0]["record_id"] == "patient-0041"


def test_without_ids_the_row_names_the_record(tmp_path: Path) -> None:
    train = {"input_vector": DIGITS[MEMBERS].tolist()}
    evidence = _reached(_settings(tmp_path, train, None), DIGITS[41])
    assert "treat the record in row 42 of train.parquet as disclosed" in evidence.item.reason


def test_an_average_recovers_the_class_though_it_is_close_to_many(tmp_path: Path) -> None:
    ones = DIGITS[MEMBERS][TARGETS[MEMBERS] == 0].mean(axis=0)
    (found,) = _reached(_digits(tmp_path), ones).closeness
    assert found.verdict in {"the class only", "like a real record"}
    assert "recovers the class, not a person" in comparison.told(found)
    assert found.contrast == pytest.approx(1, abs=0.25)


def test_a_noisy_copy_is_told_by_being_far_from_all_other_records(tmp_path: Path) -> None:
    noise = np.random.default_rng(6).normal(0, 0.1, size=64).astype(np.float32)
    (found,) = _reached(_digits(tmp_path), DIGITS[41] + noise).closeness
    assert found.closer_than < 0.99
    assert (found.verdict, found.nearest.record_id) == ("closer to a person", "patient-0041")
    assert comparison.told(found) == (
        f"It is closer to a training record, measured against the next nearest record, than {int(100 * found.apart)} % "
        "of non-members are: treat record pa… as disclosed."
    )


def test_chance_is_a_rank_among_records_not_trained_on(tmp_path: Path) -> None:
    settings = _digits(tmp_path)
    assert _reached(settings, DIGITS[41]).closeness[0].p == 1 / 401
    assert _reached(settings, np.full(64, 9.0)).closeness[0].p > 0.1


def test_images_have_ssim_and_psnr_with_both_samples(tmp_path: Path) -> None:
    (found,) = _reached(_digits(tmp_path), DIGITS[41] + np.float32(0.1)).closeness
    measures = {one.name: one for one in found.measures}
    assert measures["PSNR, dB"].member == pytest.approx(20, abs=1e-3)
    assert measures["SSIM"].member > 0.9
    for one in measures.values():
        assert one.other is not None
        assert one.other < one.member


def test_colours_may_come_before_height_and_width() -> None:
    rng = np.random.default_rng(5)
    image = rng.random((12, 10, 3), dtype=np.float32)
    assert likeness.ssim(image, image, 1.0) == 1
    assert likeness.psnr(image, image, 1.0) == 100
    assert likeness.ssim(image, rng.random((12, 10, 3), dtype=np.float32), 1.0) < 0.3
    small, missing = likeness.images(image[:2], image[:2], None, 1.0)
    assert ([one.name for one in small], missing) == (["PSNR, dB"], ())


@pytest.mark.parametrize("package", ["skimage", "rapidfuzz"])
def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith(package):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    image = np.zeros((8, 8, 1), dtype=np.float32)
    found = likeness.images(image, image, None, 1.0) if package == "skimage" else likeness.texts("a", "b", None)
    assert len(found[0]) == 1
    assert "inversion-detector[evidence]" in found[1][0]


def _people(count: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "age": int(rng.integers(20, 80)),
            "weight": float(np.round(rng.normal(75, 12), 1)),
            "smokes": str(rng.choice(["no", "yes"], p=[0.8, 0.2])),
            "city": str(rng.choice(["Bonn", "Kiel", "Trier", "Ulm"], p=[0.7, 0.1, 0.1, 0.1])),
        }
        for _ in range(count)
    ]


def _records(folder: Path, drawn: Mapping[str, Any]) -> ComparisonEvidence:
    train, holdout = _people(300, 1), _people(300, 2)
    settings = _settings(folder, _columns(train), _columns(holdout))
    return comparison.examine(_incident(settings, _payloads(InputKind.RECORD, json.dumps(drawn).encode())))


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_a_rare_record_is_matched_where_a_guess_is_not(tmp_path: Path) -> None:
    person = next(row for row in _people(300, 1) if row["smokes"] == "yes" and row["city"] == "Trier")
    (found,) = _records(tmp_path, person).closeness
    measures = {one.name: one for one in found.measures}
    assert found.verdict == "a record"
    assert measures["share of fields that agree"].member == 1
    for name in ("G-mean of categories", "MCC of categories"):
        guessed = measures[name].guessed
        assert measures[name].member == pytest.approx(1)
        assert guessed is not None
        assert guessed < 0.5
    assert ("smokes", True, False) in found.fields


def test_the_usual_person_is_no_better_than_a_guess(tmp_path: Path) -> None:
    usual = likeness.guess(record_space(_people(300, 1), list(_people(1, 1)[0])), _people(300, 2))
    (found,) = _records(tmp_path, usual).closeness
    assert not found.discloses
    for one in found.measures:
        assert one.guessed == one.member


def test_a_guess_takes_the_middle_and_the_most_frequent_whatever_the_order() -> None:
    rows = [{"n": 1, "c": "b"}, {"n": 9, "c": "a"}, {"n": 2, "c": "a"}, {"n": None, "c": "b"}]
    space = record_space(rows, ["n", "c"])
    assert likeness.guess(space, rows) == {"n": 2.0, "c": "a"}
    assert likeness.guess(space, rows[::-1]) == {"n": 2.0, "c": "a"}
    assert likeness.guess(space, []) == {"n": 4.0, "c": ""}


def test_g_mean_and_matthews_correlation_have_known_values() -> None:
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], dtype=np.bool_)
    found = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], dtype=np.bool_)
    assert likeness.g_mean(truth, found) == pytest.approx((3 / 4 * 5 / 6) ** 0.5)
    assert likeness.mcc(truth, found) == pytest.approx((3 * 5 - 1 * 1) / (4 * 4 * 6 * 6) ** 0.5)
    assert (likeness.g_mean(truth, ~truth), likeness.mcc(truth, ~truth)) == (0, pytest.approx(-1))
    assert (likeness.g_mean(truth, truth | True), likeness.mcc(truth, truth | True)) == (0, 0)


SENTENCES = [
    f"{name} was admitted with {what} in {place} and sent home after {days} days"
    for name in ("Ada Byron", "Kurt Boole", "Emmy Noether", "Paul Erdos", "Mary Cartwright", "Carl Gauss")
    for what in ("a fever", "two broken ribs", "a sprained ankle", "migraine", "pneumonia")
    for place, days in (("Bonn", "three"), ("Kiel", "ten"), ("Trier", "six"))
]


def test_texts_are_compared_letter_by_letter(tmp_path: Path) -> None:
    settings = _settings(tmp_path, {"text": SENTENCES[:60]}, {"text": SENTENCES[60:]})
    evidence = comparison.examine(_incident(settings, _payloads(InputKind.TEXT, SENTENCES[7].encode())))
    measures = {one.name: one for one in evidence.closeness[0].measures}
    assert evidence.closeness[0].verdict == "a record"
    assert set(measures) == {"edit similarity", "letter triples shared"}
    for one in measures.values():
        assert one.member == 1
        assert one.other is not None
        assert one.other < 1


def test_known_similarities_of_texts() -> None:
    assert likeness.edits("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert likeness.overlap("abc", "abc") == 1
    assert likeness.overlap("abc", "xyz") == 0
    assert likeness.overlap("ab", "abab") == pytest.approx(2 / 4)


def test_probed_members_are_data_subjects_too(tmp_path: Path) -> None:
    settings = _digits(tmp_path)
    incident = climb_incident(technique=Technique.MEMBERSHIP, techniques=(Technique.MEMBERSHIP,))
    probes = np.concatenate([DIGITS[[3, 5, 3]], DIGITS[[700]]])
    given = {"queries": queries(count=4), "inputs": inputs(probes), "settings": settings}
    evidence = comparison.examine(context(incident=incident, training=read_training(settings), **given))
    assert [one.record_id for one in evidence.disclosed] == ["patient-0003", "patient-0005"]
    assert (evidence.probed.members, evidence.probed.others) == (3, 1) if evidence.probed else False


def test_values_that_are_no_numbers_are_not_compared(tmp_path: Path) -> None:
    evidence = _reached(_digits(tmp_path), np.r_[0.5, np.full(63, np.inf)])
    assert evidence.item.status is EvidenceStatus.UNAVAILABLE
    assert "no numbers" in evidence.item.reason


@pytest.mark.parametrize(
    ("record_id", "shown"),
    [("patient-7", "pa…"), ("12", "…"), ("1234", "1…"), ("<b>evil", "·b…"), ("\u202e\u206612345", "··…"), ("", "…")],
)
def test_ids_are_masked(record_id: str, shown: str) -> None:
    assert masked(record_id) == shown


def test_the_two_nearest_are_found_and_missing_ones_are_infinitely_far() -> None:
    among = np.array([[0.0], [1.0], [5.0]], dtype=np.float32)
    np.testing.assert_array_equal([[1, 3], [0, 1]], two_nearest(np.array([[6.0 - 2], [0]], dtype=np.float32), among))
    np.testing.assert_array_equal([[2, np.inf]], two_nearest(np.array([[2.0]], dtype=np.float32), among[:1]))


def test_spacing_and_contrast_with_and_without_a_hold_out() -> None:
    members, others = np.array([[0.0], [10.0], [30.0]], dtype=np.float32), np.array([[1.0], [5.0]], dtype=np.float32)
    spacing, ratio = measured(members, others, 100)
    np.testing.assert_array_equal([1, 5], spacing)
    np.testing.assert_allclose(ratio, [1 / 4, 5 / 4], rtol=1e-2)
    alone, within = measured(members, None, 100)
    np.testing.assert_array_equal([10, 10, 20], alone)
    np.testing.assert_allclose(within, [1 / 3, 1 / 2, 2 / 3], rtol=1e-2)
    assert np.isinf(measured(members[:1], None, 100)[0]).all()
    np.testing.assert_array_equal([1.0], contrast(np.zeros(1), np.zeros(1), np.ones(3)))


def test_the_same_inputs_give_the_same_document(tmp_path: Path) -> None:
    settings = _digits(tmp_path)
    first, second = (document(_reached(settings, DIGITS[41] + np.float32(0.02))) for _ in range(2))
    assert first == second


def test_records_without_categories_or_of_another_kind_are_still_compared(tmp_path: Path) -> None:
    settings = _settings(tmp_path, {"age": list(range(20, 60))}, None)
    numbers = comparison.examine(_incident(settings, _payloads(InputKind.RECORD, b'{"age": "old"}')))
    assert [one.name for one in numbers.closeness[0].measures] == ["share of fields that agree"]
    assert [(name, agrees) for name, agrees, _ in numbers.closeness[0].fields] == [("age", False)]


def test_copies_that_are_common_disclose_nobody(tmp_path: Path) -> None:
    flags = {"smokes": ["yes", "no", "no", "no"] * 10, "city": ["Bonn", "Kiel", "Ulm", "Ulm"] * 10}
    settings = _settings(tmp_path, flags, flags)
    evidence = comparison.examine(
        _incident(settings, _payloads(InputKind.RECORD, b'{"smokes": "yes", "city": "Bonn"}'))
    )
    assert evidence.closeness[0].verdict == "like a real record"
    assert evidence.disclosed == ()
