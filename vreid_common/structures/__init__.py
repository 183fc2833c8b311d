"""Small validated records that the parts hand to each other, one a file."""

from vreid_common.structures.copies import Copies, Pictures, find_copies
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
from vreid_common.structures.image_digests import digest_images, image_digest
from vreid_common.structures.item import DOMAINS, UNKNOWN, VIEWS, VehicleImage
from vreid_common.structures.joining import check_models, join_sets
from vreid_common.structures.names import NAMED_LABELS, UNKNOWN_TEXTS, WHOLE_NUMBER, LabelNames, number_names
from vreid_common.structures.retrieval import Retrieval

__all__ = [
    "DOMAINS",
    "METRICS",
    "NAMED_LABELS",
    "UNKNOWN",
    "UNKNOWN_TEXTS",
    "VIEWS",
    "WHOLE_NUMBER",
    "Copies",
    "DenseRows",
    "DistanceRows",
    "DistanceTiles",
    "FeatureRows",
    "FeatureSet",
    "Finish",
    "LabelNames",
    "Pictures",
    "Retrieval",
    "TiledRows",
    "VehicleImage",
    "as_distance_rows",
    "check_models",
    "digest_images",
    "find_copies",
    "image_digest",
    "join_sets",
    "number_names",
    "read_features",
    "row_blocks",
]
