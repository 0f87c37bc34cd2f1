"""The checkout that the tests stand in, as text and as syntax trees."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
_UNTOLD = {".git", ".venv", "demo", "dist", "build", ".hypothesis", "data"}


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project: what git knows and would take, or, outside of git, what lies there."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        told = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout
        names = [ROOT / name.decode() for name in told.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [path for path in ROOT.rglob("*") if not _UNTOLD & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in names if path.is_file() and "__pycache__" not in path.parts))


@cache
def texts() -> dict[str, str]:
    """The text of every file that is text, by its name in the project."""
    out = {}
    for path in project_files():
        try:
            out[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return out


def documents() -> dict[str, str]:
    """The pages that people read, by name."""
    return {name: text for name, text in texts().items() if name.endswith(".md") and not name.startswith("tests/")}
