"""Two feature sets read as one, in panels of rows, without a copy of them.

Shape shorthand: N images in all, D dimensions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FeatureUnion", "Panel"]

_BLOCK = 1024
_FAR_OFF = 0.9
"""Share of the mean squared norm that a common offset makes up before it is taken off."""


class Panel(NamedTuple):
    """Images ``start`` to ``stop`` of a union, all from one of its two parts."""

    start: int
    stop: int


class FeatureUnion:
    """Query ∪ gallery, the queries first.

    Args:
        first: (N1, D) float32, contiguous.
        second: (N2, D) likewise, on the same device; None for a union of one part.
        center: take off a large common offset where distances are computed from inner products. It does not change
            distances, but float32 products of features far from the origin cancel. Not for cosines.
        negative: how many dimensions, the last ones, count negatively. Inner products and squared distances are those of the
            other dimensions less those of these, so a squared distance may be negative.

    Attributes:
        positive: how many dimensions, the first ones, count as ever.
    """

    def __init__(self, first: Tensor, second: Tensor | None = None, *, center: bool = False, negative: int = 0) -> None:
        self.first = first
        self.second = first[:0] if second is None else second
        self.positive = first.shape[1] - negative
        self._signs: Tensor | None = None
        if negative:
            self._signs = torch.ones(first.shape[1], device=first.device)
            self._signs[self.positive :] = -1
        self._offset = self._common_offset() if center and len(self) else None

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def panels(self, rows: int, within: range | None = None) -> list[Panel]:
        """Panels of at most ``rows`` rows that cover ``within`` (all images); none holds images of both parts."""
        within = range(len(self)) if within is None else within
        split = min(max(len(self.first), within.start), within.stop)
        return [
            Panel(start, min(start + rows, stop))
            for begin, stop in ((within.start, split), (split, within.stop))
            for start in range(begin, stop, rows)
        ]

    def raw(self, start: int, stop: int) -> Tensor:
        """Images ``start`` to ``stop``, all of one part, as they are: (stop - start, D), not a copy."""
        split = len(self.first)
        return self.first[start:stop] if stop <= split else self.second[start - split : stop - split]

    def centered(self, start: int, stop: int) -> Tensor:
        """The same less the common offset, where there is one."""
        features = self.raw(start, stop)
        return features if self._offset is None else features - self._offset

    def mirrored(self, start: int, stop: int) -> Tensor:
        """The centred images, negated where dimensions count negatively: the other side of an inner product."""
        return self.signed(self.centered(start, stop))

    def signed(self, values: Tensor) -> Tensor:
        """``values`` (..., D) with the signs that the dimensions count with."""
        return values if self._signs is None else values * self._signs

    def gather(self, indices: Tensor) -> Tensor:
        """The features (K, D) of the images at ``indices`` (K,), as they are."""
        split = len(self.first)
        if not len(self.second):
            return self.first[indices]
        features = self.first.new_empty((len(indices), self.first.shape[1]))
        inside = indices < split
        features[inside] = self.first[indices[inside]]
        features[~inside] = self.second[indices[~inside] - split]
        return features

    def take(self, indices: Tensor) -> FeatureUnion:
        """A union of one part with the images at ``indices`` (K,), centred as this one."""
        taken = FeatureUnion(self.gather(indices), negative=self.first.shape[1] - self.positive)
        taken._offset = self._offset
        return taken

    def half_squared_norms(self) -> Tensor:
        """(N,) float32 of the centred images, summed in float64."""
        panels = self.panels(_BLOCK)
        return torch.cat([0.5 * self.signed(self.centered(*panel).double().square()).sum(dim=1) for panel in panels]).float()

    @property
    def least_distance(self) -> float:
        """No squared distance is below this."""
        return 0.0 if self._signs is None else -math.inf

    def negative_norm(self) -> float:
        """The greatest norm that an image has in the dimensions that count negatively, centred."""
        if self._signs is None:
            return 0.0
        panels = self.panels(_BLOCK)
        return max(float(self.centered(*panel)[:, self.positive :].double().norm(dim=1).max()) for panel in panels)

    def _common_offset(self) -> Tensor | None:
        total, squares = 0.0, 0.0
        for panel in self.panels(_BLOCK):
            features = self.raw(*panel).double()
            total, squares = total + features.sum(dim=0), squares + features.square().sum()
        mean = total / len(self)
        return mean.float() if mean.square().sum() > _FAR_OFF * squares / len(self) else None
