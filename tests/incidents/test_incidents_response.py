from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from incident_making import campaign, finding, scan, stored

from detector.cli.incidents import incidents
from detector.errors import IncidentError
from detector.incidents import response
from detector.model import IncidentStatus, Technique
from detector.store.incident_bodies import Event, EventKind

if TYPE_CHECKING:
    from detector.model import Incident
    from detector.store.engine import Store

OPENED = "2026-11-25T06:00:00.000000Z"


def call(*arguments: str, store: Store) -> Result:
    return CliRunner().invoke(incidents, [*arguments, "--db", store.url])


def document(*arguments: str, store: Store) -> Any:
    result = call(*arguments, "--json", store=store)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def _ids(incident: Incident, sensitivity: Any) -> list[str]:
    return [one.id for one in response.steps(incident, sensitivity)]


def test_steps_fit_what_was_attacked(sqlite_store: Store) -> None:
    (made,) = scan(sqlite_store, 0, finding("alice"))
    assert _ids(made, "none") == [
        "suspend", "rotate-keys", "control", "preserve", "owner", "elsewhere", "exposure", "rotate-model",
        "personal-data", "lessons",
    ]  # fmt: skip
    assert _ids(made, "health")[8:] == [
        "officer", "authority", "data-subjects", "hipaa-individuals", "clients", "lessons",
    ]  # fmt: skip
    assert "hipaa-individuals" not in _ids(made, "biometric")
    (copied,) = scan(sqlite_store, 1, finding("bob", 1, technique=Technique.EXTRACTION, model="faces"), model="faces")
    assert _ids(copied, "health")[6:] == ["exposure", "rotate-model", "lessons"]
    (probed,) = scan(sqlite_store, 1, finding("eve", 1, technique=Technique.PROBING, model="eyes"), model="eyes")
    assert _ids(probed, "health")[4:] == ["owner", "elsewhere", "lessons"]


def test_deadlines_count_from_the_opening_at_the_earliest(sqlite_store: Store) -> None:
    (made,) = scan(sqlite_store, 0, finding("alice"))
    told = {one.id: one.deadline for one in response.steps(made, "health", OPENED)}
    assert told["authority"] == (
        "within 72 hours of becoming aware; 2026-11-28 06:00 UTC if that was when the incident was opened"
    )
    assert told["hipaa-individuals"].endswith("; 2027-01-24 06:00 UTC if that was when the incident was opened")
    assert {one.id: one.deadline for one in response.steps(made, "health")}["authority"].endswith("becoming aware")


def test_the_last_line_about_a_step_counts() -> None:
    step = response.Step("suspend", response.Stage.CONTAIN, "Suspend.")
    done, undone = EventKind.STEP_DONE, EventKind.STEP_UNDONE

    def line(at: str, what: EventKind, why: str | None) -> Event:
        return Event("INC-1", at, "kim", what, why)

    record = [line("1", done, "suspend: by: the gateway"), line("2", EventKind.NOTE, "suspend"), line("3", done, "x")]
    assert response.ticks([step], record) == (response.Tick(step, "1", "kim", "by: the gateway"),)
    assert response.ticks([step], [*record, line("4", undone, "suspend: mistaken")]) == (response.Tick(step),)
    assert response.ticks([step], [line("5", done, None)]) == (response.Tick(step),)


def test_ticks_are_kept_shown_and_taken_back(store: Store) -> None:
    (made,) = scan(store, 0, finding("alice"))
    told = document("tick", made.id[:9], "suspend", "--by", "kim", "--reason", "gateway rule 7", store=store)
    assert told["id"] == made.id
    assert told["steps"][0] == {
        "id": "suspend",
        "stage": "contain",
        "text": "Suspend or slow down the client on the model.",
        "deadline": None,
        "done": True,
        "at": told["steps"][0]["at"],
        "by": "kim",
        "note": "gateway rule 7",
    }
    assert document("steps", made.id, store=store) == told
    call("tick", made.id, "suspend", "--undo", "--by", "lee", store=store)
    after = document("steps", made.id, store=store)["steps"][0]
    assert (after["done"], after["by"]) == (False, None)
    record = document("show", made.id, store=store)["events"]
    assert [(one["who"], one["what"], one["why"]) for one in record[1:]] == [
        ("kim", "step done", "suspend: gateway rule 7"),
        ("lee", "step undone", "suspend"),
    ]


def test_ticking_says_what_it_did(store: Store) -> None:
    (made,) = scan(store, 0, finding("alice"))
    assert call("tick", made.id, "owner", "--by", "kim", store=store).output == (f"{made.id} owner done by kim\n")
    listed = call("steps", made.id, store=store).output
    assert "suspend" in listed
    assert "by kim" in listed.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("suspend",), "was done by kim"),
        (("owner", "--undo"), "is not done"),
        (("dance",), "has no step 'dance'"),
        (("owner", "--by", " "), "author"),
    ],
)
def test_what_cannot_be_ticked(store: Store, arguments: tuple[str, ...], said: str) -> None:
    (made,) = scan(store, 0, finding("alice"))
    call("tick", made.id, "suspend", "--by", "kim", store=store)
    refused = call("tick", made.id, *arguments, store=store)
    assert isinstance(refused.exception, IncidentError)
    assert said in str(refused.exception)


def test_an_incident_that_was_merged_is_left_alone(sqlite_store: Store) -> None:
    scan(sqlite_store, 0, finding("alice"), finding("bob"))
    scan(sqlite_store, 1, campaign("farm", ("alice", "bob"), 1))
    (merged,) = [one for one in stored(sqlite_store) if one.status is IncidentStatus.MERGED]
    refused = call("tick", merged.id, "suspend", "--by", "kim", store=sqlite_store)
    assert "was merged into" in str(refused.exception)
