"""Samplers that draw images one by one."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from fastreid.config import CfgNode

from vreid_common.data.samplers.base import TrainingSamplerBase
from vreid_common.registry import SAMPLER_REGISTRY
from vreid_common.structures import VehicleImage

__all__ = ["ImbalancedDatasetSampler", "TrainingSampler"]


@SAMPLER_REGISTRY.register()
class TrainingSampler(TrainingSamplerBase):
    """Every image once an epoch, in random order; the last batch is filled up from the start of that order."""

    def __len__(self) -> int:
        return -(-self.num_items // self.batch_size)

    def epoch(self, epoch: int) -> list[list[int]]:
        order = self.generator(epoch).permutation(self.num_items)
        return self.cut(np.resize(order, len(self) * self.batch_size))


@SAMPLER_REGISTRY.register()
class ImbalancedDatasetSampler(TrainingSamplerBase):
    """Draws images, with replacement, so that every identity is expected equally often.

    An epoch draws as many images as there are, rounded up to whole batches. The one sampler whose
    epoch need not see every image.
    """

    def __init__(self, items: Sequence[VehicleImage], cfg: CfgNode, seed: int) -> None:
        super().__init__(items, cfg, seed)
        counts = Counter(item.pid for item in items)
        self._probabilities = np.array([1 / (len(counts) * counts[item.pid]) for item in items])

    def __len__(self) -> int:
        return -(-self.num_items // self.batch_size)

    def epoch(self, epoch: int) -> list[list[int]]:
        return self.cut(self.generator(epoch).choice(self.num_items, len(self) * self.batch_size, p=self._probabilities))
