"""A real attack in a real log: found, called by its name, and replayed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from evaluation_making import AS_OF
from page_reading import check

from detector.config import Settings
from detector.errors import NothingToReadError, StoreError
from detector.evaluate import replay
from detector.evaluate.document import evaluation_document
from detector.evaluate.labels import Labels
from detector.evaluate.page import write_evaluation
from detector.evaluate.service import EvaluateOptions, evaluate, scanned_files
from detector.features.scan import NightBounds
from detector.ingest.options import IngestOptions
from detector.jobs.nightly import site_rules
from detector.model import Severity
from detector.store.engine import Store
from detector.store.evaluating import Cut, client_nights, copy_of, cut_short
from detector.store.incidents import list_incidents
from detector.store.scanning import count_by_client

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation_making import Judged

    from detector.evaluate.results import Evaluation

LATEST = 1 << 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def found(judged: Judged) -> Evaluation:
    return measured(judged, prefixes=(30, 1000, 1_000_000))


def measured(judged: Judged, *, fail_on: Severity = Severity.MEDIUM, prefixes: tuple[int, ...] = ()) -> Evaluation:
    options = EvaluateOptions(AS_OF, fail_on=fail_on, resamples=100, prefixes=prefixes)
    return evaluate(judged.store, judged.labels, judged.settings, options)


def attacker(judged: Judged) -> str:
    (name,) = judged.labels.frame.loc[judged.labels.frame["attack"], "client"]
    return str(name)


def test_the_attack_is_found_and_called_an_inversion(found: Evaluation, judged: Judged) -> None:
    (attack,) = found.attacks
    assert (attack.technique, attack.told, attack.accounts, attack.found) == ("inversion", "inversion", 1, 1)
    every = found.detection[0]
    assert (every.attacks, every.clients_found, every.rate, every.technique_accuracy) == (1, 1, 1.0, 1.0)
    assert every.interval.low == pytest.approx(0.025)
    assert found.absent == found.unlabelled == 0
    assert found.queries == sum(one.queries for one in nights_of(judged.store))


def nights_of(store: Store) -> list[object]:
    with store.begin() as connection:
        return list(client_nights(connection))


def test_every_benign_client_night_is_counted_once(found: Evaluation, judged: Judged) -> None:
    with judged.store.begin() as connection:
        told = client_nights(connection)
    mine = attacker(judged)
    benign = [one for one in told if one.client != mine]
    before = [one for one in told if one.client == mine and one.night == "2026-11-10"]
    counted = sum(w.client_nights for w in found.workloads if w.family != "before_attack")
    assert counted == len(benign)
    assert [w.client_nights for w in found.workloads if w.family == "before_attack"] == ([1] if before else [])


def test_an_attack_is_found_early_but_not_at_once(found: Evaluation) -> None:
    (attack,) = found.attacks
    assert attack.first_prefix == 1000
    assert [(rate.name, rate.attacks, rate.within) for rate in found.replay.rates] == [
        ("all", 1, (0, 1, 1)),
        ("inversion", 1, (0, 1, 1)),
        ("inv_oneplusone", 1, (0, 1, 1)),
    ]


@pytest.mark.parametrize("prefix", [30, 1000])
def test_a_replayed_prefix_is_a_log_that_ends_there(
    found: Evaluation, judged: Judged, tmp_path: Path, prefix: int
) -> None:
    (attack,) = found.attacks
    log = cut_log(judged, tmp_path, prefix)
    options = EvaluateOptions(AS_OF, resamples=10, prefixes=())
    with scanned_files([log], Settings(), IngestOptions(as_of=AS_OF), AS_OF) as (store, settings):
        told = evaluate(store, judged.labels, settings, options)
    assert attack.first_prefix is not None
    assert told.attacks[0].found == int(attack.first_prefix <= prefix)
    assert told.queries < found.queries


def cut_log(judged: Judged, folder: Path, prefix: int) -> Path:
    """Write the drill's log without what the attacker sent after so many attack queries."""
    mine = judged.labels.frame[judged.labels.frame["attack"]].iloc[0]
    first = (EPOCH + timedelta(microseconds=int(mine["first_ts"]))).isoformat(timespec="microseconds")[:26]
    asked = 0
    out = folder / "cut.jsonl"
    with out.open("w", encoding="utf-8") as kept:
        for path in sorted(judged.folder.glob("*.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    record = json.loads(line)
                    if record["client_id"] == mine["client"] and record["timestamp"] >= first:
                        asked += 1
                        if asked > prefix:
                            continue
                    kept.write(line)
    return out


def test_replaying_leaves_the_store_as_it_is(found: Evaluation, judged: Judged) -> None:
    again = measured(judged, prefixes=(30, 1000, 1_000_000))
    assert evaluation_document(again) == evaluation_document(found)
    with judged.store.begin() as connection:
        assert attacker(judged) in list_incidents(connection, severity_at_least=Severity.MEDIUM)[0].clients


def test_a_higher_bar_finds_no_more(found: Evaluation, judged: Judged) -> None:
    bar = measured(judged, fail_on=Severity.CRITICAL)
    assert bar.detection[0].clients_found <= found.detection[0].clients_found
    low = measured(judged, fail_on=Severity.LOW)
    assert sum(w.alarming_nights for w in low.workloads) >= sum(w.alarming_nights for w in found.workloads)


def test_without_prefixes_nothing_is_replayed(judged: Judged) -> None:
    told = measured(judged).replay
    assert (told.rates, told.note) == ((), "no prefix was asked for")


def test_labels_of_another_log_are_refused(judged: Judged) -> None:
    other = Labels(judged.labels.file, judged.labels.frame.assign(model="another"))
    with pytest.raises(NothingToReadError, match="the labels know no client"):
        evaluate(judged.store, other, judged.settings, EvaluateOptions(AS_OF))


def test_unlabelled_clients_are_counted_apart(judged: Judged) -> None:
    frame = judged.labels.frame
    part = Labels(judged.labels.file, frame[frame["attack"] | (frame["family"] != "benign_ordinary")])
    told = evaluate(judged.store, part, judged.settings, EvaluateOptions(AS_OF, prefixes=()))
    assert told.unlabelled == int((~frame["attack"] & (frame["family"] == "benign_ordinary")).sum())
    assert "benign_ordinary" not in {w.family for w in told.workloads}


def test_cutting_a_client_short_leaves_the_others(judged: Judged, tmp_path: Path) -> None:
    mine = attacker(judged)
    copy = copy_of(judged.store, tmp_path / "copy.db")
    first = int(judged.labels.frame.loc[judged.labels.frame["attack"], "first_ts"].iloc[0])
    clients = judged.labels.frame["client"].tolist()
    with copy.begin() as connection:
        before = count_by_client(connection, "digits", 0, LATEST, clients)
        early = count_by_client(connection, "digits", 0, first, [mine])
        gone = cut_short(connection, [Cut("digits", mine, first), Cut("other", mine, 0)])
        after = count_by_client(connection, "digits", 0, LATEST, clients)
        assert cut_short(connection, []) == 0
    copy.close()
    assert after == before | early
    assert gone == before[mine] - early[mine]


def test_a_night_that_cutting_leaves_empty_has_no_findings(judged: Judged, tmp_path: Path) -> None:
    copy = copy_of(judged.store, tmp_path / "copy.db")
    midnight = NightBounds.of(date(2026, 11, 11), time(0)).first_ts
    with copy.begin() as connection:
        cut_short(connection, [Cut("digits", client, midnight - 1) for client in judged.labels.frame["client"]])
    judging = replay.Judging(judged.settings, Severity.MEDIUM, AS_OF)
    replay.judge_again(copy, "digits", date(2026, 11, 11), site_rules(judged.settings), judging)
    with copy.begin() as connection:
        nights = {one.night for one in client_nights(connection)}
        left = replay.alarms(connection, Severity.LOW)
    copy.close()
    assert nights == {"2026-11-10"}
    assert attacker(judged) not in set(left["client"])


def test_replay_says_why_it_cannot(judged: Judged, tmp_path: Path) -> None:
    assert "SQLite" in str(replay.why_not(Store("postgresql://nowhere/x"), judged.labels.frame, judged.settings))
    copy = copy_of(judged.store, tmp_path / "copy.db")
    with copy.begin() as connection:
        cut_short(connection, [Cut("digits", attacker(judged), 0)])
    told = evaluate(copy, judged.labels, judged.settings, EvaluateOptions(AS_OF, resamples=10))
    copy.close()
    assert "does not hold the raw queries" in str(told.replay.note)
    with pytest.raises(StoreError, match="only an embedded database"):
        copy_of(Store("postgresql://nowhere/x"), tmp_path / "other.db")


def test_the_page_keeps_to_the_reports_rules_and_repeats(found: Evaluation, tmp_path: Path) -> None:
    path = write_evaluation(found, tmp_path / "out", AS_OF)
    html = path.read_text(encoding="utf-8")
    page = check(html)
    assert path == tmp_path / "out" / "evaluation.html"
    for words in ("What was found of what is known", "inv_oneplusone/plain", "benign_retry_storm", "before_attack"):
        assert words in page.text
    assert write_evaluation(found, tmp_path / "again", AS_OF).read_text(encoding="utf-8") == html


def test_hostile_names_stay_text(judged: Judged, tmp_path: Path) -> None:
    frame = judged.labels.frame.assign(family="<script>alert(1)</script>\u202e", variant="\x1b[31m")
    options = EvaluateOptions(AS_OF, resamples=10, prefixes=())
    told = evaluate(judged.store, Labels(judged.labels.file, frame), judged.settings, options)
    page = check(write_evaluation(told, tmp_path, AS_OF).read_text(encoding="utf-8"))
    assert "<script>alert(1)</script>" in page.text
    assert not {"\u202e", "\x1b"} & set(page.text)
