"""Loaders: batches of a data set, read by worker processes.

Shorthand: W processes train together, and each gets 1/W of every global batch.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from vreid_common.data.collate import collate
from vreid_common.data.dataset import ItemDataset
from vreid_common.data.samplers import TrainingSamplerBase
from vreid_common.errors import InputError, RunError
from vreid_common.lifetime import end_with_parent

__all__ = ["Batch", "BatchLoader", "TestLoader", "TrainLoader"]

PATIENCE = 600.0
"""Seconds to wait for a batch of the worker processes, where the caller does not say."""

Batch = dict[str, Any]
_Key = int | tuple[int, int]


class TrainLoader:
    """This process's share of the training batches.

    Each image's augmentation is seeded by (seed, epoch, position in the epoch), so the batches do not depend on the number
    of workers or processes. Worker processes are started once and stay for all epochs.

    Args:
        dataset: the training images.
        sampler: cuts them into global batches.
        num_workers: worker processes; 0 reads in this process.
        pin_memory: hand out page-locked Tensors, which copy to a CUDA device in the background.
        rank, world_size: this process among the W.
        timeout: seconds to wait for a batch of the worker processes before giving up; 0 waits for ever.

    Raises:
        InputError: W processes cannot share a batch evenly.
    """

    def __init__(
        self,
        dataset: ItemDataset,
        sampler: TrainingSamplerBase,
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        rank: int = 0,
        world_size: int = 1,
        timeout: float = PATIENCE,
    ) -> None:
        share = getattr(sampler, "num_instances", 1) * world_size
        if sampler.batch_size % share:
            raise InputError(
                f"SOLVER.IMS_PER_BATCH ({sampler.batch_size}) must be a multiple of {share}: "
                f"{world_size} processes share a batch"
                + (f" in whole groups of DATALOADER.NUM_INSTANCE ({sampler.num_instances})." if share > world_size else ".")
            )
        self.dataset = dataset
        self.sampler = sampler
        self._plan = _EpochPlan(sampler, rank, world_size)
        self._loader = _data_loader(dataset, self._plan, num_workers, pin_memory, timeout, persistent=True)

    @property
    def num_classes(self) -> int:
        """Number of training identities."""
        return self.dataset.num_classes

    @property
    def num_cameras(self) -> int:
        """Number of known training cameras."""
        return self.dataset.num_cameras

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.sampler)

    def epoch(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """Batches of one epoch; ``start_batch`` goes on after that many of them. One epoch can be iterated at a time.

        Raises:
            InputError: while iterating: an image cannot be read.
        """
        if not 0 <= start_batch <= len(self):
            raise ValueError(f"start_batch is {start_batch}; an epoch has {len(self)} batches.")
        self._plan.epoch, self._plan.start_batch = epoch, start_batch
        return _batches(self._loader)

    def first_batch(self) -> Batch:
        """The first batch of the first epoch, read by this process: what ``epoch(0)`` begins with.

        Raises:
            InputError: an image cannot be read.
        """
        self._plan.epoch = self._plan.start_batch = 0
        return collate([self.dataset[key] for key in next(iter(self._plan))])


class BatchLoader:
    """Given batches of a data set, in the order given.

    Args:
        dataset: the images.
        batches: positions in the data set, batch by batch.
        num_workers, pin_memory, timeout: as for ``TrainLoader``.
    """

    def __init__(
        self,
        dataset: ItemDataset,
        batches: Sequence[list[int]],
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        timeout: float = PATIENCE,
    ) -> None:
        self.dataset = dataset
        self._batches = batches
        self._loader = _data_loader(dataset, batches, num_workers, pin_memory, timeout, persistent=False)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        return _batches(self._loader)

    @property
    def largest(self) -> int:
        """Images of the largest batch; 0 without any."""
        return max(map(len, self._batches), default=0)


class TestLoader(BatchLoader):
    """This process's contiguous share of a test set, in order; empty where there are more processes than images.

    Args:
        dataset: query images, then gallery images.
        batch_size: images of a batch in one process.
        subsets: name → rising positions of images that are evaluated for themselves too (``VehicleDataset.subsets``).
        num_workers, pin_memory, rank, world_size, timeout: as for ``TrainLoader``.
    """

    __test__ = False  # not a pytest class

    def __init__(
        self,
        dataset: ItemDataset,
        batch_size: int,
        *,
        subsets: Mapping[str, Sequence[int]] | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
        rank: int = 0,
        world_size: int = 1,
        timeout: float = PATIENCE,
    ) -> None:
        self.subsets = subsets or {}
        shard = -(-len(dataset) // world_size)
        stop = min(shard * (rank + 1), len(dataset))
        starts = range(shard * rank, stop, batch_size)
        batches = [list(range(start, min(start + batch_size, stop))) for start in starts]
        super().__init__(dataset, batches, num_workers=num_workers, pin_memory=pin_memory, timeout=timeout)


class _EpochPlan(Sampler):
    """Batch sampler: (index, augmentation seed) of this rank's share of the batches of the epoch that is set."""

    def __init__(self, sampler: TrainingSamplerBase, rank: int, world_size: int) -> None:
        self.sampler = sampler
        share = sampler.batch_size // world_size
        self.share = slice(rank * share, (rank + 1) * share)
        self.epoch = 0
        self.start_batch = 0

    def __len__(self) -> int:
        return len(self.sampler) - self.start_batch

    def __iter__(self) -> Iterator[list[_Key]]:
        batches = np.array(self.sampler.epoch(self.epoch))
        # [seed, epoch] alone seeds the sampler's own generator.
        rng = np.random.default_rng([self.sampler.seed, self.epoch, 1])
        seeds = rng.integers(2**63, size=batches.shape)
        for batch, batch_seeds in zip(batches[self.start_batch :], seeds[self.start_batch :], strict=True):
            yield list(zip(batch[self.share].tolist(), batch_seeds[self.share].tolist(), strict=True))


