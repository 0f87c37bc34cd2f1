from __future__ import annotations

import numpy as np
import pytest

from detector.detect.learned.forest import Forest, parsed, shipped
from detector.detect.learned.words import BENIGN, family_words, technique_of, workload_words
from detector.features.registry import BY_NAME
from detector.model import Technique
from tools import train_forest

ROWS = 400


@pytest.fixture(scope="module")
def grown() -> tuple[object, Forest, np.ndarray]:
    """A forest of scikit-learn, the same one exported and read again, and rows with nulls."""
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(5)
    rows = rng.normal(size=(ROWS, len(train_forest.READ))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    kinds = np.where(np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 3]) > 0, "inv_de", BENIGN + "ordinary")
    kinds[:40] = "mia_merlin"
    theirs = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=3).fit(rows, kinds)
    return theirs, parsed(train_forest.exported(theirs)), rows


def test_an_exported_forest_says_what_the_library_says(grown: tuple[object, Forest, np.ndarray]) -> None:
    theirs, ours, rows = grown
    expected = theirs.predict_proba(rows)  # type: ignore[attr-defined]
    assert list(ours.classes) == [str(name) for name in theirs.classes_]  # type: ignore[attr-defined]
    np.testing.assert_allclose(ours.resembles(rows), expected, atol=2.0 / 255.0)


def test_the_reasons_add_up_to_what_the_forest_says(grown: tuple[object, Forest, np.ndarray]) -> None:
    _, ours, rows = grown
    wanted = np.array([not name.startswith(BENIGN) for name in ours.classes])
    at_roots = ours.shares(ours.roots)[:, wanted].sum(axis=1).mean()
    for row in rows[:20]:
        told = ours.resembles(row[None])[0][wanted].sum()
        assert at_roots + ours.reasons(row[None], wanted).sum() == pytest.approx(told, abs=1e-5)


def test_a_row_says_the_same_whatever_stands_beside_it(grown: tuple[object, Forest, np.ndarray]) -> None:
    _, ours, rows = grown
    alone = np.concatenate([ours.resembles(row[None]) for row in rows[:10]])
    assert (ours.resembles(rows)[:10] == alone).all()


def test_the_shipped_forest_reads_registered_features_and_names_every_class() -> None:
    forest = shipped()
    assert set(forest.features) <= set(BY_NAME)
    assert {BY_NAME[name].family for name in forest.features}.isdisjoint({"rhythm", "data quality"})
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
