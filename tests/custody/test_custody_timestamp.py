from __future__ import annotations

import functools
import json
import random
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from custody_making import small, small_members
from evidence_making import AS_OF, LOG, NIGHT
from timestamp_making import REFUSAL, Authority, Server, authority, serving

from detector.cli.report import report
from detector.cli.run import run as nightly
from detector.cli.verify import verify as verify_command
from detector.config import CustodySettings, load_settings
from detector.custody import stamping, timestamp
from detector.custody.authority import ask
from detector.custody.bundle import write
from detector.custody.layout import lay_out, pack
from detector.custody.stamping import Stamper, examine, put, stamper, token_path
from detector.custody.timestamp import LARGEST_REPLY, parse, read_roots, request, signature_differs
from detector.custody.verify import Trouble, verify
from detector.errors import ConfigError, CustodyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result
    from evidence_making import AttackedSite

OTHER = b"".join(lay_out([*small_members(), pack("more.txt", b"x", deflate=False)]))
QUICK = functools.partial(ask, silence=0.3, patience=0.8)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "one")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "two", "Stranger")


@pytest.fixture
def server(tsa: Authority) -> Iterator[Server]:
    with serving(tsa.answer) as started:
        yield started


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "out" / "INC-1.zip"


def store(bundle: Path, by: Stamper | None, data: bytes | None = None) -> Path:
    """Write a bundle as a run does, and return where its time stamp lies, if it got one."""
    pieces = [small() if data is None else data]
    put(bundle, pieces, by, lambda: write(bundle, pieces))
    return token_path(bundle)


def stamped_by(server: Server, roots: Path | None) -> Stamper:
    return Stamper(server.url, read_roots(roots) if roots is not None else None, QUICK)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(verify_command, [str(one) for one in arguments])


def told(found: Any) -> list[tuple[Trouble, str]]:
    return [(one.trouble, one.told) for one in found.problems]


def test_a_time_stamp_lies_beside_the_bundle_and_changes_no_byte_of_it(
    bundle: Path, server: Server, tsa: Authority
) -> None:
    by = stamped_by(server, tsa.roots)
    token = store(bundle, by)
    assert (token.name, by.warnings) == ("INC-1.zip.tsr", ())
    assert bundle.read_bytes() == small()
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["INC-1.zip", "INC-1.zip.tsr"]
    found = verify(bundle, roots=read_roots(tsa.roots), stamped=True)
    assert (found.valid, found.stamp and found.stamp.authority) == (True, "CN=Test authority,O=Tests")
    assert found.stamp is not None
    assert found.stamp.time is not None
    assert abs(found.stamp.time.timestamp() - time.time()) < 60


def test_openssl_agrees(bundle: Path, server: Server, tsa: Authority) -> None:
    token = store(bundle, stamped_by(server, tsa.roots))
    tsa.openssl("ts", "-verify", "-in", str(token), "-data", str(bundle), "-CAfile", "ca.pem")


def test_the_same_command_again_asks_nobody_and_keeps_the_token(bundle: Path, server: Server, tsa: Authority) -> None:
    first = store(bundle, stamped_by(server, tsa.roots)).read_bytes()
    assert store(bundle, stamped_by(server, tsa.roots)).read_bytes() == first
    assert store(bundle, None).read_bytes() == first
    assert len(server.asked) == 1


def test_a_token_outlives_a_bundle_that_was_lost_and_written_again(bundle: Path, server: Server) -> None:
    first = store(bundle, stamped_by(server, None)).read_bytes()
    bundle.unlink()
    assert store(bundle, stamped_by(server, None)).read_bytes() == first


def test_another_bundle_gets_another_token(bundle: Path, server: Server, tsa: Authority) -> None:
    first = store(bundle, stamped_by(server, tsa.roots)).read_bytes()
    second = store(bundle, stamped_by(server, tsa.roots), OTHER).read_bytes()
    assert second != first
    assert verify(bundle, roots=read_roots(tsa.roots), stamped=True).stamp is not None
    assert parse(second).covers(OTHER)


