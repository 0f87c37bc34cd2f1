from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from detector.detect.learned.forest import parsed, shipped
from detector.detect.learned.words import BENIGN, family_words, technique_of, workload_words
from detector.features.registry import BY_NAME
from detector.model import Technique
from tools.lessons import READ
from tools.train_forest import exported

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    from detector.detect.learned.forest import Learned

ROWS = 400
UNSEEN = np.linspace(0.0, 0.8, 100)


@dataclass(frozen=True)
class Both:
    """What scikit-learn learned, the same exported and read again, and rows with nulls."""

    forest: ExtraTreesClassifier
    boosted: HistGradientBoostingClassifier
    learned: Learned
    rows: NDArray[np.float32]


@pytest.fixture(scope="module")
def both() -> Both:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

    rng = np.random.default_rng(5)
    rows = rng.normal(size=(ROWS, 2 * len(READ))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    kinds = np.where(np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 3]) > 0, "inv_de", BENIGN + "ordinary")
    kinds[:40] = "mia_merlin"
    forest = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=3).fit(rows, kinds)
    boosted = HistGradientBoostingClassifier(max_iter=30, random_state=3).fit(rows, kinds != BENIGN + "ordinary")
    return Both(forest, boosted, parsed(exported(forest, boosted, UNSEEN)), rows)


def test_an_exported_forest_says_what_the_library_says(both: Both) -> None:
    ours = both.learned.forest
    assert list(ours.classes) == [str(name) for name in both.forest.classes_]
    np.testing.assert_allclose(ours.resembles(both.rows), both.forest.predict_proba(both.rows), atol=2.0 / 255.0)


def test_exported_boosted_trees_say_what_the_library_says(both: Both) -> None:
    expected = both.boosted.predict_proba(both.rows)[:, 1]
    np.testing.assert_allclose(both.learned.boosted.attack(both.rows), expected, atol=1e-6)


def test_what_is_judged_by_is_the_mean_of_both(both: Both) -> None:
    shares = both.learned.forest.resembles(both.rows)
    attack = shares[:, [not name.startswith(BENIGN) for name in both.learned.forest.classes]].sum(axis=1)
    boosted = both.learned.boosted.attack(both.rows)
    np.testing.assert_allclose(both.learned.attack(shares, boosted), (attack + boosted) / 2.0)


def test_p_is_the_share_of_benign_workloads_that_reach_as_much(both: Both) -> None:
    p = both.learned.p(np.array([0.0, UNSEEN[50] - 1e-4, 0.79, 0.9, 0.99]))
    assert p[0] == 1.0
    assert p[1] == pytest.approx(51 / 101)
    assert p[2] == pytest.approx(3 / 101)
    assert p[3] < 1 / 101
    assert p[4] < p[3]


def test_the_reasons_add_up_to_what_both_say(both: Both) -> None:
    forest, boosted, rows = both.learned.forest, both.learned.boosted, both.rows[:20]
    at_roots = forest.attack_shares[forest.trees.roots].mean()
    first = (at_roots + 1.0 / (1.0 + np.exp(-boosted.start))) / 2.0
    told = both.learned.attack(forest.resembles(rows), boosted.attack(rows))
    credit = both.learned.reasons(rows)
    assert credit.shape == (20, len(READ))
    np.testing.assert_allclose(first + credit.sum(axis=1), told, atol=1e-5)


def test_a_row_says_the_same_whatever_stands_beside_it(both: Both) -> None:
    forest, boosted, rows = both.learned.forest, both.learned.boosted, both.rows[:10]
    many = np.concatenate([rows, both.rows, both.rows, both.rows])
    assert forest.resembles(many)[:10].tolist() == [forest.resembles(row[None])[0].tolist() for row in rows]
    told = [both.learned.attack(forest.resembles(some), both.learned.boosted.attack(some)) for some in (many, rows[:1])]
    assert told[0][0] == told[1][0]
    assert boosted.attack(many)[:10].tolist() == [boosted.attack(row[None])[0] for row in rows]


def test_the_shipped_forest_reads_registered_features_and_names_every_class() -> None:
    learned, forest = shipped(), shipped().forest
    assert set(learned.features) <= set(BY_NAME)
    assert {BY_NAME[name].family for name in learned.features}.isdisjoint({"rhythm", "data quality"})
    techniques = {technique_of(name) for name in forest.classes}
    assert techniques >= set(Technique) - {Technique.PROBING}
    for name in forest.classes:
        words = workload_words(name) if technique_of(name) is None else family_words(name)
        assert "_" not in words
    assert forest.counts.any(axis=1).all()


@pytest.mark.parametrize("blob", [b"", b"PK\x03\x04", b"x" * 300])
def test_damaged_bytes_are_no_forest(blob: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        parsed(blob)
