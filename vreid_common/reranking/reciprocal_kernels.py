"""Compiled loops of k-reciprocal re-ranking on the CPU.

Shape shorthand: N images (queries, then gallery), K neighbours of each, nonzeros of a sparse (N, N) array in compressed rows
(pointers (N + 1), columns, values).
"""

from __future__ import annotations

import numpy as np

from vreid_common.jit import compiled
from vreid_common.reranking.search_kernels import signed_distance

__all__ = ["average_rows", "encode_rows", "invert", "jaccard_rows", "mark_mutual"]


@compiled(error_model="numpy")
def mark_mutual(neighbors, count, start, stop, mutual):
    """Sets ``mutual[i, a]`` (N, count) where i is among the first ``count`` neighbours of its own neighbour a."""
    for i in range(start, stop):
        for a in range(count):
            others = neighbors[neighbors[i, a], :count]
            found = False
            for b in range(count):
                found |= others[b] == i
            mutual[i, a] = found


@compiled(error_model="numpy")
def encode_rows(neighbors, distances, farthest, full, half, mutual_half, first_part, second_part, positive, start, stop):
    """The k-reciprocal features of rows ``start`` to ``stop``: Zhong et al. 2017, Eq. 3-5 and 7.

    Args:
        neighbors, distances: (N, K) nearest first.
        farthest: (N,) each row's greatest distance, which its distances are divided by.
        full, half: how many neighbours make R(i, k1) and R(i, k1 / 2), the image among them.
        mutual_half: (N, half) from ``mark_mutual``.
        first_part, second_part, positive: the features, and how many of their dimensions do not count negatively.

    Returns:
        Nonzeros of each row (stop - start,), columns, and weights that sum to 1 in each row.
    """
    images = neighbors.shape[0]
    split = first_part.shape[0]
    capacity = (stop - start) * min(images, full * (half + 1))
    columns, weights = np.empty(capacity, np.int32), np.empty(capacity, np.float32)
    sizes = np.zeros(stop - start, np.int64)
    state = np.zeros(images, np.int32)  # 2 n + 1: in R(i, k1) of the n-th row; 2 n + 2: only in its expansion
    end = 0
    for i in range(start, stop):
        in_set, in_expansion = 2 * (i - start) + 1, 2 * (i - start) + 2
        begin = end
        for a in range(full):
            j = neighbors[i, a]
            others = neighbors[j, :full]
            mutual = False
            for b in range(full):
                mutual |= others[b] == i
            if mutual:
                columns[end], weights[end] = j, distances[i, a]
                state[j] = in_set
                end += 1
        last = end
        for member in range(begin, last):
            candidate = columns[member]
            others, mutual_others = neighbors[candidate, :half], mutual_half[candidate, :half]
            size, common = 0, 0
            for b in range(half):
                if mutual_others[b]:
                    size += 1
                    common += state[others[b]] == in_set
            if 3 * common > 2 * size:
                for b in range(half):
                    j = others[b]
                    if mutual_others[b] and state[j] < in_set:
                        state[j] = in_expansion
                        columns[end] = j
                        end += 1
        x = first_part[i] if i < split else second_part[i - split]
        for slot in range(last, end):
            j = columns[slot]
            weights[slot] = signed_distance(x, first_part[j] if j < split else second_part[j - split], positive)
        total, least = 0.0, np.float32(0.0)
        for slot in range(begin, end):  # a distance far below 0 would overflow; what all have in common is divided out
            least = min(least, weights[slot])
        scale = 1.0 / farthest[i] if farthest[i] > 0 else 0.0
        for slot in range(begin, end):
            weight = np.exp(-scale * (np.float64(weights[slot]) - least))
            weights[slot] = weight
            total += weight
        for slot in range(begin, end):
            weights[slot] /= total
        sizes[i - start] = end - begin
    return sizes, columns[:end].copy(), weights[:end].copy()


