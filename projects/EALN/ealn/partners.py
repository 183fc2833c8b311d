"""A random positive x^p and a random negative x^n for each image of a batch, that of all processes.

Shape shorthand: N images of the whole batch; n of this process; D feature dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from fastreid.utils import comm
from torch import Tensor

from ealn.constraints import squared_distance
from vreid_common.modeling import gather_batch
from vreid_common.processes import Processes

__all__ = ["Partners", "draw_partners", "pick_partners"]


@dataclass(frozen=True, eq=False)
class Partners:
    """Indices into the whole batch, of which those mean nothing whose ``has_`` is False.

    Attributes:
        positive: (n,) another image of the same vehicle.
        negative: (n,) an image of another vehicle.
        has_positive, has_negative: (n,) bool.
    """

    positive: Tensor
    negative: Tensor
    has_positive: Tensor
    has_negative: Tensor

    def select(self, rows: slice) -> Partners:
        """Those of some of the images."""
        return Partners(self.positive[rows], self.negative[rows], self.has_positive[rows], self.has_negative[rows])

    def distances(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """d(x, x^p) and d(x, x^n), (n,) each, of this process's features (n, D) to those of the whole batch."""
        whole = gather_batch(features)
        return squared_distance(features, whole[self.positive]), squared_distance(features, whole[self.negative])


def pick_partners(targets: Tensor, noise: Tensor) -> Partners:
    """The partners with the largest noise.

    Args:
        targets: (N,) identities.
        noise: (2, N, N) independent uniform numbers above -1: each candidate is then drawn with the same probability.
    """
    same = targets[:, None] == targets[None, :]
    positive = same & ~torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    return Partners(
        positive=noise[0].masked_fill(~positive, -1.0).argmax(dim=1),
        negative=noise[1].masked_fill(same, -1.0).argmax(dim=1),
        has_positive=positive.any(dim=1),
        has_negative=(~same).any(dim=1),
    )


def draw_partners(targets: Tensor) -> Partners:
    """Draws the partners of this process's images out of the whole batch, from torch's generator of the main process.

    W processes so draw what one process draws for the same batch. All of them have to call it.

    Args:
        targets: (n,) identities of this process's images.
    """
    world, own = comm.get_world_size(), len(targets)
    noise = torch.rand(2, world * own, world * own)
    if world > 1:
        noise = Processes(dist.group.WORLD).from_rank(0, noise)
    partners = pick_partners(gather_batch(targets), noise.to(targets.device))
    return partners.select(slice(comm.get_rank() * own, (comm.get_rank() + 1) * own))
