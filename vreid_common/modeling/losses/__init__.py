"""What the projects' losses are built from."""

from vreid_common.modeling.losses.distance import paired_euclidean, pairwise_euclidean
from vreid_common.modeling.losses.mining import HardPairs, batch_hard

__all__ = ["HardPairs", "batch_hard", "paired_euclidean", "pairwise_euclidean"]
