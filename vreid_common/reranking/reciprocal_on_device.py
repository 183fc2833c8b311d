"""k-reciprocal re-ranking with torch alone, for features on an accelerator: blocks of images, no loop over them.

Sums whose order is not fixed on a GPU are sums of integers (weights in units of 2**-30), so that two runs give the same bits.

Shape shorthand: Q queries, G gallery images, N = Q + G, B images of a block, E entries of a sparse array, k neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vreid_common.processes import Processes
from vreid_common.reranking.device_search import pair_distances, search_on_device
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.tile_search import ALONE
from vreid_common.structures.precision import full_precision

__all__ = ["DeviceRows"]

_ENTRIES = 1 << 24
"""Entries that a block of any step may have; a handful of int64 arrays of that size live at once."""
_UNIT = 2.0**30


class Entries(NamedTuple):
    """A sparse array (R, N): row r has ``columns[pointers[r]:pointers[r + 1]]`` and their ``weights``."""

    pointers: Tensor
    columns: Tensor
    weights: Tensor

    @classmethod
    def join(cls, parts: list[tuple[Tensor, Tensor, Tensor]], device: torch.device) -> Entries:
        if not parts:  # fewer images than processes
            none = torch.empty(0, dtype=torch.int64, device=device)
            parts = [(none, none, none.float())]
        sizes, columns, weights = (torch.cat(arrays) for arrays in zip(*parts, strict=True))
        return cls(_pointers(sizes), columns, weights)

    def of_all(self, processes: Processes) -> Entries:
        """The rows of all processes, one after another."""
        if processes.size == 1:
            return self
        return Entries.join(
            [tuple(processes.join(array) for array in (self.pointers.diff(), self.columns, self.weights))], self.columns.device
        )

    def slots(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """For the rows (R,) one after the other: place in ``rows`` and slot of each of their entries, (E,) each."""
        begin, sizes = self.pointers[rows], self.pointers[rows + 1] - self.pointers[rows]
        place = torch.arange(len(rows), device=rows.device).repeat_interleave(sizes)
        first = sizes.cumsum(0) - sizes
        return place, torch.arange(len(place), device=rows.device) - first[place] + begin[place]


class DeviceRows:
    """Distances that are computed when they are read; see ``k_reciprocal_rows``."""

    @torch.no_grad()
    def __init__(self, union: FeatureUnion, k1: int, k2: int, lambda_value: float, processes: Processes = ALONE) -> None:
        self._union = union
        self._queries = len(union.first)
        self._share = lambda_value
        images = len(union)
        full, half = min(k1 + 1, images), min(round(k1 / 2) + 1, images)
        found = search_on_device(union, union, max(full, min(k2, images)), cosine=False, farthest=True, processes=processes)
        mine = processes.share(images)
        features = _encode(union, found.indices, found.farthest, full, half, mine).of_all(processes)
        if k2 > 1:
            features = _average(features, found.indices[:, : min(k2, images)], mine).of_all(processes)
        self._farthest = found.farthest[: self._queries]
        self._half = union.half_squared_norms()
        split = features.pointers[self._queries]
        self._asked = Entries(features.pointers[: self._queries + 1], features.columns[:split], features.weights[:split])
        self._inverse = self._invert(features)
        self._work = self._entries_read()

    @property
    def shape(self) -> tuple[int, int]:
        return self._queries, len(self._union) - self._queries

    @torch.no_grad()
    def rows(self, start: int, stop: int) -> Tensor:
        out = self._half.new_empty(stop - start, self.shape[1])
        for first, last in _blocks(self._work[start:stop].tolist(), max(1, _ENTRIES // max(1, self.shape[1]))):
            common = self._common(start + first, start + last)
            out[first:last] = (1 - self._share) * (1 - common / (2 - common))
        if self._share:
            for first in range(0, stop - start, 4096):
                last = min(first + 4096, stop - start)
                out[first:last] += self._share * self._original(start + first, start + last)
        return out

    def _original(self, start: int, stop: int) -> Tensor:
        """Squared distances over each query's farthest."""
        with full_precision(self._half.device):
            product = self._union.centered(start, stop) @ self._union.mirrored(self._queries, len(self._union)).T
        distance = product.mul_(-2).add_(2 * self._half[start:stop, None]).add_(2 * self._half[self._queries :])
        distance.clamp_min_(self._union.least_distance)
        farthest = self._farthest[start:stop, None]
        return torch.where(farthest > 0, distance / farthest, 0)

    def _common(self, start: int, stop: int) -> Tensor:
        """Sums of the lesser weights of queries and gallery images: (B, G)."""
        place, slot = self._asked.slots(torch.arange(start, stop, device=self._half.device))
        entry, other = self._inverse.slots(self._asked.columns[slot])
        weight = torch.minimum(self._asked.weights[slot][entry], self._inverse.weights[other])
        total = torch.zeros(stop - start, self.shape[1], dtype=torch.int32, device=weight.device)
        index = place[entry] * self.shape[1] + self._inverse.columns[other]
        total.view(-1).index_add_(0, index, (weight * _UNIT).round_().int())
        return total.float() / _UNIT

    def _invert(self, features: Entries) -> Entries:
        """For each image, the gallery images (counted from 0) that have an entry of it."""
        sizes = features.pointers.diff()
        row = torch.arange(len(sizes), device=sizes.device).repeat_interleave(sizes)
        kept = row >= self._queries
        columns, order = features.columns[kept].sort(stable=True)
        counts = torch.bincount(columns, minlength=len(self._union))
        return Entries(_pointers(counts), row[kept][order] - self._queries, features.weights[kept][order])

    def _entries_read(self) -> Tensor:
        """How many entries of the gallery each query is compared with: (Q,) on the CPU."""
        sizes = self._inverse.pointers.diff()[self._asked.columns]
        return F.pad(sizes.cumsum(0), (1, 0))[self._asked.pointers].diff().cpu()


