"""Embedding adversarial learning with hard negatives and cross views (Lou et al., EALN) as a FastReID project."""

from ealn.adversary import Adversary, Weights
from ealn.config import add_ealn_config
from ealn.constraints import belt_loss, margin_loss, squared_distance
from ealn.generator import Generator, GeneratorSize
from ealn.meta_arch import EALN
from ealn.patch_discriminator import PatchDiscriminator, PatchDiscriminatorSize
from ealn.trainer import EALNTrainer
from ealn.vgg_m import VGGM, build_vgg_m_backbone

__all__ = [
    "EALN",
    "VGGM",
    "Adversary",
    "EALNTrainer",
    "Generator",
    "GeneratorSize",
    "PatchDiscriminator",
    "PatchDiscriminatorSize",
    "Weights",
    "add_ealn_config",
    "belt_loss",
    "build_vgg_m_backbone",
    "margin_loss",
    "squared_distance",
]
