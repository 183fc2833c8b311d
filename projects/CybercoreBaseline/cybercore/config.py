"""Configuration keys of the Cybercore baseline, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode

__all__ = ["add_cybercore_config"]


def add_cybercore_config(cfg: CfgNode) -> CfgNode:
    """Adds Cybercore's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    cfg.CYBERCORE = CfgNode()

    # What is a class in training: "vehicle", "orientation" (36 bins of 10 degrees), or "camera" (Sec. 3.4, "Fused distance").
    cfg.CYBERCORE.LABEL = "vehicle"
    # Epochs in which the backbone is frozen and only the head learns (Sec. 4.2).
    cfg.CYBERCORE.FREEZE_EPOCHS = 1

    # MixStyle (Sec. 3.1).
    cfg.CYBERCORE.MIXSTYLE = CfgNode()
    # True mixes the styles of training images.
    cfg.CYBERCORE.MIXSTYLE.ENABLED = False
    # Stages of the backbone that it comes after, by name. Those of ResNet, ResNeXt and ResNeSt are layer1 .. layer4, of
    # RegNet s1 .. s4, of OSNet conv2 .. conv4, of RepVGG stage1 .. stage4.
    cfg.CYBERCORE.MIXSTYLE.AFTER = ["layer1", "layer2"]
    # alpha of lambda ~ Beta(alpha, alpha).
    cfg.CYBERCORE.MIXSTYLE.ALPHA = 0.1
    # Share of the batches that are mixed.
    cfg.CYBERCORE.MIXSTYLE.PROB = 0.5
    # Whose style an image gets: "crossdomain", of an image of the other domain (any image, in a batch of one domain only), or
    # "random", of any image.
    cfg.CYBERCORE.MIXSTYLE.PARTNER = "crossdomain"

    # MultiHeadAttentionHead (Sec. 3.2, Fig. 3).
    cfg.CYBERCORE.HEADS = CfgNode()
    # Number of heads.
    cfg.CYBERCORE.HEADS.NUM = 32
    # Width of each head and so of the feature; 0 is MODEL.BACKBONE.FEAT_DIM.
    cfg.CYBERCORE.HEADS.DIM = 0
    # Width between the two layers that give the heads' weights.
    cfg.CYBERCORE.HEADS.GATE_DIM = 256

    # SupConLoss (Eq. 6).
    cfg.CYBERCORE.SUPCON = CfgNode()
    # tau.
    cfg.CYBERCORE.SUPCON.TEMPERATURE = 0.07
    # Its fixed weight; those of the other losses are MODEL.LOSSES.CE.SCALE and MODEL.LOSSES.TRI.SCALE (Table 1).
    cfg.CYBERCORE.SUPCON.SCALE = 1.0

    # Momentum adaptive loss weight (Alg. 1) of the cross-entropy loss.
    cfg.CYBERCORE.MALW = CfgNode()
    # True adapts the weight; False leaves it at MODEL.LOSSES.CE.SCALE.
    cfg.CYBERCORE.MALW.ENABLED = False
    # K, iterations between two updates.
    cfg.CYBERCORE.MALW.PERIOD = 500
    # alpha, the share of the old weight.
    cfg.CYBERCORE.MALW.MOMENTUM = 0.9

    # Models that the same command trains first, each in a folder of its name in OUTPUT_DIR, whose features of the test images
    # then serve to re-rank: a list for each, of its name (orientation, camera, model_2 .. model_9) and KEY, VALUE pairs in
    # which it differs from this configuration.
    cfg.CYBERCORE.MEMBERS = []
    # Write the features of the test images into OUTPUT_DIR/features at each evaluation, as feature sets.
    cfg.CYBERCORE.SAVE_FEATURES = False
    return cfg
