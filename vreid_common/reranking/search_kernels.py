"""Compiled loops of the neighbour search on the CPU.

Shape shorthand: R × C pixels of a tile (rows and columns are images), K candidates kept for an image, D dimensions.

For a row i, columns are compared by their *key* h_j - <x_i, x_j>, where h_j is half the squared norm: half the squared distance
less a constant of the row. For the cosine h is 0, so the key is the negative cosine. The candidates of an image are a binary
heap, worst first, by (key, index); the order in which tiles arrive changes nothing, since that order is total.
"""

from __future__ import annotations

import numpy as np

from vreid_common.jit import compiled

__all__ = ["merge_candidates", "rank_candidates", "scan_tile", "search_row_exactly", "signed_distance"]

_CHUNK = 32
"""Columns that are compared at once; only where one of them can enter a heap are they looked at one by one."""


@compiled(error_model="numpy")
def _replace_worst(keys, ids, row, key, index):
    """Takes (key, index) into the heap of ``row`` in the place of its worst."""
    size = keys.shape[1]
    slot = 0
    while True:
        child = 2 * slot + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            keys[row, other] > keys[row, child] or (keys[row, other] == keys[row, child] and ids[row, other] > ids[row, child])
        ):
            child = other
        if keys[row, child] < key or (keys[row, child] == key and ids[row, child] < index):
            break
        keys[row, slot], ids[row, slot] = keys[row, child], ids[row, child]
        slot = child
    keys[row, slot], ids[row, slot] = key, index


@compiled(error_model="numpy")
def _offer(keys, ids, bounds, far, far_ids, row, key, index):
    if key < keys[row, 0] or (key == keys[row, 0] and index < ids[row, 0]):
        _replace_worst(keys, ids, row, key, index)
        bounds[row] = keys[row, 0]
    if key > far[row] or (key == far[row] and index < far_ids[row]):
        far[row], far_ids[row] = key, index


@compiled(error_model="numpy", fastmath={"nnan", "nsz", "contract"})
def scan_tile(
    product, row_start, column_start, both, row_half, keys, ids, bounds, far, far_ids,
    column_half, column_keys, column_ids, column_bounds, column_far, column_far_ids,
):  # fmt: skip
    """Offers every entry of a tile to the candidates of its row and, where ``both``, of its column.

    Args:
        product: (R, C) inner products.
        row_start, column_start: index of the first row and column among all images.
        row_half, column_half: (R,) and (C,) half squared norms.
        keys, ids, bounds, far, far_ids: (R, K), (R, K), (R,), (R,), (R,) of the rows: the heaps, their worst keys, and the
            greatest key met with its index. ``far`` of +inf asks for no such.
        column_keys, ...: the same of the columns.
    """
    for r in range(product.shape[0]):
        half, bound, farthest = row_half[r], bounds[r], far[r]
        for first in range(0, product.shape[1], _CHUNK):
            # Slices, and a count that needs no early exit: this is what the compiler turns into vector instructions.
            products, halves = product[r, first : first + _CHUNK], column_half[first : first + _CHUNK]
            hits = np.int32(0)
            if both:
                worst, most = column_bounds[first : first + _CHUNK], column_far[first : first + _CHUNK]
                for c in range(products.shape[0]):
                    key, other = halves[c] - products[c], half - products[c]
                    hits |= np.int32(key <= bound) | np.int32(key >= farthest)
                    hits |= np.int32(other <= worst[c]) | np.int32(other >= most[c])
            else:
                for c in range(products.shape[0]):
                    key = halves[c] - products[c]
                    hits |= np.int32(key <= bound) | np.int32(key >= farthest)
            if hits == 0:
                continue
            for c in range(first, first + products.shape[0]):
                key, other = column_half[c] - product[r, c], half - product[r, c]
                if key <= bounds[r] or key >= far[r]:
                    _offer(keys, ids, bounds, far, far_ids, r, key, np.int32(column_start + c))
                if both and (other <= column_bounds[c] or other >= column_far[c]):
                    index = np.int32(row_start + r)
                    _offer(column_keys, column_ids, column_bounds, column_far, column_far_ids, c, other, index)
            bound, farthest = bounds[r], far[r]


@compiled(error_model="numpy")
def merge_candidates(keys, ids, far, far_ids, other_keys, other_ids, other_far, other_far_ids):
    """Takes the candidates that another process found into the heaps (N, K)."""
    for row in range(keys.shape[0]):
        for slot in range(keys.shape[1]):
            key, index = other_keys[row, slot], other_ids[row, slot]
            if key < keys[row, 0] or (key == keys[row, 0] and index < ids[row, 0]):
                _replace_worst(keys, ids, row, key, index)
        if other_far[row] > far[row] or (other_far[row] == far[row] and other_far_ids[row] < far_ids[row]):
            far[row], far_ids[row] = other_far[row], other_far_ids[row]


