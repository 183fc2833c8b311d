"""Training samplers, by FastReID's names."""

from collections.abc import Sequence

from fastreid.config import CfgNode

from vreid_common.data.samplers.base import TrainingSamplerBase
from vreid_common.data.samplers.domain import DomainIdentitySampler
from vreid_common.data.samplers.identity import BalancedIdentitySampler, NaiveIdentitySampler
from vreid_common.data.samplers.shuffle import ImbalancedDatasetSampler, TrainingSampler
from vreid_common.errors import InputError
from vreid_common.registry import SAMPLER_REGISTRY
from vreid_common.structures import VehicleImage

__all__ = [
    "BalancedIdentitySampler",
    "DomainIdentitySampler",
    "ImbalancedDatasetSampler",
    "NaiveIdentitySampler",
    "TrainingSampler",
    "TrainingSamplerBase",
    "build_sampler",
]


def build_sampler(cfg: CfgNode, items: Sequence[VehicleImage]) -> TrainingSamplerBase:
    """The sampler that ``cfg.DATALOADER.SAMPLER_TRAIN`` names, with ``cfg.SEED``.

    Raises:
        InputError: there is no such sampler, or it cannot make batches of these items.
    """
    name = cfg.DATALOADER.SAMPLER_TRAIN
    if name == "SetReWeightSampler":
        raise InputError(
            "DATALOADER.SAMPLER_TRAIN is SetReWeightSampler, which FastReID's own data sets crash: use BalancedIdentitySampler."
        )
    if name not in SAMPLER_REGISTRY.names:
        raise InputError(f"DATALOADER.SAMPLER_TRAIN is {name!r}: use one of {', '.join(SAMPLER_REGISTRY.names)}.")
    return SAMPLER_REGISTRY.get(name)(items, cfg, cfg.SEED)
