"""Compiled loops over an entity's queries: fixed lags, segments, records. Every cost is linear in the queries."""

from __future__ import annotations

import numpy as np
from numba import njit

LAGS = 16
SEGMENT = 200
STRIDE = 20
SHORTEST_SEGMENT = 40
SHORT_SEGMENT = 64
SHORT_STRIDE = 16
STEEP = 0.5
SATURATED = 0.999
BELOW_CHANCE = 0.3


@njit(cache=True, nogil=True)
def _only_field(view, i, j, field_of):  # type: ignore[no-untyped-def]
    """Name the one field in which two queries differ, -1 where they differ in several."""
    which = -1
    for k in range(view.shape[1]):
        if view[i, k] != view[j, k]:
            if which >= 0 and field_of[k] != which:
                return -1
            which = field_of[k]
    return which


@njit(cache=True, nogil=True)
def nearest_previous(view, starts, field_of, distance, changed, field, subresolution, hashes):  # type: ignore[no-untyped-def]
    """Compare each query with the LAGS before it.

    Fills, for each query: the squared distance to the nearest different one (inf if none), its lag in `changed[:, 0]`,
    in `changed[:, 1]` whether one of them differs in exactly one field, that field in `field` (of the nearest lag) or
    -1, and in `subresolution` whether one is equal in float32 but not exactly. `field_of` names the field of each
    value: another category is one field changed, though two of its indicators differ.
    """
    d = view.shape[1]
    for g in range(starts.shape[0] - 1):
        first = starts[g]
        for i in range(first, starts[g + 1]):
            best = np.inf
            best_lag = 0
            single = 0
            which = -1
            below = 0
            for lag in range(1, min(LAGS, i - first) + 1):
                j = i - lag
                total = np.float32(0.0)
                fields = 0
                for k in range(d):
                    step = view[i, k] - view[j, k]
                    total += step * step
                    fields += step != 0.0
                if fields == 0:
                    if hashes[i] != hashes[j]:
                        below = 1
                    continue
                if np.isnan(total):
                    continue
                if fields <= 2 and single == 0:
                    which = _only_field(view, i, j, field_of)
                    single = which >= 0
                if total < best:
                    best = total
                    best_lag = lag
            distance[i] = best
            changed[i, 0] = best_lag
            changed[i, 1] = single
            field[i] = which
            subresolution[i] = below


@njit(cache=True, nogil=True)
def field_histogram(view, starts, monitored, edges, counts, cell):  # type: ignore[no-untyped-def]
    """Count each entity's values in the reference's quantile bins, and name the cell that each query falls into.

    Adds to `counts` (G, M, bins) and fills `cell` with a hash of the query's bins, 0 for inputs that are not numbers.
    """
    fields = monitored.shape[0]
    inner = edges.shape[1]
    for g in range(starts.shape[0] - 1):
        for i in range(starts[g], starts[g + 1]):
            mixed = np.int64(1_099_511_628_211)
            for m in range(fields):
                v = view[i, monitored[m]]
                if np.isnan(v):
                    mixed = np.int64(0)
                    break
                at = 0
                for e in range(inner):
                    at += v > edges[m, e]
                counts[g, m, at] += 1.0
                mixed = (mixed ^ np.int64(at + 1)) * np.int64(1_099_511_628_211)
                mixed ^= mixed >> np.int64(29)
            cell[i] = mixed


@njit(cache=True, nogil=True)
def distinct(codes, keep, starts, out):  # type: ignore[no-untyped-def]
    """Count each entity's distinct codes among the rows kept."""
    for g in range(starts.shape[0] - 1):
        first = starts[g]
        kept = np.sort(codes[first : starts[g + 1]][keep[first : starts[g + 1]]])
        count = min(kept.shape[0], 1)
        for i in range(1, kept.shape[0]):
            count += kept[i] != kept[i - 1]
        out[g] = count


