"""VehicleEvaluator with the features' mean norm beside the metrics."""

import torch

from vreid_common.evaluation import VehicleEvaluator
from vreid_common.structures import FeatureSet

__all__ = ["TemplateEvaluator"]


class TemplateEvaluator(VehicleEvaluator):
    """Adds ``norm``, the mean Euclidean norm of the features of all test images. It is not a percentage."""

    def extra_metrics(self, name: str, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        norms = torch.cat([query.features, gallery.features]).norm(dim=1)
        return {"norm": norms.mean().item()}
