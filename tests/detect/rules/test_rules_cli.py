from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from rule_making import window_rule

from detector.cli.rules import rules
from detector.errors import RuleError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = window_rule("s:\n  confidence_ascent|gte: 0.5\ncondition: s")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No detector.toml of the developer's folder takes part."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(rules, [str(argument) for argument in arguments])


def test_list_shows_rules_and_their_technique(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(GOOD)
    result = _run("list", tmp_path / "site.yml")
    assert result.exit_code == 0
    assert "inversion_climb_small_steps" in result.output
    assert "test_rule" in result.output
    listed = json.loads(_run("list", tmp_path / "site.yml", "--json").stdout)["rules"]
    (mine,) = [rule for rule in listed if rule["name"] == "test_rule"]
    assert (mine["level"], mine["technique"], mine["over"], mine["tests"]) == ("medium", "inversion", "window", 2)
    assert mine["file"] == str(tmp_path / "site.yml")
    assert _run("list", "--quiet").output == ""


def test_check_tells_every_error_and_raises_the_first(tmp_path: Path) -> None:
    assert "can be used" in _run("check").output
    (tmp_path / "a.yml").write_text(GOOD.replace("level: medium", "level: fatal"))
    (tmp_path / "b.yml").write_text("title: [")
    result = _run("check", tmp_path / "a.yml", tmp_path / "b.yml")
    assert isinstance(result.exception, RuleError)
    assert result.exception.exit_code == 2
    assert str(result.exception).startswith(f"{tmp_path / 'a.yml'}:6: ")
    assert f"{tmp_path / 'b.yml'}:1: cannot be read as YAML" in result.stderr
    as_json = _run("check", tmp_path / "a.yml", tmp_path / "b.yml", "--json")
    assert as_json.exit_code == 2
    assert [error["line"] for error in json.loads(as_json.stdout)["errors"]] == [6, 1]


def test_test_exits_1_where_a_test_fails(tmp_path: Path) -> None:
    result = _run("test")
    assert result.exit_code == 0
    assert "tests passed" in result.output
    (tmp_path / "site.yml").write_text(GOOD.replace("confidence_ascent: 0.0", "confidence_ascent: 0.9"))
    failing = _run("test", tmp_path / "site.yml")
    assert failing.exit_code == 1
    assert "Test rule: miss: hit instead of miss" in failing.stderr
    assert "1 of 2 tests passed" in failing.stdout
    document = json.loads(_run("test", tmp_path / "site.yml", "--json").stdout)
    assert document["failed"] == 1
    assert [test["passed"] for test in document["tests"]] == [True, False]


def test_coverage_names_every_technique_with_its_rules() -> None:
    result = _run("coverage")
    assert result.exit_code == 0
    for technique in ("inversion", "membership", "attribute", "extraction", "evasion", "probing"):
        assert technique in result.output
    document = json.loads(_run("coverage", "--json").stdout)["techniques"]
    assert all(one["covered"] and one["rules"] for one in document)


def test_coverage_shows_a_technique_without_a_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "built-in").mkdir()
    (tmp_path / "built-in" / "only.yml").write_text(GOOD)
    monkeypatch.setattr("detector.detect.rules.loader.builtin_folder", lambda: tmp_path / "built-in")
    assert re.search(r"evasion +AML\.T0043\.001 +- +- +no rule", _run("coverage").output)


def test_the_sites_folder_comes_from_the_settings(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(GOOD)
    (tmp_path / "settings.toml").write_text(f'rules = "{tmp_path / "site.yml"}"\n')
    assert "test_rule" in _run("list", "--config", tmp_path / "settings.toml").output
    assert "test_rule" not in _run("list").output


def test_what_a_rule_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(GOOD.replace("title: Test rule", 'title: "Test \\e[31m rule"'))
    assert "\x1b" not in _run("list", tmp_path / "site.yml").output


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'pyarrow', 'sigma', 'numpy', 'rich'}"
    program = f"import sys; import detector.cli.rules; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
