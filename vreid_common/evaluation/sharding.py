"""Evaluating on several processes: each takes a share of the queries, and all get the whole result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist

from vreid_common.evaluation.places import NotANumber
from vreid_common.processes import Processes

__all__ = ["Shards"]


class Shards:
    """The processes that share the queries of an evaluation; a group of None stands for this process alone."""

    def __init__(self, group: dist.ProcessGroup | None) -> None:
        self._processes = Processes(group)
        self.share = self._processes.share

    def join(self, rows: np.ndarray) -> np.ndarray:
        """The arrays of all processes, one after another, on every process."""
        return self._processes.join(torch.from_numpy(rows)).numpy()

    def add(self, counts: np.ndarray) -> np.ndarray:
        """The sum of the arrays, of one shape, of all processes, on every process."""
        return self.join(counts[None]).sum(axis=0)

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
