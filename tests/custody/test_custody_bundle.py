from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import rfc8785
from custody_making import Bundled, bundled, write
from evidence_making import CLIMB_QUERIES, LOG, MODEL, save
from sqlalchemy import update

from detector.config import AlertSettings, CustodySettings, ModelSettings, Settings
from detector.custody import bundle, probabilities, queries
from detector.custody.cells import restore
from detector.custody.plain import document, plain
from detector.custody.surroundings import HIDDEN, _masked, configuration, rule_files, rules_of
from detector.custody.verify import check, verify
from detector.detect.rules import load_rules
from detector.errors import ConfigError, CustodyError
from detector.model import Severity
from detector.store import tables

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_making import AttackedSite

PLAIN_MEMBERS = [
    "MANIFEST.json", "MANIFEST.sig", "report.html", "README.txt", "incident.json", "evidence/queries.json",
    "evidence/reconstruction.json", "evidence/confidence.json", "evidence/weights.json", "evidence/comparison.json",
    "evidence/privacy.json", "evidence/phases.json", "evidence/preconditions.json", "evidence/controls.json",
    "queries/queries.csv", "queries/queries.parquet",
    "queries/lines.csv", "queries/lines.parquet", "queries/inputs.parquet", "figures/confidence.json",
    "figures/portraits.json", "figures/pursuits.json", "figures/timeline.json", "configuration.json", "versions.json",
]  # fmt: skip


def _json(real: Bundled, name: str) -> Any:
    return json.loads(real.member(name))


def _parquet(real: Bundled, name: str) -> Any:
    return pq.read_table(io.BytesIO(real.member(name)))


def test_the_members_stand_in_their_order(real: Bundled) -> None:
    with zipfile.ZipFile(real.file) as archive:
        names = archive.namelist()
    # other items may join the checklist
    assert [name for name in names if name in PLAIN_MEMBERS] == PLAIN_MEMBERS
    assert {name.split("/")[0] for name in set(names) - set(PLAIN_MEMBERS)} <= {"evidence"}