class _ErrorsAsValues:
    """Reads whole batches, and returns an ``InputError`` instead of raising it.

    DataLoader would wrap an error of a worker process in that worker's traceback of forty lines.
    """

    def __init__(self, dataset: ItemDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, keys: Sequence[_Key]) -> Batch | InputError:
        try:
            return collate([self.dataset[key] for key in keys])
        except InputError as error:
            return error


def _data_loader(
    dataset: ItemDataset,
    batches: Sampler | Sequence[list[int]],
    num_workers: int,
    pin_memory: bool,
    timeout: float,
    *,
    persistent: bool,
) -> DataLoader:
    num_workers = min(num_workers, len(batches))
    loader = DataLoader(
        _ErrorsAsValues(dataset),
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        persistent_workers=persistent and num_workers > 0,
        # DataLoader draws a seed for its workers, by default from the generator that the model's dropout uses.
        generator=torch.Generator(),
        worker_init_fn=_start_worker,
    )
    loader.patience = timeout
    return loader


def _start_worker(_worker: int) -> None:
    end_with_parent()
    # Ctrl-C reaches the whole process group of the terminal; the main process needs its workers until it has saved.
    os.setpgrp()


def _as_it_is(batch: Batch | InputError) -> Batch | InputError:
    return batch


def _batches(loader: DataLoader) -> Iterator[Batch]:
    iterator = _in_time(loader, lambda: iter(loader))
    while (batch := _in_time(loader, lambda: next(iterator, None), iterator)) is not None:
        if isinstance(batch, InputError):
            try:
                raise batch
            finally:
                # The error's traceback holds this frame. Were the two a cycle, the garbage collector would take the workers'
                # queues away before the workers are told to end, and wait for each of them in vain.
                del batch
        yield batch


def _in_time(loader: DataLoader, wait: Callable[[], Any], iterator: Iterator | None = None) -> Any:
    """What ``wait()`` returns; worker processes that let it wait for longer than the loader's patience are killed.

    DataLoader's own ``timeout`` does not see a process that is stopped after it has announced a batch.

    Raises:
        RunError: they were.
    """
    workers = getattr(iterator or loader._iterator, "_workers", ())
    if not workers or not loader.patience:
        return wait()
    overdue = threading.Event()

    def end_workers() -> None:
        overdue.set()
        for worker in workers:
            worker.kill()  # a stopped process answers nothing else

    timer = threading.Timer(loader.patience, end_workers)
    timer.daemon = True
    timer.start()
    try:
        return wait()
    except Exception as error:
        if not overdue.is_set():
            raise
        raise RunError(
            f"The processes that read images have given none for {loader.patience:.0f} seconds (in a training: "
            "DATALOADER.TIMEOUT): one was stopped, or the disk does not answer."
        ) from error
    finally:
        timer.cancel()
