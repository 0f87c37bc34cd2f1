from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.config import ModelSettings
from detector.evidence import samples
from detector.evidence.samples import read_training
from detector.evidence.space import RecordSpace, TextSpace, VectorSpace, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from detector.evidence.context import Training


def _write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


def _training(folder: Path, train: dict[str, Any], holdout: dict[str, Any] | None = None) -> Training:
    members = _write(folder / "train.parquet", **train)
    others = _write(folder / "holdout.parquet", **holdout) if holdout is not None else None
    return read_training(ModelSettings(training_sample=members, holdout_sample=others))


def test_vectors_with_any_label(tmp_path: Path) -> None:
    vectors = [[float(i), float(-i), 0.0] for i in range(20)]
    got = _training(tmp_path, {"input_vector": vectors, "label": list(range(20))}, {"input_vector": vectors[:5]})
    assert got.problem is None
    assert isinstance(got.space, VectorSpace)
    assert got.members is not None
    assert got.others is not None
    assert got.members.labels is not None
    assert list(got.members.labels[:3]) == ["0", "1", "2"]
    assert got.others.labels is None
    np.testing.assert_array_equal(np.zeros(5), got.spacing)


def test_places_of_wide_spread_do_not_drown_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(40, 2)) * [1000, 1]
    got = _training(tmp_path, {"input_vector": matrix.tolist()})
    assert got.members is not None
    np.testing.assert_allclose(got.members.vectors.std(axis=0), [1, 1], rtol=1e-5)


def test_without_a_hold_out_no_record_is_its_own_neighbour(tmp_path: Path) -> None:
    got = _training(tmp_path, {"input_vector": [[float(i), -1.0] for i in range(10)]})
    assert got.spacing is not None
    assert (got.spacing > 0).all()


def test_texts_and_records(tmp_path: Path) -> None:
    spoken = _training(tmp_path, {"text": ["good morning", "good evening", None]}, {"text": ["good morning"]})
    assert isinstance(spoken.space, TextSpace)
    np.testing.assert_allclose(np.asarray(spoken.spacing), [0], atol=1e-3)
    fields = {"age": [30, 40, 50], "city": ["Bonn", "Köln", None], "label": ["a", "b", "c"], "record_id": [1, 2, 3]}
    rows = _training(tmp_path, fields)
    assert isinstance(rows.space, RecordSpace)
    assert set(rows.space.numbers) | set(rows.space.categories) == {"age", "city"}


def test_large_samples_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_MEMBERS", 10)
    got = _training(tmp_path, {"input_vector": [[float(i), 0.0] for i in range(95)], "label": list(range(95))})
    assert got.members is not None
    assert got.members.labels is not None
    assert got.members.records == 95
    assert list(got.members.labels) == [str(i) for i in range(0, 95, 10)]


@pytest.mark.parametrize(
    ("train", "holdout", "said"),
    [
        ({"label": ["a"]}, None, "no column input_vector"),
        ({"input_vector": [[1.0], [1.0, 2.0]]}, None, "differ in length"),
        ({"input_vector": [["a"], ["b"]]}, None, "not numbers"),
        ({"input_vector": pa.array([], pa.list_(pa.float32()))}, None, "holds no record"),
        ({"input_vector": [[1.0, 2.0]]}, {"input_vector": [[1.0]]}, "inputs like those"),
        ({"input_vector": [[1.0, 2.0]]}, {"text": ["a"]}, "inputs like those"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, train: Any, holdout: Any, said: str) -> None:
    got = _training(tmp_path, train, holdout)
    assert said in str(got.problem)


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    gone = read_training(ModelSettings(training_sample=tmp_path / "gone.parquet"))
    assert "gone.parquet cannot be read as Parquet" in str(gone.problem)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    assert "broken.parquet" in str(read_training(ModelSettings(training_sample=broken)).problem)
    assert read_training(ModelSettings()).problem is None


def test_the_nearest_is_found_whatever_the_blocks() -> None:
    rng = np.random.default_rng(8)
    points, among = rng.normal(size=(60, 5)).astype(np.float32), rng.normal(size=(80, 5)).astype(np.float32)
    table = np.linalg.norm(points[:, None].astype(np.float64) - among[None], axis=2)
    distance, which = nearest(points, among)
    np.testing.assert_array_equal(table.argmin(axis=1), which)
    np.testing.assert_allclose(table.min(axis=1), distance, rtol=1e-5)
    assert np.isinf(nearest(points, among[:0])[0]).all()
