"""From planting to the finding, by the commands that a site uses."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from canary_making import KINDS, NIGHTS, THIEF, detector, inputs_of, log, run, site

from detector.canary.planting import read_schema, spacing
from detector.config import ModelSettings
from detector.errors import UsageError
from detector.features.distances import nearest_distances
from detector.features.reference import contacts_of
from detector.store.engine import Store

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 12
RULE = "3f4e219e-34f7-4012-8cf2-742da989a19b"  # membership_canary_contact


@pytest.fixture(scope="module", params=KINDS)
def planted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A site after its first night, with canaries planted."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    assert run(folder, log(folder / "first.jsonl", kind, NIGHTS[0])).code == 0
    out = folder / "canaries.parquet"
    told = detector("canary", "plant", "--model", "m", "--out", out, "--count", COUNT, "--json", *site(folder))
    assert told.code == 0
    assert told.document["canaries"] == COUNT
    return kind, folder


def test_whoever_asks_for_a_canary_is_found(planted: tuple[str, Path], tmp_path: Path) -> None:
    kind, folder = planted
    shutil.copy(folder / "site.db", tmp_path / "site.db")
    settings = tmp_path / "detector.toml"
    settings.write_text(f'[models."m"]\ncanaries = "{folder / "canaries.parquet"}"\n')
    touched = inputs_of(folder / "canaries.parquet", 3)
    second = run(tmp_path, log(tmp_path / "second.jsonl", kind, NIGHTS[1], touched), "--config", settings)
    assert second.code == 14
    explained = detector("explain", THIEF, "--json", *site(tmp_path)).document["windows"][0]
    assert (RULE, "critical") in {(one["rule"], one["level"]) for one in explained["findings"]}
    checked = detector("canary", "check", "--model", "m", "--json", *site(tmp_path)).document
    contact = {"night": NIGHTS[1], "client": THIEF, "hits": 3, "query_count": 23}
    assert checked == {"model": "m", "nights": 2, "watched": 1, "contacts": [contact]}
    (page,) = (tmp_path / "reports" / NIGHTS[1]).glob("INC-*.html")
    told = page.read_text()
    assert all(
        words in told for words in ("canary-00001 (", "Queries as close to a canary as a copy", "Nearest canary,")
    )
    shown = detector("canary", "check", "--model", "m", *site(tmp_path)).out
    assert f"{NIGHTS[1]}  thief" in shown


def test_canaries_lie_apart_from_what_is_ordinary_and_from_each_other(planted: tuple[str, Path]) -> None:
    _, folder = planted
    store = Store(site(folder)[1])
    schema = read_schema(store, "m")
    store.close()
    views = contacts_of(schema, ModelSettings(canaries=folder / "canaries.parquet")).canaries
    assert views is not None
    assert views.shape == (COUNT, schema.dimension)
    gap = spacing(schema)
    assert gap >= 0.05 * schema.unit
    assert nearest_distances(views, schema.reference).min() > gap
    others = [nearest_distances(views[[row]], np.delete(views, row, axis=0))[0] for row in range(COUNT)]
    assert min(others) > gap


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(planted: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = planted
    same, other = tmp_path / "same.parquet", tmp_path / "other.parquet"
    command = ("canary", "plant", "--model", "m", "--count", COUNT, "--quiet", *site(folder))
    assert detector(*command, "--out", same).out == ""
    detector(*command, "--out", other, "--seed", 1)
    first = (folder / "canaries.parquet").read_bytes()
    assert (same.read_bytes() == first, other.read_bytes() == first) == (True, False)


def test_values_look_like_those_of_the_log(planted: tuple[str, Path]) -> None:
    kind, folder = planted
    table = pq.read_table(folder / "canaries.parquet")
    assert set(table["label"].to_pylist()) <= {"yes", "no"}
    assert table["canary_id"].to_pylist()[:2] == ["canary-00001", "canary-00002"]
    if kind == "records":
        assert table.schema.field("age").type == pa.int64()
        assert table.schema.field("member").type == pa.bool_()
        assert set(table["region"].to_pylist()) <= {"north", "south", "west", None}
        income = table["income"].to_numpy()
        np.testing.assert_allclose(income, income.round(2), atol=1e-6)
        assert pc.min_max(table["age"]).as_py()["min"] >= 18
    elif kind == "vectors":
        values = np.stack(table["input_vector"].to_numpy())
        assert (values.shape, values.min() >= 0, values.max() <= 16) == ((COUNT, 16), True, True)
        np.testing.assert_array_equal(values, values.round())
    else:
        assert {len(text.split()) for text in table["text"].to_pylist()} <= set(range(7, 12))


def test_a_file_that_is_there_is_not_replaced(planted: tuple[str, Path]) -> None:
    _, folder = planted
    out = folder / "canaries.parquet"
    before = out.read_bytes()
    with pytest.raises(UsageError, match="never replaced"):
        detector("canary", "plant", "--model", "m", "--out", out, *site(folder))
    assert out.read_bytes() == before
    assert out.stat().st_mode & 0o777 == 0o600


def test_what_to_write_into_the_settings_is_told(planted: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = planted
    out = tmp_path / 'with "quotes" \u202e.parquet'
    told = detector("canary", "plant", "--model", "m", "--out", out, "--count", 2, *site(folder)).out
    settings = tomllib.loads(told[told.index("[models") :])
    assert settings == {"models": {"m": {"canaries": str(out)}}}
    assert "\u202e" not in told


def test_more_canaries_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    line = '{{"timestamp": "2026-11-10T{0:02}:00:00Z", "client_id": "c", "model": "m", "input": {{"stars": {0}}}}}\n'
    file = tmp_path / "few.jsonl"
    file.write_text("".join(line.format(hour) for hour in range(8)))
    run(tmp_path, file)
    with pytest.raises(UsageError, match="only 0 made-up inputs"):
        detector("canary", "plant", "--model", "m", "--out", tmp_path / "c.parquet", *site(tmp_path))
    assert not (tmp_path / "c.parquet").exists()


@pytest.mark.parametrize("command", [("plant", "--out", "c.parquet"), ("check",)])
def test_a_model_that_no_night_showed_is_a_mistake(
    planted: tuple[str, Path], command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, folder = planted
    with pytest.raises(UsageError, match="model 'other'") as caught:
        detector("canary", *command, "--model", "other", *site(folder))
    assert caught.value.exit_code == 2
    assert "detector run" in str(caught.value)


def test_nights_before_the_canaries_were_declared_say_so(planted: tuple[str, Path]) -> None:
    _, folder = planted
    told = detector("canary", "check", "--model", "m", *site(folder)).out
    assert told == "canaries were watched in 0 of 1 scanned nights; 0 contacts\n"
