"""The toy data of Fig. 1: a few identities of another data set, whose training images are looked at themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastreid.config import CfgNode
from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data import DatasetError, VehicleDataset, build_dataset
from vreid_common.structures import VehicleImage

__all__ = ["ToyVehicles"]

_EVERY = 5
"""One image in so many of an identity is a query."""


@DATASET_REGISTRY.register()
class ToyVehicles(VehicleDataset):
    """The identities with the most training images of the set DSAM.TOY.DATASET, for training and as test images alike.

    Metrics on them say how a loss arranges what it was trained on, as Fig. 1 does, not how well it finds new vehicles.

    Args:
        items: training images with string ids.
        num_ids: how many identities to take; of equally many images the first ones.

    Raises:
        DatasetError: there are not so many.
    """

    dataset_name = "ToyVehicles"

    def __init__(self, root: str = "", *, items: list[VehicleImage], num_ids: int, **kwargs) -> None:
        images = Counter(item.pid for item in items)
        if not 0 < num_ids <= len(images):
            raise DatasetError(f"DSAM.TOY.NUM_IDS is {num_ids}, and there are {len(images)} training identities.")
        number = {pid: place for place, (pid, _) in enumerate(images.most_common(num_ids))}
        chosen = [item for item in items if item.pid in number]
        cameras = {camid: place for place, camid in enumerate(dict.fromkeys(item.camid for item in chosen))}
        test = [item._replace(pid=number[item.pid], camid=cameras[item.camid]) for item in chosen]
        super().__init__(chosen, test[::_EVERY], [item for place, item in enumerate(test) if place % _EVERY], **kwargs)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        """Keyword arguments of the constructor."""
        return {"items": build_dataset(cfg, cfg.DSAM.TOY.DATASET).train, "num_ids": cfg.DSAM.TOY.NUM_IDS}
