from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from feature_making import ordinary, quick, schema_of
from hypothesis import given, settings
from hypothesis import strategies as st
from query_making import blob_of

from detector.features.schema import RecordField
from detector.features.views import (
    LONGEST,
    TEXT_DIMENSION,
    field_scale,
    learn_fields,
    modal_kind,
    raw_length,
    raw_view,
    scaled,
    scaled_view,
    unseen_categories,
)
from detector.model import InputKind

HOSTILE_NAMES = [
    "", "*", "a.b", 'a"b', "a'b", "a\\b", "$", "$.x", "a[0]", "[*]", "..", "#", "/", "/a", "~", "~0", "~1", "0", "-",
    "ünï", "日本", "😀", " ", "\n", "\t", "\x00", "\u2028", '"', "''", '\\"', "\\u0041",
    "'; DROP TABLE lines; --", "x" * 3000,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(HOSTILE_NAMES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def _blobs(*values: object) -> tuple[np.ndarray, pa.Array]:
    kinds, blobs = zip(*(blob_of(value) for value in values), strict=True)
    return np.array(kinds), pa.array(blobs, pa.binary())


def _clients(rows: int, clients: int = 1) -> np.ndarray:
    return np.arange(rows) % clients


def _learned(records: list[dict[str, object]], clients: int = 1) -> dict[str, tuple[str, ...] | None]:
    _, blobs = _blobs(*records)
    return {one.name: one.categories for one in learn_fields(blobs, _clients(len(records), clients))}


def _read(records: list[object], fields: tuple[RecordField, ...]) -> np.ndarray:
    kinds, blobs = _blobs(*records)
    return raw_view(InputKind.RECORD, raw_length(InputKind.RECORD, kinds, blobs, fields), fields, kinds, blobs)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_field_may_have_any_name(name: str) -> None:
    records = [{name: 2.5, "other": "x"}, {"other": "y"}, {name: -1, "other": "x"}]
    assert _learned(records) == {name: None, "other": ("x", "y")}
    fields = tuple(sorted((RecordField(name), RecordField("other", ("x", "y"))), key=lambda one: one.name))
    got = {one.name: column for one, column in zip(fields, [_read(records, (f,)) for f in fields], strict=True)}
    np.testing.assert_array_equal([[2.5], [0.0], [-1.0]], got[name])
    np.testing.assert_array_equal([[1, 0], [0, 1], [1, 0]], got["other"])


@settings(quick, max_examples=15)
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=5), min_size=1, max_size=8))
def test_any_records_give_finite_views(records: list[dict[str, object]]) -> None:
    kinds, blobs = _blobs(*records)
    fields = learn_fields(blobs, _clients(len(records)))
    length = raw_length(InputKind.RECORD, kinds, blobs, fields)
    assert length == sum(1 if one.categories is None else len(one.categories) for one in fields)
    if length:
        view = raw_view(InputKind.RECORD, length, fields, kinds, blobs)
        assert view.shape == (len(records), length)
        assert np.isfinite(view).all()


@settings(quick, max_examples=15)
@given(st.lists(JSON.filter(lambda v: not isinstance(v, float | int) or isinstance(v, bool)), min_size=1, max_size=6))
def test_every_category_that_was_learned_is_known_again(values: list[object]) -> None:
    records = [{"c": value} for value in values]
    view = _read(records, learn_fields(_blobs(*records)[1], _clients(len(records))))
    assert [row.sum() for row in view] == [0.0 if value is None else 1.0 for value in values]


def test_numbers_are_numbers_and_words_are_categories() -> None:
    records = [{"age": 30, "bmi": 22.5, "sex": "f", "ok": True}, {"age": None, "bmi": 20, "sex": "m", "ok": False}]
    assert _learned(records) == {"age": None, "bmi": None, "ok": ("false", "true"), "sex": ("f", "m")}


def test_nested_values_are_categories_as_the_view_reads_them() -> None:
    records = [{"tags": [1, 2], "place": {"y": 1, "x": ["ü"]}}] * 2
    fields = learn_fields(_blobs(*records)[1], _clients(2))
    np.testing.assert_array_equal([[1, 1], [1, 1]], _read(records, fields))


def test_one_word_among_numbers_makes_no_category() -> None:
    records: list[dict[str, object]] = [{"age": 30 + i} for i in range(20)]
    assert _learned([*records, {"age": "N/A"}]) == {"age": None}
    np.testing.assert_array_equal([[30.0], [0.0]], _read([{"age": 30}, {"age": "N/A"}], (RecordField("age"),)))


