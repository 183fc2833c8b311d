"""View labels of VeRi-776's images."""

import csv
from pathlib import Path, PurePosixPath

from vreid_common.data.datasets.base import DatasetError
from vreid_common.structures import VIEWS

__all__ = ["read_orientations", "read_views"]

_FRONT, _REAR, _SIDE = (VIEWS.index(view) for view in ("front", "rear", "side"))
# The eight orientations of the key-point labels of Wang et al., "Orientation Invariant Feature Embedding and Spatial Temporal
# Regularization for Vehicle Re-identification" (ICCV 2017). A view that shows the front or the rear goes to that bin:
_VIEW_OF_ORIENTATION = (
    _FRONT,  # 0 front
    _REAR,  # 1 rear
    _SIDE,  # 2 left
    _FRONT,  # 3 left front
    _REAR,  # 4 left rear
    _SIDE,  # 5 right
    _FRONT,  # 6 right front
    _REAR,  # 7 right rear
)
_KEYPOINT_FIELDS = 1 + 20 * 2 + 1


def read_orientations(path: Path) -> dict[str, int]:
    """View ids by image name, from a key-point file: a line is the path, 20 pairs x y, and the orientation 0-7.

    Raises:
        DatasetError: a line is not of that form, or there is none.
    """
    views: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != _KEYPOINT_FIELDS or fields[-1] not in "01234567":
            raise DatasetError(
                f"{path}, line {number}: expected a path, 20 pairs of coordinates and an orientation from 0 to 7."
            )
        views[PurePosixPath(fields[0]).name] = _VIEW_OF_ORIENTATION[int(fields[-1])]
    return _not_empty(path, views)


def read_views(path: Path) -> dict[str, int]:
    """View ids by image name, from a CSV file with the columns image and view (front, rear or side).

    Raises:
        DatasetError: a column is missing, a view has no such name, or there is no row.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"image", "view"} <= set(reader.fieldnames or ()):
            raise DatasetError(f"{path}, row 1: expected the columns image and view.")
        views: dict[str, int] = {}
        for row in reader:
            if row["view"] not in VIEWS:
                raise DatasetError(f"{path}, row {reader.line_num}: view is {row['view']!r}; write {', '.join(VIEWS)}.")
            views[row["image"]] = VIEWS.index(row["view"])
    return _not_empty(path, views)


def _not_empty(path: Path, views: dict[str, int]) -> dict[str, int]:
    if not views:
        raise DatasetError(f"{path} has no image's view: correct the file, or take it away where nothing is known.")
    return views
