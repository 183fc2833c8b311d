"""Configuration keys of this project. Those of loss, head and classifier are vreid_common's: MODEL.LOSSES.DSAM, MODEL.HEADS."""

from vreid_common.config import CfgNode, Group, Key, Text, add_keys, at_least

__all__ = ["add_dsam_config"]


def add_dsam_config(cfg: CfgNode) -> CfgNode:
    """Adds DSAM's keys to ``cfg``, in place, and returns it."""
    return add_keys(
        cfg,
        Group("DSAM.TOY",
              "The data set ToyVehicles (Fig. 1): the identities with the most training images of another set, to train and "
              "to look at.",
            Key("DATASET", "StreetVehicles", "The other set.", Text("the name of a data set", empty=False)),
            Key("NUM_IDS", 8, "How many identities.", at_least(2)),
        ),
    )  # fmt: skip
