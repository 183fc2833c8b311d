"""Distance shrinking with angular marginalizing (Kong et al., AAAI 2021) as a FastReID project.

The loss itself, the margin classifier and the head are in ``vreid_common.modeling``, where any project's config can name them.
"""

from dsam.config import add_dsam_config
from dsam.distances import ClassDistances, class_distances
from dsam.evaluator import DSAMEvaluator
from dsam.losses import AngularDSAMLoss
from dsam.toy import ToyVehicles
from dsam.trainer import DSAMTrainer

__all__ = [
    "AngularDSAMLoss",
    "ClassDistances",
    "DSAMEvaluator",
    "DSAMTrainer",
    "ToyVehicles",
    "add_dsam_config",
    "class_distances",
]
