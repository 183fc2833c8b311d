"""Backbones that FastReID lacks, and cutting them into parts."""

from vreid_common.modeling.backbones.cbam_resnet import build_cbam_resnet_backbone
from vreid_common.modeling.backbones.sequence import as_sequence
from vreid_common.modeling.backbones.timm_backbone import build_timm_backbone

__all__ = ["as_sequence", "build_cbam_resnet_backbone", "build_timm_backbone"]