def _encode(union: FeatureUnion, neighbors: Tensor, farthest: Tensor, full: int, half: int, mine: range) -> Entries:
    """The k-reciprocal features of the images ``mine``: Zhong et al. 2017, Eq. 3-5 and 7."""
    images = len(union)
    mutual_half = _mutual(neighbors[:, :half])
    mutual_full = mutual_half if half == full else _mutual(neighbors[:, :full])
    parts = []
    block = max(1, _ENTRIES // (full * (half + 1)))
    for start in range(mine.start, mine.stop, block):
        rows = torch.arange(start, min(start + block, mine.stop), device=neighbors.device)
        members, inside = neighbors[rows, :full], mutual_full[rows]
        # R(i, k1) in rising order; what is not in it is ``images``, greater than any index.
        ordered = members.masked_fill(~inside, images).sort(dim=1).values
        others = neighbors[members, :half].flatten(1)
        valid = mutual_half[members] & inside[..., None]
        place = torch.searchsorted(ordered, others).clamp_max_(full - 1)
        common = (valid.flatten(1) & (ordered.gather(1, place) == others)).view_as(valid).sum(dim=2)
        accepted = 3 * common > 2 * valid.sum(dim=2)
        taken = (valid & accepted[..., None]).flatten(1)
        union_set = torch.cat([ordered, others.masked_fill(~taken, images)], dim=1).sort(dim=1).values
        first = F.pad(union_set[:, 1:] != union_set[:, :-1], (1, 0), value=True) & (union_set < images)
        row, slot = first.nonzero(as_tuple=True)
        columns = union_set[row, slot]
        distances = pair_distances(union, rows[row], union, columns, False)
        scale = torch.where(farthest > 0, farthest.double().reciprocal(), 0)[rows]
        exponents = torch.full(first.shape, -torch.inf, dtype=torch.float64, device=first.device)
        exponents[row, slot] = -distances * scale[row]
        weights = exponents.softmax(dim=1)[row, slot]  # which does not overflow where a distance is far below 0
        parts.append((first.sum(dim=1), columns, weights.float()))
    return Entries.join(parts, neighbors.device)


def _mutual(neighbors: Tensor) -> Tensor:
    """Where an image is among the neighbours of its own neighbour: (N, k) bool."""
    images, count = neighbors.shape
    parts = []
    for block in torch.arange(images, device=neighbors.device).split(max(1, _ENTRIES // count**2)):
        parts.append((neighbors[neighbors[block]] == block[:, None, None]).any(dim=2))
    return torch.cat(parts)


def _average(features: Entries, neighbors: Tensor, mine: range) -> Entries:
    """Means of the rows of the neighbours (N, k2) of each of the images ``mine``: local query expansion."""
    images, count = neighbors.shape
    neighbors = neighbors[mine.start : mine.stop]
    sizes = features.pointers.diff()
    work = sizes[neighbors].sum(dim=1).tolist()
    parts = []
    for start, stop in _blocks(work, images):
        place, slot = features.slots(neighbors[start:stop].flatten())
        key, order = (place // count * images + features.columns[slot]).sort(stable=True)
        key, lengths = key.unique_consecutive(return_counts=True)
        # One segment after the other, each in order: the same sum every time.
        weights = torch.segment_reduce(features.weights[slot][order], "sum", lengths=lengths, unsafe=True) / count
        parts.append((torch.bincount(key // images, minlength=stop - start), key % images, weights))
    return Entries.join(parts, neighbors.device)


def _pointers(sizes: Tensor) -> Tensor:
    return F.pad(sizes.cumsum(0), (1, 0))


def _blocks(work: list[int], longest: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most ``longest`` items, whose ``work`` adds up to no more than a block may have (or of one item)."""
    start, total = 0, 0
    for item, amount in enumerate(work):
        if item > start and (total + amount > _ENTRIES or item - start == longest):
            yield start, item
            start, total = item, 0
        total += amount
    if work:
        yield start, len(work)
