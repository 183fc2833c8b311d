"""A folder of images, without a data set class."""

import os
from collections.abc import Iterator
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from vreid_common.data.datasets.base import DatasetError
from vreid_common.data.datasets.veri776 import parse_name
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["read_folder"]


def read_folder(folder: str | os.PathLike[str]) -> list[VehicleImage]:
    """All images in a folder and those below it, sorted by path; hidden files are left out.

    Where every file is named as VeRi-776's are (``0002_c002_00030600_0.jpg``), the names give vehicle and camera. Otherwise
    both are unknown for all images: a name that happens to look like that says nothing in a folder of others.

    Raises:
        DatasetError: there is no such folder, or no image in it.
    """
    if not Path(folder).is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    paths = sorted(_image_files(folder))
    if not paths:
        raise DatasetError(f"There are no images in {folder}; their names end in {', '.join(IMG_EXTENSIONS)}.")
    labels = [parse_name(os.path.basename(path)) for path in paths]  # noqa: PTH119
    if None in labels:
        labels = [(UNKNOWN, UNKNOWN)] * len(paths)
    return [VehicleImage(path, pid, camid) for path, (pid, camid) in zip(paths, labels, strict=True)]


def _image_files(folder: str | os.PathLike[str]) -> Iterator[str]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(IMG_EXTENSIONS) and not name.startswith("."):
                yield os.path.join(place, name)  # noqa: PTH118 - a Path a file costs more than the walk
