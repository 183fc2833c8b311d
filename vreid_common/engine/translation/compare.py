"""Measures a translated copy of a data set against real images, and draws all three kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms as T
from torch import Tensor

from vreid_common.data import read_folder, read_image
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage
from vreid_common.synthetic.translation import DomainGap, measure_domain_gap
from vreid_common.synthetic.translation.pairs import resize_to
from vreid_common.synthetic.translation.sheet import draw_sheet, save_sheet

__all__ = ["compare"]

_COLUMNS = 8


def compare(
    real: Sequence[VehicleImage],
    synthetic: Path,
    translated: Path,
    size: tuple[int, int],
    *,
    images: int,
    steps: int,
    seed: int,
    device: torch.device,
    sheet: Path | None = None,
) -> DomainGap:
    """How well a classifier that was trained on real and synthetic images tells real and translated ones apart.

    Args:
        real: real images.
        synthetic: folder of synthetic images.
        translated: folder of their translations, under the same names.
        size: height and width that all are brought to.
        images: of each kind at most, drawn at random.
        steps: of the classifier's training.
        seed: of the draws and of the classifier.
        device: where the classifier is trained.
        sheet: PNG file for a row of images of each kind.

    Raises:
        InputError: a folder or an image is not there, or there are too few.
    """
    if images < 2 or steps < 1 or seed < 0:
        raise InputError(f"There are {images} images, {steps} steps and seed {seed}: use at least 2, 1 and 0.")
    generator = np.random.default_rng(seed)
    paths = [item.path for item in read_folder(synthetic)]
    chosen = generator.permutation(len(paths))[:images]
    ours = [paths[place] for place in chosen]
    theirs = [str(translated / Path(path).relative_to(synthetic)) for path in ours]
    reals = [real[place].path for place in generator.permutation(len(real))[:images]]
    kinds = {"synthetic": ours, "translated": theirs, "real": reals}
    if sheet is not None:
        rows = {name: [np.asarray(read_image(path)) for path in paths[:_COLUMNS]] for name, paths in kinds.items()}
        save_sheet(draw_sheet(rows), sheet)
    pixels = {name: _read(paths, size) for name, paths in kinds.items()}
    return measure_domain_gap(**pixels, steps=steps, seed=seed, device=device)


def _read(paths: Sequence[str], size: tuple[int, int]) -> Tensor:
    transform = T.Compose(resize_to(*size))
    return torch.stack([transform(read_image(path)) for path in paths])
