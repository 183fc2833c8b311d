"""Configuration keys of the Cybercore baseline, on top of FastReID's and vreid_common's."""

from vreid_common.config import Anything, CfgNode, Each, Group, Key, OneOf, Text, above, add_keys, at_least, probability

__all__ = ["add_cybercore_config"]


def add_cybercore_config(cfg: CfgNode) -> CfgNode:
    """Adds Cybercore's keys to ``cfg``, in place, and returns it. The equations, figures and tables named are the paper's."""
    return add_keys(
        cfg,
        Group("CYBERCORE", "",
            Key("LABEL", "vehicle",
                'What is a class in training: vehicle, orientation (36 bins of 10 degrees), or camera (Sec. 3.4, "Fused '
                'distance").',
                OneOf("vehicle", "orientation", "camera"),
            ),
            Key("FREEZE_EPOCHS", 1, "Epochs in which the backbone is frozen and only the head learns (Sec. 4.2).", at_least(0)),
            Group("MIXSTYLE", "MixStyle (Sec. 3.1).",
                Key("ENABLED", False, "True mixes the styles of training images."),
                Key("AFTER", ["layer1", "layer2"],
                    "Stages of the backbone that it comes after, by name. Those of ResNet, ResNeXt and ResNeSt are layer1 .. "
                    "layer4, of RegNet s1 .. s4, of OSNet conv2 .. conv4, of RepVGG stage1 .. stage4.",
                    Each(Text("the name of a stage", empty=False)),
                ),
                Key("ALPHA", 0.1, "alpha of lambda ~ Beta(alpha, alpha).", above(0)),
                Key("PROB", 0.5, "Share of the batches that are mixed.", probability()),
                Key("PARTNER", "crossdomain",
                    "Whose style an image gets: crossdomain, of an image of the other domain (any image, in a batch of one "
                    "domain only), or random, of any image.",
                    OneOf("crossdomain", "random"),
                ),
            ),
            Group("HEADS", "MultiHeadAttentionHead (Sec. 3.2, Fig. 3).",
                Key("NUM", 32, "Number of heads.", at_least(1)),
                Key("DIM", 0, "Width of each head and so of the feature; 0 is MODEL.BACKBONE.FEAT_DIM.", at_least(0)),
                Key("GATE_DIM", 256, "Width between the two layers that give the heads' weights.", at_least(1)),
            ),
            Group("SUPCON", "SupConLoss (Eq. 6).",
                Key("TEMPERATURE", 0.07, "tau.", above(0)),
                Key("SCALE", 1.0,
                    "Its fixed weight; those of the other losses are MODEL.LOSSES.CE.SCALE and MODEL.LOSSES.TRI.SCALE (Table "
                    "1).",
                    at_least(0),
                ),
            ),
            Group("MALW", "Momentum adaptive loss weight (Alg. 1) of the cross-entropy loss.",
                Key("ENABLED", False, "True adapts the weight; False leaves it at MODEL.LOSSES.CE.SCALE."),
                Key("PERIOD", 500, "K, iterations between two updates.", at_least(1)),
                Key("MOMENTUM", 0.9, "alpha, the share of the old weight.", probability(below_one=True)),
            ),
            Key("MEMBERS", [],
                "Models that the same command trains first, each in a folder of its name in OUTPUT_DIR, whose features of "
                "the test images then serve to re-rank: a list for each, of its name (orientation, camera, model_2 .. "
                "model_9) and KEY, VALUE pairs in which it differs from this configuration.",
                Anything("lists of a name and KEY, VALUE pairs"),
            ),
            Key("SAVE_FEATURES", False,
                "Write the features of the test images into OUTPUT_DIR/features at each evaluation, as feature sets.",
            ),
        ),
    )  # fmt: skip
