"""What a model file tells of the model: layers, parameters, shapes, what wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_LAYERS = 500
"""Layers that are listed at most; more are counted."""

MOST_TEXT = 64 * 1024 * 1024
"""Bytes of a description (a header, a schema, a card) that are read at most."""

LONGEST = 200
_MOST_PLACES = 32


class UnreadableError(Exception):
    """A model file is not what it seems; the text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Layer:
    """One layer, or one object of a pipeline.

    Attributes:
        name: as the file calls it.
        kind: operator, class or data type.
        shape: of its parameters, as text.
        parameters: how many numbers it holds, None where the file does not tell.
    """

    name: str
    kind: str
    shape: str
    parameters: int | None


@dataclass(frozen=True)
class Port:
    """One input or output: its name, the type of its values, its shape as text."""

    name: str
    kind: str
    shape: str


@dataclass(frozen=True)
class Architecture:
    """What could be read of a model.

    Attributes:
        framework: what wrote the file, with its version, empty where it does not say.
        layers: at most `MAX_LAYERS` of them, in their order.
        layer_count: how many there are.
        parameters: numbers that the model holds, None where the file does not tell.
        inputs, outputs: what goes in and comes out.
        notes: other facts, name to value.
        warnings: what to beware of, in sentences.
    """

    framework: str = ""
    layers: tuple[Layer, ...] = ()
    layer_count: int = 0
    parameters: int | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def cut(text: object) -> str:
    """Return text of a file that anybody may have written, no longer than a line."""
    told = str(text)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


def shape_text(places: Iterable[object]) -> str:
    """Return a shape as text: 3 x 224 x 224; what is not fixed by its name or as ?."""
    listed = [cut(one) if one not in {None, ""} else "?" for one in places]
    shown = " \u00d7 ".join(listed[:_MOST_PLACES])
    return f"{shown} \u00d7 …" if len(listed) > _MOST_PLACES else shown or "scalar"


def size_of(places: Any) -> int:  # noqa: ANN401 - of a file that anybody may have written
    """Return how many values an array of that shape holds.

    Raises:
        UnreadableError: it is no shape.
    """
    if not isinstance(places, (list, tuple)) or len(places) > _MOST_PLACES:
        raise UnreadableError("it names a shape that is none")
    total = 1
    for one in places:
        if not isinstance(one, int) or isinstance(one, bool) or one < 0:
            raise UnreadableError("it names a shape that is none")
        total *= one
    return total


def read_json(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON document.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("its description is not JSON") from error


def read_bounded(path: Path) -> bytes:
    """Return the content of a description.

    Raises:
        UnreadableError: it is too long for one.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MOST_TEXT:
        raise UnreadableError(f"it is longer than {MOST_TEXT:,} bytes")
    return path.read_bytes()
