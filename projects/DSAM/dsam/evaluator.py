"""VehicleEvaluator with the distances within and between identities beside the metrics."""

from dsam.distances import class_distances
from vreid_common.evaluation import VehicleEvaluator
from vreid_common.structures import FeatureSet

__all__ = ["DSAMEvaluator"]


class DSAMEvaluator(VehicleEvaluator):
    """Adds ``intra`` and ``inter``, Euclidean distances, their ratio, and ``intra angle`` and ``inter angle`` in degrees.

    All test images, query and gallery, are judged together. None of the values is a percentage.
    """

    def extra_metrics(self, name: str, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """
        Args:
            name: the feature's name in the model's output.
            query: features as the model returned them.
            gallery: the same of the gallery.
        """
        found = class_distances((query.features, gallery.features), (query.pids, gallery.pids))
        return {
            "intra": found.intra,
            "inter": found.inter,
            "inter/intra": found.inter / found.intra if found.intra else float("inf"),
            "intra angle": found.intra_angle,
            "inter angle": found.inter_angle,
        }
