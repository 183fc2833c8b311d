"""VehicleX."""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.xml_labels import label_number, read_xml_labels
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VehicleX"]

_LABELS = "train_label.xml"
_KNOWN = {"imageName", "vehicleID", "cameraID", "camID", "colorID", "typeID", "orientation"}


@DATASET_REGISTRY.register()
class VehicleX(FolderDataset):
    """VehicleX: 192,150 synthetic images of 1,362 vehicles with all that the renderer was told, for training only.

    Source: Yao et al., "Simulating Content Consistent Vehicle Datasets with Attribute Descent" (ECCV 2020).

    In the folder AIC21_Track2_ReID_Simulation (or AIC20_ReID_Simulation, VehicleX, vehiclex) under the data root:

    - sys_image_train (or image_train, image): images ``0001_c001_33.jpg``;
    - train_label.xml: ``<Item>``s with imageName, vehicleID, cameraID, colorID, typeID and orientation in degrees. Its
      further numbers (lightInt, lightDir, camHei, camDis, ...) are the item's ``attributes``.
    """

    dataset_name = "VehicleX"
    title = "VehicleX"
    folders = ("AIC21_Track2_ReID_Simulation", "AIC20_ReID_Simulation", "VehicleX", "vehiclex")
    required: ClassVar = (("sys_image_train", "image_train", "image"), (_LABELS,))

    def read_splits(self) -> Splits:
        folder = self.part(*self.required[0])
        train = []
        for name, label in self.labels(read_xml_labels, self.folder / _LABELS).items():
            vehicle = label_number(label, "vehicleID")
            if vehicle == UNKNOWN:
                self.faults.append(
                    f"{self.folder / _LABELS}: {name} has vehicleID {label.get('vehicleID')!r}; expected a number."
                )
                continue
            train.append(_item(f"{folder}/{name}", vehicle, label))
        return train, [], []

    def inconsistencies(self) -> Iterator[str]:
        names = {item.path.rpartition("/")[2] for item in self.train}
        yield from unlisted_images(self.part(*self.required[0]), names, str(self.folder / _LABELS))


def _item(path: str, vehicle: int, label: Mapping[str, str]) -> VehicleImage:
    further = ((key, _number(value)) for key, value in label.items() if key not in _KNOWN)
    return VehicleImage(
        path,
        vehicle,
        label_number(label, "cameraID", "camID"),
        domain=DOMAINS.index("synthetic"),
        color_id=label_number(label, "colorID"),
        type_id=label_number(label, "typeID"),
        orientation=UNKNOWN if (degrees := _number(label.get("orientation", ""))) is None else degrees,
        attributes=tuple((key, value) for key, value in further if value is not None),
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
