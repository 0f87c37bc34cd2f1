"""From paths on the command line to files, in an order that does not depend on the machine."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import NothingToReadError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COMPRESSIONS = ("", ".gz", ".gzip", ".zst", ".zstd")
_ENDINGS = (".jsonl", ".ndjson", ".json", ".log", ".csv", ".tsv", ".parquet", ".pq")
_KNOWN = tuple(ending + compression for ending in _ENDINGS for compression in _COMPRESSIONS)


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        path: where it lies.
        named: whether somebody asked for this file, rather than for a folder in which it happens to lie.
    """

    path: Path
    named: bool


def find_files(paths: Sequence[Path]) -> list[Source]:
    """Return the files that `paths` name: files as they are, patterns and folders expanded and sorted by name.

    Of a folder, hidden files and files with other endings than those of logs are left out. A file named twice is
    returned once.

    Raises:
        UsageError: a path names nothing, or something that cannot be read.
        NothingToReadError: there are paths, but no file behind them.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        for source in _expanded(path):
            before = found.get(source.path)
            found[source.path] = Source(source.path, source.named or (before is not None and before.named))
    if not found:
        raise NothingToReadError(
            "there is no log file to read", expected="files, or folders that hold *.jsonl or the like"
        )
    for file in found:
        _check(file)
    return list(found.values())


def _expanded(path: Path) -> Iterator[Source]:
    if path.is_dir():
        inside = (p for p in path.rglob("*") if p.name.lower().endswith(_KNOWN) and p.is_file())
        visible = (p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts))
        yield from (Source(p, named=False) for p in sorted(visible, key=lambda p: p.relative_to(path).parts))
        return
    if path.exists():
        yield Source(path, named=True)
        return
    matches = sorted(Path(name) for name in glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []  # noqa: PTH207 - absolute patterns too
    if not matches:
        raise UsageError("there is no such file or folder", file=path, expected="a log file or a folder of them")
    for match in matches:
        yield from _expanded(match)


def _check(file: Path) -> None:
    if not file.is_file():
        raise UsageError("is neither a file nor a folder", file=file, expected="a log file or a folder of them")
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", file=file, expected="a log file") from error