def test_no_token_of_other_bytes_stays(bundle: Path, server: Server, tsa: Authority) -> None:
    store(bundle, stamped_by(server, tsa.roots))
    server.status = 503
    by = stamped_by(server, tsa.roots)
    assert not store(bundle, by, OTHER).exists()
    assert len(by.warnings) == 1
    server.status = 200
    assert store(bundle, stamped_by(server, tsa.roots), OTHER).exists()
    assert not store(bundle, None).exists()


def test_a_kept_token_that_is_not_right_is_told_and_left(
    bundle: Path, server: Server, tsa: Authority, stranger: Authority
) -> None:
    first = store(bundle, stamped_by(server, tsa.roots)).read_bytes()
    by = stamped_by(server, stranger.roots)
    assert store(bundle, by).read_bytes() == first
    assert "leads to none of the given roots" in by.warnings[0]


def other_nonce(tsa: Authority, _: bytes) -> bytes:
    return tsa.answer(request(small()).body)


def other_imprint(tsa: Authority, _: bytes) -> bytes:
    return tsa.answer(request(OTHER).body)


def spoiled(tsa: Authority, query: bytes) -> bytes:
    answer = bytearray(tsa.answer(query))
    answer[-5] ^= 1  # within the signature
    return bytes(answer)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (other_nonce, "repeated another nonce"),
        (other_imprint, "stamped other bytes"),
        (spoiled, "altered: its signature is not of what it says"),
        (lambda _, query: query, "altered, or none"),
        (lambda *_: b"<html>junk</html>", "altered, or none"),
        (lambda *_: b"", "altered, or none"),
        (lambda *_: REFUSAL, "granted no time stamp (status 2)"),
        (lambda *_: b"\0" * (LARGEST_REPLY + 1), "more than 65,536 bytes"),
        (lambda *_: b"\0" * 9_000_000, "more than 65,536 bytes"),
    ],
)
def test_a_wrong_answer_is_not_kept_and_the_bundle_is(
    bundle: Path, server: Server, tsa: Authority, answer: Callable[[Authority, bytes], bytes], why: str
) -> None:
    server.answer = functools.partial(answer, tsa)
    by = stamped_by(server, tsa.roots)
    assert not store(bundle, by).exists()
    assert [why in one for one in by.warnings] == [True], by.warnings
    assert bundle.read_bytes() == small()
    found = verify(bundle, roots=read_roots(tsa.roots))
    assert (found.valid, found.stamp) == (True, None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"status": 500}, "HTTP status 500"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/elsewhere"}}, "HTTP status 302"),
        ({"wait": 1.0}, "did not answer in time"),
        ({"pause": 0.05}, "did not answer in time"),
    ],
)
def test_a_failing_server_loses_no_bundle(bundle: Path, server: Server, changed: dict[str, Any], why: str) -> None:
    for name, value in changed.items():
        setattr(server, name, value)
    by = stamped_by(server, None)
    started = time.monotonic()
    assert not store(bundle, by).exists()
    assert time.monotonic() - started < 5
    assert [why in one for one in by.warnings] == [True], by.warnings
    assert bundle.read_bytes() == small()


def test_a_server_that_is_not_there_is_asked_twice(tmp_path: Path, tsa: Authority) -> None:
    with serving(tsa.answer) as gone:
        pass
    by = stamped_by(gone, None)
    for number in range(5):
        assert not store(tmp_path / f"INC-{number}.zip", by).exists()
    assert ["cannot be reached: Connection refused" in one for one in by.warnings] == [True, True, False]
    assert by.warnings[2] == "3 more evidence bundles without a time stamp: nobody was asked after 2 failures in a row"


def test_one_success_makes_up_for_failures(tmp_path: Path, server: Server) -> None:
    by = stamped_by(server, None)
    for number, status in enumerate((500, 200, 500, 200)):
        server.status = status
        store(tmp_path / f"INC-{number}.zip", by)
    assert (len(by.warnings), len(server.asked)) == (2, 4)


def test_what_does_not_speak_http_is_told(bundle: Path, tsa: Authority) -> None:
    with serving(tsa.answer) as server:
        by = Stamper(server.url.replace("http://", "https://"), None, QUICK)
        assert not store(bundle, by).exists()
    assert "cannot be reached: TLS" in by.warnings[0]


