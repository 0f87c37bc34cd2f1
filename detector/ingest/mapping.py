"""Mapping files: where the fields of a query lie in a log that is not the generic one.

The file is somebody's input: it is checked strictly, and nothing in it is ever run. What it names ends up in SQL only
as quoted JSON pointers.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from detector.errors import ConfigError
from detector.ingest.options import LogFormat
from detector.ingest.plan import FIELDS, OUTPUTS, Decode, Plan, Source, TimeUnit, pointer
from detector.model import InputKind, Operation

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = ("timestamp", "client_id", "model")
_LARGEST_FILE = 1 << 18
_DEEPEST = 20
_OPENING = (
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
)
_CLOSING = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken, yaml.BlockEndToken)
_MOST_VALUES = 20_000
_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')
_RANGE = re.compile(r"\{(\d{1,6})\.\.(\d{1,6})\}")
_KINDS = {kind.name.lower(): kind for kind in InputKind if kind is not InputKind.NONE}
# Columns of a table whose cells may be JSON without anybody saying so.
_CELLS = ("params", "input", "output", *OUTPUTS)


def parse_path(text: str) -> str:
    """Return a dotted path as a JSON pointer; `a."b.c".0` steps into a key that holds a dot, and a list.

    Raises:
        ValueError: it is not a path.
    """
    if any(ord(character) < ord(" ") for character in text):
        raise ValueError("a path holds no control characters")
    steps, at = [], 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is not a path like a.b.0")
        steps.append(json.loads(found[0]) if found[1] is not None else found[2])
        at = found.end()
        if at < len(text):
            if text[at] != "." or at + 1 == len(text):
                raise ValueError(f"{text!r} is not a path like a.b.0")
            at += 1
    if not steps:
        raise ValueError("a path names at least one key")
    return pointer(*steps)


def _checked_path(value: object) -> object:
    if isinstance(value, str):
        parse_path(value)
    return value


def _spread(paths: list[str]) -> list[str]:
    """Write out `x{0..63}` as x0 to x63.

    Raises:
        ValueError: that would be too many.
    """
    spread: list[str] = []
    for path in paths:
        found = _RANGE.search(path)
        if found is None:
            spread.append(path)
            continue
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < _MOST_VALUES:
            raise ValueError(f"{path!r} is not a range of at most {_MOST_VALUES} values")
        spread += [path[: found.start()] + str(number) + path[found.end() :] for number in range(first, last + 1)]
    if len(spread) > _MOST_VALUES:
        raise ValueError(f"a record or vector has at most {_MOST_VALUES} values")
    return spread


def _checked_range(value: object) -> object:
    if isinstance(value, str):
        for path in _spread([value]):
            parse_path(path)
    return value


_PathText = Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_checked_path)]
_PathRange = Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_checked_range)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FieldPlace(_Strict):
    """Where one field lies: exactly one of `path`, `const`, `record` and `vector`."""

    path: _PathText | None = None
    const: str | int | float | bool | None = None
    record: list[_PathRange] | dict[str, _PathText] | None = Field(default=None, max_length=_MOST_VALUES)
    vector: list[_PathRange] | None = Field(default=None, max_length=_MOST_VALUES)
    decode: Literal["json", "csv", "base64", "base64_json"] | None = None
    inside: _PathText | None = None
    rows: bool = False
    each: _PathText | None = None

    @field_validator("const")
    @classmethod
    def _storable(cls, value: str | float | bool | None) -> str | float | bool | None:  # noqa: FBT001 - pydantic's
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a constant holds no NUL")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a constant is finite")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        said = [name for name in ("path", "const", "record", "vector") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError("exactly one of path, const, record and vector says where a field lies")
        if self.path is None and (self.decode or self.inside or self.rows):
            raise ValueError("decode, inside and rows go with path")
        if self.each is not None and not self.rows:
            raise ValueError("each goes with rows: true")
        if (self.record is not None and not self.record) or (self.vector is not None and not self.vector):
            raise ValueError("a record or vector names at least one value")
        return self

    def source(self, decode: Decode | None) -> Source:
        """Return the place as the reader takes it; `decode` is meant where the file names none."""
        if self.const is not None:
            return Source(const=json.dumps(self.const))
        if self.vector is not None:
            return Source(parts=tuple((None, parse_path(path)) for path in _spread(self.vector)))
        if isinstance(self.record, dict):
            return Source(parts=tuple((name, parse_path(path)) for name, path in self.record.items()))
        if self.record is not None:
            return Source(parts=tuple((path, parse_path(path)) for path in _spread(self.record)))
        return Source(
            pointer=parse_path(self.path or ""),
            decode=Decode(self.decode) if self.decode else decode,
            inside=parse_path(self.inside) if self.inside else "",
            rows=self.rows,
            each=parse_path(self.each) if self.each else "",
        )


def _place(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class Mapping(_Strict):
    """A mapping file, see docs/ingest.md.

    Attributes:
        format: the log's container; None looks at the content.
        timestamp_unit: how times are written.
        input_kind: what inputs are, where looking at them would not tell (digests, embeddings).
        operation: endpoint or operation as logged to what it is.
        fields: where each field lies.
    """

    format: Literal["jsonl", "csv", "parquet"] | None = None
    timestamp_unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    input_kind: Literal["vector", "record", "text", "digest", "embedding"] | None = None
    operation: dict[str, Literal["predict", "explain", "gradients", "embed", "other"]] = Field(default_factory=dict)
    fields: dict[Literal[FIELDS], Annotated[FieldPlace, BeforeValidator(_place)]]  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in REQUIRED if name not in self.fields]
        if missing:
            raise ValueError(f"fields lacks {', '.join(missing)}")
        self.plan(LogFormat.JSONL)
        return self

    @property
    def log_format(self) -> LogFormat | None:
        """The container, where the file names one."""
        return LogFormat(self.format) if self.format else None

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with anything that the file says."""
        said = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def plan(self, container: LogFormat) -> Plan:
        """Return how to read records of this layout in a container."""
        table = container is not LogFormat.JSONL
        places = {
            name: (place.source(Decode.CELL if table and name in _CELLS else None),)
            for name, place in self.fields.items()
        }
        return Plan(
            MappingProxyType(places),
            unit=TimeUnit(self.timestamp_unit),
            input_kind=_KINDS[self.input_kind] if self.input_kind else None,
            operations=MappingProxyType({said: Operation(meant).value for said, meant in self.operation.items()}),
        )


