"""Features of the images of a data set, by one process or several, in memory or into a store.

Shape shorthand: N images, B images of a batch, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

import torch
from fastreid.utils import comm
from torch import Tensor, nn

from vreid_common.data import BatchLoader, DevicePrefetcher, ItemDataset
from vreid_common.errors import InputError
from vreid_common.features.collector import MAIN_FEATURE, FeatureCollector
from vreid_common.features.ensemble import main_feature
from vreid_common.features.gather import exchange
from vreid_common.features.inference import inference, with_progress
from vreid_common.structures import FeatureSet, LabelNames

__all__ = ["Extractor", "Sink"]


class Sink(Protocol):
    """What takes extracted features shard by shard: a ``FeatureStore``, which describes the methods, or several as one."""

    num_images: int

    def images(self, shard: int) -> range: ...

    def missing(self) -> list[int]: ...

    def write(self, shard: int, features: Tensor) -> None: ...


class Extractor:
    """Runs a model over images.

    Images are cut into batches in the data set's order, and whole batches are dealt out to the processes that FastReID's
    ``comm`` knows of. So the batches, and with them the features to the last bit, do not depend on the number of processes.

    Args:
        model: called with a batch; returns (B, D) features, or several by name, of which the first is taken. An ``Ensemble``
            is one.
        device: where the model is.
        batch_size: B, in each process.
        num_workers: processes that read images, for each process; 0 reads in this one.
        amp_dtype: type of mixed precision, e.g. ``torch.bfloat16``; None computes in the model's own.
        memory_format: of the images, as the model's convolutions have it.
        progress: show a progress bar, or a line now and then, on the main process.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        device: torch.device | str = "cpu",
        batch_size: int = 64,
        num_workers: int = 0,
        amp_dtype: torch.dtype | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
        progress: bool = True,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"The batch size is {batch_size}: use 1 or more.")
        self.model = model
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.amp_dtype = amp_dtype
        self.memory_format = memory_format
        self.progress = progress

    def extract(self, dataset: ItemDataset) -> FeatureSet | None:
        """The features of all images, in the data set's order; every process has to call it.

        Returns:
            The (N, D) features with the images' labels, names and paths; None except on the main process.

        Raises:
            InputError: there are no images, one of them cannot be read, or its feature is not finite.
        """
        if not len(dataset):
            raise InputError("There are no images to extract features from.")
        batches = self._batches(range(len(dataset)))[comm.get_rank() :: comm.get_world_size()]
        collector = FeatureCollector()
        with inference(self.model, self.amp_dtype):
            for batch, features in self._run(dataset, batches):
                collector.add(batch, features)
        found = collector.gather().get(MAIN_FEATURE)
        return found and replace(found, names=LabelNames.of_items(dataset.img_items))

    def fill(self, dataset: ItemDataset, store: Sink) -> None:
        """Extracts what ``store`` lacks of the features of ``dataset``; every process has to call it.

        It returns when all is written, by whichever process. A process that is killed loses at most the shard it was at.

        Raises:
            InputError: an image cannot be read, a feature is not finite, or a shard cannot be written.
        """
        if len(dataset) != store.num_images:
            raise ValueError(f"The store is of {store.num_images} images and the data set of {len(dataset)}.")
        mine = {
            shard: self._batches(store.images(shard)) for shard in store.missing()[comm.get_rank() :: comm.get_world_size()]
        }
        with inference(self.model, self.amp_dtype):
            outputs = self._run(dataset, [batch for batches in mine.values() for batch in batches])
            for shard, batches in mine.items():
                # On the device until the shard is whole: a copy for each batch would make the device wait for the host.
                features = torch.cat([features.float() for _, features in islice(outputs, len(batches))]).cpu()
                _check_finite(features, dataset, store.images(shard))
                store.write(shard, features)
        exchange(None)

    def _batches(self, images: range) -> list[list[int]]:
        return [list(images[start : start + self.batch_size]) for start in range(0, len(images), self.batch_size)]

    def _run(self, dataset: ItemDataset, batches: Sequence[list[int]]) -> Iterator[tuple[dict[str, Any], Tensor]]:
        pinned = self.device.type == "cuda"
        loader = BatchLoader(dataset, batches, num_workers=self.num_workers, pin_memory=pinned)
        on_device = DevicePrefetcher(loader, self.device, self.memory_format)
        for batch in with_progress(on_device) if self.progress else on_device:
            yield batch, main_feature(self.model(batch))


def _check_finite(features: Tensor, dataset: ItemDataset, images: range) -> None:
    finite = torch.isfinite(features).all(dim=1)
    if not finite.all():
        image = images[int((~finite).nonzero()[0])]
        raise InputError(f"The feature of {dataset.img_items[image].path} is not finite: compute in bfloat16 or float32.")
