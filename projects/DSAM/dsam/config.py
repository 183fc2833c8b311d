"""Configuration keys of this project. Those of loss, head and classifier are vreid_common's: MODEL.LOSSES.DSAM, MODEL.HEADS."""

from vreid_common.config import CfgNode

__all__ = ["add_dsam_config"]


def add_dsam_config(cfg: CfgNode) -> CfgNode:
    """Adds DSAM's keys to ``cfg``, in place, and returns it."""
    cfg.DSAM = CfgNode()

    # The data set "ToyVehicles" (Fig. 1): the identities with the most training images of another set, to train and to look at.
    cfg.DSAM.TOY = CfgNode()
    cfg.DSAM.TOY.DATASET = "StreetVehicles"
    cfg.DSAM.TOY.NUM_IDS = 8
    return cfg