def load_mapping(file: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        ConfigError: it is missing, is not YAML, or says something that is not a mapping; with the line.
    """
    try:
        text = _text(file)
        tree = _tree(text, file)
        return Mapping.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(part for part in first["loc"] if part != "[key]")
        said = ".".join(str(part) for part in where)
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"{said}: {message}" if said else message, file=file, line=_line(tree, where), expected=_EXPECTED
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else None
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(f"not YAML: {problem}", file=file, line=line, expected=_EXPECTED) from error


_EXPECTED = "a mapping as in docs/ingest.md"


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file, expected="a mapping file") from error
    if len(raw) > _LARGEST_FILE:
        raise ConfigError("is too large", file=file, expected="at most 256 KiB")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8", file=file, expected=_EXPECTED) from error


def _tree(text: str, file: Path) -> yaml.Node | None:
    """Return the file's nodes, for their lines; aliases are refused, since a few of them can stand for gigabytes."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        refused = "aliases are not allowed" if isinstance(token, yaml.AliasToken) else None
        if refused or depth > _DEEPEST:
            line = token.start_mark.line + 1
            raise ConfigError(refused or "is nested too deeply", file=file, line=line, expected=_EXPECTED)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _line(node: yaml.Node | None, where: tuple[int | str, ...]) -> int | None:
    """Return the line of the innermost node along `where` that is in the file."""
    line = node.start_mark.line + 1 if node is not None else None
    for part in where:
        following = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    following, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            line = following.start_mark.line + 1
        if following is None:
            break
        node = following
    return line
