"""Metrics, protocols and the evaluator. See docs/evaluation.md."""

from vreid_common.evaluation.evaluator import VehicleEvaluator
from vreid_common.evaluation.inference import inference_on_dataset
from vreid_common.evaluation.metrics import QueryMetrics, RankingMetrics, evaluate_queries, evaluate_ranking
from vreid_common.evaluation.protocols import (
    AICitySubmission,
    ImageToTrack,
    OneGalleryImage,
    OneQueryImage,
    Protocol,
    ProtocolResult,
    SameCameraExcluded,
    SameCameraKept,
    SameImageExcluded,
    apply_protocol,
)
from vreid_common.evaluation.roc import tpr_at_fpr
from vreid_common.evaluation.submission import write_aicity_submission
from vreid_common.evaluation.table import metrics_table
from vreid_common.features.inference import evaluation_mode

__all__ = [
    "AICitySubmission",
    "ImageToTrack",
    "OneGalleryImage",
    "OneQueryImage",
    "Protocol",
    "ProtocolResult",
    "QueryMetrics",
    "RankingMetrics",
    "SameCameraExcluded",
    "SameCameraKept",
    "SameImageExcluded",
    "VehicleEvaluator",
    "apply_protocol",
    "evaluate_queries",
    "evaluate_ranking",
    "evaluation_mode",
    "inference_on_dataset",
    "metrics_table",
    "tpr_at_fpr",
    "write_aicity_submission",
]
