"""Images that a command names one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vreid_common.data import read_folder
from vreid_common.errors import InputError
from vreid_common.kinds import not_an_image, not_there
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["named_images"]


def named_images(paths: Sequence[str]) -> list[VehicleImage]:
    """The images of files and folders, in the order in which they are named.

    Raises:
        InputError: there is no such file or folder, or no image in a folder.
    """
    items: list[VehicleImage] = []
    for path in paths:
        if Path(path).is_dir():
            items += read_folder(path)
        elif Path(path).is_file():
            fault = not_an_image(path)
            if fault:
                raise InputError(fault)
            items.append(VehicleImage(path, UNKNOWN, UNKNOWN))
        else:
            raise InputError(not_there(path, "image or folder"))
    return items
