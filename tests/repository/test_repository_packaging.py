"""Pins are complete and free of addresses; the wheel and the source distribution carry what an installed copy needs."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, project_files
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import detector
from detector.detect.rules.sources import builtin_folder
from detector.store.migrate import migrations_folder

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def wanted() -> list[Requirement]:
    project = PROJECT["project"]
    told = project["dependencies"] + project["optional-dependencies"]["dev"] + PROJECT["build-system"]["requires"]
    return [Requirement(text) for text in told]


def closure() -> set[str]:
    """Every package that an installation with [dev] leads to, by what the installed packages say."""
    found: set[str] = set()
    waiting = [(one.name, frozenset(one.extras)) for one in wanted()]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(canonicalize_name(name))
        for text in importlib.metadata.requires(name) or []:
            one = Requirement(text)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                waiting.append((one.name, frozenset(one.extras)))
    return found


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==\d[\w.]*", line)] == []
    assert lines == sorted(lines, key=str.lower)
    assert len(pins()) == len(lines)


def test_constraints_hold_every_package_that_an_installation_needs_and_no_other() -> None:
    assert closure() == set(pins())


def test_pins_satisfy_what_the_project_asks_for() -> None:
    given = pins()
    assert [str(one) for one in wanted() if not one.specifier.contains(given[canonicalize_name(one.name)])] == []


def test_the_checkout_reads_its_own_rules_and_migrations() -> None:
    package = Path(detector.__file__).resolve().parent
    if package.parent != ROOT:
        pytest.skip("the tests run against an installed copy")
    assert (builtin_folder(), migrations_folder()) == (ROOT / "rules", ROOT / "migrations")
    copies = Path(sysconfig.get_path("purelib")) / "detector"
    assert not copies.exists(), "an earlier installation left a copy that goes stale: remove it"


def below(*folders: str) -> set[str]:
    names = {path.relative_to(ROOT).as_posix() for path in project_files()}
    return {name for name in names if name.startswith(tuple(f"{folder}/" for folder in folders))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.slow
def test_the_wheel_carries_the_package_the_rules_and_the_migrations(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    bundled = {f"detector/_bundled/{name}" for name in below("rules", "migrations")}
    assert inside == below("detector") | bundled
    assert {"detector/py.typed", "detector/report/templates/incident.html"} <= inside


@pytest.mark.slow
def test_the_source_distribution_can_be_tested(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    top = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "constraints.txt"}
    assert top | {"pyproject.toml", ".ci/run"} <= inside
    assert below("detector", "rules", "migrations", "tests", "tools", "docs", "benchmarks") <= inside


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `detector` of a new environment that holds the wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(next(built.glob("*.whl")))], check=True, capture_output=True)
    # A .pth file in a folder that another one names is not read: the editable checkout stays out of sight.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin" / "detector"


def run(command: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(command), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_an_installed_copy_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = [str(installed.parent / "python"), "-c", "import detector; print(detector.__file__)"]
    package = Path(subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip())
    assert installed.parents[1] in package.parents
    assert run(installed, tmp_path, "--version").stdout == f"detector, version {detector.__version__}\n"
    listed = run(installed, tmp_path, "rules", "list")
    assert (listed.returncode, "inversion_climb_small_steps" in listed.stdout) == (0, True), listed.stderr
    simulated = run(installed, tmp_path, "simulate", "--out", "logs", "--nights", "1", "--quiet")
    assert (simulated.returncode, simulated.stderr) == (0, "")
    log = next((tmp_path / "logs").glob("*.jsonl.gz")).relative_to(tmp_path)
    done = run(
        installed, tmp_path, "run", str(log), "--config", "logs/detector.toml", "--as-of", "2026-11-11T02:00:00Z"
    )
    assert done.returncode in {0, 11, 12, 13, 14}, done.stderr
    assert "Traceback" not in done.stderr
    report = (tmp_path / "reports" / "2026-11-10" / "index.html").read_text(encoding="utf-8")
    assert "digits" in report
