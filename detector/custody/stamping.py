"""The time stamp beside a bundle: got when the bundle is written, looked at when it is checked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.custody.timestamp import (
    LARGEST_REPLY,
    SUFFIX,
    Roots,
    Token,
    parse,
    read_roots,
    request,
    require,
    signature_differs,
)
from detector.errors import ConfigError, CustodyError
from detector.report.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from detector.config import CustodySettings

    Ask = Callable[[str, bytes], bytes]

MOST_FAILURES = 2
"""After so many in a row the authority is left alone: a night must not wait for a dead server twenty times."""


@dataclass(frozen=True)
class Stamp:
    """What a time stamp beside a bundle says, and how far it could be checked.

    Attributes:
        file: where it lies.
        time: that it tells, UTC; None where it cannot be read.
        authority: who it says made it.
        roots: the file of the roots that its signature leads to; None where that was not checked, or is not so.
        unchecked: why nothing was looked at, None where something was.
    """

    file: Path
    time: datetime | None = None
    authority: str = ""
    roots: Path | None = None
    unchecked: str | None = None


@dataclass(frozen=True, eq=False)
class Stamper:
    """Gets time stamps for the bundles of one run, and remembers for which it got none.

    Attributes:
        url: of the authority.
        roots: that its certificate must lead to; None takes any.
        ask: how to reach it.
    """

    url: str
    roots: Roots | None
    ask: Ask
    _told: list[str] = field(default_factory=list, repr=False)
    _in_a_row: list[Path] = field(default_factory=list, repr=False)
    _skipped: list[Path] = field(default_factory=list, repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each time stamp that is missing or wrong; bundles for which nobody asked share one."""
        count = len(self._skipped)
        told = f"{count} more evidence bundle{'' if count == 1 else 's'} without a time stamp: nobody was asked"
        return (*self._told, *([f"{told} after {MOST_FAILURES} failures in a row"] if count else []))

    def recheck(self, bundle: Path) -> None:
        """Look at the signature of a token that is kept.

        A wrong one is told and left: it is an earlier time, or a trace of tampering, and for a person to judge.
        """
        token = _beside(bundle)
        wrong = signature_differs(token, self.roots) if token is not None and self.roots is not None else None
        if wrong is not None:
            self._told.append(f"{token_path(bundle)}: {wrong}; move it away to get a new one")

    def stamp(self, bundle: Path, data: bytes) -> None:
        """Get a time stamp of `data` and write it beside the bundle; a failure becomes a warning."""
        if len(self._in_a_row) >= MOST_FAILURES:
            self._skipped.append(bundle)
            return
        try:
            write_whole(token_path(bundle), [self._checked(data).raw])
        except CustodyError as error:
            self._failed(bundle, error.message)
        except OSError as error:
            self._failed(bundle, f"it cannot be written: {error.strerror}")
        else:
            self._in_a_row.clear()

    def _failed(self, bundle: Path, why: str) -> None:
        self._in_a_row.append(bundle)
        self._told.append(f"{bundle} has no time stamp: {why}")

    def _checked(self, data: bytes) -> Token:
        asked = request(data)
        token = parse(self.ask(self.url, asked.body))
        if not token.covers(data):
            raise CustodyError("the time-stamp authority stamped other bytes than those it was sent")
        if token.nonce != asked.nonce:
            raise CustodyError("the time-stamp authority repeated another nonce than the one it was sent")
        wrong = signature_differs(token, self.roots) if self.roots is not None else None
        if wrong is not None:
            raise CustodyError(wrong)
        return token


def stamper(settings: CustodySettings) -> Stamper | None:
    """Return who gets time stamps, None where the site wants none.

    Raises:
        ConfigError: the library is not installed, or the roots cannot be read.
    """
    if settings.timestamp_url is None:
        return None
    from detector.custody.authority import ask

    require()
    roots = read_roots(settings.timestamp_roots) if settings.timestamp_roots is not None else None
    return Stamper(str(settings.timestamp_url), roots, ask)


def token_path(bundle: Path) -> Path:
    """Return where the time stamp of a bundle lies."""
    return bundle.with_name(bundle.name + SUFFIX)


def put(bundle: Path, pieces: Sequence[bytes], stamper: Stamper | None, write: Callable[[], None]) -> None:
    """Let `write` put a bundle in its place, and see to the time stamp beside it.

    A token of other bytes goes first: a run that is killed then leaves a bundle without a time stamp, never one with
    that of another. A token of these bytes stays.

    Raises:
        CustodyError: a file cannot be written or removed.
    """
    token = token_path(bundle)
    data = b"".join(pieces) if stamper is not None or token.exists() else b""
    try:
        kept = token.exists() and _kept(bundle, data)
        old = _read(token) if token.exists() and not kept else None
        if not kept:
            token.unlink(missing_ok=True)
    except OSError as error:
        raise CustodyError(f"the old time stamp cannot be replaced: {error.strerror}", file=token) from error
    try:
        write()
    except CustodyError:
        if old is not None and bundle.exists():
            # The old bundle is still there, and so is what was said of it.
            with suppress(OSError):
                write_whole(token, [old])
        raise
    if stamper is not None and kept:
        stamper.recheck(bundle)
    elif stamper is not None:
        stamper.stamp(bundle, data)


def examine(bundle: Path, data: bytes, roots: Roots | None) -> tuple[Stamp | None, str | None]:
    """Return the time stamp beside a bundle, None where there is none, and what is wrong with it, None where nothing.

    Args:
        bundle: its file.
        data: its bytes.
        roots: that the authority's certificate must lead to; None leaves the signature unchecked.
    """
    file = token_path(bundle)
    try:
        token = parse(_read(file))
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return Stamp(file), f"the time stamp cannot be read: {error.strerror}"
    except ConfigError as error:
        return Stamp(file, unchecked=f"{error.message}: {error.expected}"), None
    except CustodyError as error:
        return Stamp(file), error.message
    wrong = _differs(token, data, roots)
    checked = roots.file if roots is not None and wrong is None else None
    return Stamp(file, token.time, token.authority, checked), wrong


def _differs(token: Token, data: bytes, roots: Roots | None) -> str | None:
    if not token.hash_name:
        return "the time stamp is of a hash that is not accepted: neither SHA-256, SHA-384 nor SHA-512"
    if not token.covers(data):
        return "the time stamp is of other bytes than these"
    return signature_differs(token, roots) if roots is not None else None


def _beside(bundle: Path) -> Token | None:
    """Return the token beside a bundle, None where there is none that can be read."""
    try:
        return parse(_read(token_path(bundle)))
    except (CustodyError, FileNotFoundError):
        return None


def _kept(bundle: Path, data: bytes) -> bool:
    """Whether the token beside a bundle is of `data`."""
    try:
        token = _beside(bundle)
    except ConfigError:
        # Without the library: what was of the same bytes still is.
        return bundle.is_file() and bundle.read_bytes() == data
    return token is not None and token.covers(data)


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(LARGEST_REPLY + 1)
