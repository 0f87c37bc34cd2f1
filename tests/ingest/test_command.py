"""`detector ingest` as its users call it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from ingest_making import Bench, line

from detector.cli import cli
from detector.errors import ConfigError, DetectorError, NothingToReadError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(bench.folder.parent)
    return bench


def call(bench: Bench, *words: str | Path) -> Result:
    arguments = ["ingest", *map(str, words), "--db", bench.store.url]
    return CliRunner().invoke(cli, arguments)


def test_the_contract_s_json(site: Bench) -> None:
    path = site.write(line(), line(), "broken", line(request_id="b"))
    result = call(site, path, "--json", "--max-rejects", "0.5")
    assert result.exit_code == 0
    counts = {"read": 4, "stored": 2, "duplicate": 1, "rejected": 1}
    expected = {
        "files": [{"path": str(path), "status": "stored", **counts, "rejects": {"not_json": 1}}],
        "totals": counts,
    }
    assert expected == json.loads(result.stdout)
    again = json.loads(call(site, path, "--json", "--max-rejects", "0.5").stdout)
    assert again["files"][0]["status"] == "already_stored"
    assert again["totals"] == {"read": 4, "stored": 0, "duplicate": 3, "rejected": 1}


def test_totals_and_reasons_are_always_printed(site: Bench) -> None:
    path = site.write(line(), "broken", "also broken")
    for status in ("stored", "already stored"):
        result = call(site, path)
        assert result.exit_code == 4
        stored = 1 if status == "stored" else 0
        counts = f"read 3 = stored {stored} + duplicate {1 - stored} + rejected 2"
        assert f"{path}: {status}: {counts}\n" in result.stdout
        assert f"not_json: 2, first at {path}:2 (expected one JSON object on the line)" in result.stdout
        assert f"1 file: {counts}\n" in result.stdout
        assert "2 of 3 records were rejected (66.67 %, accepted 1 %)" in result.stderr


def test_quiet_prints_nothing_but_damage(site: Bench) -> None:
    assert call(site, site.write(line()), "--quiet").output == ""
    assert "nothing readable" in call(site, site.write("x", name="b.jsonl"), "--quiet").stderr


@pytest.mark.parametrize(
    ("rejects", "share", "code"), [(0, "0", 0), (1, None, 0), (2, None, 4), (2, "0.02", 0), (1, "0", 4)]
)
def test_the_share_of_rejects_decides(site: Bench, rejects: int, share: str | None, code: int) -> None:
    lines = [line(request_id=f"r{i}") for i in range(100 - rejects)] + ["broken"] * rejects
    words = ["--max-rejects", share] if share else []
    result = call(site, site.write(*lines), *words)
    assert result.exit_code == code
    assert len(site.rows()) == 100 - rejects


def test_a_cut_file_is_damage_and_the_rest_is_stored(site: Bench) -> None:
    path = site.folder / "a.jsonl.gz"
    path.write_bytes(gzip.compress("".join(line(request_id=f"r{i}") + "\n" for i in range(300)).encode())[:-30])
    result = call(site, path, "--json", "--max-rejects", "1")
    assert result.exit_code == 4
    (file,) = json.loads(result.stdout)["files"]
    assert file["stored"] > 100
    assert file["damage"] in result.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["missing.jsonl"], UsageError),
        (["empty"], NothingToReadError),
        (["log.jsonl", "--assume-tz", "Mars"], UsageError),
        (["log.jsonl", "--mapping", "missing.yaml"], ConfigError),
        (["log.jsonl", "--mapping", "log.jsonl"], ConfigError),
        (["log.jsonl", "missing.jsonl"], UsageError),
        (["log.jsonl", "--config", "missing.toml"], ConfigError),
        (["empty.jsonl"], NothingToReadError),
    ],
)
def test_wrong_calls_touch_nothing(site: Bench, words: list[str], error: type[DetectorError], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "log.jsonl").write_text(line() + "\n")
    result = CliRunner().invoke(cli, ["ingest", *words, "--db", "sqlite:///new.db"])
    assert isinstance(result.exception, error)
    assert result.exception.exit_code in {2, 3}
    assert site.ledger() == []
    if error is not NothingToReadError:
        assert not (tmp_path / "new.db").exists()


def test_the_process_exits_by_the_table(site: Bench) -> None:
    site.write(line(), name="log.jsonl")
    command = [sys.executable, "-c", "from detector.cli import main; main()", "ingest"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words, "--db", site.store.url], capture_output=True, text=True, check=False)

    done = run(str(site.folder), "--as-of", "2026-11-22T00:00:00Z")
    assert (done.returncode, done.stderr) == (0, "")
    assert site.ledger()[0]["ingested_at"] == "2026-11-22T00:00:00+00:00"
    wrong = run("nowhere")
    assert wrong.returncode == 2
    assert "nowhere: there is no such file or folder" in wrong.stderr


def test_names_from_outside_cannot_steer_the_terminal(site: Bench) -> None:
    path = site.write(line(), name="a\x1b[31m\n.jsonl")
    result = call(site, path)
    assert "\x1b" not in result.output
    assert result.exit_code == 0


def test_a_mapping_on_the_command_line(site: Bench) -> None:
    (site.folder / "m.yaml").write_text("fields: {timestamp: t, client_id: who, model: {const: m}}\n")
    path = site.write('{"t": "2026-01-02T03:04:05Z", "who": "c"}')
    assert call(site, path, "--mapping", site.folder / "m.yaml").exit_code == 0
    row: dict[str, Any] = site.rows()[0]
    assert (row["client_id"], row["model"]) == ("c", "m")


def test_progress_is_told_to_the_end(bench: Bench) -> None:
    from detector.ingest.options import IngestOptions
    from detector.ingest.pipeline import ingest

    path = bench.write(*(line(request_id=f"r{i}") for i in range(200)))
    told: list[tuple[int, int]] = []
    ingest(bench.store, [path], IngestOptions(block_bytes=10_000), lambda _, done, size: told.append((done, size)))
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert len(told) > 5


def test_a_look_begun_earlier_serves_the_first_file(bench: Bench) -> None:
    from detector.ingest.contents import Looking
    from detector.ingest.options import IngestOptions
    from detector.ingest.pipeline import ingest

    first, second = (bench.write(line(request_id=name), name=f"{name}.jsonl") for name in ("a", "b"))
    with Looking(first) as look:
        both = ingest(bench.store, [first, second], IngestOptions(), look=look)
    assert [(file.path, file.stored) for file in both.files] == [(first, 1), (second, 1)]
    with Looking(second) as look:
        again = ingest(bench.store, [first, second], IngestOptions(), look=look)
    assert [file.status.value for file in again.files] == ["already_stored", "already_stored"]


@pytest.mark.parametrize("content", [b"", b"\n", b"nothing", b'{"a": 1', b'{"timestamp": 1}\n' * 3, b"\x00\xff\n" * 9])
def test_a_rehearsal_on_anything_leaves_no_trace(tmp_path: Path, content: bytes) -> None:
    from detector.ingest.options import IngestOptions
    from detector.ingest.rehearsal import rehearse

    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    rehearse(path, IngestOptions())
    assert path.read_bytes() == content
