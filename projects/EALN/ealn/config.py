"""Configuration keys of EALN, on top of FastReID's and vreid_common's."""

from vreid_common.config import CfgNode

__all__ = ["add_ealn_config"]


def add_ealn_config(cfg: CfgNode) -> CfgNode:
    """Adds EALN's keys to ``cfg``, in place, and returns it. The equations, sections and figures named are the paper's."""
    cfg.EALN = CfgNode()

    # alpha, the margin of the triplet loss and of Eq. 5, 9 and 10.
    cfg.EALN.ALPHA = 0.6
    # lambda_ed, the weight of the embedding constraints in Eq. 7, 8, 13 and 14; 0 trains G_view as CycleGAN does.
    cfg.EALN.LAMBDA_ED = 1.0
    # Adversarial loss: "least_squares", or "log" (Eq. 6 and 11).
    cfg.EALN.GAN_LOSS = "least_squares"
    # Generated images of earlier iterations that an image discriminator sees half of the time, as CycleGAN's do; 0 for none.
    cfg.EALN.BUFFER_SIZE = 0

    # Hard negative adversarial learning (Sec. III-B): G_hard and D_rf.
    cfg.EALN.HARD = CfgNode()
    # True trains G_hard and D_rf beside the embedding.
    cfg.EALN.HARD.ENABLED = False
    # beta_1, the least distance of a generated negative (Eq. 3).
    cfg.EALN.HARD.BETA1 = 0.6
    # beta_2, by how much it is nearer than a real negative (Eq. 3).
    cfg.EALN.HARD.BETA2 = 0.3

    # Cross-view adversarial learning (Sec. III-C): G_view both ways, D_A and D_B. The training images need view labels.
    cfg.EALN.VIEW = CfgNode()
    # True trains G_view, D_A and D_B beside the embedding.
    cfg.EALN.VIEW.ENABLED = False
    # lambda_cyc, the weight of the cycle consistency loss (Eq. 13).
    cfg.EALN.VIEW.LAMBDA_CYC = 10.0
    # lambda_ed is 0 in Eq. 14 in so many epochs, the last ones (Sec. III-E).
    cfg.EALN.VIEW.RELEASE_EPOCHS = 10

    # The generators (Johnson et al.): channels after the first layer, layers that halve the size, residual blocks.
    cfg.EALN.GENERATOR = CfgNode()
    cfg.EALN.GENERATOR.WIDTH = 64
    cfg.EALN.GENERATOR.HALVINGS = 2
    cfg.EALN.GENERATOR.BLOCKS = 9
    # The image discriminators (PatchGAN): channels of the first layer, layers that halve the size; 3 see 70x70 pixels.
    cfg.EALN.DISCRIMINATOR = CfgNode()
    cfg.EALN.DISCRIMINATOR.WIDTH = 64
    cfg.EALN.DISCRIMINATOR.LAYERS = 3

    # Adam of all parts but D_emb, which has SOLVER's optimizer; the schedule is SOLVER's for all.
    cfg.EALN.SOLVER = CfgNode()
    cfg.EALN.SOLVER.BASE_LR = 2e-4
    cfg.EALN.SOLVER.BETA1 = 0.5

    # build_vgg_m_backbone.
    cfg.EALN.VGG_M = CfgNode()
    # Channels of conv1, conv2 and conv3-5.
    cfg.EALN.VGG_M.CHANNELS = [96, 256, 512]
    # Channels of fc6; those of fc7 are MODEL.BACKBONE.FEAT_DIM.
    cfg.EALN.VGG_M.FC6 = 4096
    # Probability with which fc6 and fc7 set an entry to 0 in training.
    cfg.EALN.VGG_M.DROPOUT = 0.5

    # What evaluation returns, the main one first: "embedding" (D_emb's feature of the image), "fused" (that feature and the one
    # of the generated other view, Sec. III-D), "by_view" (the same two, the front's first).
    cfg.EALN.FEATURES = ["embedding"]

    # Epochs between two sheets of generated images, in OUTPUT_DIR/sheets and TensorBoard (Fig. 6, 7); 0 for none.
    cfg.EALN.SHEET_PERIOD = 10
    return cfg