@compiled(error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def _squared_distance(x, y):
    """Squared Euclidean distance of two float32 vectors (D,), summed in float64."""
    total = 0.0
    for d in range(x.shape[0]):
        difference = np.float64(x[d]) - np.float64(y[d])
        total += difference * difference
    return total


@compiled(error_model="numpy")
def signed_distance(x, y, positive):
    """The squared distance in the first ``positive`` dimensions less that in the others."""
    if positive == x.shape[0]:
        return _squared_distance(x, y)
    return _squared_distance(x[:positive], y[:positive]) - _squared_distance(x[positive:], y[positive:])


@compiled(error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def _inner_product(x, y):
    total = 0.0
    for d in range(x.shape[0]):
        total += np.float64(x[d]) * np.float64(y[d])
    return total


@compiled(error_model="numpy")
def _exact(x, first_part, second_part, index, cosine, positive):
    """Squared distance with its signs, or the negative cosine of L2-normalised features."""
    split = first_part.shape[0]
    y = first_part[index] if index < split else second_part[index - split]
    return -_inner_product(x, y) if cosine else signed_distance(x, y, positive)


@compiled(error_model="numpy")
def _insert(values, order, filled, value, index):
    """Keeps ``values`` sorted by (value, index); the last drops out when there is no room."""
    size = values.shape[0]
    if filled == size:
        if value > values[size - 1] or (value == values[size - 1] and index > order[size - 1]):
            return filled
        slot = size - 1
    else:
        slot = filled
        filled += 1
    while slot > 0 and (values[slot - 1] > value or (values[slot - 1] == value and order[slot - 1] > index)):
        values[slot], order[slot] = values[slot - 1], order[slot - 1]
        slot -= 1
    values[slot], order[slot] = value, index
    return filled


@compiled(error_model="numpy")
def rank_candidates(
    features, half, first_part, second_part, cosine, positive, negative_norm,
    keys, ids, far_ids, indices, distances, farthest, uncertain,
):  # fmt: skip
    """Ranks the candidates of rows by exact distances, and finds rows that may have lost a neighbour.

    The keys came from float32 products, so an image that was left out may be nearer than its key said. With
    gamma = (D + 16) * 2**-24 bounding a float32 sum of D products of centred features (Higham, Accuracy and Stability of
    Numerical Algorithms, Eq. 3.5), an image at most as far as the k-th neighbour has a norm of at most r = |x_i| + sqrt(d_k),
    so its key errs by at most gamma * r * (|x_i| + r). Where the worst candidate kept is not farther than that, the row is
    uncertain. Dimensions that count negatively, where no image has a norm above n, make d_k less by at most (2 n)**2 than the
    squared distance in the others, and a norm in all dimensions sqrt(p**2 + n**2) at most of one of p in the others.

    Args:
        features: (R, D) as they are.
        half: (R,) half squared norms, centred.
        first_part, second_part: the columns' features, one set after the other.
        positive: how many dimensions, the first ones, do not count negatively.
        negative_norm: n, 0 where none does.
        keys, ids: (R, K) heaps.
        far_ids: (R,) the farthest columns.
        indices, distances: (R, k) to fill, k <= K.
        farthest: (R,) to fill with the distance of the farthest column.
        uncertain: (R,) to fill.
    """
    candidates, k = keys.shape[1], indices.shape[1]
    gallery = first_part.shape[0] + second_part.shape[0]
    gamma = (features.shape[1] + 16) * 2.0**-24
    values, order = np.empty(k, np.float64), np.empty(k, np.int32)
    for row in range(features.shape[0]):
        x = features[row]
        filled = 0
        for slot in range(candidates):
            index = ids[row, slot]
            filled = _insert(values, order, filled, _exact(x, first_part, second_part, index, cosine, positive), index)
        for slot in range(k):
            indices[row, slot], distances[row, slot] = order[slot], values[slot]
        if far_ids[row] >= 0:
            farthest[row] = _exact(x, first_part, second_part, far_ids[row], cosine, positive)
        norm = reach = 1.0
        if not cosine:
            square = negative_norm * negative_norm
            norm = np.sqrt(max(2.0 * half[row] + square, 0.0))
            reach = norm + np.sqrt(max(values[k - 1] + 4.0 * square, 0.0))
            norm, reach = np.sqrt(norm * norm + square), np.sqrt(reach * reach + square)
        last = values[k - 1] if cosine else 0.5 * values[k - 1] - half[row]
        uncertain[row] = candidates < gallery and last + gamma * reach * (norm + reach) >= keys[row, 0]


@compiled(error_model="numpy")
def search_row_exactly(x, first_part, second_part, cosine, positive, indices, distances):
    """Fills ``indices`` and ``distances`` (k,) from the exact distances to all columns: for rows that nothing else decides."""
    values, order = np.empty(indices.shape[0], np.float64), np.empty(indices.shape[0], np.int32)
    filled = 0
    for index in range(first_part.shape[0] + second_part.shape[0]):
        distance = _exact(x, first_part, second_part, index, cosine, positive)
        filled = _insert(values, order, filled, distance, np.int32(index))
    indices[:], distances[:] = order, values