def test_a_field_that_one_client_alone_sends_is_none_of_the_models() -> None:
    junk = {f"a{k:04d}": k for k in range(300)}
    records: list[dict[str, object]] = [{"age": i, "sex": "fm"[i % 2]} for i in range(30)]
    _, blobs = _blobs(*records, {**junk, "age": 1})
    clients = np.append(_clients(30, 3), 7)
    assert [one.name for one in learn_fields(blobs, clients)] == ["age", "sex"]


def test_where_one_or_two_clients_are_all_their_fields_are_the_models() -> None:
    assert _learned([{"a": 1}, {"b": 2}], clients=2) == {"a": None, "b": None}


def test_the_commonest_fields_are_kept_where_there_are_too_many() -> None:
    records: list[dict[str, object]] = [{f"f{k:03d}": k for k in range(300)}, {"zz": 1}, {"zz": 2}]
    kept = _learned(records)
    assert len(kept) == 256
    assert "zz" in kept


def test_the_commonest_categories_are_kept_where_there_are_too_many() -> None:
    records: list[dict[str, object]] = [{"c": f"v{k:02d}"} for k in range(40)] + [{"c": "v39"}]
    kept = _learned(records)["c"]
    assert kept is not None
    assert len(kept) == 32
    assert "v39" in kept


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"age":' + b"1" * 5000 + b"}",
        b'{"age":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b"[1,2]",
        b'"text"',
        b"null",
    ],
)
def test_records_that_python_refuses_to_read_do_not_stop_the_night(hostile: bytes) -> None:
    blobs = pa.array([b'{"age":30}', b'{"age":31}', hostile], pa.binary())
    fields = learn_fields(blobs, _clients(3))
    assert fields == (RecordField("age"),)
    view = raw_view(InputKind.RECORD, 1, fields, np.full(3, int(InputKind.RECORD)), blobs)
    assert view[:2, 0].tolist() == [30.0, 31.0]
    assert np.isfinite(view).all()


def test_categories_that_nobody_sent_before_are_told_as_a_share() -> None:
    fields = (RecordField("age"), RecordField("sex", ("f", "m")), RecordField("zone", ("a", "b", "c")))
    schema = schema_of(ordinary(20, dimension=6), kind=InputKind.RECORD, fields=fields)
    records: list[object] = [
        {"age": 1, "sex": "f", "zone": "a"},
        {"age": 1, "sex": "x", "zone": "a"},
        {"age": 1, "sex": "x", "zone": "'); --"},
        None,
    ]
    unseen = unseen_categories(schema, _read(records, fields))
    assert unseen is not None
    np.testing.assert_array_equal([0.0, 0.5, 1.0, np.nan], unseen)


def test_inputs_of_another_kind_or_shape_are_unreadable() -> None:
    kinds, blobs = _blobs([1.0, 2.0], [1.0, 2.0, 3.0], {"a": 1}, "text", None, [])
    view = raw_view(InputKind.VECTOR, 2, (), kinds, blobs)
    np.testing.assert_array_equal([1.0, 2.0], view[0])
    assert np.isnan(view[1:]).all()


def test_a_value_missing_in_a_list_says_nothing_but_the_others_are_read() -> None:
    kinds, blobs = _blobs([1.0, np.nan, 3.0], [np.nan] * 3, [np.inf, -np.inf, 1.0])
    view = raw_view(InputKind.VECTOR, 3, (), kinds, blobs)
    np.testing.assert_array_equal([1.0, 0.0, 3.0], view[0])
    assert np.isnan(view[1]).all()
    np.testing.assert_allclose([3e38, -3e38, 1.0], view[2], rtol=1e-6)


def test_huge_values_stay_far_and_finite() -> None:
    schema = schema_of(ordinary(20, dimension=3))
    kinds, blobs = _blobs([1e30, -3.4e38, 1.0])
    small = scaled(np.array([[1e30, -3.4e38, 1.0]], dtype=np.float32), np.full(3, 1e-30, np.float32))
    for view in (scaled_view(schema, kinds, blobs), small):
        assert view is not None
        assert view[0, :2].tolist() == [1e4, -1e4]
        assert np.isfinite((view * view).sum())


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, 3 * LONGEST])
def test_long_inputs_keep_their_distances_and_single_changes(length: int) -> None:
    rng = np.random.default_rng(length)
    rows = rng.normal(size=(6, length)).astype(np.float32)
    rows[1] = rows[0]
    rows[1, 77] += 5.0
    kinds, blobs = _blobs(*rows)
    view = raw_view(InputKind.VECTOR, length, (), kinds, blobs)
    assert view.shape == (6, LONGEST)
    assert (view[0] != view[1]).sum() == 1
    assert np.abs(view[0] - view[1]).max() == pytest.approx(5.0, abs=1e-5)
    for i in range(2, 6):
        exact = np.linalg.norm(rows[0] - rows[i])
        assert np.linalg.norm(view[0] - view[i]) == pytest.approx(exact, rel=0.1)


