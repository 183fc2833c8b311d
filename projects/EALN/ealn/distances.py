"""Where generated images lie among the real ones in the embedding space (Fig. 9).

Shape shorthand: N images; D feature dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["BeltShares", "RealDistances", "belt_shares", "real_distances"]

_BLOCK = 1024


class RealDistances(NamedTuple):
    """Mean squared distances of each image to the others, NaN where there is none of the kind."""

    positive: Tensor
    """(N,) to the other images of its vehicle."""
    negative: Tensor
    """(N,) to the images of other vehicles."""


class BeltShares(NamedTuple):
    """Shares of distances within the belt of Eq. 3, as fractions."""

    generated: float
    """Of d(x, G_hard(x)), over images."""
    real: float
    """Of d(x, x^n), over all pairs of images of two vehicles."""


def real_distances(features: Tensor, pids: Tensor) -> RealDistances:
    """Mean d(x, x^p) and d(x, x^n) of each image.

    Args:
        features: (N, D) L2-normalised.
        pids: (N,) identities.
    """
    means = [_block_means(block, own, features, pids, start) for start, block, own in _blocks(features, pids)]
    return RealDistances(torch.cat([positive for positive, _ in means]), torch.cat([negative for _, negative in means]))


def belt_shares(features: Tensor, pids: Tensor, generated: Tensor, beta1: float, beta2: float = 0.0) -> BeltShares:
    """How many hard negatives, and how many real ones, lie between β1 and the real negatives' mean distance less β2.

    The bounds are Eq. 3's with the mean of d(x, x^n) over all x^n in the place of a random one.

    Args:
        features: (N, D) L2-normalised.
        pids: (N,) identities.
        generated: (N,) d(x, G_hard(x)).
        beta1, beta2: as in Eq. 3; with a beta2 of 0 the belt reaches to the real negatives' mean distance.
    """
    upper = real_distances(features, pids).negative - beta2
    inside = pairs = torch.zeros((), dtype=torch.int64, device=features.device)
    for start, block, own in _blocks(features, pids):
        distance, other = _squared(block, features), own[:, None] != pids[None, :]
        limit = upper[start : start + len(block), None]
        inside = inside + (other & (distance >= beta1) & (distance <= limit)).sum()
        pairs = pairs + other.sum()
    share = ((generated >= beta1) & (generated <= upper)).double().mean()
    return BeltShares(generated=share.item(), real=(inside.double() / pairs).item())


def _blocks(features: Tensor, pids: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """Rows in blocks, so that no N×N array exists: where a block begins, its features and its identities."""
    starts = range(0, len(features), _BLOCK)
    return list(zip(starts, features.split(_BLOCK), pids.split(_BLOCK), strict=True))


def _squared(rows: Tensor, features: Tensor) -> Tensor:
    return torch.cdist(rows, features, compute_mode="donot_use_mm_for_euclid_dist").square()


def _block_means(rows: Tensor, own: Tensor, features: Tensor, pids: Tensor, start: int) -> tuple[Tensor, Tensor]:
    distance, same = _squared(rows, features), own[:, None] == pids[None, :]
    itself = torch.arange(start, start + len(rows), device=rows.device)[:, None] == torch.arange(len(pids), device=rows.device)
    means = [torch.where(mask, distance, 0).sum(1) / mask.sum(1) for mask in (same & ~itself, ~same)]
    return means[0], means[1]
