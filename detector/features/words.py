"""Texts as words: what was written, and how the model's ordinary texts are worded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.model import InputKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WORDS = 512
COMMON = 50
_BETWEEN = r"[^\p{L}\p{N}]+"
# Odd, so that no two first words share a multiple.
_MIX = np.int64(-7_046_029_254_386_353_131)


@dataclass(frozen=True)
class Words:
    """The words of n texts, in lower case, the first MOST_WORDS of each.

    Attributes:
        bounds: int64 (n + 1,), where each text's words begin; a text that is none has no words.
        codes: int32 (W,), each word's position in `vocabulary`.
        vocabulary: int64 (V,), hashes of the distinct words, the same in every run.
    """

    bounds: NDArray[np.int64]
    codes: NDArray[np.int32]
    vocabulary: NDArray[np.int64]

    @classmethod
    def of(cls, blobs: pa.Array, mine: NDArray[np.bool_]) -> Words:
        """Take texts (UTF-8 as bytes) apart; those not `mine` (n,) count as none."""
        from pandas.util import hash_array

        told = zip(blobs.to_pylist(), mine.tolist(), strict=True)
        texts = [(blob or b"").decode("utf-8", "replace") if own else "" for blob, own in told]
        lists = pc.split_pattern_regex(pc.utf8_lower(pa.array(texts, pa.string())), _BETWEEN)
        flat, owner = lists.flatten(), pc.list_parent_indices(lists).to_numpy()
        real = pc.not_equal(flat, "").to_numpy(zero_copy_only=False)
        before = np.cumsum(real) - real
        first = before[np.searchsorted(owner, owner)] if len(owner) else before
        real &= before - first < MOST_WORDS
        coded = pc.dictionary_encode(flat.filter(pa.array(real)))
        bounds = np.concatenate([[0], np.cumsum(np.bincount(owner[real], minlength=len(texts)))]).astype(np.int64)
        words = np.array(coded.dictionary.to_pylist(), dtype=object)
        hashes = hash_array(words, categorize=False).view(np.int64) if len(words) else np.empty(0, np.int64)
        return cls(bounds, coded.indices.to_numpy().astype(np.int32), hashes)

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """Which text each word is of, int64 (W,)."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    @cached_property
    def hashes(self) -> NDArray[np.int64]:
        """The hash of each word, int64 (W,)."""
        return self.vocabulary[self.codes]

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the hash of each pair of neighbouring words, and which text it is of."""
        owner, hashes = self.owner, self.hashes
        at = np.flatnonzero(owner[1:] == owner[:-1])
        with np.errstate(over="ignore"):
            return hashes[at] * _MIX + hashes[at + 1], owner[at]

    def repeated(self) -> NDArray[np.bool_]:
        """Which words stand in their text before, bool (W,)."""
        owner = self.owner
        order = np.lexsort((np.arange(len(owner)), self.codes, owner))
        again = np.zeros(len(owner), dtype=bool)
        again[order[1:]] = (owner[order[1:]] == owner[order[:-1]]) & (self.codes[order[1:]] == self.codes[order[:-1]])
        return again


@dataclass(frozen=True)
class WordUse:
    """How a model's ordinary texts are worded.

    Attributes:
        words, pairs: int64, ascending: hashes of the words, and of the pairs of neighbouring words, of the reference.
        texts_of_word, texts_of_pair: int32, in how many of its texts each is.
        base: float64 (4,), of an ordinary text against the others: share of words that stand in the text before, of
            words that are among the COMMON commonest, of words that no other text has, and of pairs that one has.

    Raises:
        ValueError: the arrays do not belong together.
    """

    words: NDArray[np.int64]
    texts_of_word: NDArray[np.int32]
    pairs: NDArray[np.int64]
    texts_of_pair: NDArray[np.int32]
    base: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check what was read from a store."""
        together = self.words.shape == self.texts_of_word.shape and self.pairs.shape == self.texts_of_pair.shape
        if not together or self.base.shape != (4,):
            raise ValueError("the counts of words do not belong to the words")

    @classmethod
    def of(cls, told: Words) -> WordUse | None:
        """Learn from ordinary texts; None where they hold no two words."""
        pairs, pair_owner = told.pairs()
        if not len(pairs):
            return None
        words, of_word = _spread(told.hashes, told.owner)
        known, of_pair = _spread(pairs, pair_owner)
        draft = cls(words, of_word, known, of_pair, np.zeros(4))
        alone = of_word[np.searchsorted(words, told.hashes)] < 2
        shared = of_pair[np.searchsorted(known, pairs)] > 1
        base = (told.repeated().mean(), draft.common(told.hashes).mean(), alone.mean(), shared.mean())
        return replace(draft, base=np.array(base, dtype=np.float64))

    @classmethod
    def of_inputs(cls, kind: InputKind, blobs: pa.Array) -> WordUse | None:
        """Learn from ordinary inputs of one kind as they lie in the store; None where these are no texts."""
        return cls.of(Words.of(blobs, np.ones(len(blobs), dtype=bool))) if kind is InputKind.TEXT else None

    @cached_property
    def commonest(self) -> NDArray[np.int64]:
        """Hashes of the COMMON commonest words, ascending."""
        order = np.lexsort((self.words, -self.texts_of_word))[:COMMON]
        return np.sort(self.words[order])

    def common(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which words are among the commonest."""
        return np.isin(hashes, self.commonest)

    def knows(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which words the reference has."""
        return np.isin(hashes, self.words)

    def knows_pair(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs of words the reference has."""
        return np.isin(hashes, self.pairs)


def _spread(hashes: NDArray[np.int64], owner: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct hashes, ascending, and in how many texts each is."""
    order = np.lexsort((owner, hashes))
    hashes, owner = hashes[order], owner[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    names, counts = np.unique(hashes[new], return_counts=True)
    return names, counts.astype(np.int32)
