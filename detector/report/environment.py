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
class Style:
    """The style sheet, and the hash by which the page's policy lets it in."""

    text: Markup
    hash: str


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
def style() -> Style:
    """Return the style sheet of all pages."""
    text = (_FOLDER / "assets" / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    # A file of the package, not text from a log: in <style> nothing may be escaped.
    return Style(Markup(text), f"sha256-{digest}")  # noqa: S704


def render(template: str, **values: object) -> str:
    """Return a page."""
    return environment().get_template(template).render(style=style(), **values)


def _harmless(value: object) -> object:
    """Spell out what cannot be seen in every text that a template shows; own markup passes as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
