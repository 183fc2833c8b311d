"""VERI-Wild."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, NamedTuple

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.base import first_folder
from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.lists import read_lines, whole_number
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["VeRiWild3000", "VeRiWild5000", "VeRiWild10000"]

_INFO = "train_test_split/vehicle_info.txt"
_TRAIN_LISTS = (
    "train_test_split/train_list.txt",
    "train_test_split/train_list_start0.txt",
    "train_test_split/train_list_info.txt",
)
# Columns of a list of labels after the image; copies without times have the shorter row.
_FIELDS = ("camera", "time", "model", "type", "color")
_FIELDS_WITHOUT_TIME = ("camera", "model", "type", "color")
_EPOCH = datetime(1970, 1, 1)


class _Info(NamedTuple):
    camera: int
    time: int
    model: str
    type: str
    color: str


class _VeRiWild(FolderDataset):
    """VERI-Wild: 277,797 training images of 30,671 vehicles from 174 cameras, and test sets of three sizes.

    Source: Lou et al., "VERI-Wild: A Large Dataset and a New Method for Vehicle Re-Identification in the Wild" (CVPR 2019).
    FastReID's own ``VeRiWild`` reads the same folder, without colour, type, model and time.

    In the folder VERI-Wild (or VeRI-Wild, VeRi-Wild, veri-wild) under the data root:

    - images: a folder a vehicle, ``images/00001/000001.jpg``;
    - train_test_split/train_list.txt, test_<size>.txt, test_<size>_query.txt (or train_list_start0.txt, test_<size>_id.txt,
      test_<size>_id_query.txt): ``00001/000001.jpg`` a line, which other columns may follow;
    - train_test_split/vehicle_info.txt: ``00001/000001;camera;time;model;type;colour`` a line, after a line of headings; or
      such lists of each split, train_list_info.txt, test_<size>_info.txt and test_<size>_query_info.txt, with or without times.
      These do for the lists of images too.

    Names of models, types and colours are numbered in sorted order. Times become seconds since 1970, in local time.
    """

    dataset_name = "VeRiWild"
    title = "VERI-Wild"
    folders = ("VERI-Wild", "VeRI-Wild", "VeRi-Wild", "VeRi-wild", "veri-wild")
    size: ClassVar[int]

    def __init_subclass__(cls) -> None:
        lists = (_TRAIN_LISTS, _test_lists(cls.size, "_query"), _test_lists(cls.size))
        cls.required = (("images",), *lists)

    @classmethod
    def missing(cls, root: str, **kwargs) -> list[str]:
        found, folder = super().missing(root, **kwargs), first_folder(root, cls.folders)
        absent = [name for name in _info_lists(cls.size) if not (folder / name).is_file()]
        if folder.is_dir() and absent and not (folder / _INFO).is_file():
            instead = _INFO if len(absent) == len(_info_lists(cls.size)) else absent[0]
            found.append(f"{cls.title} needs the file {folder / instead}, which is not there.")
        return found

    def read_splits(self) -> Splits:
        self._info = self._read_info()
        kinds = [_numbers(getattr(info, kind) for info in self._info.values()) for kind in ("model", "type", "color")]
        lists = (_TRAIN_LISTS, _test_lists(self.size, "_query"), _test_lists(self.size))
        train, query, gallery = (self._items(names, kinds) for names in lists)
        return train, query, gallery

    def inconsistencies(self) -> Iterator[str]:
        listed: dict[str, set[str]] = defaultdict(set)
        for key in self._info:
            vehicle, _, image = key.partition("/")
            listed[vehicle].add(f"{image}.jpg")
        if self._info_paths() != [self.folder / _INFO]:  # the other sizes' test images are not in these lists
            return
        for folder in sorted(path for path in (self.folder / "images").iterdir() if path.is_dir()):
            yield from unlisted_images(folder, listed[folder.name], str(self.folder / _INFO))

    def _items(self, list_names: Sequence[str], kinds: Sequence[dict[str, int]]) -> list[VehicleImage]:
        path, images = self.part(*list_names), self.folder / "images"
        models, types, colors = kinds
        items = []
        for number, line in enumerate(read_lines(path, self.faults), start=1):
            if not line or _is_heading(number, line):
                continue
            image = line.partition(";")[0].split()[0].removesuffix(".jpg")
            info = self._info.get(image)
            if info is None:
                if not any(f"{path}, row {number}:" in fault for fault in self.faults):  # an own list's row, already a fault
                    lists = " or ".join(info.name for info in self._info_paths())
                    self.faults.append(
                        f"{path}, row {number}: {lists} does not list {image[:100]!r}; expected 'vehicle/image'."
                    )
                continue
            items.append(
                VehicleImage(
                    path=f"{images}/{image}.jpg",
                    pid=int(image.partition("/")[0]),
                    camid=info.camera,
                    domain=DOMAINS.index("real"),
                    color_id=colors[info.color],
                    type_id=types[info.type],
                    model_id=models[info.model],
                    timestamp=info.time,
                )
            )
        if not items and not self.faults:
            self.faults.append(f"{path} is empty: expected 'vehicle/image' on each row.")
        return items

    def _info_paths(self) -> list[Path]:
        """The list of all images' labels, or, where a copy has none, those of the splits."""
        whole = self.folder / _INFO
        return [whole] if whole.is_file() else [self.folder / name for name in _info_lists(self.size)]

    def _read_info(self) -> dict[str, _Info]:
        """What is known of each image, by ``vehicle/image``."""
        found: dict[str, _Info] = {}
        for path in self._info_paths():
            found |= self._read_info_list(path)
        return found

    def _read_info_list(self, path: Path) -> dict[str, _Info]:
        found: dict[str, _Info] = {}
        for number, line in enumerate(read_lines(path, self.faults), start=1):
            if not line or _is_heading(number, line):
                continue
            image, *fields = (field.strip() for field in line.split(";"))
            names = _FIELDS if len(fields) >= len(_FIELDS) else _FIELDS_WITHOUT_TIME
            values = dict(zip(names, fields, strict=False))
            try:
                whole_number(image.partition("/")[0])
                camera = whole_number(values["camera"])
                info = _Info(camera, _seconds(values.get("time", "")), values["model"], values["type"], values["color"])
            except (KeyError, ValueError):
                self.faults.append(
                    f"{path}, row {number}: expected 'vehicle/image;camera;time;model;type;color', got {line[:100]!r}."
                )
                continue
            found[image.removesuffix(".jpg")] = info
        return found


