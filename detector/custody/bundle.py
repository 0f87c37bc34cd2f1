"""Writing the bundle of an incident beside its page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING

from detector import __version__
from detector.custody import surroundings
from detector.custody.keys import read_private
from detector.custody.layout import lay_out, pack
from detector.custody.manifest import (
    FORMAT,
    NAME,
    SIGNATURE,
    VERSION,
    Manifest,
    Signer,
    canonical,
    plain_text,
)
from detector.custody.members import REPORT, Contents, contents, seal
from detector.custody.stamping import Stamper, put, stamper
from detector.errors import CustodyError
from detector.report.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from detector.config import Settings
    from detector.custody.keys import SigningKey
    from detector.custody.members import Sealed
    from detector.custody.surroundings import RuleText
    from detector.detect.rules import RuleSet
    from detector.report.writer import WrittenPage
    from detector.store.engine import Store

SUFFIX = ".zip"


@dataclass(frozen=True, eq=False)
class Custodian:
    """Writes a bundle for each page that it is handed.

    Attributes:
        store: the database.
        settings: of the site.
        key: None where the site signs nothing.
        rules: that judged, None where that is not known.
        stamper: gets the time stamps beside the bundles, None where the site wants none.
    """

    store: Store
    settings: Settings
    key: SigningKey | None
    rules: RuleSet | None = None
    stamper: Stamper | None = None
    _latest: dict[tuple[str, bool], Contents] = field(default_factory=dict, repr=False)

    def __call__(self, page: WrittenPage) -> None:
        """Write the bundle of a page beside it.

        Raises:
            CustodyError: it cannot be written.
            StoreError: the store cannot be read.
        """
        incident = page.dossier.context.incident
        place = (incident.id, page.frame.redact)
        if place not in self._latest:
            # One incident at a time: its pages in several nights follow each other.
            self._latest.clear()
            rules = surroundings.rules_of(incident, self._rules)
            self._latest[place] = contents(self.store, page, rules)
        file, pieces = page.path.with_suffix(SUFFIX), tuple(assemble(page, self._latest[place], self.key))
        put(file, pieces, self.stamper, lambda: write(file, pieces))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong beside bundles that were written all the same, in sentences."""
        return self.stamper.warnings if self.stamper is not None else ()

    @cached_property
    def _rules(self) -> dict[str, RuleText]:
        return surroundings.rule_files(self.settings, self.rules)


def custodian(store: Store, settings: Settings, rules: RuleSet | None = None) -> Custodian:
    """Return who writes the bundles of a site; its keys are read now, before anything is touched.

    Args:
        store: the database.
        settings: of the site.
        rules: that judge, where they are loaded already.

    Raises:
        ConfigError: the key or the settings of time stamps cannot be used.
    """
    path = settings.custody.key
    key = read_private(path) if path is not None else None
    return Custodian(store, settings, key, rules, stamper(settings.custody))


def assemble(page: WrittenPage, shared: Contents, key: SigningKey | None) -> Iterable[bytes]:
    """Yield the bytes of a page's bundle."""
    sealed = seal([(REPORT, page.page)]) + shared.sealed
    manifest = canonical(_manifest(page, shared, sealed, key))
    first = [pack(NAME, manifest, deflate=False)]
    if key is not None:
        first.append(pack(SIGNATURE, key.sign(manifest), deflate=False))
    return lay_out([*first, *sealed.packed])


def write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Raises:
        CustodyError: it cannot be written.
    """
    try:
        write_whole(path, pieces)
    except OSError as error:
        raise CustodyError(f"the evidence bundle cannot be written: {error.strerror}", file=path) from error


def _manifest(page: WrittenPage, shared: Contents, sealed: Sealed, key: SigningKey | None) -> Manifest:
    context, frame = page.dossier.context, page.frame
    signer = None
    if key is not None:
        signer = Signer(algorithm="Ed25519", public_key=key.public.raw.hex(), key_id=key.public.id)
    return Manifest(
        format=FORMAT,
        version=VERSION,
        incident=plain_text(context.incident.id),
        model=plain_text(context.incident.model),
        night=frame.night.isoformat(),
        as_of=frame.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        software=f"inversion-detector {__version__}",
        baseline=context.baseline,
        redacted=frame.redact,
        limits=list(shared.limits),
        members=list(sealed.entries),
        sources=list(shared.sources),
        signer=signer,
    )
