"""The images that a translator is trained on: batches of both domains, for as long as they are asked for.

Shape shorthand: B images of each domain, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torchvision.transforms as T
from fastreid.config import CfgNode
from torch import Tensor

from vreid_common.config import get_vreid_cfg
from vreid_common.data import (
    Batch,
    DatasetError,
    DevicePrefetcher,
    ItemDataset,
    TrainLoader,
    build_dataset,
    dataset_class,
    read_folder,
)
from vreid_common.data.samplers.shuffle import TrainingSampler
from vreid_common.data.transforms import Compose
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage

__all__ = ["PairLoader", "read_domain", "resize_to"]


def read_domain(cfg: CfgNode, name: str) -> list[VehicleImage]:
    """The images of a domain: a registered data set's training images, or all in a folder and below it.

    Args:
        cfg: DATASETS keys, of data sets that have any.
        name: a data set's name, or a folder; a folder that is named like a data set is written ``./NAME``.

    Raises:
        DatasetError: there is no such folder or data set, or it has no (training) images.
    """
    try:
        dataset_class(name)
    except DatasetError as error:
        if Path(name).is_dir():
            return read_folder(name)
        if "/" in name:
            raise DatasetError(f"There is no folder {name}.") from error
        raise
    items = build_dataset(cfg, name).train
    if not items:
        raise DatasetError(f"The data set {name} has no training images.")
    return items


def resize_to(height: int, width: int) -> list:
    """The transforms with which images are read, in training and when they are translated."""
    return [T.Resize((height, width), T.InterpolationMode.BICUBIC), T.PILToTensor()]


class PairLoader:
    """Batches of images of both domains, each domain in an order of its own and half of the images mirrored.

    Batch number i is a function of the seed and i, whatever the number of workers: a resumed training sees what an unbroken one
    sees.

    Args:
        domains: the images of the source and of the target.
        size: H, W.
        batch_size: B.
        seed: not negative.
        workers: processes that read images; 0 reads in this process.
        device: where the batches shall be.

    Raises:
        InputError: a domain has fewer than B images, or a number cannot be used.
    """

    def __init__(
        self,
        domains: Sequence[Sequence[VehicleImage]],
        size: tuple[int, int],
        batch_size: int,
        seed: int,
        *,
        workers: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size < 1 or workers < 0 or seed < 0:
            raise InputError(f"The batch size is {batch_size}, workers {workers}, seed {seed}: use 1, 0 and 0 or more.")
        self.device = torch.device(device)
        cfg = get_vreid_cfg()
        cfg.SOLVER.IMS_PER_BATCH = batch_size
        transform = Compose([T.RandomHorizontalFlip(), *resize_to(*size)], decode_size=max(size))
        self._loaders = []
        for number, (name, items) in enumerate(zip(("source", "target"), domains, strict=True)):
            if len(items) < batch_size:
                raise InputError(f"The {name} has {len(items)} images: too few for a batch of {batch_size}.")
            dataset = ItemDataset(items, transform, relabel=True)
            sampler = TrainingSampler(items, cfg, 2 * seed + number)  # two orders that have nothing to do with each other
            pin = self.device.type == "cuda"
            self._loaders.append(TrainLoader(dataset, sampler, num_workers=-(-workers // 2), pin_memory=pin))

    def batches(self, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of (B, 3, H, W) uint8, source and target, from batch number ``first`` on, without an end.

        Raises:
            ImageReadError: while iterating: an image cannot be read.
        """
        streams = [iter(DevicePrefetcher(_endless(loader, first), self.device)) for loader in self._loaders]
        for source, target in zip(*streams, strict=True):
            yield source["images"], target["images"]


def _endless(loader: TrainLoader, first: int) -> Iterator[Batch]:
    epoch, start = divmod(first, len(loader))
    while True:
        yield from loader.epoch(epoch, start)
        epoch, start = epoch + 1, 0
