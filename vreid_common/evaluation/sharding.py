"""Evaluating on several processes: each takes a share of the queries, and all get the whole result.

Only arrays of numbers travel; nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from vreid_common.evaluation.places import NotANumber

__all__ = ["Shards"]


class Shards:
    """The processes of a ``torch.distributed`` group, of any backend; None stands for this process alone."""

    def __init__(self, group: dist.ProcessGroup | None) -> None:
        self._group = group
        self._rank = 0 if group is None else dist.get_rank(group)
        self._size = 1 if group is None else dist.get_world_size(group)

    def share(self, total: int) -> range:
        """This process's part of ``range(total)``; the parts follow one another in the order of the ranks."""
        return range(total * self._rank // self._size, total * (self._rank + 1) // self._size)

    def join(self, rows: np.ndarray) -> np.ndarray:
        """The 1-d arrays of all processes, one after another, on every process."""
        if self._group is None:
            return rows
        sizes = self._gather(np.array([len(rows)]))
        padded = np.zeros(max(int(size[0]) for size in sizes), rows.dtype)
        padded[: len(rows)] = rows
        return np.concatenate([part[: int(size[0])] for part, size in zip(self._gather(padded), sizes, strict=True)])

    def add(self, counts: np.ndarray) -> np.ndarray:
        """The sum of the arrays, of one shape, of all processes, on every process."""
        return counts if self._group is None else sum(self._gather(counts), np.zeros_like(counts))

    @contextmanager
    def in_agreement(self) -> Iterator[None]:
        """Around what one process may fail in: then all raise ``NotANumber`` of the first query that any of them met."""
        failed = np.empty(0, np.int64)
        try:
            yield
        except NotANumber as error:
            failed = np.array([error.query])
        failures = self.join(failed)
        if len(failures):
            raise NotANumber(int(failures.min()))

    def _gather(self, array: np.ndarray) -> list[np.ndarray]:
        on_card = dist.get_backend(self._group) == "nccl"
        mine = torch.from_numpy(array).to(torch.device("cuda", torch.cuda.current_device()) if on_card else "cpu")
        parts: list[Tensor] = [torch.empty_like(mine) for _ in range(self._size)]
        dist.all_gather(parts, mine, group=self._group)
        return [part.cpu().numpy() for part in parts]
