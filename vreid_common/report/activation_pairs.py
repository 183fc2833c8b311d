"""Pairs of images under the maps of where models find them alike (WCVL, Fig. 6).

Shape shorthand: H×W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import torch
from fastreid.config import CfgNode
from torch import nn

from vreid_common.data import ImageReadError, ItemDataset, build_transforms, collate
from vreid_common.report.activation import similarity_maps
from vreid_common.report.analysis import Analysis
from vreid_common.report.thumbnails import heat_picture, plain_picture
from vreid_common.structures import NAMED_LABELS, FeatureSet, VehicleImage

__all__ = ["ActivationPair", "Looker", "choose_pairs", "draw_pairs"]

_FLAT = 0.9
"""A map, whose largest value is 1, is of one colour to the eye where its least value is above this."""


@dataclass(frozen=True, eq=False)
class Looker:
    """A model to draw activation maps of.

    Attributes:
        name: what the page calls it.
        model: on its device, with its weights.
        cfg: its configuration, for the test transform.
    """

    name: str
    model: nn.Module
    cfg: CfgNode


@dataclass(frozen=True)
class ActivationPair:
    """A query and a gallery image.

    Attributes:
        query, image: indices.
        pictures: name → the data URIs of both; first the images as the first model sees them, then under the map of each
            model's features.
        flat: names of the features whose maps are of one value all over, of which there are no pictures.
    """

    query: int
    image: int
    pictures: Mapping[str, tuple[str, str]]
    flat: tuple[str, ...] = ()


def choose_pairs(analysis: Analysis, count: int) -> list[tuple[int, int]]:
    """Shown queries, best, worst and random ones in turn, each with its nearest match in the first ranking.

    Where nothing is known of matches it is the first gallery image; a query that has no match is passed over.
    """
    ranking = analysis.rankings[0]
    in_turn = [row for row in chain(*zip_longest(*analysis.examples.values())) if row is not None]
    if analysis.labelled:
        pairs = [(row, int(ranking.survey.match.images[row])) for row in in_turn]
    else:
        pairs = [(row, ranking.lists[row].images[0]) for row in in_turn]
    return [pair for pair in pairs if pair[1] >= 0][:count]


def draw_pairs(
    lookers: Sequence[Looker], query: FeatureSet, gallery: FeatureSet, pairs: Sequence[tuple[int, int]]
) -> list[ActivationPair]:
    """The pictures of each pair, of which one is computed at a time; pairs whose images cannot be read are passed over.

    Raises:
        InputError: a model has no feature map on the way to a feature.
    """
    drawn = []
    for row, image in pairs:
        items = [_item(query, row), _item(gallery, image)]
        pictures: dict[str, tuple[str, str]] = {}
        flat: list[str] = []
        try:
            for looker in lookers:
                pictures |= _pictures(looker, items, flat, plain=not pictures)
        except ImageReadError:
            continue
        drawn.append(ActivationPair(row, image, pictures, tuple(flat)))
    return drawn


def _pictures(looker: Looker, items: list[VehicleImage], flat: list[str], *, plain: bool) -> dict[str, tuple[str, str]]:
    dataset = ItemDataset(items, build_transforms(looker.cfg, is_train=False), relabel=False)
    batch = collate([dataset[0], dataset[1]])
    device = torch.device(looker.cfg.MODEL.DEVICE)
    on_device = {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    maps = similarity_maps(looker.model, on_device)
    images = batch["images"]
    pictures = {"as seen": (plain_picture(images[0]), plain_picture(images[1]))} if plain else {}
    for name, heat in maps.items():
        title = looker.name if len(maps) == 1 else f"{looker.name}, {name}"
        if heat.amin() > _FLAT:  # a feature of two branches, say, of which the map sees one: a single colour says nothing
            flat.append(title)
            continue
        pictures[title] = heat_picture(images[0], heat[0]), heat_picture(images[1], heat[1])
    return pictures


def _item(images: FeatureSet, row: int) -> VehicleImage:
    labels = (int(getattr(images, name)[row]) for name in ("pids", "camids", "track_ids", "view_ids"))
    names = {word: images.name_of(label, row) or "" for label, word in NAMED_LABELS.items()}
    return VehicleImage(images.paths[row], *labels, **names)
