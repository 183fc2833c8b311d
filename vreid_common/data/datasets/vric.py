"""VRIC."""

import re
from collections.abc import Iterator
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.lists import whole_number
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VRIC"]

_SPLITS = ("train", "probe", "gallery")
_COLUMNS = {"image": str, "vehicle": whole_number, "camera": whole_number}
_FRAME = re.compile(r"_img(\d+)\.")


@DATASET_REGISTRY.register()
class VRIC(FolderDataset):
    """VRIC: 54,808 training images of 2,811 vehicles; 2,811 other vehicles with one probe and one gallery image each.

    Source: Kanaci, Zhu and Gong, "Vehicle Re-Identification in Context" (GCPR 2018). Images are cut from UA-DETRAC.

    In the folder VRIC (or vric) under the data root: train_images, probe_images, gallery_images and their lists vric_train.txt,
    vric_probe.txt, vric_gallery.txt, ``MVI_20011_016_img00105.jpg 15 1`` (image, vehicle, camera) a line. Image names do not
    tell the vehicle; they end with the frame, which is the item's ``timestamp``.
    """

    dataset_name = "VRIC"
    title = "VRIC"
    folders = ("VRIC", "vric")
    required: ClassVar = tuple((f"{split}_images",) for split in _SPLITS) + tuple((f"vric_{split}.txt",) for split in _SPLITS)

    def read_splits(self) -> Splits:
        train, probe, gallery = (self._items(split) for split in _SPLITS)
        return train, probe, gallery

    def inconsistencies(self) -> Iterator[str]:
        for split, items in zip(_SPLITS, (self.train, self.query, self.gallery), strict=True):
            names = {item.path.rpartition("/")[2] for item in items}
            yield from unlisted_images(self.folder / f"{split}_images", names, f"vric_{split}.txt")

    def _items(self, split: str) -> list[VehicleImage]:
        folder = self.folder / f"{split}_images"
        return [
            VehicleImage(
                path=f"{folder}/{name}",
                pid=vehicle,
                camid=camera,
                domain=DOMAINS.index("real"),
                timestamp=int(frame[1]) if (frame := _FRAME.search(name)) else UNKNOWN,
            )
            for name, vehicle, camera in self.rows(self.folder / f"vric_{split}.txt", _COLUMNS)
        ]
