"""A grid of models and scales against DEx's Eq. 4 as a plain loop; what is read, extracted and kept."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from vreid_common.data import dataset as dataset_module
from vreid_common.errors import InputError
from vreid_common.features import Ensemble, Extractor, GridModel, open_grid

SCALES = (0.9, 1.0, 1.1, 1.2)


class Profile(nn.Module):
    """A feature of any length from an image of any size; ``seen`` counts the images by width."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(24, dim)
        self.seen: dict[int, int] = {}

    def forward(self, batch):
        images = batch["images"]
        self.seen[images.shape[3]] = self.seen.get(images.shape[3], 0) + len(images)
        profiles = nn.functional.interpolate(images.float().mean(dim=2), 8).flatten(1)
        return {"main": self.linear(profiles), "other": profiles}


def grid_model(model, name):
    return GridModel(name, {"model": name}, lambda: model)


def extract(root, models, dataset, scales=SCALES, flip=False):
    """The grid's combination, and how many images had to be read."""
    named = [grid_model(model, f"m{number}.pth") for number, model in enumerate(models)]
    with open_grid(root, named, len(dataset), scales, flip=flip) as grid:
        read = grid.fill(dataset, lambda network: Extractor(network, batch_size=4))
        return grid.combined(), read


def plain_loop(models, dataset, scales, flip):
    total = np.zeros((len(dataset), 16))
    for row in range(len(dataset)):
        image = dataset[row]["images"][None]
        for model in models:
            for scale in scales:
                size = [round(side * scale) for side in image.shape[2:]]
                view = image
                if scale != 1:
                    view = nn.functional.interpolate(image.float(), size, mode="bicubic", antialias=True).clamp(0, 255)
                for shown in (view, torch.flip(view, (3,))) if flip else (view,):
                    with torch.no_grad():
                        feature = model({"images": shown})["main"][0].double().numpy()
                    total[row] += feature / np.sqrt((feature**2).sum())
    return total / np.sqrt((total**2).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("flip", [False, True])
def test_three_models_at_four_scales_are_equation_4(make_dataset, tmp_path, flip):
    dataset, models = make_dataset(9), [Profile(16, seed) for seed in range(3)]
    found, read = extract(tmp_path, models, dataset, flip=flip)
    assert (found.shape, found.dtype, read) == ((9, 16), torch.float32, 9)
    np.testing.assert_allclose(found.numpy(), plain_loop(models, dataset, SCALES, flip), atol=1e-6)
    with torch.no_grad():
        images = torch.stack([dataset[row]["images"] for row in range(9)])
        together = Ensemble(models, SCALES, flip=flip)({"images": images})
    torch.testing.assert_close(found, together, atol=1e-6, rtol=0)


def test_each_image_is_decoded_once_and_shown_once_a_scale(make_dataset, tmp_path, monkeypatch):
    dataset, models = make_dataset(9), [Profile(16, 0), Profile(16, 1)]
    decoded = []
    read_image = dataset_module.read_image
    monkeypatch.setattr(dataset_module, "read_image", lambda path, size: decoded.append(path) or read_image(path, size))
    extract(tmp_path, models, dataset)
    assert sorted(decoded) == [item.path for item in dataset.img_items]
    for model in models:
        assert model.seen == {29: 9, 32: 9, 35: 9, 38: 9}


def test_only_what_is_new_is_extracted(make_dataset, tmp_path):
    dataset, first, second = make_dataset(5), Profile(16, 0), Profile(16, 1)
    assert extract(tmp_path, [first], dataset, (1.0, 1.1))[1] == 5
    assert first.seen == {32: 5, 35: 5}
    found, read = extract(tmp_path, [first, second], dataset, (1.0, 1.1, 1.2))
    assert read == 5
    assert first.seen == {32: 5, 35: 5, 38: 5}
    assert second.seen == {32: 5, 35: 5, 38: 5}
    assert extract(tmp_path, [first, second], dataset, (1.0, 1.1, 1.2))[1] == 0
    np.testing.assert_allclose(found.numpy(), plain_loop([first, second], dataset, (1.0, 1.1, 1.2), False), atol=1e-6)


def test_a_killed_extraction_goes_on_where_it_was(make_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("vreid_common.features.grid._SHARD", 2)
    dataset, model = make_dataset(7), Profile(16, 0)
    seen = 0

    def stop_later(batch):
        nonlocal seen
        seen += len(batch["images"])
        if seen > 5:
            raise KeyboardInterrupt
        return model(batch)

    broken = nn.Module()
    broken.forward = stop_later
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path, [broken], dataset, (1.0,))
    model.seen.clear()
    found, read = extract(tmp_path, [model], dataset, (1.0,))
    assert read == sum(model.seen.values()) == 3
    np.testing.assert_allclose(found.numpy(), plain_loop([model], dataset, (1.0,), False), atol=1e-6)


def test_some_scales_of_the_grid(make_dataset, tmp_path):
    dataset, model = make_dataset(3), Profile(16, 0)
    with open_grid(tmp_path, [grid_model(model, "m.pth")], 3, SCALES) as grid:
        grid.fill(dataset, lambda network: Extractor(network, batch_size=4))
        for scales in ((1.0,), (0.9, 1.2)):
            np.testing.assert_allclose(grid.combined(scales).numpy(), plain_loop([model], dataset, scales, False), atol=1e-6)
        with pytest.raises(
            InputError, match=re.escape("There are no features of scale 0.8: the scales are 0.9, 1.0, 1.1, 1.2.")
        ):
            grid.combined((0.8,))


def test_exception_models_of_different_size_are_both_named(make_dataset, tmp_path):
    with pytest.raises(InputError, match=r"features of m0.pth have 16 dimensions and those of m1.pth 20"):
        extract(tmp_path, [Profile(16, 0), Profile(20, 1)], make_dataset(3), (1.0,))


@pytest.mark.parametrize(
    ("names", "scales", "said"),
    [
        ([], (1.0,), "no model"),
        (["a"], (), "scales are empty"),
        (["a"], (1.0, 1.0), "each once"),
        (["a", "a"], (1.0,), "twice"),
    ],
)
def test_exception_nothing_to_extract(tmp_path, names, scales, said):
    models = [grid_model(Profile(16, 0), name) for name in names]
    with pytest.raises(InputError, match=said), open_grid(tmp_path, models, 3, scales):
        pass
