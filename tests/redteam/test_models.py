"""The models of the laboratory: real, fitted sensibly, and sent what their documentation says."""

from __future__ import annotations

import gzip
import json
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from assault import trained as model
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from detector.redteam.attacks.token_substitution import TokenSubstitution
from detector.redteam.forms import TextForm, VectorForm
from detector.redteam.logfiles import write_nights
from detector.redteam.models import MODELS, RISK_SENSITIVE, build
from detector.redteam.models.passages import prose, sentences
from detector.redteam.models.topics import packed
from detector.redteam.networks import regressed
from detector.redteam.nights import Nights
from detector.redteam.publish import write_reference, write_results
from detector.redteam.randomness import stream
from detector.redteam.recorder import Service
from detector.redteam.sessions import Session, Strike, membership_quarry, outsider, play
from detector.redteam.traffic import Asking, Client, Pace, Plan
from detector.redteam.trees import grown

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(MODELS)
# Hold-out accuracy from and to, and the least by which that of members lies above it.
FIT = {
    "digits": (0.93, 1.0, 0.0),
    "numerals": (0.88, 0.97, 0.03),
    "numerals_overfit": (0.7, 0.88, 0.12),
    "numerals_regular": (0.85, 0.96, 0.02),
    "biopsy": (0.9, 0.99, 0.01),
    "clinic": (0.65, 0.9, 0.1),
    "invented": (0.5, 1.0, -0.05),
    "invented_records": (0.3, 1.0, -0.05),
    "risk": (0.5, 0.75, 0.05),
    "risk_forest": (0.5, 0.75, 0.1),
    "risk_overfit": (0.5, 0.7, 0.3),
    "risk_regular": (0.5, 0.75, 0.0),
    "surfaces": (0.7, 0.95, 0.05),
    "trades": (0.5, 0.8, 0.2),
    "vintage": (0.9, 1.0, 0.0),
    "topics": (0.55, 0.85, 0.15),
}


def text_form(name: str) -> TextForm:
    form = model(name).form
    assert isinstance(form, TextForm)
    return form


@pytest.mark.parametrize("name", NAMES)
def test_models_fit_as_well_as_their_data_allow(name: str) -> None:
    least, most, gap = FIT[name]
    held_out = model(name).accuracy(model(name).holdout)
    members = model(name).accuracy(model(name).train)
    assert least < held_out < most
    assert members - held_out > gap


@pytest.mark.parametrize("name", ["invented", "invented_records"])
def test_every_seed_invents_another_model(name: str) -> None:
    shapes = {(len(one.form.low), len(one.classes)) for one in (build(name, seed) for seed in range(101, 107))}
    assert len(shapes) >= 4
    again = build(name, 101)
    np.testing.assert_array_equal(build(name, 101).train.rows, again.train.rows)


@pytest.mark.parametrize("name", NAMES)
def test_models_keep_the_contract(name: str) -> None:
    served = model(name)
    rows = served.form.clean(served.vary(served.field.rows[:40], stream(1, "vary")))
    shown = served.predict(rows)
    assert served.name == name
    assert shown.shape == (40, len(served.classes))
    assert shown.sum(axis=1) == pytest.approx(np.ones(40))
    assert len(served.form.low) == len(served.form.high) == len(served.form.levels) == rows.shape[1]
    assert np.array_equal(served.form.clean(rows), rows)
    assert not np.array_equal(rows, served.field.rows[:40])
    assert json.loads(json.dumps([*served.form.values(rows)])) == [*served.form.values(rows)]
    assert set(served.train.labels.tolist()) == set(range(len(served.classes)))


@pytest.mark.parametrize("name", NAMES)
def test_no_record_belongs_to_two_samples(name: str) -> None:
    samples = (model(name).train, model(name).holdout, model(name).field)
    kinds = [{row.tobytes() for row in sample.rows} for sample in samples]
    assert [first & second for first, second in (*pairwise(kinds), (kinds[0], kinds[2]))] == [set()] * 3


@pytest.mark.parametrize("name", ["numerals", "biopsy", "risk", "topics"])
def test_a_seed_gives_the_same_model_again(name: str) -> None:
    again, other = build(name, 4), build(name, 5)
    rows = model(name).field.rows[:50]
    assert np.array_equal(again.predict(rows), model(name).predict(rows))
    assert not np.array_equal(other.train.rows, again.train.rows)


