"""Which images of a batch show the front and which the rear, and means over such images.

Shape shorthand: N images of a process's batch, K of them of one view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.modeling import gather_batch
from vreid_common.structures import VIEWS, VehicleImage

__all__ = ["FRONT", "OTHER", "REAR", "ViewRows", "batch_mean", "check_view_labels"]

FRONT, REAR = "front", "rear"
"""The paper's views A and B."""

OTHER = {FRONT: REAR, REAR: FRONT}


@dataclass(frozen=True, eq=False)
class ViewRows:
    """The images of one view in a batch.

    Attributes:
        index: (K,) which they are; the first image where there is none, so that all processes compute and send the same parts.
        shown: (N,) bool, which they are.
    """

    index: Tensor
    shown: Tensor

    @classmethod
    def of(cls, view_ids: Tensor, view: str) -> ViewRows:
        """Finds them by their labels (N,)."""
        shown = view_ids == VIEWS.index(view)
        index = shown.nonzero().flatten()
        return cls(index if len(index) else index.new_zeros(1), shown)

    def spread(self, values: Tensor) -> Tensor:
        """Values (K, ...) of the images of this view at their places in (N, ...); 0 elsewhere."""
        placed = values.new_zeros(len(self.shown), *values.shape[1:]).index_put((self.index,), values)
        return torch.where(self.shown.view(-1, *[1] * (values.ndim - 1)), placed, 0)


def batch_mean(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """The mean over those images of the whole batch, that of all processes, that are counted; 0 where none is.

    Args:
        values: (N,) float32, of this process's images.
        counted: (N,) bool; all where not given.
    """
    values = gather_batch(values)
    if counted is None:
        return values.mean()
    weights = gather_batch(counted.to(values.dtype))
    return torch.where(weights > 0, values, 0).sum() / weights.sum().clamp(min=1)


def check_view_labels(items: Sequence[VehicleImage]) -> None:
    """Refuses training images of which too little is known for cross-view learning.

    Raises:
        InputError: no image is labelled as showing the front, or none as showing the rear.
    """
    for view in (FRONT, REAR):
        if all(item.view_id != VIEWS.index(view) for item in items):
            raise InputError(
                f"EALN.VIEW.ENABLED needs training images labelled as showing the front and the rear, and the sets of "
                f"DATASETS.NAMES have none that show the {view}: label them (docs/datasets.md), or set EALN.VIEW.ENABLED False."
            )
