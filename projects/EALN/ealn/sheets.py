"""Sheets of what the generators make of images (Fig. 5 to 7).

Shape shorthand: B images, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from fastreid.config import CfgNode
from torch import Tensor

from ealn.constraints import squared_distance
from ealn.meta_arch import EALN
from ealn.networks import HARD
from ealn.views import FRONT, REAR
from vreid_common.data import ItemDataset, build_transforms
from vreid_common.features.inference import inference
from vreid_common.structures import VIEWS, VehicleImage
from vreid_common.synthetic.translation.apply import as_pixels
from vreid_common.synthetic.translation.sheet import draw_sheet
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["choose_items", "draw_generated", "read_images"]


def choose_items(items: Sequence[VehicleImage], count: int = 8) -> list[VehicleImage]:
    """Images at even distances, as many of the front as of the rear where views are known."""
    known = [[item for item in items if item.view_id == VIEWS.index(view)] for view in (FRONT, REAR)]
    if not all(known):
        return _evenly(items, count)
    return [item for pair in zip(*(_evenly(part, count // 2) for part in known), strict=False) for item in pair]


def _evenly(items: Sequence[VehicleImage], count: int) -> list[VehicleImage]:
    places = torch.linspace(0, len(items) - 1, min(count, len(items))).round().long().tolist()
    return [items[place] for place in places]


def read_images(cfg: CfgNode, items: Sequence[VehicleImage]) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) uint8 as they are tested, and their views (B,).

    Raises:
        ImageReadError: an image cannot be read.
    """
    dataset = ItemDataset(items, build_transforms(cfg, is_train=False), relabel=False)
    images = torch.stack([dataset[place]["images"] for place in range(len(items))])
    return images, torch.tensor([item.view_id for item in items])


def draw_generated(model: EALN, images: Tensor, view_ids: Tensor) -> np.ndarray:
    """A row of the images, and one each of their hard negatives, of what is changed in these, and of the other views.

    Args:
        model: with at least one generator; its modes are left as they are.
        images: (B, 3, H, W) uint8.
        view_ids: (B,); an image that shows neither front nor rear has no other view.

    Returns:
        (height, width, 3) uint8 RGB. The name of a row of generated images gives the mean of d(x, G(x)) over them.
    """
    with inference(model):
        own = as_network_input(images.to(model.device))
        features = model.embed(own)
        rows = {"input": as_pixels(own)}
        if HARD in model.generators:
            made = model.generate_hard(own)
            distance = squared_distance(features, model.embed(made)).mean()
            rows[f"hard {distance:.2f}"] = as_pixels(made)
            rows["change"] = as_pixels((made - own).abs() - 1)
        if FRONT in model.generators:
            made, shown = model.generate_other_view(own, view_ids.to(own.device))
            distance = squared_distance(features, model.embed(made))[shown].mean()
            rows[f"other {distance:.2f}"] = as_pixels(torch.where(shown[:, None, None, None], made, 1.0))
    return draw_sheet({name: [*tiles.permute(0, 2, 3, 1).cpu().numpy()] for name, tiles in rows.items()})
