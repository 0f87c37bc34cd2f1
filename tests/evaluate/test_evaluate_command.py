"""`detector evaluate` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from detector.cli.evaluate import evaluate
from detector.errors import DetectorError

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation_making import Judged

AS_OF = ("--as-of", "2026-11-20T00:00:00Z")
KEYS = {
    "fail_on", "seed", "resamples", "log", "detection", "confusion", "workloads", "purity", "queries_to_detection",
    "attacks",
}  # fmt: skip


def detector(cwd: Path, *arguments: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "detector", "evaluate", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def of_files(drill: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    cwd = tmp_path_factory.mktemp("files")
    logs = sorted(drill.glob("*.jsonl.gz"))
    options = ("--labels", drill / "labels.csv", "--prefix", "500", "--out", "out", "--json", *AS_OF)
    code, out, err = detector(cwd, *options, *logs)
    assert (code, err) == (0, "")
    return cwd, out


def test_json_is_one_document(of_files: tuple[Path, str]) -> None:
    document = json.loads(of_files[1])
    assert set(document) == KEYS
    assert document["log"]["nights"] == ["2026-11-10", "2026-11-11"]
    assert document["detection"][0]["clients_found"] == 1
    assert document["queries_to_detection"]["prefixes"] == [500]


def test_files_leave_nothing_but_the_page(of_files: tuple[Path, str]) -> None:
    cwd, _ = of_files
    assert sorted(path.relative_to(cwd).as_posix() for path in cwd.rglob("*")) == ["out", "out/evaluation.html"]


def test_a_judged_store_says_the_same_as_its_files(of_files: tuple[Path, str], judged: Judged, tmp_path: Path) -> None:
    given = ("--db", judged.store.url, "--labels", judged.folder / "labels.csv", "--prefix", "500", "--json", *AS_OF)
    assert detector(tmp_path, *given) == (0, of_files[1], "")


def test_tables_are_for_people(judged: Judged, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    text = (judged.folder / "labels.csv").read_text()
    labels.write_text(text.replace("inv_oneplusone", "inv_\x1b[31m\u202eone"), encoding="utf-8")
    code, out, _ = detector(tmp_path, "--db", judged.store.url, "--labels", labels, "--no-replay")
    assert code == 0
    assert "inv_\\x1b[31m\\u202eone" in out
    assert not {"\x1b", "\u202e"} & set(out)
    assert "not measured: no prefix was asked for" in out


def test_bad_labels_end_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("client_id\nx\n")
    code, out, err = detector(tmp_path, "--labels", "bad.csv", "--json")
    assert (code, out) == (2, "")
    assert err.startswith("error: bad.csv:1: there is no column model (expected the columns client_id, ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--labels", "nowhere.csv"), "nowhere.csv: the labels cannot be read"),
        (("--labels", "bad.csv", "--db", "sqlite:///x.db", "."), "exclude each other"),
        (("--labels", "bad.csv", "--prefix", "5", "--no-replay"), "exclude each other"),
        (("--labels", "good.csv"), "there is no database"),
        (("--labels", "good.csv", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_what_cannot_be_measured_touches_nothing(
    tmp_path: Path, drill: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.csv").write_text("client_id\nx\n")
    (tmp_path / "good.csv").write_bytes((drill / "labels.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(evaluate, list(arguments))
    assert isinstance(done.exception, DetectorError)
    assert (done.exception.exit_code, done.output) == (2, "")
    assert said in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "good.csv"]
