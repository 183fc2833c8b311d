"""Test sets whose identities only an evaluation server knows."""

from __future__ import annotations

from vreid_common.evaluation.protocols.protocol import Protocol, ProtocolResult
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.evaluation.submission import SUBMISSION_RANKS
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import DistanceRows, FeatureSet

__all__ = ["AICitySubmission"]


@PROTOCOL_REGISTRY.register()
class AICitySubmission(Protocol):
    """The AI City Challenge's test sets (CityFlow): measures nothing, and ranks for ``write_aicity_submission``."""

    title = "AI City submission"
    description = f"there are no labels: nothing is measured, and the first {SUBMISSION_RANKS} gallery images are written"
    needs_labels = False

    def __call__(self, query: FeatureSet, gallery: FeatureSet, distance: DistanceRows) -> ProtocolResult:
        return ProtocolResult({}, None, len(gallery), submission=rank_list(distance, SUBMISSION_RANKS))
