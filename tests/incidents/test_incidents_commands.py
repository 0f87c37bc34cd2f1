from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from incident_making import campaign, finding, night, scan, stored

from detector.cli.incidents import incidents
from detector.cli.init import init
from detector.cli.suppress import suppress
from detector.config import ModelSettings, Privacy, Settings, load_settings
from detector.errors import ConfigError, IncidentError, UsageError
from detector.model import Severity, Trigger
from detector.store import incidents as rows

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from detector.store.engine import Store

AS_OF = "2026-11-25T06:00:00Z"
HOSTILE = "eve\x1b[2J\x1b]0;owned\x07\u202etxt.exe\u200b\r\n\x00\udcff<script>alert(1)</script>[red]x[/red]"


def call(command: click.Command, *arguments: str, store: Store | None = None) -> Result:
    options = () if store is None else ("--db", store.url)
    return CliRunner().invoke(command, [*arguments, *options], catch_exceptions=True)


def document(command: click.Command, *arguments: str, store: Store) -> Any:
    result = call(command, *arguments, "--json", store=store)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_list_prints_the_documented_json(store: Store) -> None:
    trigger = (Trigger("confidence_ascent", 0.97, 0.8, 6.5), Trigger("target_class", "7"))
    (made,) = scan(store, 0, finding("alice", trigger=trigger, p=0.001, query_count=512))
    with store.begin() as connection:
        rows.set_report(connection, made.id, "2026-11-10/x.html")
    assert document(incidents, "list", store=store) == {
        "incidents": [
            {
                "id": made.id,
                "status": "open",
                "severity": "high",
                "technique": "inversion",
                "techniques": ["inversion"],
                "model": "digits",
                "entity_kind": "client",
                "entity_id": "alice",
                "clients": ["alice"],
                "members": [{"client": "alice", "nights": ["2026-11-10"], "query_count": 512, "severity": "high"}],
                "first_seen": "2026-11-10T03:00:00.000000Z",
                "last_seen": "2026-11-10T04:00:00.000000Z",
                "nights": ["2026-11-10"],
                "query_count": 512,
                "score": 0.99,
                "findings": [
                    {
                        "rule": "inversion-climb",
                        "level": "high",
                        "night": "2026-11-10",
                        "trigger": {"confidence_ascent": 0.97, "target_class": "7"},
                    }
                ],
                "atlas": ["AML.T0024.001"],
                "report": "2026-11-10/x.html",
            }
        ]
    }


def test_show_adds_the_record_and_the_reasons(store: Store) -> None:
    (made,) = scan(store, 0, finding("alice"))
    shown = document(incidents, "show", made.id[:9], store=store)
    (listed,) = document(incidents, "list", store=store)["incidents"]
    assert {key: shown[key] for key in listed} == listed
    assert {key: shown[key] for key in shown if key not in listed} == {
        "summary": made.summary,
        "heir": None,
        "severity_reasons": ["starts at high: the highest level of a finding, Inversion climb"],
        "events": [
            {
                "at": "2026-11-25T06:00:00.000000Z",
                "who": "scan",
                "what": "opened",
                "why": "2026-11-10: Inversion climb (high); severity high",
            }
        ],
    }


def test_a_measurement_taken_several_times_is_a_list(sqlite_store: Store) -> None:
    trigger = (Trigger("count", 2.0), Trigger("finding", "f1"), Trigger("finding", "f2"))
    scan(sqlite_store, 0, finding(trigger=trigger))
    (listed,) = document(incidents, "list", store=sqlite_store)["incidents"]
    assert listed["findings"][0]["trigger"] == {"count": 2.0, "finding": ["f1", "f2"]}


def test_numbers_that_json_cannot_write_are_spelled_out(store: Store) -> None:
    trigger = (Trigger("a", float("nan")), Trigger("b", float("-inf"), float("inf"), float("inf")))
    scan(store, 0, finding(trigger=trigger, p=float("nan")))
    (listed,) = document(incidents, "list", store=store)["incidents"]
    assert listed["findings"][0]["trigger"] == {"a": "NaN", "b": "-Infinity"}
    assert listed["score"] == 0.99


