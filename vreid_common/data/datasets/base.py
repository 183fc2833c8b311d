"""What the vehicle data sets have in common."""

import copy
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from fastreid.data.datasets.bases import ImageDataset

from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage

__all__ = ["DatasetError", "VehicleDataset", "data_root"]


class DatasetError(InputError):
    """A data set is missing or its labels are wrong. The message is one sentence that names the file, and the row."""


def data_root() -> str:
    """The folder that data sets lie in: ``FASTREID_DATASETS`` as it is now, or ``datasets``."""
    return os.environ.get("FASTREID_DATASETS", "datasets")


class VehicleDataset(ImageDataset):
    """FastReID's ``ImageDataset`` with ``VehicleImage`` items.

    A subclass is constructed as ``cls(root=..., **kwargs)`` and gives its lists to this constructor; it raises
    ``DatasetError``. It may define ``from_config(cfg) -> dict``, the keyword arguments that it takes from the configuration.

    Args:
        train: items with string ids, ``f"{dataset_name}_{id}"``.
        query, gallery: items with int ids; -1 where an id is not known.
        kwargs: FastReID's ``combineall``, ``mode``, ``transform``, ``verbose``.
    """

    dataset_name: str
    tolerant: ClassVar[bool] = False
    """Whether the constructor takes ``tolerant=True``: faulty rows are left out and what was wrong is kept in ``faults``."""
    faults: Sequence[str] = ()
    tracks_of_all_splits: ClassVar[bool] = False
    """Whether a track has one number in all splits; else each split numbers its own."""

    def __init__(self, train: list[VehicleImage], query: list[VehicleImage], gallery: list[VehicleImage], **kwargs) -> None:
        super().__init__(train, query, gallery, **kwargs)

    @classmethod
    def missing(cls, root: str, **kwargs) -> list[str]:
        """What keeps the data set from being read, one sentence a fault. Takes what the constructor takes."""
        return []

    def inconsistencies(self) -> Iterator[str]:
        """Where the labels contradict each other or the images, one sentence a fault; ``vreid check-data`` prints them."""
        yield from ()

    def subsets(self) -> dict[str, list[int]]:
        """Parts of the test images that are evaluated for themselves: name → rising places in ``query + gallery``."""
        return {}

    def parse_data(self, data: list[VehicleImage]) -> tuple[int, int]:
        """Numbers of vehicles and of cameras, for FastReID's tables: the unknown is neither."""
        return len({item.pid for item in data} - {UNKNOWN}), len({item.camid for item in data} - {UNKNOWN})

    def combine_all(self) -> None:
        """Adds the query and gallery images to the training images.

        A vehicle or camera that the training images have too keeps its id; others get ids of their own, as with FastReID.
        """
        combined = copy.copy(self.train)
        pids, camids = {item.pid for item in self.train}, {item.camid for item in self.train}
        for item in self.query + self.gallery:
            if item.pid == UNKNOWN or item.pid in self._junk_pids:
                continue
            same = self.train_item(item)
            other = item._replace(pid=f"{self.dataset_name}_test_{item.pid}", camid=f"{self.dataset_name}_test_{item.camid}")
            combined.append(
                item._replace(
                    pid=same.pid if same.pid in pids else other.pid,
                    camid=same.camid if same.camid in camids or item.camid == UNKNOWN else other.camid,
                )
            )
        self._train = combined

    @classmethod
    def train_item(cls, item: VehicleImage) -> VehicleImage:
        """The item with the string ids of a training item."""
        camid = UNKNOWN if item.camid == UNKNOWN else f"{cls.dataset_name}_{item.camid}"
        return item._replace(pid=f"{cls.dataset_name}_{item.pid}", camid=camid)


def first_folder(root: str, names: Iterable[str]) -> Path:
    """The first of several usual folder names that is there, or the first of all where none is."""
    folders = [Path(root) / name for name in names]
    return next((folder for folder in folders if folder.is_dir()), folders[0])