@njit(cache=True, nogil=True)
def consecutive_steps(view, starts, field_of, length, cosine, midpoint):  # type: ignore[no-untyped-def]
    """Follow consecutive queries of an entity.

    Fills the step length to the query before (NaN for the first), the cosine between this step and the last one, and
    the distance between this pair's midpoint and that of the pair before it, over half the pair's distance.
    """
    d = view.shape[1]
    for g in range(starts.shape[0] - 1):
        first = starts[g]
        for i in range(first, starts[g + 1]):
            length[i] = np.nan
            cosine[i] = np.nan
            midpoint[i] = np.nan
            if i == first:
                continue
            a = 0.0
            for k in range(d):
                step = view[i, k] - view[i - 1, k]
                a += step * step
            length[i] = np.sqrt(a)
            if i - first < 2 or a == 0.0:
                continue
            b = 0.0
            dot = 0.0
            fields = 0
            for k in range(d):
                now = view[i, k] - view[i - 1, k]
                before = view[i - 1, k] - view[i - 2, k]
                b += before * before
                dot += now * before
                fields += now != 0.0
            if fields == 2 and _only_field(view, i, i - 1, field_of) >= 0:
                fields = 1
            if b > 0.0 and fields > 1:
                cosine[i] = dot / np.sqrt(a * b)
            if i - first < 3 or fields < 2:
                continue
            gap = 0.0
            for k in range(d):
                shift = 0.5 * (view[i, k] + view[i - 1, k] - view[i - 2, k] - view[i - 3, k])
                gap += shift * shift
            midpoint[i] = np.sqrt(gap) / (0.5 * length[i])


@njit(cache=True, nogil=True)
def midrank_correlation(values):  # type: ignore[no-untyped-def]
    """Spearman's correlation of `values` with their positions, midranks for ties; NaN for a constant series."""
    n = values.shape[0]
    order = np.argsort(values)
    ranks = np.empty(n)
    i = 0
    while i < n:
        j = i
        while j + 1 < n and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            ranks[order[k]] = 0.5 * (i + j)
        i = j + 1
    middle = 0.5 * (n - 1)
    cov = 0.0
    var = 0.0
    for k in range(n):
        cov += (ranks[k] - middle) * (k - middle)
        var += (ranks[k] - middle) ** 2
    if var == 0.0:
        return np.nan
    return cov / np.sqrt(var * n * (n * n - 1.0) / 12.0)


@njit(cache=True, nogil=True)
def _rising_classes(p, rows):  # type: ignore[no-untyped-def]
    """Name the classes that one could be climbing towards in `rows`; -1 for none.

    Three candidates, because an early climb moves a tiny probability steadily (largest rise from the first to the
    second half in deviations), a later one moves a large one far (largest rise), and one that has arrived hardly moves
    (likeliest in the second half).
    """
    n = rows.shape[0]
    half = n // 2
    steady = 0.0
    far = 0.0
    top = -1.0
    which_steady = -1
    which_far = -1
    which_top = -1
    for c in range(p.shape[1]):
        s1 = 0.0
        s2 = 0.0
        q = 0.0
        for k in range(n):
            v = p[rows[k], c]
            if np.isnan(v):
                s1 = np.nan
                break
            if k < half:
                s1 += v
            else:
                s2 += v
            q += v * v
        if np.isnan(s1):
            continue
        if s2 > top:
            top = s2
            which_top = c
        mean = (s1 + s2) / n
        spread = q / n - mean * mean
        if spread <= 1e-18:
            continue
        rise = s2 / (n - half) - s1 / half
        if rise > far:
            far = rise
            which_far = c
        if rise / np.sqrt(spread) > steady:
            steady = rise / np.sqrt(spread)
            which_steady = c
    return which_steady, which_far, which_top


