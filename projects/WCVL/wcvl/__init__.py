"""Weakly-supervised cross-view learning (Yang et al.) as a FastReID project."""

from wcvl.config import add_wcvl_config
from wcvl.evaluator import WCVLEvaluator
from wcvl.losses import CrossViewLoss, ReweightedTripletLoss
from wcvl.meta_arch import WCVL
from wcvl.trainer import WCVLTrainer

__all__ = ["WCVL", "CrossViewLoss", "ReweightedTripletLoss", "WCVLEvaluator", "WCVLTrainer", "add_wcvl_config"]
