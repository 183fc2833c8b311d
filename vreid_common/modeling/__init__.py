"""Models, heads and losses shared by the projects, on top of FastReID's."""

import vreid_common.modeling.backbones  # noqa: F401  (registers them)
from vreid_common.modeling.heads import BNDropoutHead, CombinedMargin, margin_cosine
from vreid_common.modeling.losses import (
    DSAMLoss,
    HardPairs,
    angular_margin,
    batch_hard,
    distance_shrinking,
    gather_batch,
    paired_angle,
    paired_euclidean,
    pairwise_cosine,
    pairwise_euclidean,
    unit_rows,
)
from vreid_common.modeling.meta_arch import VehicleBaseline

__all__ = [
    "BNDropoutHead",
    "CombinedMargin",
    "DSAMLoss",
    "HardPairs",
    "VehicleBaseline",
    "angular_margin",
    "batch_hard",
    "distance_shrinking",
    "gather_batch",
    "margin_cosine",
    "paired_angle",
    "paired_euclidean",
    "pairwise_cosine",
    "pairwise_euclidean",
    "unit_rows",
]
