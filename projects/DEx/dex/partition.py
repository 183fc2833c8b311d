"""Partitions of a feature map along one axis (Fig. 2).

Shape shorthand: B images; C, H, W a feature map; n parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

__all__ = ["AXES", "part_edges", "partition"]

AXES = {"channel": 1, "height": 2, "width": 3}
"""What a branch cuts, and the axis of (B, C, H, W) that it is."""


def part_edges(length: int, parts: int) -> list[tuple[int, int]]:
    """Where each of ``parts`` parts of ``length`` rows starts and stops: floor(i · length / parts), for i and i + 1.

    Parts are mutually exclusive, as in the paper, and differ by one row at most where the length does not divide. With fewer
    rows than parts, when exclusive parts would be empty, each is the one row it starts in.

    Args:
        length: rows, columns or channels, at least 1.
        parts: n, at least 1.
    """
    starts = [place * length // parts for place in range(parts)]
    return [(start, max((place + 1) * length // parts, start + 1)) for place, start in enumerate(starts)]


def partition(features: Tensor, axis: str, counts: Sequence[int]) -> list[Tensor]:
    """The feature map cut into n parts for each n of ``counts``, all in one list; n = 1 is the whole map.

    Args:
        features: (B, C, H, W).
        axis: one of ``AXES``.
        counts: such as 1, 2, 3 for one global part, two halves and three thirds.

    Returns:
        Views of (B, C, h, w), (B, C, H, w) or (B, c, H, W).
    """
    dim = AXES[axis]
    edges = [edge for parts in counts for edge in part_edges(features.shape[dim], parts)]
    return [features.narrow(dim, start, stop - start) for start, stop in edges]
