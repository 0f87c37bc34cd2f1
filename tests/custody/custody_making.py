"""Bundles: a small one made of three members, and that of a recorded attack."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evidence_making import AS_OF, MODEL, NIGHT

from detector.config import CustodySettings
from detector.custody.bundle import custodian
from detector.custody.keys import PublicKey, SigningKey, new_pair, read_private, read_public
from detector.custody.layout import Packed, lay_out, pack
from detector.custody.manifest import FORMAT, NAME, SIGNATURE, VERSION, Manifest, Signer, canonical
from detector.custody.members import Sealed, seal
from detector.report.writer import write_night

if TYPE_CHECKING:
    from pathlib import Path

    from evidence_making import AttackedSite

SMALL = (("report.html", b"<p>one</p>" * 9), ("queries/lines.parquet", b"PAR1\x00\x01"), ("README.txt", b""))


@dataclass(frozen=True)
class Bundled:
    """A site whose bundle was written, and the key that signed it."""

    site: AttackedSite
    file: Path
    public: PublicKey
    public_file: Path

    @property
    def data(self) -> bytes:
        return self.file.read_bytes()

    def member(self, name: str) -> bytes:
        with zipfile.ZipFile(self.file) as archive:
            return archive.read(name)


def bundled(site: AttackedSite) -> Bundled:
    """Write the signed bundle of a site's incident."""
    pair = new_pair(site.folder / "keys")
    file = write(site, key=pair.private)
    site.store.close()
    return Bundled(site, file, read_public(pair.public), pair.public)


def write(site: AttackedSite, out: str = "out", *, key: Path | None = None, redact: bool = False) -> Path:
    """Write a site's reports with their bundles, and return that of its incident."""
    settings = site.settings.model_copy(update={"custody": CustodySettings(key=key)})
    with contextlib.chdir(site.folder):
        write_night(
            site.store,
            settings,
            out=site.folder / out,
            nights=[(MODEL, NIGHT)],
            as_of=AS_OF,
            redact=redact,
            beside=custodian(site.store, settings),
        )
    return site.folder / out / str(NIGHT) / f"{site.incident.id}.zip"


def small(key: SigningKey | None = None, sealed: Sealed | None = None) -> bytes:
    """Return a bundle of three members."""
    return b"".join(lay_out(small_members(key, sealed)))


def small_members(key: SigningKey | None = None, sealed: Sealed | None = None) -> list[Packed]:
    held = sealed or seal(SMALL)
    manifest = small_manifest(held)
    if key is not None:
        signer = Signer(algorithm="Ed25519", public_key=key.public.raw.hex(), key_id=key.public.id)
        manifest = manifest.model_copy(update={"signer": signer})
    text = canonical(manifest)
    signature = [pack(SIGNATURE, key.sign(text), deflate=False)] if key is not None else []
    return [pack(NAME, text, deflate=False), *signature, *held.packed]


def small_manifest(held: Sealed) -> Manifest:
    return Manifest(
        format=FORMAT,
        version=VERSION,
        incident="INC-1",
        model="digits",
        night="2026-11-13",
        as_of="2026-11-14T02:00:00.000000Z",
        software="inversion-detector 0",
        baseline=None,
        redacted=False,
        limits=[],
        members=list(held.entries),
        sources=[],
        signer=None,
    )


def renamed(member: Packed, name: str) -> Packed:
    return replace(member, name=name)


def rezipped(data: bytes, *, without: str = "", extra: tuple[tuple[str, bytes], ...] = ()) -> bytes:
    """Return what a common zip program makes of a bundle's members."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for one in source.infolist():
            if one.filename != without:
                target.writestr(one.filename, source.read(one))
        for name, content in extra:
            target.writestr(name, content)
    return out.getvalue()


def new_key(folder: Path) -> SigningKey:
    return read_private(new_pair(folder).private)
