"""What a training sampler is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from fastreid.config import CfgNode

from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage

__all__ = ["TrainingSamplerBase"]


class TrainingSamplerBase(ABC):
    """Cuts the training items into the global batches of an epoch.

    The batches are a pure function of (items, config, seed, epoch), the same in every process and in a resumed run.
    Every epoch has the same number of batches, and each has exactly ``cfg.SOLVER.IMS_PER_BATCH`` images.

    Args:
        items: the training images.
        cfg: configuration.
        seed: the run's seed, not negative.

    Raises:
        InputError: there are fewer items than a batch holds.
    """

    def __init__(self, items: Sequence[VehicleImage], cfg: CfgNode, seed: int) -> None:
        self.batch_size: int = cfg.SOLVER.IMS_PER_BATCH
        self.seed = seed
        self.num_items = len(items)
        if not 1 <= self.batch_size <= self.num_items:
            raise InputError(
                f"SOLVER.IMS_PER_BATCH is {self.batch_size} and the training data have {self.num_items} images: "
                f"set it between 1 and {self.num_items}."
            )

    @classmethod
    def group_size(cls, cfg: CfgNode) -> int:
        """Images that stand together in a batch and have to go to the same process."""
        return 1

    @abstractmethod
    def __len__(self) -> int:
        """Batches an epoch."""

    @abstractmethod
    def epoch(self, epoch: int) -> list[list[int]]:
        """The batches of one epoch, as indices into the items."""

    def generator(self, epoch: int) -> np.random.Generator:
        """The generator that an epoch's batches are drawn from."""
        return np.random.default_rng([self.seed, epoch])

    def cut(self, order: np.ndarray) -> list[list[int]]:
        """Cuts ``len(self) * batch_size`` indices into batches."""
        return order.reshape(len(self), self.batch_size).tolist()
