"""P x K batches with a fixed share of real and of synthetic identities.

Shorthand: P identities a batch, K images of each, of which S identities are synthetic; W processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fastreid.config import CfgNode

from vreid_common.data.samplers.base import TrainingSamplerBase
from vreid_common.data.samplers.identity import BalancedIdentitySampler, identities_per_batch
from vreid_common.errors import InputError
from vreid_common.registry import SAMPLER_REGISTRY
from vreid_common.structures import DOMAINS, VehicleImage

__all__ = ["DomainIdentitySampler"]


@SAMPLER_REGISTRY.register()
class DomainIdentitySampler(TrainingSamplerBase):
    """Batches of S synthetic and P - S real identities, each part made as ``BalancedIdentitySampler`` makes its batches.

    An epoch is as long as the domain that needs more batches takes to show all its images; the other one starts anew, in
    another order, as often as it has to. So every image of both is seen every epoch.

    The domains take turns within a batch, so that each of its W contiguous shares holds S / W synthetic identities: exactly
    where W divides S and P, else within one.

    Raises:
        InputError: ``DATALOADER.SYNTHETIC_SHARE`` of P is not a whole number from 1 to P - 1, an image has no domain, or a
            domain has fewer identities or images than its part of one batch: an identity cannot be in a batch twice.
    """

    @classmethod
    def group_size(cls, cfg: CfgNode) -> int:
        return cfg.DATALOADER.NUM_INSTANCE

    def __init__(self, items: Sequence[VehicleImage], cfg: CfgNode, seed: int) -> None:
        super().__init__(items, cfg, seed)
        self.num_instances = self.group_size(cfg)
        num_pids = identities_per_batch(cfg)
        share = cfg.DATALOADER.SYNTHETIC_SHARE
        synthetic = round(share * num_pids)
        if abs(share * num_pids - synthetic) > 1e-6 or not 0 < synthetic < num_pids:
            raise InputError(
                f"DATALOADER.SYNTHETIC_SHARE is {share}, of {num_pids} identities a batch: use a multiple of 1/{num_pids} "
                "between 0 and 1, or another SAMPLER_TRAIN."
            )
        self._places: list[np.ndarray] = []
        self._samplers: list[BalancedIdentitySampler] = []
        for domain, part in enumerate((num_pids - synthetic, synthetic)):
            places = np.array([place for place, item in enumerate(items) if item.domain == domain], np.int64)
            self._places.append(places)
            self._samplers.append(_part_sampler([items[place] for place in places], cfg, seed, domain, part))
        if sum(map(len, self._places)) < len(items):
            raise InputError(f"{len(items) - sum(map(len, self._places))} of {len(items)} training images have no domain.")
        # Place i of a batch is synthetic where i * S / P passes a whole number: windows of one length differ by one at most.
        passed = np.arange(num_pids + 1) * synthetic // num_pids
        self._is_synthetic = np.diff(passed).astype(bool)

    def __len__(self) -> int:
        return max(map(len, self._samplers))

    def epoch(self, epoch: int) -> list[list[int]]:
        batches = np.empty((len(self), len(self._is_synthetic), self.num_instances), np.int64)
        for domain, (places, sampler) in enumerate(zip(self._places, self._samplers, strict=True)):
            laps = -(-len(self) // len(sampler))
            drawn = np.concatenate([sampler.epoch(epoch * laps + lap) for lap in range(laps)])[: len(self)]
            chunks = places[drawn].reshape(len(self), -1, self.num_instances)
            batches[:, self._is_synthetic == bool(domain)] = chunks
        return self.cut(batches)


def _part_sampler(
    items: Sequence[VehicleImage], cfg: CfgNode, seed: int, domain: int, num_pids: int
) -> BalancedIdentitySampler:
    """The sampler of one domain's part of a batch, with a seed of its own."""
    instances = cfg.DATALOADER.NUM_INSTANCE
    found = len({item.pid for item in items})
    if found < num_pids or len(items) < num_pids * instances:
        raise InputError(
            f"A batch takes {num_pids} {DOMAINS[domain]} identities with {instances} images each (DATALOADER.SYNTHETIC_SHARE), "
            f"and the training data have {found} with {len(items)} images: name a {DOMAINS[domain]} set in DATASETS.NAMES, "
            "change the share, or lower SOLVER.IMS_PER_BATCH."
        )
    part = cfg.clone()
    part.defrost()
    part.SOLVER.IMS_PER_BATCH = num_pids * instances
    return BalancedIdentitySampler(items, part, seed * len(DOMAINS) + domain)
