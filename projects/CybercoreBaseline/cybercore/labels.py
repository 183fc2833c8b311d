"""What is a class in training: the vehicle, its orientation or the camera (Sec. 3.4, "Fused distance")."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from vreid_common.data import ItemDataset
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["LABELS", "relabel_items", "with_label"]

logger = logging.getLogger(__name__)

LABELS = ("vehicle", "orientation", "camera")
"""Values of ``CYBERCORE.LABEL``."""

_BIN_DEGREES = 10


def relabel_items(items: Sequence[VehicleImage], label: str) -> list[VehicleImage]:
    """The items with the label in the place of the identity; those that have none are left out.

    Orientations are int(degrees / 10), 36 bins of the circle, as the authors' code has them.

    Raises:
        InputError: there is no such label, or fewer than two classes are left.
    """
    if label not in LABELS:
        raise InputError(f"CYBERCORE.LABEL is {label!r}: use one of {', '.join(LABELS)}.")
    if label == "vehicle":
        return list(items)
    relabelled = [
        # The vehicle's name is not that of the class.
        item._replace(pid=name, vehicle=item.camera if label == "camera" else "")
        for item in items
        if (name := _class_name(item, label)) is not None
    ]
    if len({item.pid for item in relabelled}) < 2:
        raise InputError(
            f"CYBERCORE.LABEL is {label}, but the training images have fewer than two of it: name a set in DATASETS.NAMES that "
            "has this label."
        )
    if len(relabelled) < len(items):
        logger.info("CYBERCORE.LABEL %s: %d of %d training images have it.", label, len(relabelled), len(items))
    return relabelled


def with_label(dataset: ItemDataset, label: str) -> ItemDataset:
    """The training images with another label; see ``relabel_items``."""
    items = relabel_items(dataset.img_items, label)
    return ItemDataset(items, dataset.transform, relabel=True)


def _class_name(item: VehicleImage, label: str) -> str | None:
    if label == "camera":
        return None if item.camid == UNKNOWN else f"camera_{item.camid}"
    return None if item.orientation == UNKNOWN else f"orientation_{int(item.orientation % 360 / _BIN_DEGREES):02d}"