def _test_lists(size: int, suffix: str = "") -> tuple[str, ...]:
    return tuple(f"train_test_split/test_{size}{name}.txt" for name in (suffix, f"_id{suffix}", f"{suffix}_info"))


def _info_lists(size: int) -> tuple[str, ...]:
    return _TRAIN_LISTS[-1], _test_lists(size, "_query")[-1], _test_lists(size)[-1]


def _is_heading(number: int, line: str) -> bool:
    """Whether the first line of a list of labels names its columns."""
    fields = line.split(";")
    return number == 1 and len(fields) > 1 and not fields[1].strip().isdigit()


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Places of names in sorted order; "" is unknown."""
    return {name: place for place, name in enumerate(sorted(set(names) - {""}))} | {"": UNKNOWN}


def _seconds(time: str) -> int:
    """Seconds since 1970 of ``2018-03-12 06:34:41``, also with slashes, without seconds or without leading zeros."""
    text = time.replace("/", "-")
    try:
        return int((datetime.fromisoformat(text) - _EPOCH).total_seconds())
    except ValueError:
        pass
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        try:
            return int((datetime.strptime(text, form) - _EPOCH).total_seconds())
        except ValueError:
            continue
    return UNKNOWN


@DATASET_REGISTRY.register()
class VeRiWild3000(_VeRiWild):
    """The small test set: 3,000 queries, 38,861 gallery images of 3,000 vehicles."""

    size = 3000


@DATASET_REGISTRY.register()
class VeRiWild5000(_VeRiWild):
    """The medium test set: 5,000 queries, 64,389 gallery images of 5,000 vehicles."""

    size = 5000


@DATASET_REGISTRY.register()
class VeRiWild10000(_VeRiWild):
    """The large test set: 10,000 queries, 128,517 gallery images of 10,000 vehicles."""

    size = 10000