def test_a_token_that_cannot_be_written_is_told(bundle: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: object) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(stamping, "write_whole", full)
    by = stamped_by(server, None)
    assert not store(bundle, by).exists()
    assert "cannot be written: No space left on device" in by.warnings[0]


def test_a_bundle_that_cannot_be_replaced_keeps_its_time_stamp(bundle: Path, server: Server, tsa: Authority) -> None:
    token = store(bundle, stamped_by(server, tsa.roots))
    first = token.read_bytes()

    def full() -> None:
        raise CustodyError("no room")

    with pytest.raises(CustodyError, match="no room"):
        put(bundle, [OTHER], stamped_by(server, tsa.roots), full)
    assert token.read_bytes() == first
    assert verify(bundle, roots=read_roots(tsa.roots), stamped=True).valid


def test_a_folder_in_the_place_of_a_token_is_told(bundle: Path, server: Server) -> None:
    (token_path(bundle) / "x").mkdir(parents=True)
    with pytest.raises(CustodyError, match="cannot be replaced"):
        store(bundle, stamped_by(server, None))
    bundle.write_bytes(small())
    assert [one.trouble for one in verify(bundle).problems] == [Trouble.TIMESTAMP]


def test_an_altered_bundle_is_not_what_was_stamped(bundle: Path, server: Server, tsa: Authority) -> None:
    store(bundle, stamped_by(server, tsa.roots))
    data = bytearray(small())
    data[-1] ^= 1
    bundle.write_bytes(data)
    found = told(verify(bundle, roots=read_roots(tsa.roots)))
    assert (Trouble.TIMESTAMP, "the time stamp is of other bytes than these") in found
    bundle.write_bytes(OTHER)
    assert Trouble.TIMESTAMP in {trouble for trouble, _ in told(verify(bundle))}


def test_another_root_is_told(bundle: Path, server: Server, tsa: Authority, stranger: Authority) -> None:
    store(bundle, stamped_by(server, tsa.roots))
    [(trouble, why)] = told(verify(bundle, roots=read_roots(stranger.roots)))
    assert (trouble, "leads to none of the given roots" in why) == (Trouble.TIMESTAMP, True)


def test_one_root_of_several_is_enough(
    bundle: Path, server: Server, tsa: Authority, stranger: Authority, tmp_path: Path
) -> None:
    store(bundle, stamped_by(server, tsa.roots))
    (tmp_path / "both.pem").write_text(stranger.roots.read_text() + tsa.roots.read_text())
    assert verify(bundle, roots=read_roots(tmp_path / "both.pem")).valid


def test_a_certificate_for_another_purpose_makes_no_time_stamps(tsa: Authority) -> None:
    token = parse(tsa.answer_by_cms(request(small()).body))
    assert (token.covers(small()), token.authority) == (True, "CN=Other")
    why = signature_differs(token, read_roots(tsa.roots))
    assert why == "the time stamp is signed by a certificate that is not for time stamps"


def test_a_hash_that_can_be_forged_is_not_accepted(bundle: Path, tsa: Authority) -> None:
    store(bundle, None)
    tsa.openssl("ts", "-query", "-data", str(bundle), "-sha1", "-cert", "-out", "weak")
    token_path(bundle).write_bytes(tsa.answer((tsa.folder / "weak").read_bytes()))
    [(trouble, why)] = told(verify(bundle))
    assert (trouble, "hash that is not accepted" in why) == (Trouble.TIMESTAMP, True)


@pytest.mark.parametrize("name", ["sha384", "sha512"])
def test_a_token_that_somebody_got_otherwise_is_taken(bundle: Path, tsa: Authority, name: str) -> None:
    store(bundle, None)
    tsa.openssl("ts", "-query", "-data", str(bundle), f"-{name}", "-cert", "-out", "own")
    token_path(bundle).write_bytes(tsa.answer((tsa.folder / "own").read_bytes()))
    assert verify(bundle, roots=read_roots(tsa.roots), stamped=True).valid


