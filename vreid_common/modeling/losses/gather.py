"""The whole batch of all processes, for losses that compare images with each other.

Shape shorthand: N images of a process's batch; W processes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from fastreid.utils import comm
from torch import Tensor

__all__ = ["gather_batch"]


def gather_batch(rows: Tensor) -> Tensor:
    """The rows of all processes in rank order, on every process, with gradients.

    The gradient that comes back to a process's own rows is the sum over the losses of all processes. Where each of them
    computes one loss from the gathered batch, and DistributedDataParallel averages the weights' gradients, W processes so get
    the gradient that one process has for the whole batch.

    Args:
        rows: (N, ...) of any type; every process has the same N.

    Returns:
        (W * N, ...); ``rows`` itself where there is one process.
    """
    return rows if comm.get_world_size() == 1 else _Gather.apply(rows)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(comm.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(comm.get_world_size())[comm.get_rank()]
