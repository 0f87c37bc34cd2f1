"""`detector simulate` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner

from detector.cli.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(simulate, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_json_is_one_document(tmp_path: Path) -> None:
    code, output = run("--out", str(tmp_path), "--seed", "3", "--nights", "1", "--start", "2025-01-31", "--json")
    document = json.loads(output)
    assert code == 0
    assert list(document) == ["out", "scenario", "seed", "queries", "files", "attackers"]
    assert (document["out"], document["scenario"], document["seed"]) == (str(tmp_path), "demo", 3)
    (file,) = document["files"]
    assert file == {
        "path": str(tmp_path / "digits_2025-01-31.jsonl.gz"),
        "model": "digits",
        "night": "2025-01-31",
        "queries": document["queries"],
    }
    (attacker,) = document["attackers"]
    assert (attacker["technique"], attacker["family"], attacker["success"]) == ("inversion", "inv_oneplusone", True)
    assert attacker["first_ts"].startswith("2025-01-31T")


def test_summary_names_the_attacker_and_quiet_says_nothing(tmp_path: Path) -> None:
    code, output = run("--out", str(tmp_path), "--nights", "1")
    assert code == 0
    first, second, third = output.splitlines()
    assert first.endswith(f" queries in 1 logs in {tmp_path} (seed 0)")
    assert second.startswith("  digits_2026-11-10.jsonl.gz  ")
    assert third.startswith("  inversion of class ")
    assert third.endswith(", succeeded")
    assert run("--out", str(tmp_path), "--nights", "1", "--scenario", "clean", "--quiet") == (0, "")


def test_list_needs_no_folder() -> None:
    code, output = run("--list")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == [
        "demo",
        "clean",
        "drill",
        "workloads",
        "laboratory",
        "campaigns",
        "evasions",
    ]


def test_a_selection_plays_a_part_of_a_scenario(tmp_path: Path) -> None:
    arguments = ["--scenario", "laboratory", "--models", "clinic", "--families", "benign_pdp, mia_merlin"]
    code, output = run("--out", str(tmp_path), *arguments, "--clients", "2", "--nights", "1", "--json")
    document = json.loads(output)
    assert code == 0
    assert [file["model"] for file in document["files"]] == ["clinic"]
    assert [row["family"] for row in document["attackers"]] == ["mia_merlin", "mia_merlin"]
    assert (tmp_path / "labels.csv").read_text().count("benign_pdp") == 2


def test_usage_errors_exit_2(tmp_path: Path) -> None:
    assert run()[0] == 2
    assert run("--out", str(tmp_path), "--scenario", "nonesuch")[0] == 2
    assert run("--out", str(tmp_path), "--start", "yesterday")[0] == 2
    assert run("--out", str(tmp_path), "--nights", "0")[0] == 2
    assert run("--out", str(tmp_path), "--clients", "2")[0] == 2
    assert run("--out", str(tmp_path), "--scenario", "workloads", "--models", " , ")[0] == 2
    assert run("--out", str(tmp_path), "--scenario", "workloads", "--models", "nonesuch")[0] == 2
    assert run("--out", str(tmp_path), "--scenario", "workloads", "--families", "benign_nothing")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'scipy', 'sklearn'}"
    code = f"import sys, detector.cli.simulate; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
