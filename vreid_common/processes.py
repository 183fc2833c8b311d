"""Work that the processes of a torch.distributed group share, each holding the same input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from vreid_common.lifetime import end_with_torchrun
from vreid_common.rendezvous import Patience, meet, store_of_environment, tell

__all__ = ["Processes", "patient_group", "started_by_torchrun", "torchrun_group"]

_PATIENCE = timedelta(days=1)
"""How long the others wait while one process reads or writes by itself."""
_START_SECONDS = 300.0
"""How long the processes of a command wait for each other at the start."""

_patient: tuple[dist.ProcessGroup, dist.ProcessGroup] | None = None


def started_by_torchrun() -> bool:
    """True where torchrun (or anything that sets its variables) has started this process as one of a group."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR"))


def patient_group() -> dist.ProcessGroup:
    """A gloo group of all processes, in which they wait as long as it takes while one ranks or writes a report by itself.

    The default group gives up after its time-out, which is there for a process that hangs. One that dies is noticed in either.
    Every process has to make the first call at the same time.
    """
    global _patient
    if _patient is None or _patient[0] is not dist.group.WORLD:
        _patient = dist.group.WORLD, dist.new_group(backend="gloo", timeout=_PATIENCE)
    return _patient[1]


@contextmanager
def torchrun_group() -> Iterator[dist.ProcessGroup | None]:
    """The gloo group of the processes that torchrun has started, for the time of the block; None where it has not.

    Raises:
        InputError: not all processes come within five minutes.
    """
    if not started_by_torchrun():
        yield None
        return
    end_with_torchrun()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    patience = Patience(_START_SECONDS, say=tell if os.environ["LOCAL_RANK"] == "0" else None)
    store = store_of_environment(rank, patience)
    meet(store, "start", rank, [f"process {number} of {size}" for number in range(size)], patience)
    dist.init_process_group("gloo", store=dist.PrefixStore("group", store), rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield dist.group.WORLD
    finally:
        dist.destroy_process_group()


class Processes:
    """The processes of a group, of any backend; None stands for this process alone. Only arrays of numbers travel.

    Attributes:
        rank, size: of this process, and how many there are.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self._group = group
        self.rank = 0 if group is None else dist.get_rank(group)
        self.size = 1 if group is None else dist.get_world_size(group)

    def share(self, total: int) -> range:
        """This process's part of ``range(total)``; the parts follow one another in the order of the ranks."""
        return range(total * self.rank // self.size, total * (self.rank + 1) // self.size)

    def join(self, rows: Tensor) -> Tensor:
        """The rows (R, ...) of all processes, one after another, on every process; each may have another number of them."""
        if self._group is None:
            return rows
        sizes = [int(size) for size in self._gather(torch.tensor([len(rows)], device=rows.device))]
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = rows
        return torch.cat([part[:size] for part, size in zip(self._gather(padded), sizes, strict=True)])

    def from_rank(self, rank: int, values: Tensor) -> Tensor:
        """The ``values`` that the process of that rank has, on every process; all give the same shape."""
        sent = self._place(values.clone() if rank == self.rank else torch.empty_like(values))
        dist.broadcast(sent, group=self._group, group_src=rank)
        return sent.to(values.device)

    def _gather(self, values: Tensor) -> list[Tensor]:
        sent = self._place(values)
        parts = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(parts, sent, group=self._group)
        return [part.to(values.device) for part in parts]

    def _place(self, values: Tensor) -> Tensor:
        """Where the group's backend can read: NCCL on the card, gloo in memory."""
        on_card = dist.get_backend(self._group) == "nccl"
        return values.to(torch.device("cuda", torch.cuda.current_device()) if on_card else "cpu").contiguous()
