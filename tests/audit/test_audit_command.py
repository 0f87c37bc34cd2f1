from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from detector.cli import cli
from detector.cli.audit import audit as command
from detector.errors import AuditError, DetectorError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = "noise=1.1,rate=0.01,steps=1000"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(6)
    members, holdout = tmp_path / "members.parquet", tmp_path / "holdout.csv"
    pq.write_table(pa.table({"confidence": rng.beta(20, 1, 1000)}), members)
    holdout.write_text("confidence\n" + "".join(f"{one}\n" for one in rng.beta(5, 2, 1000)))
    return str(members), str(holdout)


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["audit", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _fails(*arguments: str) -> DetectorError:
    with pytest.raises(DetectorError) as caught:
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    return caught.value


def test_an_over_fitted_model_contradicts_its_promise(files: tuple[str, str]) -> None:
    told = " ".join(_run("--members", files[0], "--holdout", files[1], "--declared", TRAINING).split())
    for words in (
        "Members and non-members 1,000 and 1,000",
        "Members recognised at 1.0% false alarms",
        "Declared ε 1.515 (by privacy loss distributions)",
        "That contradicts the declared ε = 1.515",
        "by its own fair coin",
    ):
        assert words in told


def test_json_holds_every_number(files: tuple[str, str]) -> None:
    found: dict[str, Any] = json.loads(
        _run("--members", files[0], "--holdout", files[1], "--declared", TRAINING, "--delta", "1e-6", "--json")
    )
    assert (found["members"], found["others"], found["delta"], found["runs"]) == (1000, 1000, 1e-6, "one")
    assert (found["verdict"], found["declared"]["steps"], found["declared"]["delta"]) == ("contradicted", 1000, 1e-6)
    assert found["epsilon"] == found["one_run"]["epsilon"] > found["declared"]["epsilon"]
    assert [one["limit"] for one in found["operating"]] == [0.01, 0.001]
    many = json.loads(_run("--members", files[0], "--holdout", files[1], "--runs", "many", "--json"))
    assert (many["verdict"], many["declared"]) == ("undeclared", None)
    assert many["epsilon"] == many["many_runs"]["epsilon"] > 0


def test_what_promises_nothing_is_null_in_json(files: tuple[str, str]) -> None:
    told = _run("--members", files[0], "--holdout", files[1], "--declared", "noise=1e-300,rate=0.5,steps=1", "--json")
    declared = json.loads(told)["declared"]
    assert declared["epsilon"] is None or declared["epsilon"] > 1e6


def test_less_confidence_gives_more(files: tuple[str, str]) -> None:
    pair = ("--members", files[0], "--holdout", files[1], "--json")
    sure, unsure = (json.loads(_run(*pair, "--confidence", one))["epsilon"] for one in ("0.999", "0.8"))
    assert sure < unsure


def test_canaries_in_one_file_say_the_same_as_two_files(files: tuple[str, str], tmp_path: Path) -> None:
    members = pq.read_table(files[0])["confidence"].to_pylist()
    others = [float(line) for line in (tmp_path / "holdout.csv").read_text().split()[1:]]
    records = [{"p": v, "included": True} for v in members] + [{"p": v, "included": False} for v in others]
    canaries = tmp_path / "canaries.jsonl"
    canaries.write_text("".join(json.dumps(one) + "\n" for one in records))
    one = _run("--canaries", str(canaries), "--column", "p", "--json")
    assert one == _run("--members", files[0], "--holdout", files[1], "--json")


def test_quiet_says_nothing(files: tuple[str, str]) -> None:
    assert _run("--members", files[0], "--holdout", files[1], "--quiet") == ""


def test_what_is_asked_wrongly_is_told(files: tuple[str, str]) -> None:
    pair = ("--members", files[0], "--holdout", files[1])
    assert "two groups" in _fails("--members", files[0]).message
    assert "two groups" in _fails(*pair, "--canaries", files[0]).message
    for declared in ("noise=1", "noise=1,rate=0.1,steps=1,steps=2", "a=1,b=2,c=3", "noise=1,rate=2,steps=1"):
        error = _fails(*pair, "--declared", declared)
        assert isinstance(error, UsageError)
        assert "--declared" in error.message
    assert "confidence of 95" in _fails(*pair, "--confidence", "95").message
    assert isinstance(_fails(*pair, "--column", "p"), AuditError)
    assert "do not tell" in _fails("--canaries", files[0]).message
