"""YAML files read without trust, each value knowing the line that it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from detector.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Step = str | int

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_EVENTS = 50_000
_SUFFIXES = frozenset({".yml", ".yaml"})
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")
)


@dataclass(frozen=True)
class Document:
    """One YAML document of a rule file.

    Attributes:
        file: where it was read.
        data: what it says.
        lines: the line of each key and list item, by its path from the top.
    """

    file: Path
    data: Mapping[str, Any]
    lines: Mapping[tuple[Step, ...], int]

    def line(self, *path: Step) -> int:
        """Return the line of a key or list item, or of the closest thing around it that is there."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1

    def error(self, message: str, *path: Step, expected: str | None = None) -> RuleError:
        """Return the error that points at a place in this document."""
        return RuleError(message, file=self.file, line=self.line(*path), expected=expected)


def rule_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the rule files under some files and folders, sorted, hidden ones left out.

    Raises:
        RuleError: one of the paths does not exist.
    """
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir():
            for file in sorted(path.rglob("*")):
                hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
                if file.suffix in _SUFFIXES and not hidden and file.is_file():
                    yield file
        else:
            raise RuleError("there is no such rule file or folder", file=path, expected="a .yml file or a folder")


def read_documents(file: Path) -> Iterator[Document]:
    """Yield the documents of one file; empty ones are passed over.

    Raises:
        RuleError: the file cannot be read, is not YAML, or uses what a rule has no need of (anchors, tags, keys
            given twice), with the line.
    """
    text = _read(file)
    try:
        _refuse_bombs(text, file)
        loader = yaml.CSafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None or node.tag == "tag:yaml.org,2002:null":
                continue
            yield _document(loader, node, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # what is missing at the end of a file is marked on the line after it
        line = min(mark.line + 1, len(text.splitlines())) if mark is not None else None
        raise RuleError(f"cannot be read as YAML: {error.problem}", file=file, line=line) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RuleError(f"cannot be read as YAML: {error}", file=file) from error


def _read(file: Path) -> str:
    try:
        with Path(file).open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", file=file) from error
    if len(raw) > MAX_BYTES:
        raise RuleError("is too large for a rule file", file=file, expected=f"at most {MAX_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RuleError("holds bytes that are not UTF-8", file=file, line=line, expected="UTF-8 text") from error


def _refuse_bombs(text: str, file: Path) -> None:
    """Walk the parser's events, which needs no recursion, before anything is built from them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RuleError("anchors and aliases are not allowed in rules", file=file, line=line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_EVENTS:
            raise RuleError("is nested too deeply or holds too many values", file=file, line=line)


def _document(loader: yaml.CSafeLoader, node: yaml.Node, file: Path) -> Document:
    lines: dict[tuple[Step, ...], int] = {}
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        raise RuleError("is not a rule", file=file, line=line, expected="a mapping with title, id, detection, ...")
    _note_lines(node, (), lines, file)
    try:
        data = loader.construct_document(node)
    except (ValueError, OverflowError) as error:
        line = node.start_mark.line + 1
        raise RuleError(f"holds a value that cannot be read: {error}", file=file, line=line) from error
    return Document(file, data, lines)


def _note_lines(node: yaml.Node, path: tuple[Step, ...], lines: dict[tuple[Step, ...], int], file: Path) -> None:
    """Note where everything stands, and refuse what the constructor would silently accept."""
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if node.tag not in _PLAIN_TAGS:
        raise RuleError(f"YAML tag {node.tag} is not allowed in rules", file=file, line=line)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*path, index] = item.start_mark.line + 1
            _note_lines(item, (*path, index), lines, file)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a collection"
                raise RuleError(f"{shown!r} is not a name", file=file, line=line, expected="a text as key")
            if (*path, key.value) in lines:
                raise RuleError(f"{key.value!r} is given twice", file=file, line=line)
            lines[*path, key.value] = line
            _note_lines(value, (*path, key.value), lines, file)
