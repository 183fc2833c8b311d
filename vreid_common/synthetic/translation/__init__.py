"""Image translation by UNIT: networks, losses, a training step, and the translated copy of a data set (docs/translation.md)."""

from vreid_common.synthetic.translation.apply import translate_folder
from vreid_common.synthetic.translation.discriminator import DiscriminatorSize, MultiScaleDiscriminator
from vreid_common.synthetic.translation.domain_gap import DomainGap, measure_domain_gap
from vreid_common.synthetic.translation.losses import LossWeights
from vreid_common.synthetic.translation.networks import SOURCE, TARGET, Translator, TranslatorSize
from vreid_common.synthetic.translation.pairs import PairLoader, read_domain
from vreid_common.synthetic.translation.step import AdamSettings, TranslationStep

__all__ = [
    "SOURCE",
    "TARGET",
    "AdamSettings",
    "DiscriminatorSize",
    "DomainGap",
    "LossWeights",
    "MultiScaleDiscriminator",
    "PairLoader",
    "TranslationStep",
    "Translator",
    "TranslatorSize",
    "measure_domain_gap",
    "read_domain",
    "translate_folder",
]
