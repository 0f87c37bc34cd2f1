"""`detector verify`: whether an evidence bundle is as it was written, and who signed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.cli.common import output_options, print_json, stop
from detector.cli.terminal import safe, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.custody.stamping import Stamp
    from detector.custody.timestamp import Roots
    from detector.custody.verify import Problem, Verification

_MOST_SHOWN = 20
_MEMBER_SHOWN = 120


@click.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path),
              help="Public key that must have signed it [any that the bundle names, or none].")  # fmt: skip
@click.option("--tsa-roots", type=click.Path(dir_okay=False, path_type=Path),
              help="PEM: roots that the time stamp beside it must lead to [those of the settings].")  # fmt: skip
@click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Settings, for the roots alone [detector.toml].")  # fmt: skip
@output_options
def verify(
    bundle: Path, key: Path | None, tsa_roots: Path | None, config_file: Path | None, *, as_json: bool, quiet: bool
) -> None:
    """Check an evidence BUNDLE, offline: every member, every byte, the signature, and the time stamp beside it.

    Exits 0 where nothing differs, 1 where something does, 2 where there is no such file or key. An unsigned bundle in
    which nothing differs exits 0 and is called unsigned; with --key it exits 1. So it is with a bundle without a time
    stamp and --tsa-roots.
    """
    from detector.custody.keys import read_public
    from detector.custody.verify import verify as check

    pinned = read_public(key) if key is not None else None
    found = check(bundle, pinned, _roots(bundle, tsa_roots, config_file), stamped=tsa_roots is not None)
    if as_json:
        print_json(document(bundle, found))
    elif not quiet or not found.valid:
        for line in lines(bundle, found):
            say(line)
    stop(0 if found.valid else 1)


def _roots(bundle: Path, named: Path | None, config_file: Path | None) -> Roots | None:
    """Return the roots of time-stamp authorities: those named, else those of the settings where they are needed.

    Raises:
        ConfigError: they cannot be read, or the settings cannot; or they are named and the library is not installed.
    """
    from detector.custody.stamping import token_path
    from detector.custody.timestamp import read_roots, require

    if named is not None:
        require()
        return read_roots(named)
    if config_file is None and not token_path(bundle).exists():
        return None
    from detector.config import load_settings

    told = load_settings(config_file).custody.timestamp_roots
    return read_roots(told) if told is not None else None


def document(bundle: Path, found: Verification) -> dict[str, Any]:
    """Return what a check found as a JSON document."""
    manifest = found.manifest
    return {
        "bundle": bundle.as_posix(),
        "valid": found.valid,
        "signed": found.signed,
        "key_id": manifest.signer.key_id if manifest is not None and manifest.signer is not None else None,
        "pinned": found.pinned,
        "incident": manifest.incident if manifest is not None else None,
        "as_of": manifest.as_of if manifest is not None else None,
        "members": len(manifest.members) if manifest is not None else 0,
        "manifest_sha256": found.manifest_sha256,
        "timestamp": _stamp_document(found),
        "problems": [{"kind": one.trouble.value, "member": one.member, "told": one.told} for one in found.problems],
    }


def _stamp_document(found: Verification) -> dict[str, Any] | None:
    stamp = found.stamp
    if stamp is None:
        return None
    return {
        "file": stamp.file.as_posix(),
        "time": _time(stamp),
        "authority": stamp.authority or None,
        "roots": stamp.roots.as_posix() if stamp.roots is not None else None,
        "unchecked": stamp.unchecked,
    }


def lines(bundle: Path, found: Verification) -> Iterator[str]:
    """Yield what a check found, a line each: the verdict first."""
    name = safe(str(bundle), 4096)
    if not found.valid:
        yield f"{name}: NOT VALID"
        for one in found.problems[:_MOST_SHOWN]:
            yield f"  {_told(one)}"
        if len(found.problems) > _MOST_SHOWN:
            yield f"  and {len(found.problems) - _MOST_SHOWN} more"
        return
    manifest = found.manifest
    if manifest is None:
        return
    yield f"{name}: nothing differs in {len(manifest.members)} members of incident {safe(manifest.incident)}"
    if manifest.signer is None:
        yield "  UNSIGNED: the file is whole, and nothing shows who wrote it"
    elif found.pinned:
        yield f"  signed by the pinned key {manifest.signer.key_id}"
    else:
        yield f"  signed by key {manifest.signer.key_id}: compare it with the one you were told, or give --key"
    yield f"  {_stamp_line(found.stamp)}"
    yield f"  SHA-256 of the manifest {found.manifest_sha256}"


def _stamp_line(stamp: Stamp | None) -> str:
    if stamp is None:
        return "no time stamp: nothing shows when it was written"
    if stamp.unchecked is not None:
        return f"time stamp NOT CHECKED: {stamp.unchecked}"
    told = f"time stamp of {_time(stamp)} by {safe(stamp.authority, 200) or 'an authority that it does not name'}"
    if stamp.roots is None:
        return f"{told}, NOT CHECKED against any root: give --tsa-roots"
    return f"{told}, checked against {safe(str(stamp.roots), 4096)}"


def _time(stamp: Stamp) -> str | None:
    return stamp.time.isoformat().replace("+00:00", "Z") if stamp.time is not None else None


def _told(one: Problem) -> str:
    member = f" {safe(one.member, _MEMBER_SHOWN)}" if one.member is not None else ""
    return f"{one.trouble.value}{member}: {safe(one.told, 300)}"
