from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from feature_making import answers, ordinary, quick
from hypothesis import given
from hypothesis import strategies as st
from query_making import queries, shuffled

from detector.features.learn import SAMPLE_COLUMNS, fair_rows, learn_schema
from detector.features.schema import REFERENCE_ROWS, ModelSchema
from detector.features.views import LONGEST
from detector.model import InputKind

NIGHT = "2026-11-10"


def _learn(table: pa.Table, names: dict[int, str] | None = None) -> ModelSchema:
    return learn_schema(table.select(list(SAMPLE_COLUMNS)), "m", 1, NIGHT, names or {})


def _customers(clients: int, each: int, first: int = 0) -> list[pa.Table]:
    tables = []
    for number in range(clients):
        view = ordinary(each, first + number)
        told = answers(view)
        labels = [f"class {code}" for code in told.argmax(axis=1)]
        tables.append(
            queries(view, told, labels=labels, client_id=f"c{first + number:03d}", first=1000 * (first + number))
        )
    return tables


def _share_of(schema: ModelSchema, view: np.ndarray) -> float:
    """Share of the reference that is among the rows of `view`."""
    mine = {row.tobytes() for row in np.asarray(view, dtype=np.float32) / schema.scale}
    return float(np.mean([row.tobytes() in mine for row in schema.reference]))


def test_a_schema_is_learned_from_what_customers_send() -> None:
    schema = _learn(pa.concat_tables(_customers(20, 60)))
    assert (schema.kind, schema.length, schema.dimension, schema.fields) == (InputKind.VECTOR, 8, 8, ())
    assert schema.classes == ("class 0", "class 1", "class 2")
    assert schema.positions == ((0, "class 0"), (1, "class 1"), (2, "class 2"))
    assert schema.has_view
    np.testing.assert_allclose(schema.reference.std(axis=0), 1.0, atol=0.15)
    assert schema.unit == pytest.approx(np.sqrt(16), rel=0.25)


def test_no_client_dominates_the_reference_however_much_it_sends() -> None:
    # Nine in ten queries are one client's, none of them near another.
    loud = np.random.default_rng(1).normal(size=(18_000, 8)).astype(np.float32)
    told = answers(loud)
    labels = [f"class {code}" for code in told.argmax(axis=1)]
    many = queries(loud, told, labels=labels, client_id="loud", first=100_000)
    schema = _learn(pa.concat_tables([*_customers(40, 50), many]))
    assert _share_of(schema, loud) < 0.1


def test_a_climb_does_not_make_the_reference() -> None:
    steps = np.cumsum(0.02 * np.random.default_rng(2).normal(size=(3000, 8)), axis=0).astype(np.float32) + 6
    told = answers(steps)
    climb = queries(steps, told, labels=["class 0"] * 3000, client_id="climber", first=100_000)
    schema = _learn(pa.concat_tables([*_customers(20, 60), climb]))
    assert _share_of(schema, steps) < 0.02


