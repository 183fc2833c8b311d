"""Small validated records that the parts hand to each other, one a file."""

from vreid_common.structures.distance import (
    DenseRows,
    DistanceRows,
    DistanceTiles,
    Finish,
    TiledRows,
    as_distance_rows,
    row_blocks,
)
from vreid_common.structures.feature_files import read_features
from vreid_common.structures.feature_rows import METRICS, FeatureRows
from vreid_common.structures.feature_set import FeatureSet
from vreid_common.structures.item import DOMAINS, UNKNOWN, VIEWS, VehicleImage
from vreid_common.structures.retrieval import Retrieval

__all__ = [
    "DOMAINS",
    "METRICS",
    "UNKNOWN",
    "VIEWS",
    "DenseRows",
    "DistanceRows",
    "DistanceTiles",
    "FeatureRows",
    "FeatureSet",
    "Finish",
    "Retrieval",
    "TiledRows",
    "VehicleImage",
    "as_distance_rows",
    "read_features",
    "row_blocks",
]
