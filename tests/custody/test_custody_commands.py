from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from custody_making import Bundled, rezipped
from evidence_making import AS_OF, NIGHT

from detector.cli.keys import keys
from detector.cli.report import report
from detector.cli.verify import verify
from detector.config import load_settings
from detector.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import pytest
    from click.testing import Result
    from evidence_making import AttackedSite


def run(*arguments: object) -> Result:
    return CliRunner().invoke(verify, [str(one) for one in arguments])


def test_keys_are_made_and_told(tmp_path: Path) -> None:
    made = CliRunner().invoke(keys, ["new", "--out", str(tmp_path / "keys"), "--json"])
    told = json.loads(made.stdout)
    assert made.exit_code == 0
    assert set(told) == {"key_id", "private", "public"}
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {"detector-signing.key", "detector-signing.pub"}
    again = CliRunner().invoke(keys, ["new", "--out", str(tmp_path / "keys")])
    assert isinstance(again.exception, UsageError)
    assert again.exception.exit_code == 2
    words = CliRunner().invoke(keys, ["new", "--out", str(tmp_path / "others")])
    assert "key id" in words.stdout
    assert CliRunner().invoke(keys, ["new", "--out", str(tmp_path / "quiet"), "--quiet"]).stdout == ""


def test_a_valid_bundle_exits_0(real: Bundled) -> None:
    pinned = run(real.file, "--key", real.public_file)
    assert (pinned.exit_code, "signed by the pinned key" in pinned.stdout) == (0, True)
    loose = run(real.file)
    assert (loose.exit_code, "compare it with the one you were told" in loose.stdout) == (0, True)
    assert run(real.file, "--quiet").stdout == ""


def test_a_changed_bundle_exits_1_and_names_what_differs(real: Bundled, tmp_path: Path) -> None:
    changed = tmp_path / "changed.zip"
    changed.write_bytes(rezipped(real.data, without="incident.json", extra=(("\x1b[31mx", b""),)))
    words = run(changed, "--quiet")
    assert words.exit_code == 1
    assert "NOT VALID" in words.stdout
    assert "removed incident.json: the manifest lists it, and it is not there" in words.stdout
    assert "added \\x1b[31mx: the manifest does not list it" in words.stdout
    assert "\x1b" not in words.stdout
    told = json.loads(run(changed, "--json").stdout)
    assert (told["valid"], told["pinned"]) == (False, False)
    assert {"kind": "removed", "member": "incident.json", "told": "the manifest lists it, and it is not there"} in told[
        "problems"
    ]


def test_json_tells_who_signed(real: Bundled) -> None:
    told = json.loads(run(real.file, "--json", "--key", real.public_file).stdout)
    assert (told["valid"], told["signed"], told["pinned"], told["problems"]) == (True, True, True, [])
    assert told["key_id"] == real.public.id
    assert told["incident"] == real.site.incident.id
    assert told["members"] >= 20


def test_what_is_no_bundle_exits_1_and_a_missing_file_or_key_2(real: Bundled, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    assert run(tmp_path / "text").exit_code == 1
    assert run(tmp_path / "none").exit_code == 2
    failed = run(real.file, "--key", tmp_path / "text")
    assert isinstance(failed.exception, ConfigError)
    assert failed.exception.exit_code == 2


def test_report_writes_a_bundle_beside_each_page(site: AttackedSite) -> None:
    made = CliRunner().invoke(keys, ["new", "--out", "keys", "--json"])
    Path("detector.toml").write_text('[custody]\nkey = "keys/detector-signing.key"\n', encoding="utf-8")
    done = CliRunner().invoke(report, ["--out", "out", "--as-of", AS_OF.isoformat(), "--db", site.store.url])
    assert done.exit_code == 0, done.output
    bundle = Path("out") / str(NIGHT) / f"{site.incident.id}.zip"
    assert bundle.with_suffix(".html").is_file()
    told = json.loads(run(bundle, "--key", "keys/detector-signing.pub", "--json").stdout)
    assert (told["valid"], told["key_id"]) == (True, json.loads(made.stdout)["key_id"])


def test_an_unsigned_bundle_is_called_so(site: AttackedSite, real: Bundled) -> None:
    CliRunner().invoke(report, ["--out", "out", "--as-of", AS_OF.isoformat(), "--db", site.store.url])
    bundle = Path("out") / str(NIGHT) / f"{site.incident.id}.zip"
    loose = run(bundle)
    assert (loose.exit_code, "UNSIGNED" in loose.stdout) == (0, True)
    pinned = run(bundle, "--key", real.public_file)
    assert (pinned.exit_code, "unsigned: nobody signed this bundle" in pinned.stdout) == (1, True)


def test_the_key_is_named_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "detector.toml").write_text('[custody]\nkey = "k.key"\n', encoding="utf-8")
    assert load_settings(tmp_path / "detector.toml").custody.key == tmp_path / "k.key"
    monkeypatch.setenv("DETECTOR_CUSTODY__KEY", "/elsewhere/k.key")
    assert load_settings(tmp_path / "detector.toml").custody.key == Path("/elsewhere/k.key")
