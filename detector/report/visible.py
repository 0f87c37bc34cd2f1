"""Text from logs, made harmless to look at: nothing invisible, nothing that turns the line around, nothing endless."""

from __future__ import annotations

import re

# C0 and C1 controls, soft hyphen, bidirectional marks, embeddings and isolates, zero-width and joining characters,
# line separators, interlinear marks, tags, variation selectors beyond the common ones, lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
# Marks that sit on the letter before them. Languages need up to three; a pile of them runs over other lines.
_PILE = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]{4,}"
)
_BREAKS = re.compile("[\t\n]")
_MOST_MARKS = 3
LONGEST_NAME = 120
LONGEST_SENTENCE = 1_000


def visible(text: str) -> str:
    """Return `text` with controls, invisible characters and piles of marks spelled out; tabs and line feeds stay."""
    return _PILE.sub(_unpiled, _HIDDEN.sub(_spelled, text))


def name(text: str, longest: int = LONGEST_NAME) -> str:
    """Return an id or label for one line: line feeds and tabs spelled out too, the end of a very long one cut."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _BREAKS.sub(_spelled, visible(cut))


def sentence(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """Return text that runs on: nothing hidden in it, the end of an endless one cut."""
    return visible(text if len(text) <= longest else f"{text[: longest - 1]}…")


def _spelled(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"


def _unpiled(match: re.Match[str]) -> str:
    pile = match[0]
    return pile[:_MOST_MARKS] + "".join(f"⟨U+{ord(one):04X}⟩" for one in pile[_MOST_MARKS:])
