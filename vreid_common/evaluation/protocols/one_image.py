"""VehicleID's protocols: one image of each identity is drawn at random, several times, and the metrics are averaged.

All test images take part, whichever the data set calls queries.

Shape shorthand: N test images, I identities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from vreid_common.errors import InputError
from vreid_common.evaluation.protocols.protocol import Protocol
from vreid_common.evaluation.protocols.selection import Selection
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import UNKNOWN, FeatureSet

__all__ = ["OneGalleryImage", "OneQueryImage"]


class _OneImageAnIdentity(Protocol, ABC):
    """Draws an image of each identity; all its others are matches, whatever their camera."""

    @property
    def record(self) -> dict[str, int | str]:
        return super().record | {"draws": self.num_draws, "draw seed": self.seed}

    def draws(self, query: FeatureSet, gallery: FeatureSet) -> Sequence[Selection]:
        pids = np.concatenate([query.pids.numpy(), gallery.pids.numpy()])
        if (pids == UNKNOWN).any():
            row = int((pids == UNKNOWN).argmax())
            raise InputError(f"{self.title}: {(query.paths + gallery.paths)[row] or f'image {row}'} has no identity.")
        both = set(query.paths) & set(gallery.paths) - {""}
        if both:
            raise InputError(f"{self.title}: {min(both)} is both a query and a gallery image, so it would be drawn twice.")
        identities, counts = np.unique(pids, return_counts=True)
        if len(identities) == len(pids):
            raise InputError(f"{self.title}: every one of the {len(pids)} test images is the only one of its identity.")
        by_identity = np.argsort(pids, kind="stable")
        starts = np.cumsum(counts) - counts
        draws = []
        for number in range(self.num_draws):
            # A generator for each draw: the first draws are the same however many there are.
            rng = np.random.default_rng([self.seed, number])
            drawn = np.zeros(len(pids), bool)
            drawn[by_identity[starts + rng.integers(counts)]] = True
            draws.append(self._draw(np.flatnonzero(drawn), np.flatnonzero(~drawn)))
        return draws

    @abstractmethod
    def _draw(self, drawn: np.ndarray, others: np.ndarray) -> Selection:
        """Which of the (I,) ``drawn`` and the (N - I,) other images are queries."""


@PROTOCOL_REGISTRY.register()
class OneGalleryImage(_OneImageAnIdentity):
    """VehicleID's own protocol (Liu et al., Deep Relative Distance Learning, Sec. 5.1). CMC is its metric."""

    title = "one gallery image an identity"
    description = "one image of each identity, drawn at random, is the gallery, and all others are queries"

    def _draw(self, drawn: np.ndarray, others: np.ndarray) -> Selection:
        return Selection(query=others, gallery=drawn)


@PROTOCOL_REGISTRY.register()
class OneQueryImage(_OneImageAnIdentity):
    """The reverse, for mAP: DSAM's Table 2 and EALN's mAP. An identity with one image has a query without a match."""

    title = "one query image an identity"
    description = "one image of each identity, drawn at random, is a query, and all others are the gallery"

    def _draw(self, drawn: np.ndarray, others: np.ndarray) -> Selection:
        return Selection(query=drawn, gallery=others)
