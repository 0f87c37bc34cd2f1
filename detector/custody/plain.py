"""Evidence as plain JSON: frozen types and arrays become objects and lists, under the names that they have here."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from detector.custody.manifest import plain_text

LEFT_OUT = frozenset({"pinned", "pursuit"})
"""Fields that have a member of their own."""

_READABLE = 200_000


def document(value: object) -> bytes:
    """Return `value` as a JSON document: keys sorted, one line feed at the end, null for what is not a number."""
    shown = plain(value)
    text = json.dumps(shown, ensure_ascii=False, sort_keys=True, allow_nan=False)
    if len(text) <= _READABLE:
        # Indenting takes the library's slow way: for what somebody may want to read as it is.
        text = json.dumps(shown, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=1)
    return (text + "\n").encode("utf-8")


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return `value` as JSON has it; a type that it has no form for is named instead of shown."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (one.name for one in dataclasses.fields(value) if not one.name.startswith("_"))
        return {name: plain(getattr(value, name)) for name in fields if name not in LEFT_OUT}
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Mapping):
        return {plain_text(str(plain(key))): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, AbstractSet):
        return sorted((plain(one) for one in value), key=str)
    return _scalar(value)


def _scalar(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, np.float32):
        # The shortest decimal that is this number, not the many digits of its nearest float64.
        value = float(str(value))
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return plain_text(_words(value))


def _words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value.as_posix() if isinstance(value, PurePath) else f"(not exported: {type(value).__name__})"


def _array(values: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 - JSON
    if values.ndim > 1:
        return [_array(row) for row in values]
    if values.dtype == np.float32:
        values = values.astype("U32").astype(np.float64)
    if values.dtype.kind == "f":
        return [one if math.isfinite(one) else None for one in values.tolist()]
    return values.tolist() if values.dtype.kind in "biu" else [plain(one) for one in values.tolist()]
