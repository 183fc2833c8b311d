"""What data sets have in common that lie in one folder, as their owners ship it."""

import csv
import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from vreid_common.data.datasets.base import DatasetError, VehicleDataset, data_root, first_folder
from vreid_common.data.datasets.lists import read_rows
from vreid_common.data.suffixes import image_suffixes, say_suffixes
from vreid_common.structures import VehicleImage

__all__ = ["FolderDataset", "Splits", "jpeg_names", "passed_over", "unlisted_images"]

Splits = tuple[list[VehicleImage], list[VehicleImage], list[VehicleImage]]


class FolderDataset(VehicleDataset):
    """A data set in one folder under the data root.

    A subclass names the folder and what has to lie in it, and reads it. Faults of the lists are collected while they are read,
    so that ``vreid check-data`` can name all of them; whoever wants to use the data set gets the first as a ``DatasetError``.

    Args:
        root: data root; ``FASTREID_DATASETS`` if not given.
        tolerant: leave faulty rows out instead of raising, and keep what was wrong in ``faults``.
    """

    tolerant: ClassVar = True
    title: ClassVar[str]
    """The owners' name of the data set."""
    folders: ClassVar[tuple[str, ...]]
    """Names that the folder may have; the first that is there is read."""
    required: ClassVar[tuple[tuple[str, ...], ...]]
    """What must be in the folder, each with the names that it may have."""

    def __init__(self, root: str = "", *, tolerant: bool = False, **kwargs) -> None:
        root = root or data_root()
        missing = self.missing(root)
        if missing:
            raise DatasetError(missing[0])
        self.folder = first_folder(root, self.folders)
        self.faults = []
        train, query, gallery = self.read_splits()
        if self.faults and not tolerant:
            raise DatasetError(self.faults[0])
        super().__init__([self.train_item(item) for item in train], query, gallery, **kwargs)

    @classmethod
    def missing(cls, root: str, **kwargs) -> list[str]:
        folder = first_folder(root, cls.folders)
        if not folder.is_dir():
            names = " or ".join(filter(None, [", ".join(cls.folders[:-1]), cls.folders[-1]]))
            return [f"There is no folder {names} under {root}: set FASTREID_DATASETS to the folder that holds it."]
        absent = [names for names in cls.required if not any((folder / name).exists() for name in names)]
        return [f"{cls.title} needs {_either(folder, names)}, which is not there." for names in absent]

    @abstractmethod
    def read_splits(self) -> Splits:
        """Training items with int ids, query items and gallery items; adds a sentence to ``faults`` for all that is wrong."""

    def part(self, *names: str) -> Path:
        """The first of several usual names that is in the folder, or the first of all where none is."""
        paths = [self.folder / name for name in names]
        return next((path for path in paths if path.exists()), paths[0])

    def names(self, folder: Path, list_file: Path) -> list[str]:
        """The images of a split: those of its list in order where there is one, else the JPEG files of its folder by name.

        Images of another kind alone, and a list of none, are faults: nobody has such a split on purpose.
        """
        if list_file.is_file():
            return [name for (name,) in self.rows(list_file, {"image": str})]
        names = jpeg_names(folder)
        if not names and passed_over(folder):
            self.faults.append(passed_over(folder))
        return names

    def folder_faults(self, folder: Path, listed: Collection[str], list_file: Path) -> Iterator[str]:
        """Images of a split's folder that are not among the ``listed``, whether or not they could be; or that it has none."""
        yield from unlisted_images(folder, listed, str(list_file))
        said = passed_over(folder)
        if jpeg_names(folder) and said:
            yield said
        elif not listed and not said and not list_file.is_file():
            yield f"{folder} has no images."

    def rows(self, path: Path, columns: Mapping[str, Callable[[str], Any]], **kwargs) -> list[tuple]:
        """``read_rows`` of a file, with its faults among the data set's."""
        return read_rows(path, columns, self.faults, **kwargs)

    def table(self, path: Path, columns: Mapping[str, Callable[[str], Any]]) -> dict[Any, Any]:
        """Second column by first of a file that need not be there."""
        return dict(self.rows(path, columns)) if path.is_file() else {}

    def labels(self, read: Callable[[Path], dict[str, Any]], path: Path) -> dict[str, Any]:
        """What ``read`` finds in a file that need not be there; nothing where it raises, which is one of the faults."""
        if not path.is_file():
            return {}
        try:
            return read(path)
        except DatasetError as error:
            fault = str(error)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            fault = f"Cannot read the labels {path}: {error}."
        if fault not in self.faults:  # query and gallery share files
            self.faults.append(fault)
        return {}


def _either(folder: Path, names: Sequence[str]) -> str:
    kind = "file" if Path(names[0]).suffix else "folder"
    others = f" (or {', '.join(names[1:])})" if names[1:] else ""
    return f"the {kind} {folder / names[0]}{others}"


def jpeg_names(folder: Path) -> list[str]:
    """Names of a folder's files that end in .jpg, whatever the case, sorted."""
    return sorted(name for name in _file_names(folder) if name.lower().endswith(".jpg"))


def passed_over(folder: Path) -> str:
    """One sentence that counts the images of a folder that do not end in .jpg; of a folder without any .jpg, all files."""
    names = _file_names(folder)
    others = [name for name in names if not name.lower().endswith(".jpg")]
    if len(others) < len(names):
        others = [name for name in others if name.lower().endswith(image_suffixes())]
        return f"{folder}: {say_suffixes(others)} passed over: the images of this data set end in .jpg." if others else ""
    return f"{folder} has no .jpg image; {say_suffixes(others)} passed over." if others else ""


def unlisted_images(folder: Path, listed: Collection[str], lists: str) -> Iterator[str]:
    """One sentence for each JPEG file of a folder whose name is not in ``listed``."""
    yield from (f"{folder / name} is not listed in {lists}." for name in jpeg_names(folder) if name not in listed)


def _file_names(folder: Path) -> list[str]:
    """Names in a folder, without hidden ones; none where there is no folder."""
    return [name for name in os.listdir(folder) if not name.startswith(".")] if folder.is_dir() else []  # noqa: PTH208
