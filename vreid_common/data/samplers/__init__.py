"""Training samplers, by FastReID's names."""

from collections.abc import Sequence

from fastreid.config import CfgNode

from vreid_common.config import check_values
from vreid_common.data.samplers.base import TrainingSamplerBase
from vreid_common.data.samplers.domain import DomainIdentitySampler
from vreid_common.data.samplers.identity import BalancedIdentitySampler, NaiveIdentitySampler
from vreid_common.data.samplers.shuffle import ImbalancedDatasetSampler, TrainingSampler
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
    check_values(cfg, "DATALOADER.SAMPLER_TRAIN")
    return SAMPLER_REGISTRY.get(cfg.DATALOADER.SAMPLER_TRAIN)(items, cfg, cfg.SEED)