@compiled(error_model="numpy")
def average_rows(neighbors, count, pointers, columns, weights, start, stop):
    """Means of the sparse rows of the first ``count`` neighbours (local query expansion), for rows ``start`` to ``stop``."""
    capacity = 0
    for i in range(start, stop):
        for a in range(count):
            j = neighbors[i, a]
            capacity += pointers[j + 1] - pointers[j]
    out_columns, out_weights = np.empty(capacity, np.int32), np.empty(capacity, np.float32)
    sizes = np.zeros(stop - start, np.int64)
    place = np.full(neighbors.shape[0], -1, np.int64)
    end = 0
    for i in range(start, stop):
        begin = end
        for a in range(count):
            j = neighbors[i, a]
            row_columns, row_weights = columns[pointers[j] : pointers[j + 1]], weights[pointers[j] : pointers[j + 1]]
            for slot in range(row_columns.shape[0]):
                column = row_columns[slot]
                at = place[column]
                if at < begin:  # of an earlier row, or of none
                    place[column] = end
                    out_columns[end], out_weights[end] = column, row_weights[slot]
                    end += 1
                else:
                    out_weights[at] += row_weights[slot]
        for slot in range(begin, end):
            out_weights[slot] /= count
        sizes[i - start] = end - begin
    return sizes, out_columns[:end].copy(), out_weights[:end].copy()


@compiled(error_model="numpy")
def invert(rows, columns, weights, images):
    """The transpose of at most 65,536 sparse rows: for each of ``images`` columns, the rows that have it, and their weights."""
    pointers = np.zeros(images + 1, np.int32)
    for column in columns:
        pointers[column + 1] += 1
    for image in range(images):
        pointers[image + 1] += pointers[image]
    free = pointers[:-1].copy()
    members, values = np.empty(columns.shape[0], np.uint16), np.empty(columns.shape[0], np.float32)
    for row in range(rows.shape[0] - 1):
        for slot in range(rows[row], rows[row + 1]):
            at = free[columns[slot]]
            members[at], values[at] = row, weights[slot]
            free[columns[slot]] += 1
    return pointers, members, values


@compiled(error_model="numpy", fastmath={"nnan", "nsz", "contract"})
def jaccard_rows(
    asked, asked_columns, asked_weights, first_query, pointers, members, values, share,
    row_half, column_half, farthest, least, out, begin,
):  # fmt: skip
    """Final distances of B queries to a chunk of C gallery images, in place of the inner products that are there.

    (1 - share) * Jaccard distance + share * original distance (Zhong et al., Eq. 12). The Jaccard distance of rows that sum to
    1 is 1 - m / (2 - m), with m the sum of the lesser weights (Eq. 10); the original one is the squared distance over the
    query's farthest.

    Args:
        asked, asked_columns, asked_weights: sparse rows of the queries; the first of the B is row ``first_query``.
        pointers, members, values: the chunk's rows, inverted.
        row_half, column_half: (B,) and (C,) half squared norms.
        farthest: (B,) each query's greatest squared distance.
        least: what squared distances are raised to that rounding put below it.
        out: (B, G), written in columns ``begin`` to ``begin + C``.
    """
    chunk = column_half.shape[0]
    common = np.empty(chunk, np.float32)
    one, two, rest = np.float32(1.0), np.float32(2.0), np.float32(1.0 - share)
    for row in range(out.shape[0]):
        common[:] = 0
        query = first_query + row
        for slot in range(asked[query], asked[query + 1]):
            column, weight = asked_columns[slot], asked_weights[slot]
            # Slices and unsigned members need no test for negative indices, which would cost more than the sum.
            rows, others = members[pointers[column] : pointers[column + 1]], values[pointers[column] : pointers[column + 1]]
            for at in range(rows.shape[0]):
                common[rows[at]] += min(weight, others[at])
        line = out[row, begin : begin + chunk]
        if share != 0.0:
            scale = np.float32(2.0 * share / farthest[row]) if farthest[row] > 0 else np.float32(0.0)
            half = row_half[row]
            for c in range(chunk):
                original = max((half + column_half[c]) - line[c], least)
                line[c] = rest * (one - common[c] / (two - common[c])) + scale * original
        else:  # what is there was never written
            for c in range(chunk):
                line[c] = rest * (one - common[c] / (two - common[c]))
