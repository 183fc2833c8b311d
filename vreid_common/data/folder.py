"""A folder of images, without a data set class."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from vreid_common.data.datasets.base import DatasetError
from vreid_common.data.datasets.veri776 import named_item
from vreid_common.data.suffixes import image_suffixes, say_suffixes
from vreid_common.kinds import not_a_folder
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["read_folder"]

_logger = logging.getLogger(__name__)


def read_folder(folder: str | os.PathLike[str]) -> list[VehicleImage]:
    """All images in a folder and those below it, sorted by path; hidden files are left out.

    Where every file is named as VeRi-776's are (``0002_c002_00030600_0.jpg``), the names give vehicle and camera. Otherwise
    both are unknown for all images: a name that happens to look like that says nothing in a folder of others.

    Files of other kinds, and folders that may not be opened, are passed over; a warning counts them.

    Raises:
        DatasetError: there is no such folder, or no image in it.
    """
    if not Path(folder).is_dir():
        raise DatasetError(not_a_folder(folder))
    closed: list[OSError] = []
    files = _files(folder, closed)
    paths = sorted(path for path in files if path.lower().endswith(image_suffixes()))
    passed_over = _say_passed_over(set(files).difference(paths), closed)
    if not paths:
        found = f"passed over: {passed_over}" if passed_over else "it is empty"
        raise DatasetError(f"There are no images in {folder} ({found}); their names end in {', '.join(image_suffixes())}.")
    if passed_over:
        _logger.warning("%s: %d images; passed over: %s.", folder, len(paths), passed_over)
    items = [item for item in map(named_item, paths) if item is not None]
    return items if len(items) == len(paths) else [VehicleImage(path, UNKNOWN, UNKNOWN) for path in paths]


def _files(folder: str | os.PathLike[str], closed: list[OSError]) -> list[str]:
    """The files in a folder and below it, without hidden ones; ``closed`` gets the errors of folders that cannot be listed."""
    files = []
    for place, folders, names in os.walk(folder, onerror=closed.append, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # A Path a file costs more than the walk.
        files += [os.path.join(place, name) for name in names if not name.startswith(".")]  # noqa: PTH118
    return files


def _say_passed_over(files: Iterable[str], closed: list[OSError]) -> str:
    said = say_suffixes(files)
    if closed:
        folders = f"{len(closed)} folder{'s' if closed[1:] else ''} that cannot be opened ({closed[0].filename})"
        said = f"{said}; {folders}" if said else folders
    return said