def test_the_manifest_tells_each_member_and_source(real: Bundled) -> None:
    text = real.member("MANIFEST.json")
    manifest = json.loads(text)
    assert rfc8785.dumps(manifest) == text
    for one in manifest["members"]:
        content = real.member(one["name"])
        assert (one["size"], one["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    [source] = manifest["sources"]
    assert source["path"] == LOG
    assert (source["lines"], source["at_hand"]) == (CLIMB_QUERIES, True)
    assert manifest["signer"]["key_id"] == real.public.id
    assert (manifest["incident"], manifest["baseline"], manifest["redacted"]) == (
        real.site.incident.id,
        "digits@1",
        False,
    )


def test_the_report_is_the_page_beside_it(real: Bundled) -> None:
    assert real.member("report.html") == real.file.with_suffix(".html").read_bytes()


def test_every_query_is_there_with_its_place_and_answer(real: Bundled) -> None:
    table = _parquet(real, "queries/queries.parquet").to_pandas()
    assert len(table) == CLIMB_QUERIES
    assert list(table["line"]) == sorted(table["line"])
    assert set(table["phase"]) == {"climb towards 3", "refinement towards 3"}
    assert np.array_equal(table["held_row"], np.arange(CLIMB_QUERIES))
    last = dict(table["probabilities"].iloc[-1])
    assert sorted(last) == [str(number) for number in range(10)]
    assert max(last.values()) == pytest.approx(table["confidence"].iloc[-1], abs=1e-6)


def test_csv_and_parquet_tell_the_same(real: Bundled) -> None:
    for name, left_out in (("queries", {"probabilities"}), ("lines", set())):
        exact = _parquet(real, f"queries/{name}.parquet")
        shown = pyarrow.csv.read_csv(io.BytesIO(real.member(f"queries/{name}.csv")))
        assert shown.column_names == [one for one in exact.column_names if one not in left_out]
        assert shown.num_rows == exact.num_rows
        assert list(map(restore, shown["client_id"].to_pylist())) == exact["client_id"].to_pylist()


def test_a_raw_line_is_what_its_hash_says(real: Bundled) -> None:
    for row in _parquet(real, "queries/lines.parquet").slice(0, 50).to_pylist():
        assert hashlib.sha256(row["raw"].encode()).hexdigest() == row["raw_sha256"]


def test_what_was_sent_is_what_the_raw_line_holds(real: Bundled) -> None:
    sent = _parquet(real, "queries/inputs.parquet")
    assert sent["query"].to_pylist() == list(range(CLIMB_QUERIES))
    assert set(sent["kind"].to_pylist()) == {"vector"}
    raw = json.loads(_parquet(real, "queries/lines.parquet")["raw"][7].as_py())
    assert sent["vector"][7].as_py() == pytest.approx(raw["input"], abs=1e-6)
    assert sent["payload"].null_count == CLIMB_QUERIES


def test_the_reconstruction_is_there_as_data(real: Bundled) -> None:
    [found] = _json(real, "evidence/reconstruction.json")["reconstructions"]
    assert (found["target"], found["shape"]) == ("3", [8, 8, 1])
    assert len(found["best"][0]["vector"]) == 64
    row = found["best"][0]["row"]
    assert found["best"][0]["vector"] == pytest.approx(
        _parquet(real, "queries/inputs.parquet")["vector"][row].as_py(), abs=1e-6
    )


def test_figures_are_there_as_numbers(real: Bundled) -> None:
    confidence = _json(real, "figures/confidence.json")
    assert len(confidence["attack"]) == CLIMB_QUERIES
    assert confidence["benign"]["clients"] >= 1
    [pursuit] = _json(real, "figures/pursuits.json")
    assert len(pursuit["probability"]) == len(pursuit["rows"]) == CLIMB_QUERIES
    assert sum(_json(real, "figures/timeline.json")["telling"]) == CLIMB_QUERIES


def test_the_same_inputs_give_the_same_bytes(real: Bundled, tmp_path: Path) -> None:
    again = real.site.copy(tmp_path / "again")
    twin = write(again, "first", key=again.folder / "keys" / "detector-signing.key").read_bytes()
    assert write(again, "second", key=again.folder / "keys" / "detector-signing.key").read_bytes() == twin
    again.store.close()
    with zipfile.ZipFile(io.BytesIO(twin)) as archive:
        assert archive.read("queries/queries.parquet") == real.member("queries/queries.parquet")


def test_row_numbers_of_the_store_change_nothing(site: AttackedSite) -> None:
    first = write(site, "first").read_bytes()
    with site.store.begin() as connection:
        connection.execute(update(tables.query).values(id=2_000_000 - tables.query.c.id))
    assert write(site, "second").read_bytes() == first


def test_without_a_key_a_bundle_is_whole_and_says_that_nobody_signed(site: AttackedSite) -> None:
    file = write(site)
    found = verify(file)
    assert (found.valid, found.signed) == (True, False)
    assert found.manifest is not None
    assert found.manifest.signer is None
    assert "MANIFEST.sig" not in zipfile.ZipFile(file).namelist()


def test_a_redacted_bundle_holds_no_input(site: AttackedSite) -> None:
    file = write(site, redact=True)
    assert verify(file).valid
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        assert "queries/inputs.parquet" not in names
        assert list(json.loads(archive.read("evidence/reconstruction.json"))) == ["item"]
        lines = pq.read_table(io.BytesIO(archive.read("queries/lines.parquet")))
        assert json.loads(archive.read("MANIFEST.json"))["redacted"] is True
        raw = json.loads(first_raw(site))["input"]
        for name in names:
            assert json.dumps(raw[:4])[1:-1].replace(" ", "").encode() not in archive.read(name).replace(b" ", b"")
    assert "raw" not in lines.column_names
    assert lines["raw_sha256"].null_count == 0


def first_raw(site: AttackedSite) -> str:
    file = write(site, "whole")
    with zipfile.ZipFile(file) as archive:
        return str(pq.read_table(io.BytesIO(archive.read("queries/lines.parquet")))["raw"][0].as_py())


def test_a_source_that_is_gone_is_said(site: AttackedSite) -> None:
    (site.folder / LOG).unlink()
    found = verify(write(site))
    assert found.manifest is not None
    [source] = found.manifest.sources
    assert (source.lines, source.at_hand) == (0, False)
    assert source.told.startswith("source no longer at hand")


def test_lines_kept_before_the_source_went_stay(site: AttackedSite) -> None:
    write(site)
    (site.folder / LOG).unlink()
    found = verify(write(site))
    assert found.manifest is not None
    assert [source.lines for source in found.manifest.sources] == [CLIMB_QUERIES]


def test_queries_that_the_store_lost_leave_a_bundle_of_the_lines_kept(site: AttackedSite) -> None:
    with site.store.begin() as connection:
        connection.execute(tables.query.delete())
    file = write(site)
    assert verify(file).valid
    with zipfile.ZipFile(file) as archive:
        assert pq.read_table(io.BytesIO(archive.read("queries/queries.parquet"))).num_rows == 0
        assert archive.read("queries/queries.csv").count(b"\n") == 1


def test_hostile_text_stays_inside(site: AttackedSite) -> None:
    hostile = "=cmd|'/C calc'!A0\u202e\x1b[31m;=1+1\n../../x"
    with site.store.begin() as connection:
        connection.execute(update(tables.query).values(user_agent=hostile, label="3"))
        save(connection, replace(site.incident, summary=hostile, severity=Severity.HIGH))
    file = write(site)
    assert verify(file).valid
    with zipfile.ZipFile(file) as archive:
        assert all(name.replace("/", "").replace(".", "").replace("_", "").isalnum() for name in archive.namelist())
        exact = pq.read_table(io.BytesIO(archive.read("queries/queries.parquet")))
        shown = archive.read("queries/queries.csv")
    assert exact["user_agent"][0].as_py() == hostile
    assert "\u202e".encode() not in shown
    assert b"\x1b" not in shown
    assert shown.count(b"\n") == CLIMB_QUERIES + 1
    assert b"\"'=cmd|" in shown


def test_more_than_finds_room_is_left_out_and_said(site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "INPUT_BYTES", 64 * 4 * 100)
    monkeypatch.setattr(queries, "CHUNK", 37)
    monkeypatch.setattr(probabilities, "MOST_VALUES", 1)
    monkeypatch.setattr(probabilities, "_FEWEST", 2)
    file = write(site)
    found = verify(file)
    assert found.manifest is not None
    assert found.manifest.limits == [
        "Of each answer, the 2 largest probabilities are in the queries' table.",
        "173 of 260 inputs found no room: evenly spaced ones are held.",
    ]
    with zipfile.ZipFile(file) as archive:
        table = pq.read_table(io.BytesIO(archive.read("queries/queries.parquet")))
        sent = pq.read_table(io.BytesIO(archive.read("queries/inputs.parquet")))
    assert {len(one) for one in table["probabilities"].to_pylist()} == {2}
    assert sent["query"].to_pylist() == list(range(0, 260, 3))


def test_texts_of_the_rules_that_fired_are_there() -> None:
    known = rule_files(Settings(), load_rules())
    rule = load_rules().rules[0]
    from evidence_making import climb_incident, finding

    incident = climb_incident(findings=(finding(rule=rule.id), finding(id="b", rule="anomaly.tail")))
    [text] = rules_of(incident, known)
    assert text.member == f"rules/{rule.id}.yml"
    assert text.text == rule.file.read_bytes()
    assert rule_files(Settings(), None) == known


def test_a_configuration_without_its_secrets() -> None:
    settings = Settings(
        db="postgresql://scan:geheim@db.example/detector",
        alerts=AlertSettings(),
        models={MODEL: ModelSettings(sensitivity="health")},
    )
    shown = configuration(settings)
    assert "geheim" not in json.dumps(shown)
    assert shown["models"][MODEL]["sensitivity"] == "health"
    webhook = {"url": "https://user:pw@hooks.example/T0/abc?x=1", "api_key": "k", "list": [{"password": "p", "n": 1}]}
    assert _masked(webhook) == {
        "url": f"https://hooks.example/{HIDDEN}",
        "api_key": HIDDEN,
        "list": [{"password": HIDDEN, "n": 1}],
    }


def test_numbers_as_json_has_them() -> None:
    values = np.array([0.1, np.nan, np.inf], dtype=np.float32)
    assert plain(values) == [0.1, None, None]
    assert plain({"a": np.float32(0.1), "b": {3, 1}, "c": b"\xff", "d": object()}) == {
        "a": 0.1,
        "b": [1, 3],
        "c": "\\xff",
        "d": "(not exported: object)",
    }
    assert plain(np.array([["x", None]], dtype=object)) == [["x", None]]
    assert document("\ud800") == b'"\\\\ud800"\n'


def test_a_bundle_replaces_the_old_one_whole(site: AttackedSite) -> None:
    file = write(site)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []
    blocked = file.with_name("folder")
    (blocked / "x").mkdir(parents=True)
    with pytest.raises(CustodyError, match="cannot be written"):
        bundle.write(blocked, [b"x"])
    assert not file.with_name(".folder.tmp").exists()


def test_a_key_that_cannot_be_used_is_told_before_anything_is_written(site: AttackedSite) -> None:
    settings = site.settings.model_copy(update={"custody": CustodySettings(key=site.folder / "none.key")})
    with pytest.raises(ConfigError, match="cannot be read"):
        bundle.custodian(site.store, settings)


def test_a_second_site_signs_with_its_own_key(real: Bundled, site: AttackedSite) -> None:
    other = bundled(site)
    assert not check(other.data, real.public).valid
    assert check(other.data, other.public).valid
