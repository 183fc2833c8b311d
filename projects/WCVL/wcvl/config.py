"""Configuration keys of WCVL, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode, Each, Group, Key, OneOf, Text, add_keys, at_least, like

__all__ = ["add_wcvl_config"]


def add_wcvl_config(cfg: CfgNode) -> CfgNode:
    """Adds WCVL's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    return add_keys(
        cfg,
        Group("WCVL", "",
            Group("MAIN", 'The main module ("baseline"), built from the rest of the config.',
                like("MODEL.META_ARCHITECTURE", "META_ARCHITECTURE", "VehicleBaseline", "Its meta-architecture."),
                Key("WEIGHTS", "",
                    "A checkpoint of it. Empty trains it first, in OUTPUT_DIR/main; that run's schedule is SOLVER's.",
                    Text("a file"),
                ),
                Key("FEATURE", "before_bnneck",
                    "The global feature x_g: before_bnneck is the pooled feature (after the embedding layer where there is "
                    "one), output is what the main module returns in evaluation. Several heads (MGN) give their features "
                    "concatenated.",
                    OneOf("before_bnneck", "output"),
                ),
                Key("STAGES", [],
                    "The main module's stages after its stem, in order, the last one being conv5_x. A stage is module names "
                    'separated by spaces; a name may end in a slice of a Sequential: "backbone.features[4:12]". Empty looks '
                    "the main module up in wcvl.stages.LAYOUTS (ResNet, ResNeXt, ResNeSt, RegNet, RepVGG, OSNet, "
                    "ShuffleNetV2, MGN).",
                    Each(Text("names of modules")),
                ),
            ),
            Key("SHARED_LAYERS", "conv1-4", "Layers that both modules share; conv1-5 is all of them (Table VI).",
                OneOf("conv1-2", "conv1-3", "conv1-4", "conv1-5"),
            ),
            Key("LAST_STRIDE", 2,
                "Stride of the module's own conv5_x (MODEL.BACKBONE.LAST_STRIDE is the main module's). Has no effect on a "
                "backbone that does not read that key (ResNeSt, OSNet, ShuffleNet, MobileNet).",
                OneOf(1, 2),
            ),
            like("MODEL.HEADS.POOL_LAYER", "POOL_LAYER", "GlobalAvgPool", "Pooling of the module's own conv5_x."),
            Key("HIDDEN_DIM", 512,
                "Width between the two fully connected layers; 512 follows from Table VI's parameter counts.",
                at_least(1),
            ),
            Key("END_TO_END", False,
                "True trains both modules together, from SOLVER's schedule; False (Table IV's \"pluggable\") leaves the main "
                "module as it is.",
            ),
            Key("SQUARED", False, "Eq. 3 prints the norm, not its square; True squares it."),
            Key("SCALE", 1.0, "Weight of Eq. 3 beside the main module's losses.", at_least(0)),
            Key("FEATURES", ["na", "main"],
                "What evaluation returns, the main one first: na, an, nan (Fig. 4), cv (x_cv), global (x_g), main (what the "
                "main module returns by itself).",
                Each(OneOf("na", "an", "nan", "cv", "global", "main"), empty=False),
            ),
            Group("SOLVER", "Schedule of the pluggable module, in place of SOLVER's keys of the same name.",
                like("SOLVER.MAX_EPOCH", "MAX_EPOCH", 60),
                like("SOLVER.BASE_LR", "BASE_LR", 3.5e-4),
                like("SOLVER.SCHED", "SCHED", "MultiStepLR"),
                like("SOLVER.STEPS", "STEPS", [20, 35]),
                like("SOLVER.DELAY_EPOCHS", "DELAY_EPOCHS", 0),
                like("SOLVER.WARMUP_ITERS", "WARMUP_ITERS", 0),
            ),
            Group("REWEIGHTED",
                  "ReweightedTripletLoss, the single-module alternative of Eq. 4 and Table V; its margin alpha is "
                  "MODEL.LOSSES.TRI.MARGIN.",
                Key("BETA", 1.0, "beta of Eq. 4; 1 is the plain hard triplet loss.", at_least(1)),
                Key("FORM", "combined", "combined is the first line of Eq. 4, bound the second.", OneOf("combined", "bound")),
            ),
        ),
    )  # fmt: skip
