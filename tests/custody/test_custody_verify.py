from __future__ import annotations

import io
import random
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from custody_making import SMALL, Bundled, new_key, renamed, rezipped, small, small_manifest, small_members
from hypothesis import given
from hypothesis import strategies as st

from detector.custody.layout import lay_out, pack
from detector.custody.manifest import NAME, SIGNATURE, canonical, parse
from detector.custody.members import seal
from detector.custody.verify import Trouble, Verification, check, verify
from detector.errors import CustodyError

if TYPE_CHECKING:
    from pathlib import Path

    from detector.custody.keys import SigningKey


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return new_key(tmp_path_factory.mktemp("keys"))


def troubles(found: Verification) -> set[tuple[str, str | None]]:
    return {(one.trouble.value, one.member) for one in found.problems}


def test_a_bundle_is_valid(key: SigningKey) -> None:
    found = check(small(key), key.public)
    assert (found.problems, found.signed, found.pinned) == ((), True, True)
    assert check(small(key)).signed
    unsigned = check(small())
    assert (unsigned.problems, unsigned.signed, unsigned.valid) == ((), False, True)


def test_any_zip_program_reads_it(key: SigningKey) -> None:
    with zipfile.ZipFile(io.BytesIO(small(key))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [NAME, SIGNATURE, *(name for name, _ in SMALL)]
        assert [archive.read(name) for name, _ in SMALL] == [content for _, content in SMALL]
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_found(key: SigningKey, flip: int, *, signed: bool) -> None:
    data = bytearray(small(key if signed else None))
    missed = []
    for place in range(len(data)):
        data[place] ^= flip
        if check(bytes(data)).valid:
            missed.append(place)
        data[place] ^= flip
    assert missed == []


def test_changed_bytes_of_a_whole_bundle_are_found(real: Bundled) -> None:
    data, spoil = bytearray(real.data), random.Random(20261122)  # noqa: S311 - which bytes are spoiled
    assert check(bytes(data), real.public).problems == ()
    missed = []
    for place in spoil.sample(range(len(data)), 150):
        old = data[place]
        data[place] ^= spoil.randrange(1, 256)
        if check(bytes(data)).valid:
            missed.append(place)
        data[place] = old
    assert missed == []


def test_a_whole_bundle_that_was_cut_or_made_longer_is_found(real: Bundled) -> None:
    data, spoil = real.data, random.Random(20261122)  # noqa: S311 - where it is cut
    places = [1, 2, 21, 22, 23, *(spoil.randrange(1, len(data)) for _ in range(20))]
    changed = [data[:-place] for place in places] + [data[place:] for place in places[:5]]
    changed += [data + spoil.randbytes(spoil.randrange(1, 60)) for _ in range(20)]
    changed += [data[:place] + spoil.randbytes(1) + data[place:] for place in places]
    assert [len(one) for one in changed if check(one).valid] == []


@given(st.data())
def test_any_cut_or_insertion_is_found(data: st.DataObject) -> None:
    whole = small()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    changed = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    assert check(changed).valid == (changed == whole)


@given(st.binary(max_size=300))
def test_what_is_no_bundle_is_said(data: bytes) -> None:
    assert not check(data).valid


def test_an_altered_member_is_named(key: SigningKey) -> None:
    members = small_members(key)
    members[2] = pack("report.html", b"<p>two</p>" * 9, deflate=True)
    found = check(b"".join(lay_out(members)), key.public)
    assert ("altered", "report.html") in troubles(found)
    assert {name for _, name in troubles(found)} <= {"report.html", None, *(name for name, _ in SMALL)}


def test_an_added_member_is_named(key: SigningKey) -> None:
    data = b"".join(lay_out([*small_members(key), pack("more.txt", b"x", deflate=False)]))
    assert ("added", "more.txt") in troubles(check(data, key.public))


def test_a_member_that_is_there_twice_is_named(key: SigningKey) -> None:
    members = small_members(key)
    assert ("added", "README.txt") in troubles(check(b"".join(lay_out([*members, members[-1]]))))


def test_a_removed_member_is_named(key: SigningKey) -> None:
    data = b"".join(lay_out(small_members(key)[:-1]))
    assert ("removed", "README.txt") in troubles(check(data, key.public))


def test_members_in_another_order_are_named(key: SigningKey) -> None:
    members = small_members(key)
    members[2], members[3] = members[3], members[2]
    found = troubles(check(b"".join(lay_out(members)), key.public))
    assert {("reordered", "report.html"), ("reordered", "queries/lines.parquet")} <= found


def test_a_renamed_member_is_one_removed_and_one_added(key: SigningKey) -> None:
    members = small_members(key)
    members[2] = renamed(members[2], "other.html")
    found = troubles(check(b"".join(lay_out(members))))
    assert {("removed", "report.html"), ("added", "other.html")} <= found


def test_packing_again_is_found_although_the_members_are_the_same(key: SigningKey) -> None:
    found = check(rezipped(small(key)), key.public)
    assert {one.trouble for one in found.problems} == {Trouble.ARCHIVE}


def test_another_packing_of_the_same_content_is_found(key: SigningKey) -> None:
    members = small_members(key)
    members[2] = replace(members[2], body=members[2].body[:-1] + bytes([members[2].body[-1] ^ 0x80]))
    found = check(b"".join(lay_out(members)), key.public)
    assert ("archive", "report.html") in troubles(found)


def test_bytes_behind_the_end_and_a_comment_are_found(key: SigningKey) -> None:
    data = small(key)
    assert [one.told for one in check(data + b"x").problems] == ["1 bytes stand behind the end"]
    commented = data[:-2] + (3).to_bytes(2, "little") + b"abc"
    assert ("archive", None) in troubles(check(commented))


def test_another_signer_is_found(key: SigningKey, tmp_path: Path) -> None:
    other = new_key(tmp_path)
    found = check(small(key), other.public)
    assert [one.trouble for one in found.problems] == [Trouble.SIGNER]
    assert key.public.id in found.problems[0].told
    assert other.public.id in found.problems[0].told


def test_an_unsigned_bundle_is_not_what_a_pinned_key_signed(key: SigningKey) -> None:
    assert [one.trouble for one in check(small(), key.public).problems] == [Trouble.UNSIGNED]


def test_a_signature_of_something_else_is_found(key: SigningKey) -> None:
    members = small_members(key)
    members[1] = pack(SIGNATURE, key.sign(b"something else"), deflate=False)
    assert troubles(check(b"".join(lay_out(members)), key.public)) == {("signature", SIGNATURE)}
    del members[1]
    found = troubles(check(b"".join(lay_out(members)), key.public))
    assert {("signature", None), ("removed", SIGNATURE)} <= found


def test_a_signature_that_the_manifest_does_not_speak_of_is_added(key: SigningKey) -> None:
    members = small_members()
    members.insert(1, pack(SIGNATURE, key.sign(b"x"), deflate=False))
    assert ("added", SIGNATURE) in troubles(check(b"".join(lay_out(members))))


def test_a_forger_who_writes_the_manifest_anew_fails_at_the_pinned_key(key: SigningKey, tmp_path: Path) -> None:
    forged = small(new_key(tmp_path), seal([("report.html", b"nothing happened")]))
    assert check(forged).valid
    assert [one.trouble for one in check(forged, key.public).problems] == [Trouble.SIGNER]


def test_a_manifest_is_canonical_or_none() -> None:
    manifest = small_manifest(seal(SMALL))
    text = canonical(manifest)
    assert parse(text) == manifest
    assert text.startswith(b'{"as_of":"2026-11-14T02:00:00.000000Z","baseline":null,')
    for changed in (text + b"\n", text.replace(b'":', b'": ', 1), text.replace(b"digits", b"digit\\u0073")):
        with pytest.raises(CustodyError, match="canonical form"):
            parse(changed)
    with pytest.raises(CustodyError, match="not JSON"):
        parse(b"[" * 100_000)
    with pytest.raises(CustodyError, match="not one of ours"):
        parse(b"{}")


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a\\b", "", "a/../b", ".x", "a\nb", "é"])
def test_a_manifest_names_no_member_outside(name: str) -> None:
    manifest = small_manifest(seal(SMALL))
    members = [manifest.members[0].model_copy(update={"name": name})]
    with pytest.raises(CustodyError, match="not one of ours"):
        parse(canonical(manifest.model_copy(update={"members": members})))


def test_a_member_that_unpacks_without_end_is_not_unpacked() -> None:
    bomb = pack("report.html", b"\0" * 50_000_000, deflate=True)
    members = small_members()
    members[1] = replace(bomb, size=90)
    assert ("altered", "report.html") in troubles(check(b"".join(lay_out(members))))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CustodyError, match="cannot be read"):
        verify(tmp_path / "none.zip")
