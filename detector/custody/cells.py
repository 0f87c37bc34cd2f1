"""Text cells of CSV that no spreadsheet takes for a formula, no terminal for a command, and from which nothing is lost.

Three steps, each of which can be taken back, so `restore(neutralise(text)) == text` for every text:

1. An apostrophe goes behind each `;` or `|` that a formula sign (= + - @) follows: a program that splits lines at
   another separator than the comma would begin a cell there.
2. An apostrophe goes in front of a text that begins with a formula sign (also a full-width one, also behind blanks), a
   tab or a carriage return.
3. Control characters, characters that cannot be seen and those that reorder text are spelled as in the report,
   `⟨U+202E⟩`; so is `⟨` itself.

Steps 1 and 2 count apostrophes that are there already as part of the sign, so that one more can always be taken away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_BLANKS = "\\x00-\\x20\\x7f-\\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_START = re.compile(f"'*(?:[\t\r\n]|[{_BLANKS}]*[{_SIGNS}])")
_INNER = re.compile(f"([;|])(?='*[{_SIGNS}])")
_INNER_BACK = re.compile(f"([;|])'(?='*[{_SIGNS}])")
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u27e8\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
_SPELLED = re.compile("\u27e8U\\+([0-9A-F]{4,6})\u27e9")


def neutralise(text: str) -> str:
    """Return `text` as it stands in a cell."""
    inner = _INNER.sub(r"\1'", text)
    start = f"'{inner}" if _START.match(inner) else inner
    return _HIDDEN.sub(lambda match: f"\u27e8U+{ord(match[0]):04X}\u27e9", start)


def restore(cell: str) -> str:
    """Return the text that stands in a cell."""
    start = _SPELLED.sub(lambda match: chr(int(match[1], 16)), cell)
    inner = start[1:] if start.startswith("'") and _START.match(start) else start
    return _INNER_BACK.sub(r"\1", inner)


def column(values: Any, change: Callable[[str], str] = neutralise) -> Any:  # noqa: ANN401 - Arrow has no types
    """Return a column of texts with each distinct one changed; nulls stay."""
    import pyarrow as pa

    encoded = pa.chunked_array([values]) if isinstance(values, pa.Array) else values
    encoded = encoded.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pa.array([change(text) for text in encoded.dictionary.to_pylist()], pa.large_string())
    return distinct.take(encoded.indices)
