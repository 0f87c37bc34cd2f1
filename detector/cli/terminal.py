"""Showing on a terminal what an attacker may have chosen, so that it stays text."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

# Control and format characters (terminal escapes, direction overrides, zero-width ones), surrogates, private and
# unassigned code points, line and paragraph separators, spaces that look like the usual one: whatever moves, hides,
# reorders or imitates.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 3
_PIPE_WIDTH = 160


def safe(text: str, limit: int = 80) -> str:
    """Return `text` with harmful characters spelled out, cut after `limit` characters.

    Accents may be written as marks of their own; a pile of them that would run over other lines is spelled out.
    """
    marks = 0
    shown = []
    for character in text[: limit + 1]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        harmful = (category in _HARMFUL and character != " ") or marks > _MOST_MARKS
        shown.append(_spelled(character) if harmful else character)
    spelled = "".join(shown)
    return spelled if len(spelled) <= limit else spelled[: limit - 1] + "…"


def _spelled(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def show(*parts: RenderableType) -> None:
    """Print renderables to stdout, as wide as the terminal, or wide enough for a table where there is none."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else _PIPE_WIDTH, highlight=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    say(captured.get(), color=terminal)


def say(text: str, *, color: bool | None = None) -> None:
    """Print `text` to stdout; what its encoding cannot hold is spelled out instead of failing."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    click.echo(text, nl=not text.endswith("\n"), color=color)
