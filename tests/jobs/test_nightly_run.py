"""The nightly job as a user runs it: processes, files, exit codes."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from drill_runs import AS_OF, NIGHTS, Done, detector, log_of

if TYPE_CHECKING:
    from pathlib import Path


def run(cwd: Path, *arguments: str | Path, db: str = "sqlite:///nights.db") -> Done:
    return detector("run", *arguments, "--db", db, "--as-of", AS_OF, "--json", cwd=cwd)


@pytest.fixture(scope="module")
def worked(drill: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Done]]:
    """A folder in which the three nights were run one after the other, and what each run left."""
    cwd = tmp_path_factory.mktemp("worked")
    return cwd, [run(cwd, log_of(drill, night), "--config", drill / "detector.toml") for night in NIGHTS]


def attackers(drill: Path) -> list[str]:
    with (drill / "labels.csv").open() as file:
        return sorted(row["client_id"] for row in csv.DictReader(file) if row["is_attack"] == "True")


def test_clean_nights_exit_0_and_the_attack_by_its_severity(worked: tuple[Path, list[Done]]) -> None:
    _, done = worked
    codes = [one.code for one in done]
    assert codes[:2] == [0, 0]
    assert codes[2] in {13, 14}


def test_the_attacker_and_nobody_else_is_in_an_incident_of_inversion(
    worked: tuple[Path, list[Done]], drill: Path
) -> None:
    cwd, _ = worked
    told = detector("incidents", "list", "--db", "sqlite:///nights.db", "--json", cwd=cwd).document["incidents"]
    grave = [one for one in told if one["severity"] != "low"]
    assert [one["technique"] for one in grave] == ["inversion"]
    assert sorted(grave[0]["clients"]) == attackers(drill)
    assert grave[0]["nights"] == [NIGHTS[2]]
    assert (cwd / "reports" / grave[0]["report"]).is_file()


def test_totals_add_up(worked: tuple[Path, list[Done]]) -> None:
    _, done = worked
    for one in done:
        totals = one.document["ingest"]["totals"]
        assert totals["read"] == totals["stored"] + totals["duplicate"] + totals["rejected"]
        assert totals["read"] == sum(night["queries"] for night in one.document["nights"])


def test_reports_are_there_for_every_night(worked: tuple[Path, list[Done]]) -> None:
    cwd, _ = worked
    assert (cwd / "reports" / "index.html").is_file()
    for night in NIGHTS:
        assert (cwd / "reports" / night / "index.html").is_file()


def test_all_nights_can_be_asked_for_by_the_ends_of_the_calendar(
    worked: tuple[Path, list[Done]], tmp_path: Path
) -> None:
    cwd, _ = worked
    shutil.copy(cwd / "nights.db", tmp_path)
    span = ("--since", "0001-01-01", "--until", "9999-12-31")
    done = detector("scan", *span, "--db", "sqlite:///nights.db", "--as-of", AS_OF, "--json", cwd=tmp_path)
    assert [night["night"] for night in done.document["nights"]] == list(NIGHTS)


def test_a_repeated_run_says_the_same_and_stores_nothing(
    worked: tuple[Path, list[Done]], drill: Path, tmp_path: Path
) -> None:
    cwd, done = worked
    shutil.copytree(cwd, tmp_path / "again")
    again = run(tmp_path / "again", log_of(drill, NIGHTS[2]), "--config", drill / "detector.toml")
    assert again.code == done[2].code
    assert again.document["ingest"]["totals"]["stored"] == 0
    assert without_ingest(again.document) == without_ingest(done[2].document)
    before, after = cwd / "reports" / NIGHTS[2], tmp_path / "again" / "reports" / NIGHTS[2]
    for page in sorted(before.glob("INC-*.html")):
        assert (after / page.name).read_bytes() == page.read_bytes()


def without_ingest(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "ingest"}


@pytest.mark.postgres
def test_both_databases_print_the_same_bytes(
    worked: tuple[Path, list[Done]], drill: Path, postgres_url: str, tmp_path: Path
) -> None:
    cwd, done = worked
    other = [
        run(tmp_path, log_of(drill, night), "--config", drill / "detector.toml", db=postgres_url) for night in NIGHTS
    ]
    assert [one.out for one in other] == [one.out for one in done]
    listed = ("incidents", "list", "--all", "--json")
    expected = detector(*listed, "--db", "sqlite:///nights.db", cwd=cwd).out
    assert detector(*listed, "--db", postgres_url, cwd=tmp_path).out == expected
    client = attackers(drill)[0]
    explained = detector("explain", client, "--json", "--db", "sqlite:///nights.db", cwd=cwd).out
    assert detector("explain", client, "--json", "--db", postgres_url, cwd=tmp_path).out == explained


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (("--exit-zero",), {0}),
        (("--exit-style", "plain"), {1}),
        (("--exit-style", "nagios"), {2}),
        (("--exit-style=nagios", "--exit-zero"), {0}),
    ],
)
def test_exit_options(worked: tuple[Path, list[Done]], drill: Path, options: tuple[str, ...], codes: set[int]) -> None:
    cwd, _ = worked
    assert run(cwd, log_of(drill, NIGHTS[2]), "--config", drill / "detector.toml", *options).code in codes


def test_all_nights_at_once_are_handled_oldest_first(drill: Path, tmp_path: Path) -> None:
    told = run(tmp_path, drill, "--config", drill / "detector.toml").document
    assert [night["night"] for night in told["nights"]] == list(NIGHTS)


def test_one_night_of_many_is_scanned_and_all_are_stored(drill: Path, tmp_path: Path) -> None:
    done = run(tmp_path, drill, "--night", NIGHTS[0], "--config", drill / "detector.toml")
    assert done.code == 0
    assert [night["night"] for night in done.document["nights"]] == [NIGHTS[0]]
    later = detector(
        "scan", "--night", NIGHTS[2], "--db", "sqlite:///nights.db", "--as-of", AS_OF, "--json", cwd=tmp_path
    )
    assert later.code in {13, 14}


def test_a_night_without_queries_is_never_clean(drill: Path, tmp_path: Path) -> None:
    for style, code in (("detector", 3), ("plain", 3), ("nagios", 3)):
        done = run(tmp_path, log_of(drill, NIGHTS[0]), "--night", "2026-01-01", "--exit-style", style)
        assert (done.code, done.out) == (code, "")
        assert "no query" in done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere.jsonl",), 2),
        (("--no-such-option",), 2),
        ((".", "--db", "mysql://somewhere/else"), 2),
        ((".", "--config", "nowhere.toml"), 2),
        ((".", "--mapping", "nowhere.yml"), 2),
        ((".", "--assume-tz", "Mars/Olympus"), 2),
        ((".", "--as-of", "2026-11-20T00:00:00"), 2),
        ((".",), 3),
    ],
)
def test_what_cannot_be_run_touches_nothing(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = detector("run", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (code, "")
    assert done.err != ""
    assert sorted(tmp_path.rglob("reports")) == []


def test_a_truncated_log_is_reported_and_exits_4(drill: Path, tmp_path: Path) -> None:
    whole = log_of(drill, NIGHTS[0]).read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    done = run(tmp_path, "cut.jsonl.gz")
    assert done.code == 4
    assert done.document["ingest"]["totals"]["stored"] > 0
    assert "cut.jsonl.gz" in done.err
    assert run(tmp_path, "cut.jsonl.gz", "--exit-style", "plain").code == 3


def test_late_records_make_the_later_nights_be_judged_anew(drill: Path, tmp_path: Path) -> None:
    config = ("--config", drill / "detector.toml")
    in_order, late = tmp_path / "in_order", tmp_path / "late"
    for folder, nights in ((in_order, NIGHTS), (late, (NIGHTS[0], NIGHTS[2], NIGHTS[1]))):
        folder.mkdir()
        for night in nights:
            run(folder, log_of(drill, night), *config)
    listed = ("incidents", "list", "--all", "--json", "--db", "sqlite:///nights.db")
    told = [detector(*listed, cwd=folder).document["incidents"] for folder in (in_order, late)]
    assert [one["id"] for one in told[1]] == [one["id"] for one in told[0]]
    assert [one["findings"] for one in told[1]] == [one["findings"] for one in told[0]]


def test_the_night_is_told_to_the_reader_as_judged_by_rules_alone(worked: tuple[Path, list[Done]]) -> None:
    _, done = worked
    assert "rules alone" in done[0].document["nights"][0]["judged_by"]


def test_the_database_is_whole_afterwards(worked: tuple[Path, list[Done]]) -> None:
    cwd, _ = worked
    done = detector("db", "check", "--db", "sqlite:///nights.db", "--json", cwd=cwd)
    assert (done.code, done.document) == (0, {"ok": True, "problems": []})
