"""VehicleID."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.lists import whole_number
from vreid_common.structures import DOMAINS, UNKNOWN, VIEWS, VehicleImage

__all__ = [
    "VehicleID800",
    "VehicleID1600",
    "VehicleID2400",
    "VehicleID3200",
    "VehicleID6000",
    "VehicleID13164",
]

_IMAGE_LIST = {"image": str, "vehicle": whole_number}
_VIEWS = {"0": VIEWS.index("front"), "1": VIEWS.index("rear")}
# The data set's own split of a test list; the protocol's further draws come from query and gallery together.
_FIRST_DRAW = 0


def _view(text: str) -> int:
    if text not in _VIEWS:
        raise ValueError(f"{text!r} is not a view")
    return _VIEWS[text]


class _VehicleID(FolderDataset):
    """VehicleID: 113,346 training images of 13,164 vehicles, and test lists of six sizes. There are no camera labels.

    Source: Liu et al., "Deep Relative Distance Learning: Tell the Difference Between Similar Vehicles" (CVPR 2016). FastReID's
    own ``VehicleID`` reads the same folder, takes an image's number for its camera, and knows three of the sizes.

    In the folder VehicleID_V1.0 (or VehicleID, vehicleid, PKU-VehicleID) under the data root:

    - image: images ``0000001.jpg``;
    - train_test_split/train_list.txt and test_list_<size>.txt: image (without .jpg) and vehicle a line;
    - attribute/model_attr.txt, color_attr.txt, if there: vehicle, and its model or colour;
    - attribute/img2vid.txt, if there: image and vehicle; compared with the lists by ``vreid check-data``;
    - attribute/img2view.txt, if there: image, vehicle and view (0 front, 1 rear) a line.

    The gallery has one image a vehicle, drawn with a fixed seed; the test list's other images are the queries.
    """

    dataset_name = "VehicleID"
    title = "VehicleID"
    folders = ("VehicleID_V1.0", "VehicleID", "vehicleid", "PKU-VehicleID")
    size: ClassVar[int]
    parts: ClassVar[tuple[int, ...]] = ()
    """Sizes whose test lists lie within this one, evaluated for themselves out of one extraction."""

    def __init_subclass__(cls) -> None:
        lists = ("train_list.txt", *(f"test_list_{size}.txt" for size in (cls.size, *cls.parts)))
        cls.required = (("image",), *((f"train_test_split/{name}",) for name in lists))

    def read_splits(self) -> Splits:
        attribute = self.folder / "attribute"
        self._colors = self.table(attribute / "color_attr.txt", {"vehicle": whole_number, "color": whole_number})
        self._models = self.table(attribute / "model_attr.txt", {"vehicle": whole_number, "model": whole_number})
        views = attribute / "img2view.txt"
        columns = {"image": str, "vehicle": whole_number, "view": _view}
        self._views = {name: view for name, _, view in self.rows(views, columns)} if views.is_file() else {}
        test = self._items(f"test_list_{self.size}.txt")
        drawn = _one_each([item.pid for item in test])
        query = [item for place, item in enumerate(test) if place not in drawn]
        gallery = [test[place] for place in sorted(drawn)]
        place_of = {item.path: place for place, item in enumerate(query + gallery)}
        self._subsets = {str(size): self._places(f"test_list_{size}.txt", place_of) for size in self.parts}
        return self._items("train_list.txt"), query, gallery

    def subsets(self) -> dict[str, list[int]]:
        return self._subsets

    def inconsistencies(self) -> Iterator[str]:
        attribute = self.folder / "attribute"
        known = len(self.faults)
        of_image = self.table(attribute / "img2vid.txt", _IMAGE_LIST)
        yield from self.faults[known:]
        if not of_image:
            return
        yield from unlisted_images(self.folder / "image", {f"{name}.jpg" for name in of_image}, str(attribute / "img2vid.txt"))
        for item in [*self.train, *self.query, *self.gallery]:
            name = item.path.rpartition("/")[2].removesuffix(".jpg")
            vehicle = int(str(item.pid).removeprefix(f"{self.dataset_name}_"))
            if name in of_image and of_image[name] != vehicle:
                yield f"{item.path} shows vehicle {vehicle} in its list and {of_image[name]} in {attribute / 'img2vid.txt'}."

    def _places(self, list_name: str, place_of: Mapping[str, int]) -> list[int]:
        """Rising places of the images that a smaller test list has."""
        listed = [item.path for item in self._items(list_name)]
        strangers = [path for path in listed if path not in place_of]
        lists = self.folder / "train_test_split"
        self.faults += [f"{lists / list_name} lists {path}, which test_list_{self.size}.txt does not." for path in strangers]
        return sorted({place_of[path] for path in listed if path in place_of})

    def _items(self, list_name: str) -> list[VehicleImage]:
        image = self.folder / "image"
        return [
            VehicleImage(
                path=f"{image}/{name}.jpg",
                pid=vehicle,
                camid=UNKNOWN,
                view_id=self._views.get(name, UNKNOWN),
                domain=DOMAINS.index("real"),
                color_id=self._colors.get(vehicle, UNKNOWN),
                model_id=self._models.get(vehicle, UNKNOWN),
            )
            for name, vehicle in self.rows(self.folder / "train_test_split" / list_name, _IMAGE_LIST)
        ]


def _one_each(vehicles: list[int]) -> set[int]:
    """Places of one image of each vehicle, drawn at random."""
    order = np.random.default_rng(_FIRST_DRAW).permutation(len(vehicles)).tolist()
    return set({vehicles[place]: place for place in order}.values())


@DATASET_REGISTRY.register()
class VehicleID800(_VehicleID):
    """The small test set of the papers: 5,693 queries of 800 vehicles, and one gallery image of each."""

    size = 800


@DATASET_REGISTRY.register()
class VehicleID1600(_VehicleID):
    """The medium test set of the papers: 11,777 queries of 1,600 vehicles, and one gallery image of each."""

    size = 1600


@DATASET_REGISTRY.register()
class VehicleID2400(_VehicleID):
    """The large test set of the papers: 17,377 queries of 2,400 vehicles, and one gallery image of each."""

    size = 2400


@DATASET_REGISTRY.register()
class VehicleID3200(_VehicleID):
    """23,153 queries of 3,200 vehicles, and one gallery image of each."""

    size = 3200


@DATASET_REGISTRY.register()
class VehicleID6000(_VehicleID):
    """42,922 queries of 6,000 vehicles, and one gallery image of each."""

    size = 6000


@DATASET_REGISTRY.register()
class VehicleID13164(_VehicleID):
    """All test images: 95,057 queries of 13,164 vehicles, one gallery image of each; ``subsets``: the five smaller lists."""

    size = 13164
    parts = (6000, 3200, 2400, 1600, 800)
