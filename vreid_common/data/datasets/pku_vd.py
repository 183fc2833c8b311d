"""PKU-VD1 and PKU-VD2."""

from collections.abc import Container, Iterator, Mapping
from typing import ClassVar

from fastreid.data.datasets import DATASET_REGISTRY

from vreid_common.data.datasets.layout import FolderDataset, Splits, unlisted_images
from vreid_common.data.datasets.lists import whole_number
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["PKUVD1", "PKUVD2", "PKUVD1Medium", "PKUVD1Small", "PKUVD2Medium", "PKUVD2Small"]

_COLUMNS = {"image": str, "vehicle": whole_number}
_OPTIONAL = {"model": whole_number, "color": whole_number}
# The large gallery is the whole test list.
_GALLERIES = {"small": "query_ref/small_set.txt", "medium": "query_ref/medium_set.txt", "large": "train_test/testlist.txt"}


class _PKUVD(FolderDataset):
    """PKU-VD: high-resolution (VD1) and surveillance images (VD2) with model and colour, without camera labels.

    Source: Yan et al., "Exploiting Multi-Grain Ranking Constraints for Precisely Searching Visually-similar Vehicles" (ICCV
    2017).

    In the folder PKU-VD/VD1 (or PKU-VDs/VD1, VD1; VD2 likewise) under the data root:

    - image: images, named by their number and .jpg;
    - train_test/trainlist.txt, testlist.txt: image (without .jpg), vehicle, and model and colour if there, a line;
    - query_ref/querylist.txt: the 2,000 queries, in the same form;
    - query_ref/small_set.txt, medium_set.txt: the smaller galleries; the large one is testlist.txt.

    The lists of the galleries hold the queries too. As a query would find itself first, no query is in the gallery.
    """

    subset: ClassVar[str]
    galleries: ClassVar[tuple[str, ...]] = ("large", "small", "medium")
    """Galleries of a test set; the first is its gallery, and the others lie within it."""

    def __init_subclass__(cls) -> None:
        cls.dataset_name = f"PKU{cls.subset}"
        cls.title = f"PKU-{cls.subset}"
        cls.folders = tuple(f"{folder}{cls.subset}" for folder in ("PKU-VD/", "PKU-VDs/", "pku-vd/", ""))
        lists = ("train_test/trainlist.txt", "query_ref/querylist.txt", *(_GALLERIES[name] for name in cls.galleries))
        cls.required = (("image",), *((name,) for name in lists))

    def read_splits(self) -> Splits:
        query = self._items("query_ref/querylist.txt")
        queries = {item.path for item in query}
        whole, *parts = self.galleries
        gallery = [item for item in self._items(_GALLERIES[whole]) if item.path not in queries]
        place = {item.path: len(query) + number for number, item in enumerate(gallery)}
        self._subsets = {name: [*range(len(query)), *self._places(_GALLERIES[name], place, queries)] for name in parts}
        return self._items("train_test/trainlist.txt"), query, gallery

    def subsets(self) -> dict[str, list[int]]:
        return self._subsets

    def inconsistencies(self) -> Iterator[str]:
        if self.galleries[0] == "large":
            names = {item.path.rpartition("/")[2] for item in [*self.train, *self.query, *self.gallery]}
            yield from unlisted_images(self.folder / "image", names, "trainlist.txt or testlist.txt")

    def _places(self, list_name: str, place: Mapping[str, int], queries: Container[str]) -> list[int]:
        """Rising places of the images that a smaller gallery lists, queries left out."""
        path, image = self.folder / list_name, self.folder / "image"
        listed = {f"{image}/{name}.jpg" for name, _ in self.rows(path, _COLUMNS)}
        strangers = sorted(file for file in listed if file not in place and file not in queries)
        self.faults += [f"{path} lists {file}, which {_GALLERIES['large']} does not." for file in strangers]
        return sorted(place[file] for file in listed if file in place)

    def _items(self, list_name: str) -> list[VehicleImage]:
        image = self.folder / "image"
        real = DOMAINS.index("real")
        return [
            VehicleImage(f"{image}/{name}.jpg", vehicle, UNKNOWN, domain=real, color_id=color, model_id=model)
            for name, vehicle, model, color in self.rows(self.folder / list_name, _COLUMNS, optional=_OPTIONAL)
        ]


@DATASET_REGISTRY.register()
class PKUVD1(_PKUVD):
    """422,326 training images; 2,000 queries against 673,323 (large); ``subsets``: 422,032 (medium) and 104,887 (small)."""

    subset = "VD1"


@DATASET_REGISTRY.register()
class PKUVD1Medium(_PKUVD):
    """2,000 queries against 422,032 gallery images."""

    subset = "VD1"
    galleries = ("medium",)


@DATASET_REGISTRY.register()
class PKUVD1Small(_PKUVD):
    """2,000 queries against 104,887 gallery images."""

    subset = "VD1"
    galleries = ("small",)


@DATASET_REGISTRY.register()
class PKUVD2(_PKUVD):
    """342,608 training images; 2,000 queries against 462,652 (large); ``subsets``: 345,910 (medium) and 103,550 (small)."""

    subset = "VD2"


@DATASET_REGISTRY.register()
class PKUVD2Medium(_PKUVD):
    """2,000 queries against 345,910 gallery images."""

    subset = "VD2"
    galleries = ("medium",)


@DATASET_REGISTRY.register()
class PKUVD2Small(_PKUVD):
    """2,000 queries against 103,550 gallery images."""

    subset = "VD2"
    galleries = ("small",)
