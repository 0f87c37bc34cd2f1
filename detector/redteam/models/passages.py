"""English sentences that ship inside packages: the prose of their documentation, by subject.

The sources are parsed, not imported: no code of theirs runs.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "optimization": ("scipy/optimize",),
    "signals": ("scipy/signal", "scipy/fft"),
    "statistics": ("scipy/stats",),
    "matrices": ("scipy/linalg", "scipy/sparse"),
    "geometry": ("scipy/spatial", "scipy/ndimage", "scipy/cluster"),
    "calculus": ("scipy/interpolate", "scipy/integrate"),
}
"""Each subject and the folders of packages that are about it."""
TRADES: Mapping[str, tuple[str, ...]] = {
    "tables": ("pandas/core",),
    "learning": ("sklearn",),
    "databases": ("sqlalchemy",),
    "arrays": ("numpy",),
}
"""Each trade and the packages that serve it."""

FEWEST_WORDS, MOST_WORDS = 8, 24
# Examples, tables, formulas, lists and headings are no prose.
_NO_PROSE = re.compile(r">>>|::|:math:|^\.\.|----|====|\\|\[\d+\]|^\d|^[-*] | : ")
_ROLE = re.compile(r":\w+:`~?([^`<]*?)`")
_MARKS = re.compile(r"[`*\"()]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*[.,;:!?]?$")


@cache
def sentences(subject: str, most: int) -> tuple[str, ...]:
    """Return up to `most` different sentences about a subject or trade, in the order of their files and lines.

    Raises:
        SimulationError: a package lies there without its sources.
    """
    found: dict[str, None] = {}
    for folder in {**SUBJECTS, **TRADES}[subject]:
        for path in sorted(_place_of(folder).rglob("*.py")):
            if "tests" not in path.parts:
                found.update(dict.fromkeys(_prose_of(path)))
    # Every so many, so that all files have their say.
    step = max(1.0, len(found) / most)
    listed = list(found)
    return tuple(listed[int(at * step)] for at in range(min(most, len(listed))))


def _place_of(folder: str) -> Path:
    package, *inner = folder.split("/")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SimulationError("the texts of the drill are missing", expected=f"{package} with its sources")
    return Path(spec.origin).parent.joinpath(*inner)


def _prose_of(path: Path) -> Iterator[str]:
    waiting: list[ast.Module | ast.ClassDef | ast.FunctionDef] = [ast.parse(path.read_text(encoding="utf-8"))]
    for node in waiting:
        yield from prose(ast.get_docstring(node) or "")
        waiting += [part for part in node.body if isinstance(part, ast.ClassDef | ast.FunctionDef)]


def prose(text: str) -> Iterator[str]:
    """Yield the plain sentences of a docstring, without its mark-up."""
    for paragraph in re.split(r"\n\s*\n", text):
        joined = " ".join(line.strip() for line in paragraph.strip().splitlines())
        if _NO_PROSE.search(joined):
            continue
        for sentence in _SENTENCE_END.split(_MARKS.sub("", _ROLE.sub(r"\1", joined))):
            words = sentence.split()
            plain = sum(_WORD.match(word) is not None for word in words)
            complete = sentence[:1].isupper() and sentence.endswith(".")
            if complete and FEWEST_WORDS <= len(words) <= MOST_WORDS and plain >= 0.9 * len(words):
                yield " ".join(words)
