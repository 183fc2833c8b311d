"""Configuration keys of EALN, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode, Each, Group, Key, OneOf, add_keys, at_least, count, probability
from vreid_common.modeling.generative import GAN_LOSSES

__all__ = ["add_ealn_config"]


def add_ealn_config(cfg: CfgNode) -> CfgNode:
    """Adds EALN's keys to ``cfg``, in place, and returns it. The equations, sections and figures named are the paper's."""
    return add_keys(
        cfg,
        Group("EALN", "",
            Key("ALPHA", 0.6, "alpha, the margin of the triplet loss and of Eq. 5, 9 and 10.", at_least(0)),
            Key("LAMBDA_ED", 1.0,
                "lambda_ed, the weight of the embedding constraints in Eq. 7, 8, 13 and 14; 0 trains G_view as CycleGAN does.",
                at_least(0),
            ),
            Key("GAN_LOSS", "least_squares", "Adversarial loss; log is Eq. 6 and 11.", OneOf(*GAN_LOSSES)),
            Key("BUFFER_SIZE", 0,
                "Generated images of earlier iterations that an image discriminator sees half of the time, as CycleGAN's do; "
                "0 for none.",
                at_least(0),
            ),
            Group("HARD", "Hard negative adversarial learning (Sec. III-B): G_hard and D_rf.",
                Key("ENABLED", False, "True trains G_hard and D_rf beside the embedding."),
                Key("BETA1", 0.6, "beta_1, the least distance of a generated negative (Eq. 3).", at_least(0)),
                Key("BETA2", 0.3, "beta_2, by how much it is nearer than a real negative (Eq. 3).", at_least(0)),
            ),
            Group("VIEW",
                  "Cross-view adversarial learning (Sec. III-C): G_view both ways, D_A and D_B. The training images need "
                  "view labels.",
                Key("ENABLED", False, "True trains G_view, D_A and D_B beside the embedding."),
                Key("LAMBDA_CYC", 10.0, "lambda_cyc, the weight of the cycle consistency loss (Eq. 13).", at_least(0)),
                Key("RELEASE_EPOCHS", 10, "lambda_ed is 0 in Eq. 14 in so many epochs, the last ones (Sec. III-E).",
                    at_least(0),
                ),
            ),
            Group("GENERATOR", "The generators (Johnson et al.).",
                Key("WIDTH", 64, "Channels after the first layer.", at_least(1)),
                Key("HALVINGS", 2, "Layers that halve the size.", at_least(0)),
                Key("BLOCKS", 9, "Residual blocks.", at_least(0)),
            ),
            Group("DISCRIMINATOR", "The image discriminators (PatchGAN).",
                Key("WIDTH", 64, "Channels of the first layer.", at_least(1)),
                Key("LAYERS", 3, "Layers that halve the size; 3 see 70x70 pixels.", at_least(1)),
            ),
            Group("SOLVER", "Adam of all parts but D_emb, which has SOLVER's optimizer; the schedule is SOLVER's for all.",
                Key("BASE_LR", 0.0002, "Its learning rate.", at_least(0)),
                Key("BETA1", 0.5, "Its beta_1.", probability(below_one=True)),
            ),
            Group("VGG_M", "build_vgg_m_backbone.",
                Key("CHANNELS", [96, 256, 512], "Channels of conv1, conv2 and conv3-5.",
                    Each(count(1), (3,), words="three numbers of channels, 1 or more"),
                ),
                Key("FC6", 4096, "Channels of fc6; those of fc7 are MODEL.BACKBONE.FEAT_DIM.", at_least(1)),
                Key("DROPOUT", 0.5, "Probability with which fc6 and fc7 set an entry to 0 in training.",
                    probability(below_one=True),
                ),
            ),
            Key("FEATURES", ["embedding"],
                "What evaluation returns, the main one first: embedding (D_emb's feature of the image), fused (that feature "
                "and the one of the generated other view, Sec. III-D), by_view (the same two, the front's first).",
                Each(OneOf("embedding", "fused", "by_view"), empty=False),
            ),
            Key("SHEET_PERIOD", 10,
                "Epochs between two sheets of generated images, in OUTPUT_DIR/sheets and TensorBoard (Fig. 6, 7); 0 for none.",
                at_least(0),
            ),
        ),
    )  # fmt: skip