def test_a_long_input_is_read_alike_whatever_lies_beside_it() -> None:
    rng = np.random.default_rng(1)
    one, longer = rng.normal(size=5000), rng.normal(size=6000)
    holed = one.copy()
    holed[3] = np.nan
    kinds, blobs = _blobs(one, longer, holed, np.full(5000, np.nan), np.full(5000, 3e38))
    view = raw_view(InputKind.VECTOR, 5000, (), kinds, blobs)
    alone = raw_view(InputKind.VECTOR, 5000, (), kinds[:1], blobs[:1])
    np.testing.assert_array_equal(alone[0], view[0])
    assert np.isnan(view[[1, 3]]).all()
    assert np.isfinite(view[[0, 2, 4]]).all()


def test_texts_become_vectors_that_tell_them_apart() -> None:
    texts = ["the patient is fifty years old", "the patient is fifty years old", "the patient is sixty years old",
             "SELECT * FROM users; --", "", "\x00\ufffd😀"]  # fmt: skip
    kinds, blobs = _blobs(*texts)
    view = raw_view(InputKind.TEXT, TEXT_DIMENSION, (), kinds, blobs)
    gaps = np.linalg.norm(view[0] - view[1:4], axis=1)
    assert view.shape == (6, TEXT_DIMENSION)
    assert np.isfinite(view).all()
    assert gaps[0] == 0.0
    assert 0.0 < gaps[1] < gaps[2]


def test_a_text_that_is_no_utf8_is_read_as_far_as_it_goes() -> None:
    view = raw_view(
        InputKind.TEXT, TEXT_DIMENSION, (), np.array([3, 3]), pa.array([b"caf\xe9 \xff", None], pa.binary())
    )
    assert np.isfinite(view).all()
    assert (view[1] == 0).all()


def test_the_commonest_kind_of_input_is_the_models() -> None:
    assert modal_kind(np.array([1, 1, 2, 0, 0, 0])) is InputKind.VECTOR
    assert modal_kind(np.array([0, 0])) is InputKind.NONE
    assert raw_length(InputKind.DIGEST, np.array([4]), pa.array([b"ab"], pa.binary()), ()) == 0


def test_the_scale_is_the_deviation_of_each_field() -> None:
    view = np.random.default_rng(1).normal(size=(2000, 4)).astype(np.float32) * np.array([1, 2, 3, 4])
    np.testing.assert_allclose(view.std(axis=0), field_scale(view, InputKind.VECTOR), rtol=1e-5)


def test_constant_fields_are_not_blown_up() -> None:
    view = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    view[:, 0] = 7.0
    assert field_scale(view, InputKind.VECTOR)[0] == pytest.approx(0.25, abs=0.02)
    assert field_scale(np.full((20, 3), 2.0, np.float32), InputKind.VECTOR).tolist() == [1.0, 1.0, 1.0]
    assert field_scale(view, InputKind.TEXT).tolist() == [1.0] * 4


@pytest.mark.parametrize("value", [1e6, 1e30, -3e38])
def test_one_hostile_input_does_not_set_the_scale(value: float) -> None:
    view = np.random.default_rng(1).normal(size=(1000, 4)).astype(np.float32)
    honest = field_scale(view, InputKind.VECTOR)
    view[::100, 2] = value
    got = field_scale(view, InputKind.VECTOR)
    np.testing.assert_array_equal(np.delete(honest, 2), np.delete(got, 2))
    assert got[2] < 10.0


def test_fields_that_are_mostly_nothing_keep_their_deviation() -> None:
    view = np.zeros((1000, 1), dtype=np.float32)
    view[::20, 0] = np.random.default_rng(1).lognormal(8, 1, 50)
    np.testing.assert_allclose(view.std(axis=0), field_scale(view, InputKind.VECTOR), rtol=0.01)


def test_canonical_json_of_the_tests_is_that_of_the_store() -> None:
    assert json.loads(blob_of({"b": 1, "a": "ü"})[1]) == {"a": "ü", "b": 1}
