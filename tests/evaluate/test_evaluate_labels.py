"""Reading labels: what is read, and what is refused with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from evaluation_making import HEADER, Row, labels_of

from detector.errors import EvaluationError
from detector.evaluate.labels import read_labels
from detector.redteam.labels import Label, labels_csv

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "c,m,True,inversion,f,plain,t,2026-11-10T00:00:00.000001Z,2026-11-10T00:00:01Z,5,9,False"


def test_values_are_typed(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"{HEADER}\n{GOOD}\n")
    (row,) = read_labels(tmp_path / "labels.csv").frame.to_dict("records")
    assert row == {
        "client": "c",
        "model": "m",
        "attack": True,
        "technique": "inversion",
        "family": "f",
        "variant": "plain",
        "trace": "t",
        "first_ts": 1_794_268_800_000_001,
        "last_ts": 1_794_268_801_000_000,
        "attack_queries": 5,
        "success": False,
    }


def test_labels_of_a_drill_can_be_read(tmp_path: Path) -> None:
    times = ("2026-11-10T00:00:00.000000Z", "2026-11-11T00:00:00.000000Z")
    drill = (
        Label("a", "m", True, "evasion", "hsj", "plain", "t", *times, 5, 9, success=True),
        Label("b", "m", False, "benign", "benign_ordinary", "plain", "u", *times, 0, 9),
    )
    (tmp_path / "labels.csv").write_text(labels_csv(drill))
    frame = read_labels(tmp_path / "labels.csv").frame
    assert frame["attack"].tolist() == [True, False]
    assert frame["success"].tolist() == [True, None]


def test_a_column_of_success_may_be_missing(tmp_path: Path) -> None:
    text = "\n".join(line.rpartition(",")[0] for line in (HEADER, GOOD))
    (tmp_path / "labels.csv").write_text(text)
    assert read_labels(tmp_path / "labels.csv").frame["success"].tolist() == [None]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("client_id", "", "client_id is ''"),
        ("is_attack", "maybe", "is_attack is 'maybe'"),
        ("technique", "inverting", "technique is 'inverting'"),
        ("technique", "benign", "technique is 'benign'"),
        ("is_attack", "False", "technique is 'inversion'"),
        ("first_ts", "2026-11-10T00:00:00", "first_ts is '2026-11-10T00:00:00'"),
        ("first_ts", "yesterday", "first_ts is 'yesterday'"),
        ("last_ts", "2026-11-09T00:00:00Z", "last_ts is '2026-11-09T00:00:00Z'"),
        ("n_attack_queries", "-1", "n_attack_queries is '-1'"),
        ("n_queries", "1.5", "n_queries is '1.5'"),
        ("n_queries", "", "n_queries is ''"),
    ],
)
def test_a_bad_value_is_told_with_its_line(tmp_path: Path, column: str, value: str, said: str) -> None:
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {"client_id": "other", column: value}
    file = tmp_path / "labels.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n\n{','.join(cells.values())}\n")
    with pytest.raises(EvaluationError) as refused:
        read_labels(file)
    assert str(refused.value).startswith(f"{file}:4: {said} (expected ")
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "there is no column client_id"),
        (f"{HEADER}\n", 1, "there is no row below the header"),
        (f"{HEADER},model\n{GOOD},m\n", 1, "a column is named twice"),
        (f"{HEADER}\n{GOOD}\n{GOOD}\n", 3, "client_id is 'c'"),
        (f"{HEADER}\n{GOOD}\nc,m\n", 3, "2 cells"),
        (f'{HEADER}\n"c"c,{GOOD}\n', 2, "this is no CSV: "),
        (f"{HEADER}\n{GOOD}\n{GOOD.replace('c,m', 'd,m').replace(',f,', ',g,')}\n", 3, "family is 'g'"),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(EvaluationError) as refused:
        read_labels(file)
    assert str(refused.value).startswith(f"{file}:{line}: {said}")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvaluationError, match="no UTF-8"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_labels(tmp_path / "nowhere.csv")


def test_one_trace_id_on_two_models_is_two_attacks(tmp_path: Path) -> None:
    here = Row("a", "inversion", "f", "t")
    there = Row("a", "extraction", "g", "t", model="clinic")
    assert labels_of(tmp_path, here, there).frame["technique"].tolist() == ["inversion", "extraction"]
