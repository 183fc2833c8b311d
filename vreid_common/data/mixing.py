"""Training images of several data sets as one list, and how many synthetic ones are taken among real ones."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np

from vreid_common.config import MIXES
from vreid_common.data.datasets import DatasetError
from vreid_common.errors import InputError
from vreid_common.structures import DOMAINS, UNKNOWN, VehicleImage

__all__ = ["join_sets", "mix_domains"]

"""Values of ``DATASETS.MIX``."""

REAL, SYNTHETIC = (DOMAINS.index(name) for name in ("real", "synthetic"))


def join_sets(sets: Iterable[tuple[str, Sequence[VehicleImage]]], synthetic: Container[str] = ()) -> list[VehicleImage]:
    """Joins training images so that vehicles, cameras and tracks of different sets stay apart and every image has a domain.

    Ids that are strings carry their set's name already. Those of other people's sets may be numbers: they get it, unless there
    is one set only, whose classes are then numbered as FastReID does. The tracks of a set are numbered on from those before.

    Args:
        sets: name and items of each set.
        synthetic: names of sets that are synthetic although their items do not say so. Others of unknown domain are real.

    Raises:
        DatasetError: two sets have a vehicle of one id.
    """
    sets = list(sets)
    joined: list[VehicleImage] = []
    owner: dict[int | str, str] = {}
    first_track = 0
    for name, items in sets:
        if len(sets) > 1:
            items = [item._replace(pid=_own(name, item.pid), camid=_own(name, item.camid)) for item in items]
            items = [
                item if item.track_id == UNKNOWN else item._replace(track_id=item.track_id + first_track) for item in items
            ]
            first_track = max([first_track, *(item.track_id + 1 for item in items)])
        domain = SYNTHETIC if name in synthetic else REAL
        given = name in synthetic
        joined += [item._replace(domain=domain) if given or item.domain == UNKNOWN else item for item in items]
        for pid in {item.pid for item in items}:
            if owner.setdefault(pid, name) != name:
                raise DatasetError(
                    f"The data sets {owner[pid]} and {name} of DATASETS.NAMES both have a vehicle {pid}: name one of the two."
                )
    return joined


def mix_domains(items: Sequence[VehicleImage], mix: str, seed: int = 0) -> list[VehicleImage]:
    """The training images of a mix of real and synthetic data (DEx, Table 1), in their order.

    "real" leaves synthetic images out, "full" takes all. "balanced" takes all real images, and synthetic identities at random,
    with all their images and so with whole tracks, until there are as many synthetic images as real ones, as nearly as whole
    identities allow; where all synthetic images are fewer than the real ones, it takes them all.

    Args:
        items: training images of known domain.
        mix: one of ``MIXES``.
        seed: of the identities that "balanced" draws, not negative.

    Raises:
        InputError: there is no such mix, a domain that it needs has no images, or an image's domain is not known.
    """
    if mix not in MIXES:
        raise InputError(f"DATASETS.MIX is {mix!r}: use one of {', '.join(MIXES)}.")
    if seed < 0:
        raise InputError(f"DATASETS.MIX_SEED is {seed}: use 0 or more.")
    if mix == "full":
        return list(items)
    counts = np.bincount([item.domain for item in items if item.domain != UNKNOWN], minlength=len(DOMAINS))
    if counts.sum() < len(items):
        raise InputError(f"{len(items) - counts.sum()} of {len(items)} training images have no domain.")
    for domain in (REAL,) if mix == "real" else (REAL, SYNTHETIC):
        if not counts[domain]:
            raise InputError(f"DATASETS.MIX is {mix} and no training image is {DOMAINS[domain]}: look at DATASETS.NAMES.")
    chosen = set() if mix == "real" else _balanced(items, counts[REAL], seed)
    return [item for item in items if item.domain == REAL or item.pid in chosen]


def _own(name: str, label: int | str) -> int | str:
    return label if isinstance(label, str) or label == UNKNOWN else f"{name}_{label}"


def _balanced(items: Sequence[VehicleImage], num_images: int, seed: int) -> set[int | str]:
    """Synthetic identities with about so many images."""
    pids, counts = np.unique([str(item.pid) for item in items if item.domain == SYNTHETIC], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(pids))
    totals = np.cumsum(counts[order])
    chosen = set(pids[order[: np.abs(totals - num_images).argmin() + 1]].tolist())
    return {item.pid for item in items if item.domain == SYNTHETIC and str(item.pid) in chosen}
