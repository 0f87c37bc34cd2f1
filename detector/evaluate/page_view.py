"""What the page of an evaluation shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TableView:
    """A table as text, a tuple of cells a row.

    Attributes:
        title: its heading; empty where the section's says enough.
        words: how many columns from the left hold words; the others hold numbers.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    anchor: str
    title: str
    text: str
    tables: tuple[TableView, ...]


@dataclass(frozen=True)
class PageView:
    """The whole page; `numbers` are (label, value, detail)."""

    lead: str
    numbers: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    version: str
    as_of: str
