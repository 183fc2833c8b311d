"""Small validated records that the parts hand to each other, one a file."""

from vreid_common.structures.distance import METRICS, DenseRows, DistanceRows, FeatureRows, as_distance_rows, row_blocks
from vreid_common.structures.feature_set import FeatureSet
from vreid_common.structures.item import DOMAINS, UNKNOWN, VIEWS, VehicleImage

__all__ = [
    "DOMAINS",
    "METRICS",
    "UNKNOWN",
    "VIEWS",
    "DenseRows",
    "DistanceRows",
    "FeatureRows",
    "FeatureSet",
    "VehicleImage",
    "as_distance_rows",
    "row_blocks",
]
