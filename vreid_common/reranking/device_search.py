"""Exact neighbour search with torch alone, for features on an accelerator; nothing but the result's checks reaches the host.

As on the CPU (``tile_search``), float32 products propose candidates, float64 distances rank them, and rows that may have lost a
neighbour to rounding are searched again.

Shape shorthand: N rows, M columns (images), B rows of a block, k neighbours, K candidates, D dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vreid_common.processes import Processes
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.tile_search import ALONE
from vreid_common.structures.precision import full_precision

__all__ = ["DeviceFound", "pair_distances", "search_on_device"]

_BLOCK_BYTES = 1 << 30
"""Of a block's products; about three such arrays live at once."""
_GATHER_BYTES = 1 << 28
"""Of the features that are gathered at once to compute exact distances."""


class DeviceFound(NamedTuple):
    """As ``tile_search.Found``, on the device.

    Attributes:
        indices: (N, k) int64.
        distances: (N, k) float32.
        farthest: (N,) float32, empty if not asked for.
    """

    indices: Tensor
    distances: Tensor
    farthest: Tensor


@torch.no_grad()
def search_on_device(
    rows: FeatureUnion,
    columns: FeatureUnion,
    k: int,
    *,
    cosine: bool,
    farthest: bool = False,
    processes: Processes = ALONE,
) -> DeviceFound:
    """The ``k`` nearest columns of every row; see ``tile_search.search_tiles``."""
    half = columns.half_squared_norms() if not cosine else None
    own = half if rows is columns else (None if cosine else rows.half_squared_norms())
    size = min(len(columns), k + max(8, k // 4))
    block = max(1, _BLOCK_BYTES // (4 * len(columns)))
    negative_norm = max(rows.negative_norm(), columns.negative_norm())
    parts = []
    with full_precision(columns.first.device):
        for panel in rows.panels(block, processes.share(len(rows))):
            part = slice(*panel)
            features, centered = rows.raw(*panel), rows.centered(*panel)
            own_part = None if own is None else own[part]
            found, uncertain = _search_block(features, centered, own_part, columns, half, negative_norm, k, size, farthest)
            again = uncertain.nonzero().flatten()
            if len(again):
                own_again = None if own_part is None else own_part[again]
                better = _search_again(features[again], centered[again], own_again, columns, half, negative_norm, k)
                found.indices[again], found.distances[again] = better.indices, better.distances
            parts.append(found)
    if not parts:  # fewer rows than processes
        distances = rows.first.new_empty(0, k)
        parts.append(DeviceFound(distances.long(), distances, rows.first.new_empty(0)))
    return DeviceFound(*(processes.join(torch.cat(arrays)) for arrays in zip(*parts, strict=True)))


def pair_distances(first: FeatureUnion, rows: Tensor, second: FeatureUnion, columns: Tensor, cosine: bool) -> Tensor:
    """Squared distances or negative cosines (P,) of the pairs (``rows[p]``, ``columns[p]``), in float64 and signed."""
    block = max(1, _GATHER_BYTES // (8 * first.first.shape[1]))
    parts = []
    for start in range(0, len(rows), block):
        part = slice(start, start + block)
        x, y = first.gather(rows[part]).double(), second.gather(columns[part]).double()
        parts.append(-(x * y).sum(dim=-1) if cosine else second.signed((x - y).square()).sum(dim=-1))
    return torch.cat(parts) if parts else rows.new_empty(0, dtype=torch.float64)


def _search_block(
    features: Tensor, centered: Tensor, own: Tensor | None, columns: FeatureUnion, half: Tensor | None, negative_norm: float,
    k: int, size: int, farthest: bool,
) -> tuple[DeviceFound, Tensor]:  # fmt: skip
    """The neighbours of a block of rows among ``size`` candidates, and which of the rows are uncertain (B,)."""
    keys = torch.cat([centered @ columns.mirrored(*panel).T for panel in columns.panels(len(columns))], dim=1)
    keys = keys.neg_() if half is None else torch.sub(half, keys, out=keys)
    worst, candidates = keys.topk(size, dim=1, largest=False, sorted=False)
    cosine = half is None
    # Stable sorts by index and then by distance: ties rank by index.
    candidates = candidates.sort(dim=1).values
    itself = FeatureUnion(features)
    row = torch.arange(len(features), device=features.device)
    distances = pair_distances(itself, row.repeat_interleave(size), columns, candidates.flatten(), cosine).view(-1, size)
    distances, order = distances.sort(dim=1, stable=True)
    indices, nearest = candidates.gather(1, order)[:, :k], distances[:, :k]
    far = features.new_empty(0)
    if farthest:
        far = pair_distances(itself, row, columns, keys.argmax(dim=1), cosine).float()
    if size == len(columns):
        uncertain = torch.zeros_like(row, dtype=torch.bool)
    else:
        # The bound of search_kernels.rank_candidates.
        norm = reach = torch.ones_like(nearest[:, 0])
        if own is not None:
            norm = (2 * own.double() + negative_norm**2).clamp_min(0).sqrt()
            reach = norm + (nearest[:, -1] + 4 * negative_norm**2).clamp_min(0).sqrt()
            norm, reach = (norm.square() + negative_norm**2).sqrt(), (reach.square() + negative_norm**2).sqrt()
        last = nearest[:, -1] if own is None else 0.5 * nearest[:, -1] - own
        gamma = (features.shape[1] + 16) * 2.0**-24
        uncertain = last + gamma * reach * (norm + reach) >= worst.amax(dim=1)
    return DeviceFound(indices, nearest.float(), far), uncertain


def _search_again(
    features: Tensor, centered: Tensor, own: Tensor | None, columns: FeatureUnion, half: Tensor | None, negative_norm: float,
    k: int,
) -> DeviceFound:  # fmt: skip
    """More candidates first; rows that even those leave open (many images in one place) get all their distances in float64."""
    size = min(len(columns), 8 * k + 64)
    found, uncertain = _search_block(features, centered, own, columns, half, negative_norm, k, size, False)
    left = uncertain.nonzero().flatten()
    block = max(1, _BLOCK_BYTES // (8 * len(columns)))
    for rows in left.split(block):
        x = features[rows].double()
        every = []
        for panel in columns.panels(len(columns)):
            y = columns.raw(*panel).double()
            every.append(-x @ y.T if half is None else _all_distances(x, y, columns.positive))
        distances, order = torch.cat(every, dim=1).sort(dim=1, stable=True)
        found.indices[rows], found.distances[rows] = order[:, :k], distances[:, :k].float()
    return found


def _all_distances(x: Tensor, y: Tensor, positive: int) -> Tensor:
    """Squared distances (B, M) in the first ``positive`` dimensions less those in the others."""
    head, tail = ((x[:, part], y[:, part]) for part in (slice(positive), slice(positive, None)))
    distances = torch.cdist(*head, compute_mode="donot_use_mm_for_euclid_dist").square_()
    if positive < x.shape[1]:
        distances -= torch.cdist(*tail, compute_mode="donot_use_mm_for_euclid_dist").square_()
    return distances
