"""What a drill writes, read back as anyone else would read it."""

from __future__ import annotations

import csv
import json
import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from drills import Drill, written
from scipy.stats import spearmanr

from detector.errors import SimulationError
from detector.redteam.catalog import CATALOG
from detector.redteam.simulation import simulate

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = [
    "timestamp", "request_id", "client_id", "source_ip", "user_agent", "model", "model_version", "endpoint", "status",
    "latency_ms", "params", "input", "output",
]  # fmt: skip
COLUMNS = [
    "client_id", "model", "is_attack", "technique", "family", "variant", "trace_id", "first_ts", "last_ts",
    "n_attack_queries", "n_queries", "target", "success", "resembles", "final_confidence",
]  # fmt: skip


def labels_of(drill: Drill) -> list[dict[str, str]]:
    with (drill.told.out / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers_in(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers_in(part)]
    return [value] if isinstance(value, float) else []


def attack_records(drill: Drill, label: dict[str, str]) -> list[dict[str, Any]]:
    return [
        record
        for record in drill.records
        if (record["client_id"], record["model"]) == (label["client_id"], label["model"])
        and label["first_ts"] <= record["timestamp"] <= label["last_ts"]
        and record["params"] == {"return_probabilities": True}
        and record["output"] is not None
    ]


def target_of(record: dict[str, Any], target: str) -> float:
    return float(record["output"]["probabilities"][int(target)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_gives_the_same_bytes(demo: Drill, tmp_path: Path) -> None:
    simulate(tmp_path, seed=11)
    again = contents(tmp_path)
    assert sorted(again) == [
        "detector.toml",
        "digits_2026-11-10.jsonl.gz",
        "digits_2026-11-11.jsonl.gz",
        "digits_2026-11-12.jsonl.gz",
        "labels.csv",
        "reference/digits_holdout.parquet",
        "reference/digits_train.parquet",
        "results.parquet",
    ]
    assert again == contents(demo.told.out)


@pytest.mark.parametrize("name", ["demo", "drill"])
def test_every_line_keeps_the_contract(name: str, request: pytest.FixtureRequest) -> None:
    drill: Drill = request.getfixturevalue(name)
    for file, records in drill.logs.items():
        assert [record["timestamp"] for record in records] == sorted(record["timestamp"] for record in records)
        for record in records:
            assert list(record) == FIELDS
            assert f"{record['model']}_{record['timestamp'][:10]}.jsonl.gz" == file
            assert datetime.fromisoformat(record["timestamp"]).tzinfo == UTC
            assert len(record["client_id"]) == 16
            assert int(record["client_id"], 16) >= 0
            assert record["endpoint"] == "predict"
            assert (record["output"] is None) == (record["status"] != 200)
        for record in records[:: len(drill.logs)]:
            numbers = numbers_in([record["input"], record["output"] or {}])
            assert numbers == [float(f"{number:.5g}") for number in numbers]


def test_request_ids_are_unique(drill: Drill) -> None:
    assert Counter(record["request_id"] for record in drill.records).most_common(1)[0][1] == 1


def test_outputs_hold_what_was_asked_for(drill: Drill) -> None:
    for record in drill.records:
        output = record["output"]
        if output is None:
            continue
        shown = output.get("probabilities")
        assert (shown is not None) == record["params"]["return_probabilities"]
        if shown is None:
            assert set(output) <= {"label", "confidence"}
            continue
        named = shown if isinstance(shown, dict) else dict(zip("0123456789", shown, strict=True))
        assert len(named) == record["params"].get("top_k", len(named))
        assert max(named, key=lambda name: named[name]) == output["label"]
        assert named[output["label"]] == output["confidence"]


@pytest.mark.parametrize("name", ["demo", "drill"])
def test_labels_match_the_log(name: str, request: pytest.FixtureRequest) -> None:
    drill: Drill = request.getfixturevalue(name)
    labels = labels_of(drill)
    assert list(labels[0]) == COLUMNS
    logged = Counter((record["model"], record["client_id"]) for record in drill.records)
    assert {(row["model"], row["client_id"]): int(row["n_queries"]) for row in labels} == dict(logged)
    seen: dict[tuple[str, str], list[str]] = {}
    for record in drill.records:
        seen.setdefault((record["model"], record["client_id"]), []).append(record["timestamp"])
    for row in labels:
        times = sorted(seen[row["model"], row["client_id"]])
        if row["is_attack"] == "False":
            assert (row["technique"], row["first_ts"], row["last_ts"]) == ("benign", times[0], times[-1])
            assert (row["n_attack_queries"], row["target"], row["success"]) == ("0", "", "")
        else:
            within = [time for time in times if row["first_ts"] <= time <= row["last_ts"]]
            assert (within[0], within[-1]) == (row["first_ts"], row["last_ts"])
            assert int(row["n_attack_queries"]) <= len(within)


def test_demo_is_of_the_promised_size(demo: Drill) -> None:
    assert 8_000 <= demo.told.queries <= 15_000
    assert demo.told.queries == len(demo.records)
    families = Counter(row["family"] for row in labels_of(demo))
    assert families == {
        "benign_ordinary": 32,
        "benign_nightly_batch": 1,
        "benign_health_probe": 1,
        "benign_retry_storm": 1,
        "inv_oneplusone": 1,
    }


def test_demo_attack_fills_the_last_night_alone_and_climbs(demo: Drill) -> None:
    (label,) = [row for row in labels_of(demo) if row["is_attack"] == "True"]
    assert {label["first_ts"][:10], label["last_ts"][:10]} == {"2026-11-12"}
    climb = [target_of(record, label["target"]) for record in attack_records(demo, label)]
    assert 1_490 <= len(climb) <= 1_510
    assert np.median(climb[:20]) < 0.5
    assert np.median(climb[-200:]) > 0.99
    assert spearmanr(range(len(climb)), climb).statistic > 0.8
    assert float(label["final_confidence"]) == max(climb)
    assert label["success"] == "True"


@pytest.mark.parametrize("name", ["demo", "drill"])
def test_results_hold_the_best_logged_query(name: str, request: pytest.FixtureRequest) -> None:
    drill: Drill = request.getfixturevalue(name)
    labels = {(row["model"], row["client_id"]): row for row in labels_of(drill)}
    results = pq.read_table(drill.told.out / "results.parquet").to_pylist()
    inversions = [row for row in results if row["family"].startswith("inv_")]
    assert len(inversions) == sum(row["technique"] == "inversion" for row in labels.values())
    for result in inversions:
        label = labels[result["model"], result["client_id"]]
        records = attack_records(drill, label)
        best = max(target_of(record, result["target"]) for record in records)
        assert result["final_confidence"] == best
        inputs = [record["input"] for record in records if target_of(record, result["target"]) == best]
        assert result["input_vector"] in inputs


def test_drill_results_of_records_are_logged_records(drill: Drill) -> None:
    results = pq.read_table(drill.told.out / "results.parquet").to_pylist()
    records = [row for row in results if row["model"] == "clinic"]
    assert {row["family"] for row in records} == {"attr_fredrikson", "mia_merlin"}
    for row in records:
        sent = [each["input"] for each in drill.records if each["client_id"] == row["client_id"]]
        assert json.loads(row["input_record"]) in sent


def test_drill_covers_the_techniques(drill: Drill) -> None:
    found = {(row.model, row.technique, row.family) for row in drill.told.attackers}
    assert found == {
        ("digits", "inversion", "inv_oneplusone"),
        ("digits", "inversion", "inv_lbfgsb"),
        ("digits", "inversion", "inv_spsa"),
        ("digits", "extraction", "extract_knockoff"),
        ("digits", "extraction", "extract_random"),
        ("digits", "evasion", "evade_hopskipjump"),
        ("digits", "membership", "mia_merlin"),
        ("clinic", "membership", "mia_merlin"),
        ("clinic", "attribute", "attr_fredrikson"),
    }
    assert {row.first_ts[:10] for row in drill.told.attackers} == {"2026-11-12"}
    assert all(row.success for row in drill.told.attackers if row.technique == "inversion")


def test_drill_attribute_sweep_changes_one_field(drill: Drill) -> None:
    (label,) = [row for row in labels_of(drill) if row["technique"] == "attribute"]
    records = attack_records(drill, label)
    changed = Counter(
        tuple(name for name in before["input"] if before["input"][name] != after["input"][name])
        for before, after in pairwise(records)
    )
    assert changed.most_common(1)[0][0] == ("family_history",)
    assert changed["family_history",] >= len(records) * 0.6


def test_clean_has_no_attack(tmp_path: Path) -> None:
    drill = written(tmp_path, scenario="clean", nights=1, start=date(2024, 2, 29))
    assert list(drill.logs) == ["digits_2024-02-29.jsonl.gz"]
    assert {row["technique"] for row in labels_of(drill)} == {"benign"}
    assert pq.read_table(tmp_path / "results.parquet").num_rows == 0


def test_reference_and_settings(drill: Drill) -> None:
    settings = tomllib.loads((drill.told.out / "detector.toml").read_text(encoding="utf-8"))
    assert settings["models"]["digits"]["image_shape"] == [8, 8]
    assert settings["models"]["clinic"]["sensitivity"] == "health"
    tables = {
        (name, kind): pq.read_table(drill.told.out / settings["models"][name][kind])
        for name in settings["models"]
        for kind in ("training_sample", "holdout_sample")
    }
    assert {key: table.num_rows for key, table in tables.items()} == {
        ("digits", "training_sample"): 800,
        ("digits", "holdout_sample"): 400,
        ("clinic", "training_sample"): 220,
        ("clinic", "holdout_sample"): 130,
    }
    member = tables["digits", "training_sample"]
    assert [(field.name, str(field.type)) for field in member.schema] == [
        ("input_vector", "list<element: double>"),
        ("label", "string"),
    ]
    assert tables["clinic", "training_sample"].column_names[-2:] == ["family_history", "label"]


def test_a_folder_with_other_logs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "digits_2020-01-01.jsonl.gz").write_bytes(b"")
    with pytest.raises(SimulationError, match="another drill lies in the folder"):
        simulate(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits_2020-01-01.jsonl.gz"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SimulationError, match="the folder cannot be made"):
        simulate(tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"scenario": "nonesuch"},
            f"no scenario 'nonesuch' (expected {' or '.join(entry.name for entry in CATALOG)})",
        ),
        ({"seed": -1}, "seed -1 (expected 0 or more)"),
        ({"nights": 0}, "0 nights (expected at least 1)"),
        ({"start": date(9999, 12, 31)}, "3 nights from 9999-12-31 leave the calendar"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationError) as caught:
        simulate(tmp_path / "out", **settings)
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()
