"""Where the rules that come with the product lie."""

from __future__ import annotations

from pathlib import Path


def builtin_folder() -> Path:
    """Return the folder of the built-in rules: inside an installed package, or the checkout's own."""
    package = Path(__file__).resolve().parents[2]
    bundled = package / "_bundled" / "rules"
    return bundled if bundled.is_dir() else package.parent / "rules"
