"""Parts of a gallery: the images of some cameras, views and times.

Shape shorthand: N images, P images of them that are chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vreid_common.structures import UNKNOWN, FeatureSet

__all__ = ["Choices", "Filter"]


@dataclass(frozen=True)
class Filter:
    """Which images are searched. All conditions hold together.

    Attributes:
        cameras: of these, ``UNKNOWN`` among them or not; empty for all.
        views: of these indices into ``VIEWS``, likewise.
        since, until: not before and not after this time, on the data set's clock. With either, an image of unknown time is
            left out.
    """

    cameras: frozenset[int] = frozenset()
    views: frozenset[int] = frozenset()
    since: int | None = None
    until: int | None = None

    def rows(self, images: FeatureSet) -> Tensor:
        """The chosen images, (P,) int64 rising."""
        chosen = torch.ones(len(images), dtype=torch.bool)
        for labels, wanted in ((images.camids, self.cameras), (images.view_ids, self.views)):
            if wanted:
                chosen &= torch.isin(labels, torch.tensor(sorted(wanted)))
        if (self.since, self.until) != (None, None):
            chosen &= images.timestamps != UNKNOWN
        if self.since is not None:
            chosen &= images.timestamps >= self.since
        if self.until is not None:
            chosen &= images.timestamps <= self.until
        return chosen.nonzero().flatten()


@dataclass(frozen=True)
class Choices:
    """By what images can be told apart: what a filter can be made of.

    Attributes:
        cameras: that there are, rising; empty where all images have one.
        views: likewise.
        times: the earliest and the latest, None where there are not two.
    """

    cameras: tuple[int, ...]
    views: tuple[int, ...]
    times: tuple[int, int] | None

    @classmethod
    def of(cls, images: FeatureSet) -> Choices:
        cameras, views = (tuple(labels.unique().tolist()) for labels in (images.camids, images.view_ids))
        times = images.timestamps[images.timestamps != UNKNOWN].unique()
        return cls(
            cameras if len(cameras) > 1 else (),
            views if len(views) > 1 else (),
            (int(times[0]), int(times[-1])) if len(times) > 1 else None,
        )
