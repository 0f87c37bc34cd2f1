"""Wording: of texts, which words were exchanged for which, and whether anybody would write so.

A view of a text shows how far two texts lie from each other, not what was done to one to make the other. A search
exchanges or adds a word at a time and keeps what the answer liked; an explainer takes words away and brings no new
one; somebody who types adds at the end. And what a search arrives at are words that nobody writes side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn
from detector.features.state import enough, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.block import Block
    from detector.features.schema import ModelSchema
    from detector.features.state import States
    from detector.features.words import Words, WordUse

STRETCHES = 32
_SMALL = 3
_MOST_TIMES = 5.0

COLUMNS = (
    StateColumn("worded", Merge.SUM),
    StateColumn("exchanged", Merge.SUM),
    StateColumn("exchanged_again", Merge.SUM),
    StateColumn("added", Merge.SUM),
    StateColumn("removed", Merge.SUM),
    StateColumn("edited_at_end", Merge.SUM),
    StateColumn("nothing_new", Merge.SUM),
    StateColumn("one_new", Merge.SUM),
    StateColumn("words", Merge.SUM),
    StateColumn("words_repeated", Merge.SUM),
    StateColumn("words_common", Merge.SUM),
    StateColumn("words_unknown", Merge.SUM),
    StateColumn("word_pairs", Merge.SUM),
    StateColumn("word_pairs_known", Merge.SUM),
    StateColumn("length_trend", Merge.SUM),
    StateColumn("length_weight", Merge.SUM),
)


def measure(block: Block, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Compare each text with those before it, and its words with those of ordinary texts."""
    words, use = block.words, schema.wording
    if words is None or use is None:
        return {column.name: np.zeros(block.entities) for column in COLUMNS}
    return _edits(block, words) | _usage(block, words, use) | _lengths(block, words)


def _edits(block: Block, words: Words) -> dict[str, NDArray[np.float64]]:
    from detector.features import kernels_words as kernels

    n = len(block.ts)
    added, removed, place, after = (np.full(n, -1, dtype=np.int64) for _ in range(4))
    kernels.smallest_edits(words.codes, words.bounds, block.starts, added, removed, place, after)
    fresh = np.empty(n, dtype=np.int64)
    kernels.new_words(words.codes, words.bounds, block.starts, len(words.vocabulary), fresh)
    compared = (added >= 0) & (np.diff(words.bounds) > 0)
    exchanged = compared & (added == 1) & (removed == 1)
    more = compared & (removed == 0) & (added <= _SMALL)
    fewer = compared & (added == 0) & (removed <= _SMALL)
    again = np.zeros(n, dtype=bool)
    again[1:] = exchanged[1:] & exchanged[:-1] & (place[1:] == place[:-1])
    again[block.starts[:-1]] = False
    told = {
        "worded": compared,
        "exchanged": exchanged,
        "exchanged_again": again,
        "added": more,
        "removed": fewer,
        "edited_at_end": (exchanged | more | fewer) & (after == 0),
        "nothing_new": compared & (fresh == 0),
        "one_new": compared & (fresh == 1),
    }
    return {name: block.sums(rows) for name, rows in told.items()}


def _usage(block: Block, words: Words, use: WordUse) -> dict[str, NDArray[np.float64]]:
    owner = block.owner[words.owner]
    pairs, text = words.pairs()

    def counted(rows: NDArray[np.bool_], of: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(of, weights=rows, minlength=block.entities).astype(np.float64)

    return {
        "words": counted(np.ones(len(owner), dtype=bool), owner),
        "words_repeated": counted(words.repeated(), owner),
        "words_common": counted(use.common(words.vocabulary)[words.codes], owner),
        "words_unknown": counted(~use.knows(words.vocabulary)[words.codes], owner),
        "word_pairs": counted(np.ones(len(pairs), dtype=bool), block.owner[text]),
        "word_pairs_known": counted(use.knows_pair(pairs), block.owner[text]),
    }


def _lengths(block: Block, words: Words) -> dict[str, NDArray[np.float64]]:
    from detector.features import kernels

    trend = np.empty(block.entities)
    kernels.stretch_trend(np.diff(words.bounds).astype(np.float64), block.starts, STRETCHES, trend)
    return dict(zip(("length_trend", "length_weight"), block.weighted(trend), strict=True))


def finish(states: States, schema: ModelSchema) -> dict[str, NDArray[np.float64]]:
    """Turn states into features."""
    base = schema.wording.base if schema.wording is not None else np.zeros(4)
    compared = enough(states["worded"])
    words = enough(states["words"])
    small = states["exchanged"] + states["added"] + states["removed"]
    return {
        "word_exchange_ratio": ratio(states["exchanged"], compared),
        "word_place_repeat_ratio": ratio(states["exchanged_again"], enough(states["exchanged"])),
        "word_addition_ratio": ratio(states["added"], compared),
        "word_removal_ratio": ratio(states["removed"], compared),
        "edit_at_end_ratio": ratio(states["edited_at_end"], enough(small)),
        "no_new_word_ratio": ratio(states["nothing_new"], compared),
        "one_new_word_ratio": ratio(states["one_new"], compared),
        "word_repetition_excess": ratio(states["words_repeated"], words) - base[0],
        "common_word_excess": ratio(states["words_common"], words) - base[1],
        "unknown_word_excess": ratio(states["words_unknown"], words) - base[2],
        "fluency": _times(ratio(states["word_pairs_known"], enough(states["word_pairs"])), base[3]),
        "text_length_trend": ratio(states["length_trend"], states["length_weight"]),
    }


def _times(share: NDArray[np.float64], ordinary: float) -> NDArray[np.float64]:
    """Return how many times as large as ordinary a share is, at most _MOST_TIMES; null where none is ordinary."""
    return np.minimum(share / ordinary, _MOST_TIMES) if ordinary > 0 else np.full(len(share), np.nan)
