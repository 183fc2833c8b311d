"""Where the images of the query's own identity rank, read from the distance a block of query rows at a time.

Shape shorthand: Q queries, G gallery images, M (query, gallery image) pairs of one identity within a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vreid_common.evaluation.counting import count_before, count_before_on_device
from vreid_common.structures import DistanceRows, row_blocks

__all__ = ["BlockRanks", "IdentityPairs", "rank_identity_pairs"]

# Bytes that a block may need at its peak: its distances, and what is kept for each pair of one identity.
_BLOCK_BYTES = 48 << 20
_BYTES_A_PAIR = 96
# torch's counting holds 64-bit keys and places beside the distances.
_DEVICE_FACTOR = 8


class IdentityPairs:
    """Which gallery images have the identity of a query.

    Args:
        query_pids: (Q,) int64.
        gallery_pids: (G,) int64.
    """

    def __init__(self, query_pids: np.ndarray, gallery_pids: np.ndarray) -> None:
        self._order = np.argsort(gallery_pids, kind="stable")
        ordered = gallery_pids[self._order]
        self._first = np.searchsorted(ordered, query_pids, side="left")
        self.counts = np.searchsorted(ordered, query_pids, side="right") - self._first

    def of(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Query indices and gallery indices (M,) of the pairs of queries ``start`` to ``stop``, both rising."""
        counts = self.counts[start:stop]
        begin = np.cumsum(counts) - counts
        place = np.arange(counts.sum()) + np.repeat(self._first[start:stop] - begin, counts)
        return np.repeat(np.arange(start, stop), counts), self._order[place]

    def rows_a_block(self, num_gallery: int, bytes_an_entry: int, limit: int = _BLOCK_BYTES) -> int:
        """How many query rows fit into ``limit`` bytes, at least one."""
        return max(1, limit // (num_gallery * bytes_an_entry + int(self.counts.max(initial=0)) * _BYTES_A_PAIR + 1))


@dataclass(frozen=True, eq=False)
class BlockRanks:
    """The ranks of a block of queries, ``start`` to ``stop``. The pairs of a query follow one another, nearest first.

    Attributes:
        query: (M,) query indices, rising.
        gallery: (M,) gallery indices.
        negatives_before: (M,) how many images of *other* identities rank before the pair's. The place among those of the
            same identity depends on which of them a protocol lets count, so it is left to the metrics.
    """

    start: int
    stop: int
    query: np.ndarray
    gallery: np.ndarray
    negatives_before: np.ndarray


def rank_identity_pairs(distance: DistanceRows, query_pids: np.ndarray, gallery_pids: np.ndarray) -> Iterator[BlockRanks]:
    """Ranks every pair of one identity, exactly; gallery images at one distance rank by their index.

    Raises:
        ValueError: a distance is NaN.
    """
    pairs = IdentityPairs(query_pids, gallery_pids)
    probe = distance.rows(0, min(1, distance.shape[0]))
    on_device = probe.device.type != "cpu" and probe.dtype == torch.float32
    rows = pairs.rows_a_block(distance.shape[1], probe.element_size() * (_DEVICE_FACTOR if on_device else 1))
    workers = torch.get_num_threads()
    with ThreadPoolExecutor(workers) as pool:
        for start, block in row_blocks(distance, rows):
            query, gallery = pairs.of(start, start + len(block))
            offsets = np.searchsorted(query, np.arange(start, start + len(block) + 1))
            if not on_device:
                block = block.cpu().contiguous()
            taken = _take(block, query - start, gallery)
            values = taken.cpu().numpy()
            # lexsort is stable, and the gallery indices of a query rise: ties stay in gallery order.
            order = np.lexsort((values, query))
            gallery = gallery[order]
            try:
                if on_device:
                    before = count_before_on_device(block, offsets, gallery, taken[torch.from_numpy(order).to(block.device)])
                else:
                    before = count_before(block.numpy(), offsets, gallery, values[order], pool, workers)
            except FloatingPointError as error:
                raise ValueError(
                    f"The distance of query {start + error.args[0]} to a gallery image is not a number."
                ) from error
            before -= np.arange(len(gallery)) - np.repeat(offsets[:-1], np.diff(offsets))
            stop = start + len(block)
            del block  # or it would still be there while the next one is computed
            yield BlockRanks(start, stop, query, gallery, before)


def _take(block: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    return block[torch.from_numpy(rows).to(block.device), torch.from_numpy(columns).to(block.device)]
