"""Configuration keys of WCVL, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode

__all__ = ["add_wcvl_config"]


def add_wcvl_config(cfg: CfgNode) -> CfgNode:
    """Adds WCVL's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    cfg.WCVL = CfgNode()

    # The main module ("baseline"), built from the rest of the config.
    cfg.WCVL.MAIN = CfgNode()
    # Any name in FastReID's META_ARCH_REGISTRY.
    cfg.WCVL.MAIN.META_ARCHITECTURE = "VehicleBaseline"
    # A checkpoint of it. Empty trains it first, in OUTPUT_DIR/main; that run's schedule is SOLVER's.
    cfg.WCVL.MAIN.WEIGHTS = ""
    # The global feature x_g: "before_bnneck" is the pooled feature (after the embedding layer where there is one), "output" is
    # what the main module returns in evaluation. Several heads (MGN) give their features concatenated.
    cfg.WCVL.MAIN.FEATURE = "before_bnneck"
    # The main module's stages after its stem, in order, the last one being conv5_x. A stage is module names separated by
    # spaces; a name may end in a slice of a Sequential: "backbone.features[4:12]". Empty looks the main module up in
    # wcvl.stages.LAYOUTS (ResNet, ResNeXt, ResNeSt, RegNet, RepVGG, OSNet, ShuffleNetV2, MGN).
    cfg.WCVL.MAIN.STAGES = []

    # Layers that both modules share: "conv1-2", "conv1-3", "conv1-4", or "conv1-5", all of them (Table VI).
    cfg.WCVL.SHARED_LAYERS = "conv1-4"
    # Stride of the module's own conv5_x (MODEL.BACKBONE.LAST_STRIDE is the main module's). Has no effect on a backbone that
    # does not read that key (ResNeSt, OSNet, ShuffleNet, MobileNet).
    cfg.WCVL.LAST_STRIDE = 2
    # Pooling of the module's own conv5_x: a name in fastreid.layers.pooling.
    cfg.WCVL.POOL_LAYER = "GlobalAvgPool"
    # Width between the two fully connected layers; 512 follows from Table VI's parameter counts.
    cfg.WCVL.HIDDEN_DIM = 512

    # True trains both modules together, from SOLVER's schedule; False (Table IV's "pluggable") leaves the main module as it is.
    cfg.WCVL.END_TO_END = False
    # Eq. 3 prints the norm, not its square; True squares it.
    cfg.WCVL.SQUARED = False
    # Weight of Eq. 3 beside the main module's losses.
    cfg.WCVL.SCALE = 1.0

    # What evaluation returns, the main one first: "na", "an", "nan" (Fig. 4), "cv" (x_cv), "global" (x_g), "main" (what the
    # main module returns by itself).
    cfg.WCVL.FEATURES = ["na", "main"]

    # Schedule of the pluggable module, in place of SOLVER's keys of the same name.
    cfg.WCVL.SOLVER = CfgNode()
    cfg.WCVL.SOLVER.MAX_EPOCH = 60
    cfg.WCVL.SOLVER.BASE_LR = 3.5e-4
    cfg.WCVL.SOLVER.SCHED = "MultiStepLR"
    cfg.WCVL.SOLVER.STEPS = [20, 35]
    cfg.WCVL.SOLVER.DELAY_EPOCHS = 0
    cfg.WCVL.SOLVER.WARMUP_ITERS = 0

    # ReweightedTripletLoss, the single-module alternative of Eq. 4 and Table V; its margin alpha is MODEL.LOSSES.TRI.MARGIN.
    cfg.WCVL.REWEIGHTED = CfgNode()
    # beta of Eq. 4; 1 is the plain hard triplet loss.
    cfg.WCVL.REWEIGHTED.BETA = 1.0
    # "combined" is the first line of Eq. 4, "bound" the second.
    cfg.WCVL.REWEIGHTED.FORM = "combined"
    return cfg
