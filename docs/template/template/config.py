"""Configuration keys of Template, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode, Group, Key, above, add_keys, at_least

__all__ = ["add_template_config"]


def add_template_config(cfg: CfgNode) -> CfgNode:
    """Adds Template's keys to ``cfg``, in place, and returns it."""
    return add_keys(
        cfg,
        Group("TEMPLATE", "RingLoss, beside the losses that MODEL.LOSSES.NAME lists with it.",
            Key("SCALE", 0.01, "lambda, its weight.", at_least(0)),
            Key("RADIUS", 20.0, "R, the norm that features are drawn to, at the start of training; it is learned.", above(0)),
        ),
    )  # fmt: skip
