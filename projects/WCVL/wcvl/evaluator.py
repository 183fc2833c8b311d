"""VehicleEvaluator with the class separability criterion (Eq. 6) beside every feature's metrics."""

from typing import ClassVar

from torch.nn.functional import normalize

from vreid_common.evaluation import VehicleEvaluator
from vreid_common.structures import FeatureSet
from wcvl.csc import class_separability

__all__ = ["WCVLEvaluator"]


class WCVLEvaluator(VehicleEvaluator):
    """Adds ``CSC``, ``trace Sb`` and ``trace Sw`` (Table VII) over all test images, query and gallery; none is a percentage.

    They describe the features that are compared: L2-normalised where TEST.METRIC is the cosine, else as the model returns them.
    """

    terms: ClassVar = {
        "na": "The network's feature and the cross-view module's: each normalised, then averaged (Fig. 4).",
        "an": "The network's feature and the cross-view module's: averaged, then normalised (Fig. 4).",
        "nan": "The network's feature and the cross-view module's: normalised, averaged, normalised again (Fig. 4).",
        "main": "The feature of the network without the cross-view module.",
        "global": "The network's feature that the cross-view module learns from (x_g).",
        "cv": "The cross-view module's feature alone (x_cv).",
    }

    def extra_metrics(self, name: str, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """
        Args:
            name: the feature's name in the model's output.
            query: features as the model returned them.
            gallery: the same of the gallery.
        """
        features = [query.features, gallery.features]
        if self.metric == "cosine":
            features = [normalize(part, dim=1) for part in features]
        separability = class_separability(features, (query.pids, gallery.pids))
        return {"CSC": separability.csc, "trace Sb": separability.between, "trace Sw": separability.within}
