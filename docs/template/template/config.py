"""Configuration keys of Template, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode

__all__ = ["add_template_config"]


def add_template_config(cfg: CfgNode) -> CfgNode:
    """Adds Template's keys to ``cfg``, in place, and returns it."""
    cfg.TEMPLATE = CfgNode()

    # lambda, the weight of RingLoss beside the losses that MODEL.LOSSES.NAME lists with it.
    cfg.TEMPLATE.SCALE = 0.01
    # R, the norm that features are drawn to, at the start of training; it is learned.
    cfg.TEMPLATE.RADIUS = 20.0
    return cfg
