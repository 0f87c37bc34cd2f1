"""A run killed at any moment and repeated ends as if it had never been disturbed."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from detector.redteam.simulation import simulate
from detector.store import tables
from detector.store.engine import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_OF = "2026-11-20T00:00:00Z"
KILLER = Path(__file__).with_name("killing.py")
KINDS = ("bulk commit", "statement commit", "file")
SEED = 7
# Numbers that a database gives; a rolled-back transaction may leave gaps in them.
SURROGATES = {"query": "id", "incident_event": "id", "run": "id", "suppression": "id"}


@dataclass(frozen=True)
class Site:
    """Where a run works."""

    folder: Path
    url: str
    log: Path

    def run(self, point: int) -> tuple[int, list[str]]:
        """Run with a kill at `point`; return the exit code and the moments that came."""
        moments = self.folder / "moments.txt"
        command = [
            sys.executable, str(KILLER), str(point), str(moments), "run", str(self.log), "--db", self.url,
            "--as-of", AS_OF, "--quiet",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, moments.read_text().splitlines()

    def state(self) -> dict[str, Any]:
        """Everything that lasts: rows of every table, bytes of every report."""
        store = Store(self.url)
        with store.begin() as connection:
            files = {row.id: row.sha256 for row in connection.execute(select(tables.source_file))}
            state: dict[str, Any] = {
                table.name: sorted(_row(table.name, row._mapping, files) for row in connection.execute(select(table)))
                for table in tables.metadata.sorted_tables
            }
        store.close()
        # The pages of nights tell what this run read; a repeated one found it stored already.
        pages = sorted((self.folder / "reports").rglob("INC-*.html"))
        state["pages"] = {
            page.relative_to(self.folder).as_posix(): hashlib.sha256(page.read_bytes()).hexdigest() for page in pages
        }
        state["left over"] = sorted(p.name for p in (self.folder / "reports").rglob("*") if p.suffix == ".tmp")
        return state


def _row(table: str, row: Any, files: dict[int, str]) -> str:
    told = {key: value for key, value in row.items() if SURROGATES.get(table) != key}
    if "file_id" in told:
        told["file_id"] = files[told["file_id"]]
    if table == "source_file":
        told.pop("id")
    plain = {key: value.hex() if isinstance(value, bytes | memoryview) else value for key, value in told.items()}
    return json.dumps(plain, sort_keys=True, default=str)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One night with an attack, small enough to be run many times."""
    folder = tmp_path_factory.mktemp("drill")
    simulate(folder, nights=1)
    (log,) = folder.glob("*.jsonl.gz")
    return log


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes the URL of an empty database in a folder."""
    if request.param == "sqlite":
        yield lambda folder: f"sqlite:///{folder / 'nights.db'}"
        return
    admin = Store(request.getfixturevalue("postgres_url"))
    made: list[str] = []

    def make(_folder: Path) -> str:
        name = f"kill_{uuid.uuid4().hex[:12]}"
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        made.append(name)
        return admin.url.rsplit("/", 1)[0] + f"/{name}"

    yield make
    for name in made:
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.close()


def points(moments: list[str]) -> list[int]:
    """Choose moments of each kind of lasting step by seed; two statement commits, for scan and report commit so."""
    draw = random.Random(SEED)  # noqa: S311 - a seed, not a secret
    chosen = [draw.choice([n for n, what in enumerate(moments) if what.endswith(kind)]) for kind in KINDS]
    return sorted({*chosen, draw.choice([n for n, what in enumerate(moments) if what == "before statement commit"])})


@pytest.mark.slow
def test_a_killed_run_repeated_leaves_what_an_undisturbed_one_leaves(database: Any, log: Path, tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    calm = Site(tmp_path / "calm", database(tmp_path / "calm"), log)
    code, moments = calm.run(-1)
    expected = calm.state()
    for point in points(moments):
        folder = tmp_path / str(point)
        folder.mkdir()
        site = Site(folder, database(folder), log)
        killed, _ = site.run(point)
        assert killed == -9, f"the run outlived moment {point}, {moments[point]}"
        again, _ = site.run(-1)
        assert again == code
        state = site.state()
        for part, rows in expected.items():
            assert state[part] == rows, f"{part} differs after a kill {moments[point]} (moment {point})"
