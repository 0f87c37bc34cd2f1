"""Texts: sentences sorted into subjects by hashed n-grams of letters, or into trades by hashed words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import TextForm
from detector.redteam.models.base import TargetModel, split
from detector.redteam.models.passages import MOST_WORDS, SUBJECTS, TRADES, sentences
from detector.redteam.networks import regressed

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from detector.redteam.arrays import FloatArray, IntArray

_EACH = 440
"""Sentences of a subject, at most."""
_BUCKETS = 2_048


def build(seed: int) -> TargetModel:
    """Sentences of 8 to 24 words; six subjects; logistic regression on hashed n-grams of letters."""
    return _trained("topics", seed, tuple(SUBJECTS), members=1_100, letters=True)


def build_trades(seed: int) -> TargetModel:
    """Sentences of 8 to 24 words; four trades; logistic regression on hashed words."""
    return _trained("trades", seed, tuple(TRADES), members=800, letters=False)


def _trained(name: str, seed: int, subjects: tuple[str, ...], *, members: int, letters: bool) -> TargetModel:
    subject_of: dict[str, int] = {}  # a sentence that several subjects share belongs to the first
    for number, subject in enumerate(subjects):
        for text in sentences(subject, _EACH):
            subject_of.setdefault(text, number)
    texts = list(subject_of)
    form = TextForm(("", *sorted({word for text in texts for word in text.split()})), MOST_WORDS)
    rows = form.rows(texts)
    labels = np.array(list(subject_of.values()))
    train, holdout, rest = split(rows, labels, members, 500, seed)
    encoder = _TextEncoder.of(form.vocabulary, train.rows, letters=letters)
    return TargetModel(
        name=name,
        version="1.0.8",
        form=form,
        classes=subjects,
        classifier=regressed(encoder.encode(train.rows), train.labels, looseness=30.0),
        encode=encoder.encode,
        vary=_Rewording(rows[rows > 0]).vary,
        train=train,
        holdout=holdout,
        field=rest,
        sensitivity="none",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _TextEncoder:
    """How the words of a text reach a classifier."""

    hashes: csr_array
    """The weighted n-grams of each word of the vocabulary, shape (words, buckets)."""

    @classmethod
    def of(cls, vocabulary: tuple[str, ...], rows: FloatArray, *, letters: bool) -> _TextEncoder:
        """Hash each word or its n-grams, and weigh it by how few of the members' `rows`, shape (n, length), have it."""
        from scipy.sparse import csr_array, diags_array
        from sklearn.feature_extraction.text import HashingVectorizer

        parts = {"analyzer": "char_wb", "ngram_range": (3, 5)} if letters else {"analyzer": "word"}
        grams = HashingVectorizer(**parts, n_features=_BUCKETS, norm="l2")
        present = np.zeros(len(vocabulary))
        for row in rows.astype(np.int64):
            present[np.unique(row)] += 1
        weight = np.log((1 + len(rows)) / (1 + present)) + 1
        weight[0] = 0.0  # no word
        return cls(csr_array(diags_array(weight) @ csr_array(grams.transform(vocabulary))))

    def encode(self, rows: FloatArray) -> FloatArray:
        """Return the texts' directions: the sums of their words' n-grams at length one, shape (n, buckets)."""
        from scipy.sparse import csr_array

        count, length = rows.shape
        words = rows.astype(np.int64).ravel()
        starts = np.arange(0, count * length + 1, length)
        sums = (
            csr_array((np.ones(len(words)), words, starts), shape=(count, self.hashes.shape[0])) @ self.hashes
        ).toarray()
        return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True, slots=True, eq=False)
class _Rewording:
    """How the same thing is said another way."""

    words: FloatArray
    """Numbers of the words that people use, each as often as they use it."""

    def vary(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return texts like `rows`: some words left out, some exchanged for others, some neighbours swapped."""
        varied = rows.copy()
        swapped: IntArray = np.flatnonzero(rng.random(len(rows)) < 0.4)
        at = rng.integers(rows.shape[1] // 3 - 1, size=len(swapped))
        varied[swapped, at], varied[swapped, at + 1] = rows[swapped, at + 1], rows[swapped, at]
        present = varied > 0
        other = present & (rng.random(rows.shape) < 0.05)
        varied[other] = rng.choice(self.words, size=int(other.sum()))
        varied[present & (rng.random(rows.shape) < 0.06)] = 0.0
        return packed(varied)


def packed(rows: FloatArray) -> FloatArray:
    """Return `rows` of words with all gaps at their ends."""
    order = np.argsort(rows == 0, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1)
