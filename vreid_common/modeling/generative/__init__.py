"""What networks that make images are built from, and what they are trained by: UNIT's translator and EALN's generators."""

from vreid_common.modeling.generative.adversarial import GAN_LOSSES, fake_loss, real_loss
from vreid_common.modeling.generative.blocks import ResidualBlock, initialize_normal

__all__ = ["GAN_LOSSES", "ResidualBlock", "fake_loss", "initialize_normal", "real_loss"]