@pytest.mark.parametrize("name", ["risk", "topics", "biopsy", "numerals"])
def test_outsiders_and_quarries_can_be_drawn(name: str) -> None:
    knowledge = outsider(model(name), membership_quarry(model(name), 80, stream(1, "quarry")), stream(1, "knowledge"))
    assert knowledge.pool.shape == (2_500, len(knowledge.levels))
    assert len(knowledge.candidates) == 80


def test_variants_of_a_model_share_their_records() -> None:
    risks = [model(name) for name in ("risk", "risk_forest", "risk_overfit", "risk_regular")]
    assert all(np.array_equal(each.train.rows, risks[0].train.rows) for each in risks)
    few, many = model("numerals_overfit").train.rows, model("numerals").train.rows
    assert np.array_equal(few, many[: len(few)])


def test_an_overfitted_model_is_surer_of_its_members() -> None:
    for stem in ("risk", "numerals"):
        margins = []
        for name in (f"{stem}_regular", f"{stem}_overfit"):
            each = model(name)
            members, others = (
                each.predict(sample.rows)[np.arange(len(sample)), sample.labels].mean()
                for sample in (each.train, each.holdout)
            )
            margins.append(members - others)
        assert margins[1] > margins[0] + 0.1


def test_forests_answer_in_coarse_steps() -> None:
    for name in ("biopsy", "risk_forest"):
        served = model(name)
        row = served.field.rows[:1]
        near = np.repeat(row, 200, axis=0)
        near[:, 0] += (served.form.high[0] - served.form.low[0]) * np.linspace(0, 0.02, 200)
        assert len(np.unique(served.predict(near), axis=0)) < 20


def test_a_forest_answers_as_scikit_learn_does() -> None:
    rng = stream(1, "forest")
    rows, labels = rng.random((150, 4)), rng.integers(3, size=150)
    learner = RandomForestClassifier(7, min_samples_leaf=2, random_state=3).fit(rows, labels)
    forest = grown(rows, labels, trees=7, leaf=2, seed=3)
    assert forest.predict_proba(rows) == pytest.approx(learner.predict_proba(rows), abs=1e-12)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_regression_answers_as_scikit_learn_does(classes: int) -> None:
    rng = stream(1, "regression")
    rows, labels = rng.random((80, 3)), rng.integers(classes, size=80)
    learner = LogisticRegression(C=5.0, max_iter=2_000).fit(rows, labels)
    answered = regressed(rows, labels, looseness=5.0).predict_proba(rows)
    assert answered == pytest.approx(learner.predict_proba(rows), abs=1e-9)


def test_risk_records_have_named_fields_of_both_kinds() -> None:
    served = model("risk")
    (record,) = served.form.values(served.field.rows[:1])
    assert isinstance(record, dict)
    assert len(record) == 14
    assert [name for name, value in record.items() if isinstance(value, str)] == [
        "sex", "activity", "region", "tariff", RISK_SENSITIVE,
    ]  # fmt: skip
    assert served.classes == ("low", "moderate", "high")


def test_counts_travel_as_whole_numbers() -> None:
    form = model("risk").form
    cleaned = form.clean(model("risk").field.rows + 0.3)
    age, bmi = cleaned[:, 0], cleaned[:, 1]
    assert np.array_equal(age, np.rint(age))
    assert not np.array_equal(bmi, np.rint(bmi))


def test_a_vector_may_have_a_range_for_each_number() -> None:
    form = VectorForm(2, (0.0, -1.0), (5.0, 1.0))
    assert (form.low.tolist(), form.high.tolist()) == ([0.0, -1.0], [5.0, 1.0])
    assert VectorForm(2, 0.0, 1.0).high.tolist() == [1.0, 1.0]


def test_numerals_look_like_the_digits_they_come_from() -> None:
    images = model("numerals").field.rows.reshape(-1, 16, 16)
    assert (images.min(), images.max()) == (0.0, 1.0)
    border = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, 0].ravel(), images[:, :, -1].ravel()])
    assert border.mean() < 0.3 * images.mean()


