"""Writing pages: whole or not at all, and never too large to open."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from detector.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 2_000_000
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def write_page(path: Path, page: str) -> None:
    """Write a page so that a reader sees the old one or the new one, never a part.

    Raises:
        ReportError: it is too large, or the folder cannot be written.
    """
    data = page.encode("utf-8", "backslashreplace")
    if len(data) > MAX_BYTES:
        raise ReportError("the page is too large to open", file=path, expected=f"at most {MAX_BYTES:,} bytes")
    try:
        write_whole(path, [data])
    except OSError as error:
        raise ReportError(f"the report cannot be written: {error.strerror}", file=path) from error


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part; its folder is made if need be.

    Raises:
        OSError: it cannot be written; nothing is left of the attempt.
    """
    # Always the same name: a run that was killed here leaves a draft that the repeated one puts in its place.
    draft = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def page_name(incident_id: str) -> str:
    """Return the file name of an incident's page."""
    return f"{_UNSAFE.sub('_', incident_id)}.html"
