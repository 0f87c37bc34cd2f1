from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from detector.custody.keys import PRIVATE_NAME, PUBLIC_NAME, PublicKey, new_pair, read_private, read_public
from detector.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_pair_signs_and_checks(tmp_path: Path) -> None:
    made = new_pair(tmp_path / "a" / "b")
    private, public = read_private(made.private), read_public(made.public)
    assert private.public == public
    assert made.id == public.id == hashlib.sha256(public.raw).hexdigest()
    signature = private.sign(b"text")
    assert len(signature) == 64
    assert public.signed(b"text", signature)
    assert not public.signed(b"texu", signature)
    assert not public.signed(b"text", signature[:-1])
    assert private.sign(b"text") == signature
    assert "rivate" not in repr(private)


def test_only_its_owner_reads_the_private_key(tmp_path: Path) -> None:
    made = new_pair(tmp_path)
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.public.stat().st_mode) == 0o644
    assert made.private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert made.public.read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("name", [PRIVATE_NAME, PUBLIC_NAME])
def test_a_key_is_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="not replaced"):
        new_pair(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / PRIVATE_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="not replaced"):
        new_pair(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        new_pair(tmp_path / "file" / "keys")


def test_other_files_are_no_keys(tmp_path: Path) -> None:
    made = new_pair(tmp_path)
    for read, other in ((read_private, made.public), (read_public, made.private)):
        with pytest.raises(ConfigError, match="is not a"):
            read(other)
        with pytest.raises(ConfigError, match="No such file"):
            read(tmp_path / "none")
    curve = ec.generate_private_key(ec.SECP256R1())
    text = curve.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "curve").write_bytes(text)
    with pytest.raises(ConfigError, match="another kind"):
        read_private(tmp_path / "curve")
    public = curve.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "curve").write_bytes(public)
    with pytest.raises(ConfigError, match="another kind"):
        read_public(tmp_path / "curve")


def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    (tmp_path / "k").write_bytes(secret)
    with pytest.raises(ConfigError, match="is not a private key"):
        read_private(tmp_path / "k")


def test_openssl_agrees(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on PATH")
    made = new_pair(tmp_path)
    (tmp_path / "text").write_bytes(b"text")
    (tmp_path / "sig").write_bytes(read_private(made.private).sign(b"text"))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", made.public, "-rawin", "-in", tmp_path / "text"]
    done = subprocess.run([*command, "-sigfile", tmp_path / "sig"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_text_that_is_no_key_signs_nothing() -> None:
    assert not PublicKey(b"short").signed(b"text", b"\0" * 64)
