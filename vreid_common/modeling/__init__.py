"""Models and losses shared by the projects, on top of FastReID's."""

from vreid_common.modeling.losses import HardPairs, batch_hard, paired_euclidean, pairwise_euclidean
from vreid_common.modeling.meta_arch import VehicleBaseline

__all__ = ["HardPairs", "VehicleBaseline", "batch_hard", "paired_euclidean", "pairwise_euclidean"]