def test_changes_of_a_token_are_found(bundle: Path, server: Server, tsa: Authority) -> None:
    token = store(bundle, stamped_by(server, tsa.roots))
    whole, roots, data = token.read_bytes(), read_roots(tsa.roots), small()
    spoil, missed = random.Random(3), set()  # noqa: S311 - which bytes are spoiled
    for place in spoil.sample(range(len(whole)), 200):
        token.write_bytes(whole[:place] + bytes([whole[place] ^ spoil.randrange(1, 256)]) + whole[place + 1 :])
        stamp, wrong = examine(bundle, data, roots)
        if wrong is None:
            # What no signature covers tells nothing either: versions, and how algorithms are spelled a second time.
            assert (stamp and stamp.time, stamp and stamp.authority) == (parse(whole).time, parse(whole).authority)
            missed.add(place)
    assert len(missed) < 10
    for changed in (whole + b"x", whole[:-1], whole[1:], b"", whole * 2):
        token.write_bytes(changed)
        assert examine(bundle, data, roots)[1] is not None
        assert examine(bundle, data, None)[1] is not None


def test_verify_names_time_and_authority(bundle: Path, server: Server, tsa: Authority) -> None:
    store(bundle, stamped_by(server, tsa.roots))
    checked = run(bundle, "--tsa-roots", tsa.roots)
    assert checked.exit_code == 0
    assert f"by CN=Test authority,O=Tests, checked against {tsa.roots}" in checked.stdout
    loose = run(bundle)
    assert (loose.exit_code, "NOT CHECKED against any root: give --tsa-roots" in loose.stdout) == (0, True)
    shown = json.loads(run(bundle, "--tsa-roots", tsa.roots, "--json").stdout)
    assert shown["timestamp"] == {
        "authority": "CN=Test authority,O=Tests",
        "file": token_path(bundle).as_posix(),
        "roots": tsa.roots.as_posix(),
        "time": parse(token_path(bundle).read_bytes()).time.isoformat().replace("+00:00", "Z"),
        "unchecked": None,
    }
    assert json.loads(run(bundle, "--json").stdout)["timestamp"]["roots"] is None


def test_verify_fails_where_the_time_stamp_does(bundle: Path, server: Server, stranger: Authority) -> None:
    token = store(bundle, stamped_by(server, None))
    other = run(bundle, "--tsa-roots", stranger.roots)
    assert (other.exit_code, "timestamp: the time stamp is of an authority that leads" in other.stdout) == (1, True)
    token.write_bytes(b"junk")
    junk = run(bundle, "--json")
    assert (junk.exit_code, json.loads(junk.stdout)["problems"][0]["kind"]) == (1, "timestamp")
    token.unlink()
    none = run(bundle)
    assert (none.exit_code, "no time stamp" in none.stdout) == (0, True)
    wanted = run(bundle, "--tsa-roots", stranger.roots)
    assert (wanted.exit_code, "there is no time stamp beside this bundle" in wanted.stdout) == (1, True)


