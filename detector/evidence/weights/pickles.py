"""Pickles and the archives that hold them: never loaded; their opcodes are scanned for what loading would import."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 512 * 1024 * 1024
_MOST_MEMBERS = 64
_MOST_IMPORTS = 200


@dataclass(frozen=True)
class Import:
    """Something that loading a pickle would import: its module and name, and how harmful the scanner takes it to be."""

    name: str
    harm: str


@dataclass(frozen=True)
class Scan:
    """What the opcodes of a pickle, or of those in an archive, show.

    Attributes:
        told: the outcome, in a sentence.
        imports: what loading would import, the most harmful first.
        dangerous: whether some of it can run commands or reach out, or the scan did not get through.
    """

    told: str
    imports: tuple[Import, ...] = ()
    dangerous: bool = True


def scan(path: Path) -> Scan:
    """Return what loading a pickle, or the pickles in an archive, would import.

    Raises:
        OSError: it cannot be read.
    """
    try:
        from picklescan import scanner
    except ImportError:
        return Scan("Its opcodes were not scanned: pip install 'inversion-detector[weights]'.")
    if path.stat().st_size > _MOST_BYTES:
        return Scan(f"Its opcodes were not scanned: it is larger than {_MOST_BYTES:,} bytes.")
    results, failed = [], False
    for name, data in _pickles(path):
        try:
            results.append(scanner.scan_pickle_bytes(io.BytesIO(data), name))
        except Exception:  # noqa: BLE001 - what an opcode scanner stumbles over is a finding, not a failure
            failed = True
    failed = failed or any(one.scan_err for one in results)
    return _summed(results, failed=failed)


def _summed(results: list[Any], *, failed: bool) -> Scan:
    found = {Import(f"{one.module}.{one.name}"[:200], one.safety.value) for result in results for one in result.globals}
    rank = {"dangerous": 0, "suspicious": 1}
    ordered = sorted(found, key=lambda one: (rank.get(one.harm, 2), one.name))[:_MOST_IMPORTS]
    bad = [one.name for one in ordered if one.harm == "dangerous"]
    if bad:
        return Scan(f"Loading it would import {', '.join(bad[:5])}: treat it as hostile.", tuple(ordered))
    if failed:
        return Scan(
            "The scan of its opcodes did not get through: treat it as hostile until shown otherwise.", tuple(ordered)
        )
    if not results:
        return Scan("No pickle was found in it to scan.")
    told = f"Its opcodes import {len(found):,} name{'s' if len(found) != 1 else ''}, none known to be dangerous."
    return Scan(told, tuple(ordered), dangerous=False)


def _pickles(path: Path) -> list[tuple[str, bytes]]:
    """Return the pickles in a file: itself, or members of an archive, as many and as long as can be held."""
    if not zipfile.is_zipfile(path):
        return [(path.name, path.read_bytes())]
    found = []
    with zipfile.ZipFile(path) as archive:
        named = [one for one in archive.infolist() if one.filename.endswith((".pkl", ".pickle", ".p"))]
        for one in named[:_MOST_MEMBERS]:
            try:
                with archive.open(one) as stream:
                    found.append((one.filename, stream.read(_MOST_BYTES // _MOST_MEMBERS)))
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
                # A member that cannot be unpacked is scanned as a pickle that ends at once: the scan says so.
                found.append((one.filename, b""))
    return found
