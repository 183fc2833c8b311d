"""Evaluation protocols: what stands in the gallery, which of its images count for a query, and what is averaged.

A project adds a protocol by registering a subclass with ``PROTOCOL_REGISTRY``; ``cfg.TEST.PROTOCOL`` names it.
"""

from vreid_common.evaluation.protocols.aicity_submission import AICitySubmission
from vreid_common.evaluation.protocols.apply import apply_protocol
from vreid_common.evaluation.protocols.from_config import protocol_from_config
from vreid_common.evaluation.protocols.image_to_image import SameCameraExcluded, SameCameraKept, SameImageExcluded
from vreid_common.evaluation.protocols.image_to_track import ImageToTrack
from vreid_common.evaluation.protocols.one_image import OneGalleryImage, OneQueryImage
from vreid_common.evaluation.protocols.protocol import Labels, Protocol, ProtocolResult
from vreid_common.evaluation.protocols.selection import Selection

__all__ = [
    "AICitySubmission",
    "ImageToTrack",
    "Labels",
    "OneGalleryImage",
    "OneQueryImage",
    "Protocol",
    "ProtocolResult",
    "SameCameraExcluded",
    "SameCameraKept",
    "SameImageExcluded",
    "Selection",
    "apply_protocol",
    "protocol_from_config",
]
