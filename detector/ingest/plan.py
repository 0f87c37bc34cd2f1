"""Where each field of a query lies in a record: what a mapping file compiles to, and what the SQL is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.model import InputKind

SCALARS = (
    "timestamp",
    "request_id",
    "client_id",
    "source_ip",
    "user_agent",
    "model",
    "model_version",
    "endpoint",
    "operation",
    "status",
    "latency_ms",
    "sampling_rate",
)
OUTPUTS = ("label", "confidence", "value", "probabilities", "items", "embedding", "text", "logprobs")
FIELDS = (*SCALARS, "params", "input", "output", *OUTPUTS)


class Decode(StrEnum):
    """How a string hides another value."""

    JSON = "json"
    CSV = "csv"
    BASE64 = "base64"
    BASE64_JSON = "base64_json"
    # A cell of a table: JSON if it reads as an object or array, else the text that it is.
    CELL = "cell"


class TimeUnit(StrEnum):
    """How times are written: as ISO 8601 text, or as a number of these since 1970."""

    ISO = "iso"
    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"

    @property
    def digits(self) -> int:
        """Decimal places of a second that the unit stands for."""
        return {"iso": 0, "s": 0, "ms": 3, "us": 6, "ns": 9}[self.value]


@dataclass(frozen=True)
class Source:
    """Where one field lies.

    Attributes:
        pointer: JSON pointer (RFC 6901) into the record.
        const: a JSON text to use instead of anything in the record.
        parts: name and pointer of several values that together are a record, or, without names, a vector.
        decode: how the value found there hides another one.
        inside: JSON pointer into the decoded value.
        rows: whether the value is a list with one element for each of the record's queries.
        each: JSON pointer into each of those elements.
    """

    pointer: str | None = None
    const: str | None = None
    parts: tuple[tuple[str | None, str], ...] = ()
    decode: Decode | None = None
    inside: str = ""
    rows: bool = False
    each: str = ""


@dataclass(frozen=True)
class Plan:
    """How to read a record.

    Attributes:
        sources: field to where it may lie, best first.
        unit: how times are written.
        input_kind: what the input is, where the log's owner knows; None looks at it.
        operations: endpoint or operation as logged to the operation that it is.
        generic: whether this is the generic log, for which there is a faster lane.
    """

    sources: Mapping[str, tuple[Source, ...]]
    unit: TimeUnit = TimeUnit.ISO
    input_kind: InputKind | None = None
    operations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    generic: bool = False

    @property
    def explodes(self) -> bool:
        """Whether one record may hold many queries."""
        return any(source.rows for sources in self.sources.values() for source in sources)


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


GENERIC = Plan(
    MappingProxyType({name: (Source(pointer(name)),) for name in (*SCALARS, "params", "input", "output")}),
    generic=True,
)

_CELLS = ("params", "input", "output")

# A table cannot nest: an output may be one JSON cell, or a column a field, called by its bare or its dotted name.
GENERIC_TABLE = Plan(
    MappingProxyType(
        {name: (Source(pointer(name)),) for name in SCALARS}
        | {name: (Source(pointer(name), decode=Decode.CELL),) for name in _CELLS}
        | {
            name: tuple(Source(pointer(column), decode=Decode.CELL) for column in (f"output.{name}", name))
            for name in OUTPUTS
        }
    )
)
