"""A strong baseline for vehicle re-identification (Huynh et al., "Cybercore") as a FastReID project."""

from cybercore.config import add_cybercore_config
from cybercore.heads import MultiHeadAttention, MultiHeadAttentionHead
from cybercore.loss_weight import AdaptiveLossWeight
from cybercore.meta_arch import Cybercore
from cybercore.mixstyle import MixStyle
from cybercore.resnet152 import build_resnet152_backbone
from cybercore.supcon import SupConLoss, supervised_contrastive
from cybercore.trainer import CybercoreTrainer

__all__ = [
    "AdaptiveLossWeight",
    "Cybercore",
    "CybercoreTrainer",
    "MixStyle",
    "MultiHeadAttention",
    "MultiHeadAttentionHead",
    "SupConLoss",
    "add_cybercore_config",
    "build_resnet152_backbone",
    "supervised_contrastive",
]
