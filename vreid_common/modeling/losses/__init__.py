"""What the projects' losses are built from, and losses that any project's config may name."""

from vreid_common.modeling.losses.angle import paired_angle, pairwise_cosine, unit_rows
from vreid_common.modeling.losses.distance import paired_euclidean, pairwise_euclidean
from vreid_common.modeling.losses.dsam import DSAMLoss, angular_margin, distance_shrinking
from vreid_common.modeling.losses.gather import gather_batch
from vreid_common.modeling.losses.mining import HardPairs, batch_hard

__all__ = [
    "DSAMLoss",
    "HardPairs",
    "angular_margin",
    "batch_hard",
    "distance_shrinking",
    "gather_batch",
    "paired_angle",
    "paired_euclidean",
    "pairwise_cosine",
    "pairwise_euclidean",
    "unit_rows",
]
