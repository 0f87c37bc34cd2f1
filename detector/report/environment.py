"""The template engine: everything escaped, everything visible, nothing undefined."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.report.visible import visible

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Asset:
    """A style sheet or script within the page, and the hash by which the page's policy lets it in."""

    text: Markup
    hash: str


@dataclass(frozen=True)
class Charts:
    """What draws the charts that can be zoomed: uPlot with its licence, and the page's own script."""

    style: Asset
    library: Asset
    script: Asset


@cache
def environment() -> Environment:
    """Return the engine; it is made once."""
    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def style() -> Asset:
    """Return the style sheet of all pages."""
    return _asset(_read("report.css"))


@cache
def charts() -> Charts:
    """Return what an incident's page needs for its charts; the licence goes with every copy of the library."""
    licence = _read("uplot/LICENSE").strip()
    library = f"/*!\n{licence}\n*/\n{_read('uplot/uPlot.iife.min.js')}"
    return Charts(_asset(_read("uplot/uPlot.min.css")), _asset(library), _asset(_read("incident.js")))


def render(template: str, **values: object) -> str:
    """Return a page."""
    return environment().get_template(template).render(style=style(), charts=charts(), **values)


def _read(asset: str) -> str:
    return (_FOLDER / "assets" / asset).read_text(encoding="utf-8")


def _asset(text: str) -> Asset:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    # A file of the package, not text from a log: within <style> and <script> nothing may be escaped.
    return Asset(Markup(text), f"sha256-{digest}")  # noqa: S704


def _harmless(value: object) -> object:
    """Spell out what cannot be seen in every text that a template shows; own markup passes as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
