"""How alike a reconstruction and a record are: as images, field by field, letter by letter."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence.comparison.parts import Measure
from detector.evidence.space import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from detector.evidence.space import RecordSpace

    Record = Mapping[str, Any]
    Fields = tuple[tuple[str, bool, bool], ...]

_WINDOW = 7
_LETTERS = 3
_TOLERANCE = 0.1
"""Numbers agree that differ by less than this share of their field's spread."""
_LONGEST_TEXT = 20_000
_MOST_DECIBELS = 100.0

NO_SSIM = "SSIM was not measured: it takes pip install 'inversion-detector[evidence]'."
NO_EDITS = "Edit similarity was not measured: it takes pip install 'inversion-detector[evidence]'."


def images(
    drawn: NDArray[np.float32], member: NDArray[np.float32], other: NDArray[np.float32] | None, brightness: float
) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
    """Return SSIM and PSNR of images, and what could not be measured.

    Args:
        drawn: the reconstruction: height, width, channels.
        member: its nearest training record.
        other: its nearest hold-out record.
        brightness: the value of white above that of black.
    """
    noise = Measure("PSNR, dB", psnr(drawn, member, brightness), _maybe(psnr, drawn, other, brightness))
    # The smallest window that tells structure from a single place is three wide.
    if min(drawn.shape[:2]) < 3:
        return (noise,), ()
    try:
        likeness = Measure("SSIM", ssim(drawn, member, brightness), _maybe(ssim, drawn, other, brightness))
    except ModuleNotFoundError:
        return (noise,), (NO_SSIM,)
    return (likeness, noise), ()


def _maybe(
    measure: Callable[[NDArray[np.float32], NDArray[np.float32], float], float],
    drawn: NDArray[np.float32],
    other: NDArray[np.float32] | None,
    brightness: float,
) -> float | None:
    return measure(drawn, other, brightness) if other is not None else None


def ssim(one: NDArray[np.float32], other: NDArray[np.float32], brightness: float) -> float:
    """Return the structural similarity of two images (Wang et al. 2004): 1 for equal ones, around 0 for unlike ones.

    Raises:
        ModuleNotFoundError: the package scikit-image is not installed.
    """
    from skimage import metrics

    similarity: Any = metrics.structural_similarity
    side = min(_WINDOW, *one.shape[:2])
    side -= 1 - side % 2
    first, second = one.astype(np.float64), other.astype(np.float64)
    return float(similarity(first, second, win_size=side, data_range=brightness, channel_axis=2))


def psnr(one: NDArray[np.float32], other: NDArray[np.float32], brightness: float) -> float:
    """Return the peak signal-to-noise ratio in decibels, at most 100: equal images have no noise to divide by."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return min(10 * math.log10(brightness**2 / error), _MOST_DECIBELS) if error > 0 else _MOST_DECIBELS


def texts(drawn: str, member: str, other: str | None) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
    """Return edit similarity and overlap of letter triples, each from 0 to 1, and what could not be measured."""
    drawn, member = drawn[:_LONGEST_TEXT], member[:_LONGEST_TEXT]
    other = other[:_LONGEST_TEXT] if other is not None else None
    shared = Measure(
        "letter triples shared", overlap(drawn, member), overlap(drawn, other) if other is not None else None
    )
    try:
        kept = Measure("edit similarity", edits(drawn, member), edits(drawn, other) if other is not None else None)
    except ModuleNotFoundError:
        return (shared,), (NO_EDITS,)
    return (kept, shared), ()


def edits(one: str, other: str) -> float:
    """Return 1 minus the Levenshtein distance by the longer text's length.

    Raises:
        ModuleNotFoundError: the package rapidfuzz is not installed.
    """
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(one, other))


def overlap(one: str, other: str) -> float:
    """Return the letter triples that two texts share, by those of both, each as often as it occurs (Jaccard)."""
    first, second = _triples(one), _triples(other)
    either = (first | second).total()
    return (first & second).total() / either if either else 0.0


def _triples(text: str) -> Counter[str]:
    padded = f" {text.casefold()} "
    return Counter(padded[i : i + _LETTERS] for i in range(len(padded) - _LETTERS + 1))


def guess(space: RecordSpace, known: Sequence[Record]) -> dict[str, Any]:
    """Return what somebody would fill in without the model: each field's median or most frequent value in `known`."""
    guessed: dict[str, Any] = {}
    for name in space.numbers:
        values = [float(row[name]) for row in known if is_number(row.get(name))]
        guessed[name] = float(np.median(values)) if values else space.numbers[name][0]
    for name in space.categories:
        counts = Counter(str(row[name]) for row in known if row.get(name) is not None)
        # Of equally frequent values the first in order: a guess must not depend on the order of a file.
        guessed[name] = min(counts, key=lambda value: (-counts[value], value)) if counts else ""
    return guessed


def records(
    space: RecordSpace, drawn: Record, member: Record, other: Record | None, guessed: Record
) -> tuple[tuple[Measure, ...], Fields]:
    """Return how far fields agree, by itself and against a guess without the model.

    G-mean and Matthews correlation are taken over the values that each category could have, as indicators: a guess of
    what is frequent has a high accuracy and a low value of both.
    """
    names = [*space.numbers, *space.categories]
    fields = tuple((name, _agrees(space, name, drawn, member), _agrees(space, name, guessed, member)) for name in names)
    near = [_agrees(space, name, drawn, other) for name in names] if other is not None else None
    shares = Measure(
        "share of fields that agree",
        float(np.mean([agree for _, agree, _ in fields])),
        float(np.mean(near)) if near is not None else None,
        float(np.mean([agree for _, _, agree in fields])),
    )
    if not any(len(values) > 1 for values in space.categories.values()):
        return (shares,), fields
    truth = _indicators(space, member)
    found, baseline = _indicators(space, drawn), _indicators(space, guessed)
    beside = _indicators(space, other) if other is not None else None
    return (
        shares,
        Measure("G-mean of categories", g_mean(truth, found), _with(g_mean, beside, found), g_mean(truth, baseline)),
        Measure("MCC of categories", mcc(truth, found), _with(mcc, beside, found), mcc(truth, baseline)),
    ), fields


def _with(
    measure: Callable[[NDArray[np.bool_], NDArray[np.bool_]], float],
    truth: NDArray[np.bool_] | None,
    found: NDArray[np.bool_],
) -> float | None:
    return measure(truth, found) if truth is not None else None


def _agrees(space: RecordSpace, name: str, one: Record, other: Record) -> bool:
    left, right = one.get(name), other.get(name)
    if left is None or right is None:
        return left is right
    if name not in space.numbers:
        return str(left) == str(right)
    if not is_number(left) or not is_number(right):
        return False
    return abs(float(left) - float(right)) <= _TOLERANCE * space.numbers[name][1]


def _indicators(space: RecordSpace, row: Record) -> NDArray[np.bool_]:
    return np.array(
        [str(row.get(name)) == value for name, values in space.categories.items() for value in values], dtype=np.bool_
    )


def g_mean(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Return the geometric mean of sensitivity and specificity, 0 where the truth has only one side."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return 0.0
    return math.sqrt(int((truth & found).sum()) / positives * (int((~truth & ~found).sum()) / negatives))


def mcc(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Return the Matthews correlation, from -1 to 1, 0 where one side is constant."""
    if truth.all() or found.all() or not truth.any() or not found.any():
        return 0.0
    return float(np.corrcoef(truth, found)[0, 1])