class TestTexts:
    def test_the_log_shows_the_text_itself(self) -> None:
        form = TextForm(("", "an", "apple.", "eats", "She"), 5)
        rows = form.rows(["She eats an apple.", "She never eats", "an an an an an an"])
        assert rows.tolist() == [[4, 3, 1, 2, 0], [4, 3, 0, 0, 0], [1, 1, 1, 1, 1]]
        assert form.values(rows) == ["She eats an apple.", "She eats", "an an an an an"]
        assert form.columns(rows) == {"text": ["She eats an apple.", "She eats", "an an an an an"]}
        assert form.rows([]).shape == (0, 5)

    def test_gaps_leave_no_trace_and_numbers_become_words(self) -> None:
        form = TextForm(("", "one", "two"), 4)
        rows = form.clean(np.array([[0.0, 1.4, 0.0, 7.0], [-3.0, 0.2, 0.0, 0.0]]))
        assert form.values(rows) == ["one two", ""]
        assert packed(rows).tolist() == [[1, 2, 0, 0], [0, 0, 0, 0]]

    def test_words_of_the_vocabulary_are_distinct(self) -> None:
        form = text_form("topics")
        assert len(set(form.vocabulary)) == len(form.vocabulary) > 3_000
        assert not any(" " in word for word in form.vocabulary)

    def test_the_same_words_in_other_places_are_judged_alike(self) -> None:
        served = model("topics")
        row = served.field.rows[:1]
        assert served.predict(row[:, ::-1]) == pytest.approx(served.predict(row), abs=1e-9)
        assert np.isfinite(served.predict(np.zeros_like(row))).all()

    def test_texts_lie_where_their_model_sees_them(self) -> None:
        served = model("topics")
        rows = served.field.rows[:2]
        backwards, other = served.position(rows[:1, ::-1]), served.position(rows[1:])
        here = served.position(rows[:1])
        assert np.linalg.norm(here - backwards) == pytest.approx(0.0, abs=1e-9)
        assert np.linalg.norm(here - other) > 0.5

    def test_reworded_texts_stay_texts(self) -> None:
        served = model("topics")
        rows = served.field.rows[:200]
        varied = served.vary(rows, stream(1, "vary"))
        kept = np.mean(
            [len(set(a) & set(b)) / len(set(a)) for a, b in zip(rows.tolist(), varied.tolist(), strict=True)]
        )
        assert 0.8 < kept < 0.97
        assert ((varied > 0).sum(axis=1) >= 4).all()
        assert np.array_equal(packed(varied), varied)

    def test_sentences_are_plain_prose(self) -> None:
        text = (
            "Return the nearest point.\n\nThe `nearest` point of a set is found by walking down the tree of boxes. "
            "Short one.\n\nParameters\n----------\nx : int\n    A number that is not read by anyone here at all.\n\n"
            ">>> This is an example that nobody should ever take for prose.\n"
        )
        assert list(prose(text)) == ["The nearest point of a set is found by walking down the tree of boxes."]

    def test_sentences_differ_and_keep_their_order(self) -> None:
        few, more = sentences("geometry", 10), sentences("geometry", 10_000)
        assert len(set(more)) == len(more) > 400
        assert len(few) == 10
        assert [more.index(each) for each in few] == sorted(more.index(each) for each in few)


def test_a_text_drill_is_written_as_texts(tmp_path: Path) -> None:
    served = model("topics")
    service, nights = Service(served), Nights(date(2026, 11, 10), 1)
    client = Client.draw(stream(1, "client"))
    rows = served.field.rows[:3]
    service.serve(client, Plan.served(np.arange(3) + nights.begins, rows, Asking(probabilities=True)))
    (file,) = write_nights(service, nights, tmp_path, stream(1, "log"))
    records = [json.loads(line) for line in gzip.decompress(file.path.read_bytes()).splitlines()]
    assert [record["input"] for record in records] == served.form.values(rows)
    assert set(records[0]["output"]["probabilities"]) == set(served.classes)
    write_reference(served, tmp_path)
    reference = pq.read_table(tmp_path / "topics_train.parquet")
    assert reference.column_names == ["text", "label"]
    assert reference["text"].to_pylist() == served.form.values(served.train.rows)


def test_results_of_texts_are_texts(tmp_path: Path) -> None:
    served = model("topics")
    attack, client = TokenSubstitution(2, budget=13), Client.draw(stream(1, "client"))
    strike = Strike(attack, Nights(date(2026, 11, 10), 1).begins, Pace(0.1))
    service = Service(served)
    played = play(Session("one", client, "topics", None, strike), service, Nights(date(2026, 11, 10), 1), 1)
    write_results([(played, served)], tmp_path / "results.parquet")
    (result,) = pq.read_table(tmp_path / "results.parquet").to_pylist()
    sent = [text for block in service.blocks for text in served.form.values(block.inputs)]
    assert result["input_text"] in sent
    assert (result["input_vector"], result["input_record"]) == (None, None)