@njit(cache=True, nogil=True)
def best_segment(p, label, starts, out, segment=SEGMENT, stride=STRIDE):  # type: ignore[no-untyped-def]
    """Find each entity's steepest segment.

    Steepest is the largest sum of the rank correlation, a quarter of the probability gained and a tenth of that
    reached: gain and level decide between classes that all move in step, as they do when a smooth score is followed.
    A class that stays below chance is pursued only if no other one rises nearly as steadily.

    Fills, a row an entity: that sum, the correlation, class, first and last position, mean of the class's probability
    in the segment's first and last quarter, and the share of the class among the labels of its second half; then the
    number of segments, and how many of them climb by half or more.
    """
    for g in range(starts.shape[0] - 1):
        out[g, :] = np.nan
        out[g, 2] = -1.0
        out[g, 8] = 0.0
        out[g, 9] = 0.0
        rows = np.empty(starts[g + 1] - starts[g], np.int64)
        n = 0
        for i in range(starts[g], starts[g + 1]):
            if not np.isnan(p[i]).all():
                rows[n] = i
                n += 1
        if n < SHORTEST_SEGMENT:
            continue
        width = min(segment, n)
        quarter = width // 4
        values = np.empty(width)
        at = 0
        while True:
            window = rows[at : at + width]
            steady, far, top = _rising_classes(p, window)
            steepest = -1.0
            for turn in range(3):
                c = steady if turn == 0 else far if turn == 1 else top
                if c < 0 or (turn >= 1 and c == steady) or (turn == 2 and c == far):
                    continue
                for k in range(width):
                    values[k] = p[window[k], c]
                rho = midrank_correlation(values)
                early = values[:quarter].mean()
                late = values[width - quarter :].mean()
                steepest = max(steepest, rho)
                score = rho + 0.25 * (late - early) + 0.1 * late
                if late * p.shape[1] < 1.0:
                    score -= BELOW_CHANCE
                if score > out[g, 0] or np.isnan(out[g, 0]):
                    out[g, 0] = score
                    out[g, 1] = rho
                    out[g, 2] = c
                    out[g, 3] = window[0]
                    out[g, 4] = window[width - 1]
                    out[g, 5] = early
                    out[g, 6] = late
                    hits = 0
                    known = 0
                    for k in range(width // 2, width):
                        known += label[window[k]] >= 0
                        hits += label[window[k]] == c
                    out[g, 7] = hits / known if known else np.nan
            out[g, 8] += 1.0
            out[g, 9] += steepest >= STEEP
            if at + width >= n:
                break
            at = min(at + stride, n - width)


@njit(cache=True, nogil=True)
def records(p, starts, out):  # type: ignore[no-untyped-def]
    """Count records of every class forward and backward in time.

    Fills, a row an entity, for the class with the largest difference: class, records forward, records backward,
    number of values. The first value is a record; an equal one is not.
    """
    for g in range(starts.shape[0] - 1):
        out[g, 0] = -1.0
        gap = -np.inf
        for c in range(p.shape[1]):
            ahead = 0
            back = 0
            n = 0
            top = -np.inf
            for i in range(starts[g], starts[g + 1]):
                v = p[i, c]
                if not np.isnan(v):
                    n += 1
                    if v > top:
                        top = v
                        ahead += 1
            top = -np.inf
            for i in range(starts[g + 1] - 1, starts[g] - 1, -1):
                v = p[i, c]
                if not np.isnan(v) and v > top:
                    top = v
                    back += 1
            if n >= 2 and ahead - back > gap:
                gap = ahead - back
                out[g, 0] = c
                out[g, 1] = ahead
                out[g, 2] = back
                out[g, 3] = n


@njit(cache=True, nogil=True)
def accept_reject(view, p, starts, target, out):  # type: ignore[no-untyped-def]
    """Does the next query stay near a success and leave a failure?

    For each query t with a best-so-far before it, compares the next query's distance to t with its distance to that
    best. Fills, a row an entity: count, sum and sum of squares of ln(distance ratio) after successes, then after
    failures.
    """
    d = view.shape[1]
    for g in range(starts.shape[0] - 1):
        out[g, :] = 0.0
        c = target[g]
        if c < 0:
            continue
        best = -1
        for i in range(starts[g], starts[g + 1] - 1):
            v = p[i, c]
            if np.isnan(v) or np.isnan(view[i, 0]) or np.isnan(view[i + 1, 0]):
                continue
            if best < 0:
                best = i
                continue
            # Where the logged digits are used up, improvements cannot be seen, and every answer looks like a failure.
            if p[best, c] > SATURATED:
                break
            success = v > p[best, c]
            near = 0.0
            far = 0.0
            for k in range(d):
                a = view[i + 1, k] - view[i, k]
                b = view[i + 1, k] - view[best, k]
                near += a * a
                far += b * b
            if near > 0.0 and far > 0.0 and i > best:
                ratio = 0.5 * np.log(near / far)
                base = 0 if success else 3
                out[g, base] += 1.0
                out[g, base + 1] += ratio
                out[g, base + 2] += ratio * ratio
            if success:
                best = i


@njit(cache=True, nogil=True)
def block_alignment(view, p, starts, target, size, out):  # type: ignore[no-untyped-def]
    """Does the next block follow the last block's score gradient?

    Splits an entity's queries into blocks of `size`; a block's score gradient is the covariance of input and
    probability. Fills, a row an entity: number of inner blocks, sum and sum of squares of (cosine of the gradient with
    the move to the next block's mean minus that with the move from the block before).
    """
    d = view.shape[1]
    for g in range(starts.shape[0] - 1):
        out[g, :] = 0.0
        c = target[g]
        blocks = (starts[g + 1] - starts[g]) // size
        if c < 0 or blocks < 3:
            continue
        mean = np.zeros((blocks, d))
        grad = np.zeros((blocks, d))
        usable = np.ones(blocks, np.bool_)
        for b in range(blocks):
            base = starts[g] + b * size
            middle = 0.0
            for i in range(base, base + size):
                middle += p[i, c] / size
                for k in range(d):
                    mean[b, k] += view[i, k] / size
            if np.isnan(middle) or np.isnan(mean[b, 0]):
                usable[b] = False
                continue
            for i in range(base, base + size):
                weight = p[i, c] - middle
                for k in range(d):
                    grad[b, k] += weight * (view[i, k] - mean[b, k])
        for b in range(1, blocks - 1):
            if not (usable[b - 1] and usable[b] and usable[b + 1]):
                continue
            ahead = mean[b + 1] - mean[b]
            behind = mean[b] - mean[b - 1]
            size_g = np.sqrt((grad[b] ** 2).sum())
            size_a = np.sqrt((ahead**2).sum())
            size_b = np.sqrt((behind**2).sum())
            if size_g > 0.0 and size_a > 0.0 and size_b > 0.0:
                diff = (grad[b] * ahead).sum() / (size_g * size_a) - (grad[b] * behind).sum() / (size_g * size_b)
                out[g, 0] += 1.0
                out[g, 1] += diff
                out[g, 2] += diff * diff


@njit(cache=True, nogil=True)
def stretch_trend(values, starts, stretches, out):  # type: ignore[no-untyped-def]
    """Rank correlation of the means of `stretches` equal stretches with their order; NaN for short entities."""
    means = np.empty(stretches)
    for g in range(starts.shape[0] - 1):
        out[g] = np.nan
        n = starts[g + 1] - starts[g]
        if n < 2 * stretches:
            continue
        m = 0
        for s in range(stretches):
            total = 0.0
            known = 0
            for i in range(starts[g] + s * n // stretches, starts[g] + (s + 1) * n // stretches):
                if not np.isnan(values[i]):
                    total += values[i]
                    known += 1
            if known:
                means[m] = total / known
                m += 1
        if m == stretches:
            out[g] = midrank_correlation(means)


@njit(cache=True, nogil=True)
def stretch_spread(view, starts, stretches, out):  # type: ignore[no-untyped-def]
    """Rank correlation of the spread (total variance) of equal stretches with their order; NaN for short entities.

    Deviations are taken from a stretch's first input, so that a search far from zero still shows how it contracts.
    """
    d = view.shape[1]
    spread = np.empty(stretches)
    total = np.empty(d)
    square = np.empty(d)
    for g in range(starts.shape[0] - 1):
        out[g] = np.nan
        n = starts[g + 1] - starts[g]
        if n < 4 * stretches:
            continue
        for s in range(stretches):
            total[:] = 0.0
            square[:] = 0.0
            base = -1
            known = 0
            for i in range(starts[g] + s * n // stretches, starts[g] + (s + 1) * n // stretches):
                if np.isnan(view[i, 0]):
                    continue
                if base < 0:
                    base = i
                known += 1
                for k in range(d):
                    v = np.float64(view[i, k] - view[base, k])
                    total[k] += v
                    square[k] += v * v
            spread[s] = (square / known - (total / known) ** 2).sum() if known else np.nan
        if not np.isnan(spread).any():
            out[g] = midrank_correlation(spread)


@njit(cache=True, nogil=True)
def series_correlation(p, starts, target, out):  # type: ignore[no-untyped-def]
    """Rank correlation of each entity's target probability with query order, and its largest value: rows of two."""
    for g in range(starts.shape[0] - 1):
        out[g, 0] = np.nan
        out[g, 1] = np.nan
        c = target[g]
        if c < 0:
            continue
        values = np.empty(starts[g + 1] - starts[g])
        n = 0
        top = -np.inf
        for i in range(starts[g], starts[g + 1]):
            v = p[i, c]
            if not np.isnan(v):
                values[n] = v
                n += 1
                top = max(top, v)
        if n >= SHORTEST_SEGMENT:
            out[g, 0] = midrank_correlation(values[:n])
        if n:
            out[g, 1] = top