def test_verify_takes_the_roots_of_the_settings(
    bundle: Path, server: Server, tsa: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(bundle, stamped_by(server, None))
    monkeypatch.chdir(tmp_path)
    text = f"[custody]\ntimestamp_roots = {json.dumps(str(tsa.roots))}\n"
    (tmp_path / "site.toml").write_text(text)
    assert "checked against" in run(bundle, "--config", "site.toml").stdout
    assert "NOT CHECKED" in run(bundle).stdout
    (tmp_path / "detector.toml").write_text(text)
    assert "checked against" in run(bundle).stdout


def test_a_name_that_steers_a_terminal_is_shown_harmlessly(bundle: Path, tmp_path: Path) -> None:
    odd = authority(tmp_path / "odd", "\x1b[31mred\u202e")
    with serving(odd.answer) as server:
        store(bundle, stamped_by(server, odd.roots))
    shown = run(bundle, "--tsa-roots", odd.roots)
    assert shown.exit_code == 0, shown.stdout
    assert not {"\x1b", "\u202e"} & set(shown.stdout)


def test_roots_that_cannot_be_read_are_told_at_once(tmp_path: Path, bundle: Path) -> None:
    store(bundle, None)
    (tmp_path / "text").write_text("text")
    for name, why in (("none", "cannot be read"), ("text", "no certificates")):
        failed = run(bundle, "--tsa-roots", tmp_path / name)
        assert isinstance(failed.exception, ConfigError)
        with pytest.raises(ConfigError, match=why):
            stamper(CustodySettings(timestamp_url="https://tsa.example", timestamp_roots=tmp_path / name))


def test_without_the_library_the_error_says_what_to_install(
    bundle: Path, server: Server, tsa: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store(bundle, stamped_by(server, tsa.roots)).read_bytes()
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigError, match=r"inversion-detector\[timestamp\]"):
        stamper(CustodySettings(timestamp_url="https://tsa.example"))
    loose = run(bundle)
    assert (loose.exit_code, "NOT CHECKED: time stamps need the package rfc3161-client" in loose.stdout) == (0, True)
    assert isinstance(run(bundle, "--tsa-roots", tsa.roots).exception, ConfigError)
    assert store(bundle, None).read_bytes() == first
    assert not store(bundle, None, OTHER).exists()


@pytest.mark.parametrize(
    "url", ["ftp://tsa.example/", "file:///etc/passwd", "tsa.example", "https://", "http://me:secret@tsa.example/"]
)
def test_only_addresses_of_http_are_taken(tmp_path: Path, url: str) -> None:
    (tmp_path / "detector.toml").write_text(f'[custody]\ntimestamp_url = "{url}"\n')
    with pytest.raises(ConfigError, match=r"custody\.timestamp_url"):
        load_settings(tmp_path / "detector.toml")


def test_settings_name_the_roots_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "detector.toml").write_text(
        '[custody]\ntimestamp_url = "https://a.example"\ntimestamp_roots = "r.pem"\n'
    )
    custody = load_settings(tmp_path / "detector.toml").custody
    assert (str(custody.timestamp_url), custody.timestamp_roots) == ("https://a.example/", tmp_path / "r.pem")
    assert stamper(load_settings().custody) is None


def test_the_extra_names_the_library() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = timestamp.INSTALL.partition("[")[2].partition("]")[0]
    assert [one.partition(">")[0] for one in project["optional-dependencies"][extra]] == ["rfc3161-client"]


def test_only_the_hash_is_sent(bundle: Path, server: Server) -> None:
    store(bundle, stamped_by(server, None))
    assert len(server.asked[0]) < 100


def test_nothing_is_loaded_that_opens_connections_where_no_authority_is_named() -> None:
    program = "import sys, detector.custody.bundle; print('detector.custody.authority' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_report_and_run_carry_the_warning(
    site: AttackedSite, server: Server, tsa: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DETECTOR_CUSTODY__TIMESTAMP_URL", server.url)
    monkeypatch.setenv("DETECTOR_CUSTODY__TIMESTAMP_ROOTS", str(tsa.roots))
    options = ["--as-of", AS_OF.isoformat(), "--db", site.store.url]
    good = CliRunner().invoke(report, ["--out", "out", "--json", *options])
    bundle = Path("out") / str(NIGHT) / f"{site.incident.id}.zip"
    assert json.loads(good.stdout)["warnings"] == []
    assert verify(bundle, roots=read_roots(tsa.roots), stamped=True).valid
    server.status = 500
    failed = CliRunner().invoke(report, ["--out", "other", *options])
    assert (failed.exit_code, failed.stderr.count("warning: ")) == (0, 1)
    assert "has no time stamp: the time-stamp authority answered with HTTP status 500" in failed.stderr
    twin = Path("other") / str(NIGHT) / bundle.name
    assert twin.read_bytes() == bundle.read_bytes()
    done = CliRunner().invoke(nightly, [LOG, "--out", "third", "--json", *options])
    assert done.exit_code in {11, 12, 13, 14}, done.output
    [warning] = json.loads(done.stdout)["warnings"]
    assert warning in done.stderr
    assert (Path("third") / str(NIGHT) / bundle.name).is_file()
