"""A small network of FastReID's and a few images to run it on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastreid.modeling import build_model
from PIL import Image
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.data import ItemDataset, build_transforms
from vreid_common.structures import VehicleImage


@pytest.fixture(scope="session")
def baselines() -> tuple[nn.Module, nn.Module]:
    """Two FastReID baselines with ResNet-18 and random weights, in training mode as FastReID builds them."""
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM, cfg.MODEL.BACKBONE.PRETRAIN = "18x", 512, False
    cfg.MODEL.HEADS.NUM_CLASSES = 3
    torch.manual_seed(0)
    return build_model(cfg), build_model(cfg)


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[[int], ItemDataset]:
    """A function: a number of images → a data set of so many of 32×32 noise, with labels that tell them apart."""
    cfg = get_vreid_cfg()
    cfg.INPUT.SIZE_TEST = [32, 32]

    def make(count: int) -> ItemDataset:
        random = np.random.default_rng(0)
        items = []
        for number in range(count):
            path = tmp_path / f"{number:03d}.png"
            Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
            items.append(VehicleImage(str(path), 100 + number, number % 3, 7 * number, number % 2))
        return ItemDataset(items, build_transforms(cfg, is_train=False), relabel=False)

    return make


@pytest.fixture
def make_batch() -> Callable[[int], dict]:
    """A function: a number of images → a batch of so many random ones of 24×20."""

    def make(count: int = 4) -> dict:
        generator = torch.Generator().manual_seed(count)
        images = torch.randint(0, 256, (count, 3, 24, 20), dtype=torch.uint8, generator=generator)
        return {"images": images, "img_paths": [f"{n}.jpg" for n in range(count)]}

    return make
