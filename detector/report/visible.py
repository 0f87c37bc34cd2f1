"""Text from logs, made harmless to look at: nothing invisible, nothing that turns the line around, nothing endless."""

from __future__ import annotations

import re

# C0 and C1 controls, soft hyphen, bidirectional marks, embeddings and isolates, zero-width and joining characters,
# line separators, interlinear marks, tags, variation selectors beyond the common ones, lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
_BREAKS = re.compile("[\t\n]")
LONGEST_NAME = 120
LONGEST_SENTENCE = 1_000


def visible(text: str) -> str:
    """Return `text` with every control and invisible character spelled out; tabs and line feeds stay."""
    return _HIDDEN.sub(_spelled, text)


def name(text: str, longest: int = LONGEST_NAME) -> str:
    """Return an id or label for one line: line feeds and tabs spelled out too, the end of a very long one cut."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _BREAKS.sub(_spelled, visible(cut))


def sentence(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """Return text that runs on: nothing hidden in it, the end of an endless one cut."""
    return visible(text if len(text) <= longest else f"{text[: longest - 1]}…")


def _spelled(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