@pytest.mark.parametrize("value", [1e6, 1e30, -3e38])
def test_hostile_numbers_of_the_first_night_spoil_nothing(value: float) -> None:
    tables = _customers(6, 60)
    honest = _learn(pa.concat_tables(tables))
    hostile = ordinary(20, 99)
    hostile[:, 3] = value
    told = answers(ordinary(20, 99))
    evil = queries(hostile, told, labels=["class 0"] * 20, client_id="c000", first=900_000)
    schema = _learn(pa.concat_tables([*tables, evil]))
    np.testing.assert_allclose(schema.scale, honest.scale, rtol=0.3)
    assert np.abs(schema.reference).max() < 50
    assert schema.unit == pytest.approx(honest.unit, rel=0.2)
    assert np.isfinite(schema.manifold_radius)
    assert schema.basis.shape[1] == honest.basis.shape[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    table = pa.concat_tables(_customers(15, 40))
    one, two = _learn(table), _learn(shuffled(table, seed))
    assert one.body() == two.body()
    assert one.arrays() == two.arrays()


def test_a_large_night_is_thinned_evenly() -> None:
    schema = _learn(pa.concat_tables(_customers(30, 200)))
    assert len(schema.reference) == REFERENCE_ROWS
    shares = [_share_of(schema, ordinary(200, number)) for number in range(30)]
    assert max(shares) < 2.0 / 30
    assert min(shares) > 0.5 / 30


def test_records_with_categories_are_learned() -> None:
    rng = np.random.default_rng(3)
    tables = []
    for number in range(12):
        records = [
            {
                "age": float(rng.normal(50, 9)),
                "sex": str(rng.choice(["f", "m"])),
                "weird \"'. name": int(rng.integers(9)),
            }
            for _ in range(40)
        ]
        tables.append(queries(records, client_id=f"c{number}", first=100 * number))
    schema = _learn(pa.concat_tables(tables))
    assert schema.kind is InputKind.RECORD
    assert [(one.name, one.categories) for one in schema.fields] == [
        ("age", None), ("sex", ("f", "m")), ("weird \"'. name", None),
    ]  # fmt: skip
    assert schema.field_of.tolist() == [0, 1, 1, 2]
    assert (schema.length, schema.dimension) == (4, 4)


def test_texts_are_learned() -> None:
    rng = np.random.default_rng(4)
    words = np.array(
        ["patient", "fever", "cough", "mild", "acute", "left", "right", "lung", "heart", "stable", "review", "again"]
    )
    tables = [
        queries([" ".join(rng.choice(words, 8)) for _ in range(30)], client_id=f"c{number}", first=100 * number)
        for number in range(12)
    ]
    schema = _learn(pa.concat_tables(tables))
    assert (schema.kind, schema.dimension) == (InputKind.TEXT, 64)
    assert schema.has_view
    assert schema.wording is not None
    assert len(schema.wording.words) == len(words)


def test_long_inputs_are_learned_with_their_length() -> None:
    rng = np.random.default_rng(5)
    tables = [queries(rng.normal(size=(4, 5000)), client_id=f"c{n}", first=100 * n) for n in range(5)]
    schema = _learn(pa.concat_tables(tables))
    assert (schema.length, schema.dimension) == (5000, LONGEST)
    back = ModelSchema.load("m", 1, NIGHT, schema.body(), schema.arrays())
    assert (back.length, back.dimension) == (5000, LONGEST)


def test_digests_and_missing_inputs_leave_no_view() -> None:
    digests = queries(["aa", "bb", "aa"], client_id="c")
    digests = digests.set_column(digests.column_names.index("input_kind"), "input_kind", pa.array([4, 4, 4]))
    for table in (digests, queries([None] * 30), queries(ordinary(5))):
        assert not _learn(table).has_view


def test_more_than_sixty_four_classes_keep_the_commonest() -> None:
    labels = [f"k{number:03d}" for number in range(100)] + [f"k{number:03d}" for number in range(90, 100)]
    schema = _learn(queries(ordinary(110), labels=labels))
    assert len(schema.classes) == 64
    assert set(schema.classes) >= {f"k{number:03d}" for number in range(90, 100)}
    assert list(schema.classes) == sorted(schema.classes)


def test_classes_that_answers_name_count_though_no_label_shows_them() -> None:
    table = queries(ordinary(30), labels=["cat"] * 30)
    pairs = np.array([(7, 0.75), (9, 0.25)], dtype=[("code", "<u4"), ("value", "<f4")]).tobytes()
    place = table.column_names.index
    table = table.set_column(place("probability_kind"), "probability_kind", pa.array([2] * 30))
    table = table.set_column(place("probabilities"), "probabilities", pa.array([pairs] * 30, pa.binary()))
    assert _learn(table, {7: "cat", 9: "owl"}).classes == ("cat", "owl")


def test_a_night_without_labels_or_answers_has_no_classes() -> None:
    assert _learn(queries(ordinary(30))).classes == ()


@quick
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=200), st.integers(1, 60))
def test_fair_rows_are_few_different_and_spread_over_clients(rows: list[tuple[int, int]], most: int) -> None:
    clients, hashes = zip(*rows, strict=True)
    column = pa.chunked_array([[f"c{client}" for client in clients]])
    chosen = fair_rows(column, np.array(hashes, dtype=np.int64), most)
    assert len(chosen) <= most
    assert (np.diff(chosen) > 0).all()
    known = [(clients[i], hashes[i]) for i in chosen if hashes[i]]
    assert len(set(known)) == len(known)
    share = -(-most // len(set(clients)))
    counts = np.bincount([clients[i] for i in chosen], minlength=5)
    assert counts.max() <= share + 1
    # Whoever has less than a share gives all that differs, unless everything was thinned to fit.
    if len(chosen) < most:
        for client in set(clients):
            different = {h for c, h in rows if c == client and h}
            unknown = sum(1 for c, h in rows if c == client and not h)
            if len(different) + unknown <= share:
                assert counts[client] == len(different) + unknown
