from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feature_making import ordinary, schema_of

from detector.config import ModelSettings
from detector.errors import ConfigError
from detector.features.reference import contacts_of, read_inputs, reference_schema
from detector.features.schema import RecordField
from detector.model import InputKind

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = schema_of(ordinary(256))
RECORDS = schema_of(
    np.abs(ordinary(64, dimension=3)),
    kind=InputKind.RECORD,
    fields=(RecordField("age"), RecordField("sex", ("f", "m"))),
)


def _file(folder: Path, columns: dict[str, Any]) -> Path:
    file = folder / "reference.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def test_vectors_become_the_reference_of_the_next_version(tmp_path: Path) -> None:
    view = 100.0 * ordinary(300, 7) + 5
    fresh = reference_schema(SCHEMA, _file(tmp_path, {"input_vector": view.tolist(), "label": ["a"] * 300}))
    assert fresh.version == SCHEMA.version + 1
    np.testing.assert_allclose(fresh.scale, view.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(fresh.reference * fresh.scale, view, rtol=1e-4, atol=1e-3)
    assert (fresh.classes, fresh.kind, fresh.length) == (SCHEMA.classes, SCHEMA.kind, SCHEMA.length)


def test_records_are_read_by_the_models_fields(tmp_path: Path) -> None:
    columns = {"age": [30.0, np.nan] * 6, "sex": ["f", None] * 6, "record_id": list(range(12)), "other": [1] * 12}
    fresh = reference_schema(RECORDS, _file(tmp_path, columns))
    np.testing.assert_allclose(fresh.reference[:2] * fresh.scale, [[30, 1, 0], [0, 0, 0]], atol=1e-5)


def test_only_inputs_of_the_models_shape_count(tmp_path: Path) -> None:
    rows = [*ordinary(20).tolist(), [1.0], None, [1.0] * 9]
    assert len(reference_schema(SCHEMA, _file(tmp_path, {"input_vector": rows})).reference) == 20


def test_images_are_read_by_their_pixels(tmp_path: Path) -> None:
    image = [[[1.0, 2.0], [3.0, 4.0]]] * 3
    kind, blobs = read_inputs(_file(tmp_path, {"input_vector": image}))
    assert kind is InputKind.VECTOR
    assert np.frombuffer(blobs[0].as_py(), "<f4").tolist() == [1, 2, 3, 4]


def test_texts_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    kind, blobs = read_inputs(_file(tmp_path, {"text": ["ü", None, ""]}))
    assert (kind, blobs.to_pylist()) == (InputKind.TEXT, ["ü".encode(), b""])


def test_a_file_of_texts_tells_how_ordinary_ones_are_worded(tmp_path: Path) -> None:
    file = _file(tmp_path, {"text": [f"patient {number} has a fever" for number in range(12)]})
    schema = reference_schema(schema_of(ordinary(64, dimension=64), kind=InputKind.TEXT), file)
    assert schema.wording is not None
    assert len(schema.wording.words) == 16


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"input_vector": [["x"] * 8] * 10}, "input_vector cannot be read"),
        ({"input_vector": [[1.0] * 8] * 3}, "only 3 reference inputs have the model's shape"),
        ({"input_vector": [[1.0] * 4] * 30}, "only 0 reference inputs have the model's shape"),
        ({"text": ["a"] * 10}, "holds inputs of kind TEXT"),
        ({"age": [1.0] * 10}, "holds inputs of kind RECORD"),
        ({"label": ["a"] * 10, "record_id": [1] * 10}, "holds no inputs"),
    ],
)
def test_a_file_of_something_else_is_a_mistake_in_configuration(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    file = _file(tmp_path, columns)
    with pytest.raises(ConfigError, match=said) as caught:
        reference_schema(SCHEMA, file)
    assert caught.value.file == file


def test_records_of_other_fields_are_a_mistake_in_configuration(tmp_path: Path) -> None:
    file = _file(tmp_path, {"years": [1.0] * 10, "gender": ["f"] * 10})
    for settings in (ModelSettings(training_sample=file), ModelSettings(canaries=file)):
        with pytest.raises(ConfigError, match=r"none of the model's fields \(expected age, sex\)"):
            contacts_of(RECORDS, settings)
    with pytest.raises(ConfigError, match="none of the model's fields"):
        reference_schema(RECORDS, file)


@pytest.mark.parametrize("content", [None, b"", b"no parquet", b"PAR1PAR1"])
def test_a_file_that_cannot_be_read_is_a_mistake_in_configuration(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="the reference file cannot be read"):
        read_inputs(file)


def test_declared_records_are_read_as_the_models_queries_are(tmp_path: Path) -> None:
    file = _file(tmp_path, {"input_vector": [*ordinary(30).tolist(), [1.0]]})
    contacts = contacts_of(SCHEMA, ModelSettings(training_sample=file))
    assert contacts.training is not None
    np.testing.assert_allclose(contacts.training, ordinary(30), rtol=1e-6)
    assert contacts.canaries is None


def test_training_records_that_hold_out_records_equal_are_no_contact(tmp_path: Path) -> None:
    inputs = ordinary(30)
    training = _file(tmp_path, {"input_vector": inputs.tolist()})
    others = tmp_path / "others.parquet"
    pq.write_table(pa.table({"input_vector": inputs[20:].tolist()}), others)
    contacts = contacts_of(SCHEMA, ModelSettings(training_sample=training, holdout_sample=others))
    assert contacts.training is not None
    np.testing.assert_allclose(contacts.training, inputs[:20], rtol=1e-6)
    same = contacts_of(SCHEMA, ModelSettings(training_sample=training, holdout_sample=training))
    assert same.training is None


def test_what_is_not_declared_or_cannot_be_compared_gives_no_contact(tmp_path: Path) -> None:
    file = _file(tmp_path, {"input_vector": ordinary(30).tolist()})
    blind = schema_of(np.empty((0, 8)))
    for schema, settings in ((SCHEMA, None), (SCHEMA, ModelSettings()), (blind, ModelSettings(canaries=file))):
        contacts = contacts_of(schema, settings)
        assert (contacts.training, contacts.canaries) == (None, None)
