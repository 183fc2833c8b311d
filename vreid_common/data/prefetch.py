"""Copies of batches to a CUDA device, one batch ahead of the computation."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from vreid_common.data.loader import Batch

__all__ = ["DevicePrefetcher"]


class DevicePrefetcher:
    """Iterates over batches with their Tensors on a device.

    On CUDA the next batch is copied on a stream of its own while the current one is computed on; page-locked batches are
    needed for the two to overlap. On another device every batch is copied when its turn comes, which on the CPU does nothing.

    Args:
        batches: what to iterate over.
        device: where the Tensors shall be.
        memory_format: layout of the images there; channels-last is what tensor cores want.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        device: torch.device | str,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.batches = batches
        self.device = torch.device(device)
        self.memory_format = memory_format

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def dataset(self) -> Any:
        """What the batches are drawn from, if they say so: an evaluation compares its size with what arrived."""
        return self.batches.dataset

    def __iter__(self) -> Iterator[Batch]:
        if self.device.type != "cuda":
            for batch in self.batches:
                yield self._copy(batch)
            return
        stream = torch.cuda.Stream(self.device)
        ahead: tuple[Batch, torch.cuda.Event] | None = None
        for batch in self.batches:
            with torch.cuda.stream(stream):
                copy = self._copy(batch)
                copied = stream.record_event()
            if ahead is not None:
                yield self._handed_over(*ahead)
            ahead = copy, copied
        if ahead is not None:
            yield self._handed_over(*ahead)

    def _copy(self, batch: Batch) -> Batch:
        in_background = self.device.type == "cuda"
        copy = {
            key: value.to(self.device, non_blocking=in_background) if isinstance(value, torch.Tensor) else value
            for key, value in batch.items()
        }
        copy["images"] = copy["images"].contiguous(memory_format=self.memory_format)
        return copy

    def _handed_over(self, batch: Batch, copied: torch.cuda.Event) -> Batch:
        """The batch, for use on the current stream, which waits for the copy to end."""
        current = torch.cuda.current_stream(self.device)
        current.wait_event(copied)
        for value in batch.values():
            if isinstance(value, torch.Tensor):
                # Without this the memory could be given to the copy of a later batch while it is still read here.
                value.record_stream(current)
        return batch
