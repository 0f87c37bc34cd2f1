"""The benchmark of the evidence: what an attacker kept, how far off a reconstruction is, and whose record it is."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import evidence
import evidence_truth
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.redteam.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "client_id,model,is_attack,technique,family,variant,trace_id,first_ts,last_ts,target,final_confidence\n"
TIMES = "2026-11-13T01:00:00.000000Z,2026-11-13T02:00:00.000000Z"
RESULTS = pa.schema(
    [("client_id", pa.string()), ("model", pa.string()), ("input_vector", pa.list_(pa.float64())),
     ("input_record", pa.string()), ("input_text", pa.string())]
)  # fmt: skip


def folder(path: Path, *lines: dict[str, Any], results: list[dict[str, Any]] | None = None) -> Path:
    """Write labels of one inversion by two accounts and of one by labels alone, a log, and perhaps results."""
    labels = [
        f"one,m,True,inversion,inv_nes,plain,t1,{TIMES},cat,0.9",
        f"two,m,True,inversion,inv_nes,plain,t1,{TIMES},cat,0.9",
        f"three,m,True,inversion,inv_label_sphere,plain,t2,{TIMES},cat,",
        f"four,m,False,benign,benign,plain,t3,{TIMES},,",
    ]
    (path / "labels.csv").write_text(HEADER + "\n".join(labels) + "\n")
    with gzip.open(path / "m_2026-11-13.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    if results is not None:
        pq.write_table(pa.Table.from_pylist(results, RESULTS), path / "results.parquet")
    return path


def asked(client: str, hour: str, cat: float, place: float) -> dict[str, Any]:
    """Return a line of a log."""
    output = {"label": "cat", "confidence": cat, "probabilities": {"cat": cat, "dog": 1 - cat}}
    when = f"2026-11-13T{hour}:30:00.000000Z"
    return {"timestamp": when, "client_id": client, "model": "m", "input": [place, 0.0], "output": output}


def test_the_recorded_result_counts_for_all_accounts_of_an_attack(tmp_path: Path) -> None:
    kept = {"client_id": "two", "model": "m", "input_vector": [1.0, 2.0], "input_record": None, "input_text": None}
    (found,) = evidence_truth.finals(folder(tmp_path, results=[kept]))
    assert (found.accounts, found.results) == (frozenset({"one", "two"}), ([1.0, 2.0],))


def test_without_results_the_best_answered_queries_of_the_attack_count(tmp_path: Path) -> None:
    lines = [asked("one", "01", 0.8, 1), asked("two", "01", 0.9, 2), asked("two", "01", 0.9, 3)]
    outside = [asked("one", "05", 1.0, 4), asked("four", "01", 1.0, 5)]
    (found,) = evidence_truth.finals(folder(tmp_path, *lines, *outside))
    assert found.results == ([2, 0.0], [3, 0.0])


def _samples(path: Path, **columns: Any) -> evidence_truth.Yardstick:
    (path / "reference").mkdir()
    for kind in ("train", "holdout"):
        table = {name: values[kind] for name, values in columns.items()}
        pq.write_table(pa.table(table), path / "reference" / f"m_{kind}.parquet")
    return evidence_truth.Yardstick.of(path, "m")


def test_a_copy_discloses_and_an_average_does_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drawn = rng.random((400, 256))
    vectors = {"train": list(drawn[:200]), "holdout": list(drawn[200:])}
    yardstick = _samples(tmp_path, input_vector=vectors)
    assert yardstick.truth(list(drawn[5] + 0.01)).discloses
    average = yardstick.truth(list(drawn.mean(axis=0)))
    assert (average.near, average.discloses) == (True, False)
    assert sum(yardstick.truth(list(row)).discloses for row in rng.random((50, 256))) <= 2


def test_distances_are_relative_and_a_wrong_category_is_a_miss(tmp_path: Path) -> None:
    columns = {"age": {"train": [20, 40], "holdout": [60, 30]}, "sex": {"train": ["f", "m"], "holdout": ["f", "m"]}}
    yardstick = _samples(tmp_path, **columns)
    assert yardstick.off({"age": 40, "sex": "f"}, {"age": 40, "sex": "f"}) == 0
    assert yardstick.off({"age": 40, "sex": "m"}, {"age": 40, "sex": "f"}) > evidence.WITHIN
    assert yardstick.off([3.0, 4.04], [3.0, 4.0]) == pytest.approx(0.008)
    assert yardstick.off([3.0], [3.0, 4.0]) == np.inf
    assert yardstick.off("one two", "one two") == 0
    assert yardstick.off("one six", "one two") > evidence.WITHIN


@pytest.mark.slow
def test_a_drill_runs_through_to_the_table(tmp_path: Path) -> None:
    simulate(tmp_path / "drill", seed=0)
    rows = evidence.measure(tmp_path / "drill", tmp_path / "work")
    assert [(row.family, row.recovered, row.right) for row in rows] == [("inv_oneplusone", True, True)]
    assert "| all | 1 | 1 | 1 (100%) |" in evidence.table(rows)
    assert evidence.as_json(rows)["family"]["inv_oneplusone"]["detected"] == 1
