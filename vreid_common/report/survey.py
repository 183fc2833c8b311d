"""How near matches and other vehicles' images lie: histograms of all distances, and each query's nearest image of both kinds.

Shape shorthand: Q queries, G gallery images, B rows of a block, N bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.evaluation.rank_list import blocks_of_rows
from vreid_common.evaluation.rules import MatchRule
from vreid_common.structures import UNKNOWN, DistanceRows, FeatureSet

__all__ = ["DistanceSurvey", "Nearest", "survey_distances"]


@dataclass(frozen=True, eq=False)
class Nearest:
    """Of each query the nearest gallery image of a kind, ties by gallery index.

    Attributes:
        images: (Q,) gallery indices, -1 where there is none.
        distances: (Q,) float64, infinite where there is none.
    """

    images: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False)
class DistanceSurvey:
    """All Q·G distances but those of junk pairs, counted.

    Attributes:
        edges: (N + 1,) of bins of one width from the least distance to the greatest; the last one is closed, as NumPy's are.
        positives: (N,) int64, pairs that a match makes.
        negatives: (N,) int64, pairs of different vehicles; where vehicles are unknown, pairs of which nothing is known.
        match: the nearest match.
        wrong: the nearest image of another vehicle.
    """

    edges: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    match: Nearest
    wrong: Nearest


def survey_distances(
    distance: DistanceRows, query: FeatureSet, gallery: FeatureSet, match: MatchRule, bins: int = 60
) -> DistanceSurvey:
    """Reads the distance twice, in blocks of rows: for its range, and for the counts, which are exact.

    Args:
        distance: (Q, G) finite distances, smaller is nearer, on any device; Q and G are not 0.
        query: the Q queries.
        gallery: the G gallery images.
        match: the protocol's rule (``Protocol.match_rule``).
        bins: N.

    Raises:
        InputError: a distance is not finite.
    """
    edges = _edges(distance, bins)
    counts = torch.zeros(2, bins, dtype=torch.int64)
    found: list[list[Tensor]] = []
    for start, block in blocks_of_rows(distance):
        pids = query.pids[start : start + len(block), None]
        same = (pids == gallery.pids) & (pids != UNKNOWN)
        row, column = same.nonzero(as_tuple=True)
        counted = torch.from_numpy(match((row + start).numpy(), column.numpy()))
        matches = torch.zeros_like(same).index_put_((row[counted], column[counted]), torch.tensor(True))
        same, matches = same.to(block.device), matches.to(block.device)
        inner = torch.from_numpy(edges[1:-1]).to(block)
        own, positive = (_histogram(block[mask], inner, bins) for mask in (same, matches))
        counts += torch.stack([positive, _histogram(block, inner, bins) - own])
        found.append([part.cpu() for mask in (matches, ~same) for part in _nearest(block, mask)])
    images_of_match, match_distances, images_of_wrong, wrong_distances = (
        torch.cat(parts).numpy() for parts in zip(*found, strict=True)
    )
    return DistanceSurvey(
        edges,
        *counts.numpy(),
        Nearest(images_of_match, match_distances),
        Nearest(images_of_wrong, wrong_distances),
    )


def _edges(distance: DistanceRows, bins: int) -> np.ndarray:
    """(N + 1,) of the distance's own type, so that a distance is compared with them as it is."""
    least, greatest = [], []
    for _, block in blocks_of_rows(distance):
        low, high = block.aminmax()
        least.append(low.cpu())
        greatest.append(high.cpu())
    low, high = min(least), max(greatest)
    if not torch.isfinite(low + high):
        raise InputError(f"Distances run from {float(low):g} to {float(high):g}: the features are too large to be compared.")
    # All distances equal: a bin needs some width (NumPy's choice).
    room = 0.5 if low == high else 0.0
    return np.linspace(float(low) - room, float(high) + room, bins + 1).astype(low.numpy().dtype)


def _histogram(values: Tensor, inner: Tensor, bins: int) -> Tensor:
    """(N,) on the CPU; ``inner`` are the N - 1 edges between bins."""
    places = torch.bucketize(values.flatten().contiguous(), inner, right=True, out_int32=True)
    return torch.bincount(places, minlength=bins).cpu()


def _nearest(block: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) gallery indices and distances of each row's least entry among those where ``mask`` (B, G) is true."""
    distances, images = block.masked_fill(~mask, torch.inf).min(dim=1)
    return images.masked_fill(distances.isinf(), -1), distances.double()
