"""P x K samplers: batches of P distinct identities with K images each, as triplet losses need them.

Shorthand: P identities a batch, K images of each (``cfg.DATALOADER.NUM_INSTANCE``). A chunk is K images of one identity.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from fastreid.config import CfgNode

from vreid_common.data.samplers.base import TrainingSamplerBase
from vreid_common.errors import InputError
from vreid_common.registry import SAMPLER_REGISTRY
from vreid_common.structures import VehicleImage

__all__ = ["BalancedIdentitySampler", "NaiveIdentitySampler", "identities_per_batch"]


def identities_per_batch(cfg: CfgNode) -> int:
    """P.

    Raises:
        InputError: the batch is not a multiple of K.
    """
    batch, instances = cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.NUM_INSTANCE
    if instances < 1 or batch % instances:
        raise InputError(
            f"SOLVER.IMS_PER_BATCH ({batch}) is not a multiple of DATALOADER.NUM_INSTANCE ({instances}): change one of the two."
        )
    return batch // instances


@SAMPLER_REGISTRY.register()
class NaiveIdentitySampler(TrainingSamplerBase):
    """P x K batches in which every image is seen every epoch.

    Each identity's images are dealt in random order to as few chunks as hold them; what a chunk lacks is drawn again
    from the identity's other images. An identity's chunks go to different batches. An epoch has as many batches as all
    chunks need, or as the identity with the most chunks needs; batches that come out short get a further chunk of an
    identity that they lack. Chunks stay together, so a contiguous share of a batch holds whole identities.

    Raises:
        InputError: the batch is not a multiple of K, or there are fewer than P identities.
    """

    @classmethod
    def group_size(cls, cfg: CfgNode) -> int:
        return cfg.DATALOADER.NUM_INSTANCE

    def __init__(self, items: Sequence[VehicleImage], cfg: CfgNode, seed: int) -> None:
        super().__init__(items, cfg, seed)
        self.num_instances = self.group_size(cfg)
        self.num_pids_per_batch = identities_per_batch(cfg)
        by_pid: dict[int | str, list[int]] = {}
        for index, item in enumerate(items):
            by_pid.setdefault(item.pid, []).append(index)
        self._identities = list(by_pid.values())
        self._cameras = [item.camid for item in items]
        if len(self._identities) < self.num_pids_per_batch:
            raise InputError(
                f"A batch needs {self.num_pids_per_batch} identities (SOLVER.IMS_PER_BATCH / DATALOADER.NUM_INSTANCE) "
                f"and the training data have {len(self._identities)}: lower SOLVER.IMS_PER_BATCH to at most "
                f"{len(self._identities) * self.num_instances}, or raise DATALOADER.NUM_INSTANCE."
            )
        self._chunk_counts = [-(-len(indices) // self.num_instances) for indices in self._identities]
        batches_that_hold_all = -(-sum(self._chunk_counts) // self.num_pids_per_batch)
        self._num_batches = max(batches_that_hold_all, *self._chunk_counts)

    def __len__(self) -> int:
        return self._num_batches

    def epoch(self, epoch: int) -> list[list[int]]:
        rng = self.generator(epoch)
        batches: list[dict[int, list[int]]] = [{} for _ in range(self._num_batches)]
        identities = rng.permutation(len(self._identities))
        for identity, places in zip(identities, self._places(identities, rng), strict=True):
            for batch, chunk in zip(places, self._chunks(self._identities[identity], rng), strict=True):
                batches[batch][identity] = chunk
        for chunks in batches:
            self._fill(chunks, rng)
        return [self._flat(chunks, rng) for chunks in batches]

    def _places(self, identities: np.ndarray, rng: np.random.Generator) -> Iterator[list[int]]:
        """For each identity the batches of its chunks: distinct ones, such that all batches fill up evenly."""
        lap: list[int] = []  # batches that still have one chunk fewer than the others, in random order
        for identity in identities:
            count = self._chunk_counts[identity]
            places = lap[max(0, len(lap) - count) :]
            del lap[max(0, len(lap) - count) :]
            if len(places) < count:
                used = set(places)
                new_lap = rng.permutation(self._num_batches).tolist()
                places += [batch for batch in new_lap if batch not in used][: count - len(places)]
                used = set(places) - used
                lap = [batch for batch in new_lap if batch not in used]
            yield places

    def _chunks(self, indices: list[int], rng: np.random.Generator) -> list[list[int]]:
        """All images of an identity, as chunks of K."""
        order = self._order(rng.permutation(indices).tolist())
        count = -(-len(order) // self.num_instances)
        return [self._filled(order[start::count], indices, rng) for start in range(count)]

    def _filled(self, chunk: list[int], indices: list[int], rng: np.random.Generator) -> list[int]:
        """Fills a chunk up to K: with the identity's other images first, then with any of them again."""
        missing = self.num_instances - len(chunk)
        if missing > 0 and len(indices) > len(chunk):
            others = [index for index in rng.permutation(indices).tolist() if index not in chunk]
            chunk = chunk + self._preferred(chunk, others)[:missing]
            missing = self.num_instances - len(chunk)
        return chunk + [indices[place] for place in rng.integers(len(indices), size=missing)] if missing > 0 else chunk

    def _fill(self, chunks: dict[int, list[int]], rng: np.random.Generator) -> None:
        """Adds chunks of identities that the batch lacks, until it has P."""
        missing = self.num_pids_per_batch - len(chunks)
        if missing <= 0:
            return
        # The batch holds P - missing identities, so among any P there are enough others.
        candidates = rng.choice(len(self._identities), self.num_pids_per_batch, replace=False).tolist()
        others = [identity for identity in candidates if identity not in chunks]
        for identity in others[:missing]:
            chunks[identity] = self._chunks(self._identities[identity], rng)[0]

    def _flat(self, chunks: dict[int, list[int]], rng: np.random.Generator) -> list[int]:
        """The batch in random order of its identities, so that a rank's share does not depend on how it was put together."""
        chunks_in_order = list(chunks.values())
        return [index for place in rng.permutation(len(chunks_in_order)) for index in chunks_in_order[place]]

    def _order(self, shuffled: list[int]) -> list[int]:
        """Order in which an identity's images are dealt to its chunks, one each in turn."""
        return shuffled

    def _preferred(self, chunk: list[int], others: list[int]) -> list[int]:
        """Order in which other images (given in random order) fill up a chunk."""
        return others


@SAMPLER_REGISTRY.register()
class BalancedIdentitySampler(NaiveIdentitySampler):
    """P x K batches whose chunks mix cameras as far as an identity's images allow.

    Each camera's images are spread evenly over the identity's chunks; a chunk that lacks images gets some of cameras
    that it has not seen first.
    """

    def _order(self, shuffled: list[int]) -> list[int]:
        by_camera: dict[int | str, list[int]] = {}
        for index in shuffled:
            by_camera.setdefault(self._cameras[index], []).append(index)
        # Dealt camera after camera, no chunk gets two images of a camera more than another chunk.
        return [index for indices in by_camera.values() for index in indices]

    def _preferred(self, chunk: list[int], others: list[int]) -> list[int]:
        seen = {self._cameras[index] for index in chunk}
        unseen_first: list[int] = []
        for index in others:
            if self._cameras[index] not in seen:
                seen.add(self._cameras[index])
                unseen_first.append(index)
        return unseen_first + [index for index in others if index not in unseen_first]
