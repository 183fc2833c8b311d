"""Dual embedding expansion (Sebastian, Imbriaco et al.) as a FastReID project."""

from dex.config import add_dex_config
from dex.heads import PartHeads
from dex.losses import BatchHardTripletLoss, SmoothedCrossEntropyLoss
from dex.meta_arch import PartBased
from dex.trainer import DExTrainer

__all__ = ["BatchHardTripletLoss", "DExTrainer", "PartBased", "PartHeads", "SmoothedCrossEntropyLoss", "add_dex_config"]