def test_list_filters(store: Store) -> None:
    scan(store, 0, finding("alice"), finding("bob", level=Severity.MEDIUM))
    scan(store, 1, finding("carol", 1, model="faces"), model="faces")
    (bob,) = [one for one in stored(store) if one.clients == ("bob",)]
    call(incidents, "close", bob.id, "--reason", "x", store=store)

    def names(*options: str) -> list[str]:
        return [one["entity_id"] for one in document(incidents, "list", *options, store=store)["incidents"]]

    assert names() == ["alice", "carol"]
    assert names("--all") == ["alice", "carol", "bob"]
    assert names("--status", "closed") == ["bob"]
    assert names("--status", "closed", "--status", "open") == ["alice", "carol", "bob"]
    assert names("--model", "faces") == ["carol"]
    assert names("--night", "2026-11-11") == ["carol"]
    assert names("--all", "--min-severity", "high") == ["alice", "carol"]


def test_decisions_from_the_command_line(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    for arguments, status in (
        (("ack", made.id), "acknowledged"),
        (("close", made.id, "--reason", "a drill"), "closed"),
        (("reopen", made.id, "--reason", "no drill"), "open"),
        (("note", made.id, "asked the team"), "open"),
        (("note", made.id, "--reason", "they answered"), "open"),
    ):
        changed = document(incidents, *arguments, "--by", "ann", "--as-of", AS_OF, store=store)
        assert (changed["id"], changed["status"]) == (made.id, status)
    record = document(incidents, "show", made.id, store=store)["events"][1:]
    assert [(line["who"], line["what"], line["why"]) for line in record] == [
        ("ann", "acknowledged", None),
        ("ann", "closed", "a drill"),
        ("ann", "reopened", "no drill"),
        ("ann", "note", "asked the team"),
        ("ann", "note", "they answered"),
    ]
    assert {line["at"] for line in record} == {"2026-11-25T06:00:00.000000Z"}


def test_who_decides_is_the_systems_user_unless_named(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "nightwatch")
    (made,) = scan(sqlite_store, 0, finding())
    assert call(incidents, "ack", made.id, store=sqlite_store).stdout == f"{made.id} acknowledged by nightwatch\n"


def test_who_decides_must_be_known(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nobody)
    (made,) = scan(sqlite_store, 0, finding())
    result = call(incidents, "ack", made.id, store=sqlite_store)
    assert isinstance(result.exception, UsageError)
    assert result.exception.expected == "--by NAME"


def test_closing_needs_a_reason(sqlite_store: Store) -> None:
    (made,) = scan(sqlite_store, 0, finding())
    assert call(incidents, "close", made.id, store=sqlite_store).exit_code == 2
    blank = call(incidents, "close", made.id, "--reason", " ", store=sqlite_store)
    assert isinstance(blank.exception, IncidentError)
    assert blank.exception.exit_code == 2


def test_an_unknown_incident(sqlite_store: Store) -> None:
    result = call(incidents, "show", "INC-\x1b[31m", store=sqlite_store)
    assert isinstance(result.exception, IncidentError)
    assert str(result.exception).startswith(r"there is no incident 'INC-\x1b[31m'")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (incidents, ("list",)),
        (incidents, ("show", "INC-1")),
        (incidents, ("close", "INC-1", "--reason", "x", "--by", "ann")),
        (suppress, ("list",)),
        (suppress, ("add", "--rule", "r", "--until", "2099-01-01", "--reason", "x", "--by", "ann")),
    ],
)
def test_a_missing_database_says_what_to_run(
    tmp_path: Path, command: click.Command, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "nowhere.db"
    result = call(command, *arguments, "--db", f"sqlite:///{file}")
    assert isinstance(result.exception, UsageError)
    assert "detector run PATH" in str(result.exception.expected)
    assert result.exception.exit_code == 2
    assert not file.exists()


def test_suppressing_from_the_command_line(store: Store) -> None:
    (made,) = scan(store, 0, finding())
    options = ("--until", "2026-11-30", "--reason", "known", "--by", "ann", "--as-of", AS_OF)
    added = document(suppress, "add", "--client", "alice", *options, store=store)
    expected = {
        "id": 1,
        "active": True,
        "rule": None,
        "client": "alice",
        "network": None,
        "until": "2026-11-30",
        "reason": "known",
        "author": "ann",
        "created_at": "2026-11-25T06:00:00.000000Z",
        "removed_at": None,
        "removed_by": None,
        "removed_reason": None,
    }
    assert added["suppression"] == expected
    assert [(one["id"], one["status"]) for one in added["incidents"]] == [(made.id, "suppressed")]
    assert document(suppress, "list", "--as-of", AS_OF, store=store) == {"suppressions": [expected]}
    # The day after, nothing has scanned yet: what a person sees is right all the same.
    after = ("--as-of", "2026-12-01T00:00:00Z")
    assert document(suppress, "list", *after, store=store) == {"suppressions": []}
    assert document(suppress, "list", "--all", *after, store=store) == {"suppressions": [{**expected, "active": False}]}
    assert document(incidents, "list", "--as-of", AS_OF, store=store)["incidents"] == []
    assert [one["id"] for one in document(incidents, "list", *after, store=store)["incidents"]] == [made.id]
    assert document(incidents, "show", made.id, *after, store=store)["status"] == "open"
    removed = document(suppress, "remove", "1", "--reason", "over", "--by", "ben", "--as-of", AS_OF, store=store)
    assert (removed["suppression"]["removed_by"], removed["incidents"][0]["status"]) == ("ben", "open")


@pytest.mark.parametrize("missing", ["--until", "--reason"])
def test_a_suppression_needs_an_end_and_a_reason(sqlite_store: Store, missing: str) -> None:
    options = {"--until": "2026-11-30", "--reason": "known"}
    del options[missing]
    flat = [part for pair in options.items() for part in pair]
    assert call(suppress, "add", "--rule", "r", *flat, store=sqlite_store).exit_code == 2


def test_a_person_reads_a_table(sqlite_store: Store) -> None:
    scan(sqlite_store, 0, finding("alice"), campaign("ring", ["bob", "carol"], level=Severity.LOW, query_count=2500))
    first, second = stored(sqlite_store)
    lines = [line.split() for line in call(incidents, "list", store=sqlite_store).stdout.splitlines()]
    assert lines == [
        ["incident", "severity", "status", "technique", "model", "who", "nights", "queries", "score"],
        [first.id, "high", "open", "inversion", "digits", "alice", "2026-11-10", "1,000", "0.990"],
        [
            *(second.id, "low", "open", "inversion", "digits"),
            *("campaign", "ring", "(2", "clients)", "2026-11-10", "2,500", "0.500"),
        ],
        ["2", "incidents"],
    ]


def test_nothing_to_show_is_said(sqlite_store: Store) -> None:
    assert call(incidents, "list", store=sqlite_store).stdout == "no incidents\n"
    assert call(suppress, "list", store=sqlite_store).stdout == "no suppressions\n"
    assert document(incidents, "list", store=sqlite_store) == {"incidents": []}


def test_quiet_says_nothing(sqlite_store: Store) -> None:
    (made,) = scan(sqlite_store, 0, finding())
    for arguments in (("list",), ("show", made.id), ("ack", made.id), ("note", made.id, "x")):
        result = call(incidents, *arguments, "--quiet", store=sqlite_store)
        assert (result.exit_code, result.output) == (0, "")


def test_a_page_shows_what_is_known(sqlite_store: Store) -> None:
    many = [f"c{number:02}" for number in range(50)]
    (made,) = scan(sqlite_store, 0, campaign("ring", many, p=0.0001))
    page = call(incidents, "show", made.id, store=sqlite_store).stdout
    for part in (made.id, "50 accounts acting together", "c39", "and 10 more; --json shows all", "campaign-pool"):
        assert part in page
    assert "c41" not in page


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_ids_are_whole_at_every_width(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    (made,) = scan(sqlite_store, 0, finding("宽" * 60))
    assert made.id in call(incidents, "list", store=sqlite_store).stdout


def test_hostile_ids_stay_text(store: Store) -> None:
    (made,) = scan(store, 0, finding(HOSTILE, rule=HOSTILE, model=HOSTILE, target=HOSTILE), model=HOSTILE)
    assert made.entity_id == HOSTILE
    with store.begin() as connection:
        rows.set_report(connection, made.id, "x/\x1b[0m.html")
    call(incidents, "note", made.id, "see \x1b[1mhere", "--by", "ann\x1b[0m", store=store)
    for arguments in (("list",), ("show", made.id), ("ack", made.id, "--by", "\x1b[5mann")):
        output = call(incidents, *arguments, store=store).stdout
        assert made.id in output
        assert not {character for character in output if ord(character) < 32} - {"\n"}
        assert not {"\u202e", "\u200b", "\udcff", "\x7f", "\x9b"} & set(output)
        json_output = call(incidents, *arguments[:2], "--json", store=store).stdout if arguments[0] != "ack" else ""
        assert json_output.isascii()
    assert document(incidents, "list", store=store)["incidents"][0]["entity_id"] == HOSTILE
    options = ("--until", "2099-01-01", "--reason", "\x1b[2J", "--by", "ann", "--client", HOSTILE.replace("\x00", ""))
    call(suppress, "add", *options, store=store)
    assert "\x1b" not in call(suppress, "list", store=store).stdout


def test_init_writes_what_load_settings_reads(tmp_path: Path) -> None:
    file = tmp_path / "detector.toml"
    assert call(init, "--config", str(file)).output == f"wrote {file}\n"
    assert load_settings(file) == Settings()
    text = file.read_text(encoding="utf-8")
    switched_on = [line[1:] if line[:1] == "#" and line[1:2] not in {" ", ""} else line for line in text.splitlines()]
    file.write_text("\n".join(switched_on), encoding="utf-8")
    loaded = load_settings(file)
    assert loaded.models["digits"].sensitivity == "health"
    assert loaded.models["digits"].training_sample == tmp_path / "train.parquet"
    assert loaded.clients["svc-batch"].workload == "nightly batch"
    written = tomllib.loads("\n".join(switched_on))
    assert set(written) == set(Settings.model_fields)
    assert set(written["models"]["digits"]) == set(ModelSettings.model_fields)
    assert set(written["models"]["digits"]["privacy"]) == set(Privacy.model_fields)
    for name in ("identity", "alerts", "retention", "thresholds"):
        assert set(written[name]) == set(type(getattr(loaded, name)).model_fields)


def test_init_keeps_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("# mine\n", encoding="utf-8")
    refused = call(init, "--config", str(file))
    assert isinstance(refused.exception, UsageError)
    assert file.read_text(encoding="utf-8") == "# mine\n"
    assert call(init, "--config", str(file), "--force", "--quiet").output == ""
    assert file.read_text(encoding="utf-8") != "# mine\n"


def test_init_writes_the_database_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    url = 'postgresql://me@host/db?application_name="x"\\'
    printed = json.loads(call(init, "--config", str(file), "--db", url, "--json").stdout)
    assert printed == {"config": str(file)}
    assert load_settings(file).db == url


def test_init_needs_a_folder(tmp_path: Path) -> None:
    result = call(init, "--config", str(tmp_path / "nowhere" / "detector.toml"))
    assert isinstance(result.exception, UsageError)


def test_a_wrong_configuration_is_told_before_anything_else(tmp_path: Path, sqlite_store: Store) -> None:
    file = tmp_path / "detector.toml"
    file.write_text("[alerts]\nfail_on = 'often'\n", encoding="utf-8")
    assert isinstance(call(incidents, "list", "--config", str(file), store=sqlite_store).exception, ConfigError)


def test_nights_are_dates() -> None:
    assert night(0).isoformat() == "2026-11-10"
