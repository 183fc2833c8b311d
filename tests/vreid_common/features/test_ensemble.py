"""Ensemble against DEx's Eq. 4 and the other combinations, written as plain loops over models, scales and mirror images."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vreid_common.errors import InputError
from vreid_common.features import Ensemble, evaluation_mode


class Moments(nn.Module):
    """A feature of any length from an image of any size: random projections of its columns' and rows' profiles."""

    def __init__(self, dim: int, named: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(48, dim)
        self.named = named
        self.seen = []

    def forward(self, batch):
        images = batch["images"].float() / 255
        self.seen.append(batch["images"])
        profiles = [nn.functional.interpolate(images.mean(dim=dim), 8).flatten(1) for dim in (2, 3)]
        features = self.linear(torch.cat(profiles, dim=1))
        return {"first": features, "second": -features} if self.named else features


@pytest.fixture
def models():
    torch.manual_seed(0)
    return [Moments(16), Moments(16, named=True), Moments(16)]


def single_features(models, images, scales, flip):
    """[model][view] → (B, D) NumPy: each model by itself on each resized image and its mirror image."""
    views = []
    for scale in scales:
        size = (round(images.shape[2] * scale), round(images.shape[3] * scale))
        view = images
        if scale != 1:
            view = torch.nn.functional.interpolate(images.float(), size, mode="bicubic", antialias=True)
            view = torch.minimum(torch.maximum(view, torch.tensor(0.0)), torch.tensor(255.0))
        views.append(view)
        if flip:
            views.append(torch.stack([torch.from_numpy(image.numpy()[:, :, ::-1].copy()) for image in view]))
    with torch.no_grad():
        outputs = [[model({"images": view}) for view in views] for model in models]
    return [[(out["first"] if isinstance(out, dict) else out).numpy().astype(np.float64) for out in row] for row in outputs]


def unit(x):
    return np.stack([row / np.sqrt((row**2).sum()) if (row**2).sum() else row for row in x])


CASES = [((1.0,), False), ((1.0,), True), ((0.9, 1.0, 1.1, 1.2), False), ((0.9, 1.0, 1.1, 1.2), True), ((0.5,), False)]


@pytest.mark.parametrize(("scales", "flip"), CASES)
def test_sum_is_equation_4(models, make_batch, scales, flip):
    batch = make_batch()
    expected = np.zeros((4, 16))
    for row in single_features(models, batch["images"], scales, flip):
        for feature in row:
            expected += unit(feature)
    found = Ensemble(models, scales, flip=flip)(batch)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.detach().numpy(), unit(expected), atol=2e-6)


@pytest.mark.parametrize(("scales", "flip"), CASES)
def test_mean_is_of_the_features_as_they_are(models, make_batch, scales, flip):
    batch = make_batch()
    features = [feature for row in single_features(models, batch["images"], scales, flip) for feature in row]
    found = Ensemble(models, scales, flip=flip, combine="mean")(batch)
    np.testing.assert_allclose(found.detach().numpy(), sum(features) / len(features), atol=2e-6)


@pytest.mark.parametrize(("scales", "flip"), CASES)
def test_concat_s_cosine_is_the_mean_of_the_models_cosines(make_batch, scales, flip):
    torch.manual_seed(0)
    models, batch = [Moments(16), Moments(5), Moments(40)], make_batch()
    by_model = [unit(sum(unit(x) for x in row)) for row in single_features(models, batch["images"], scales, flip)]
    found = Ensemble(models, scales, flip=flip, combine="concat")(batch).detach().numpy()
    assert found.shape == (4, 61)
    np.testing.assert_allclose(found, np.concatenate(by_model, axis=1) / np.sqrt(3), atol=2e-6)
    np.testing.assert_allclose(found @ found.T, sum(x @ x.T for x in by_model) / 3, atol=2e-6)


def test_a_single_view_of_one_model(models, make_batch):
    batch = make_batch()
    raw = models[0](batch)
    assert torch.equal(Ensemble(models[:1], combine="mean")(batch), raw)
    torch.testing.assert_close(Ensemble(models[:1])(batch), raw / raw.norm(dim=1, keepdim=True))


def test_fastreid_s_baselines(baselines, make_batch):
    batch = make_batch()
    ensemble = Ensemble(baselines, (1.0, 1.2), flip=True)
    with torch.inference_mode(), evaluation_mode(ensemble):
        found = ensemble(batch)
        larger = torch.nn.functional.interpolate(batch["images"].float(), (29, 24), mode="bicubic", antialias=True)
        expected = torch.zeros(4, 512)
        for model in baselines:
            for images in (batch["images"], larger.clamp(0, 255)):
                for view in (images, images.flip(3)):
                    expected += nn.functional.normalize(model({"images": view}), dim=1)
    torch.testing.assert_close(found, nn.functional.normalize(expected, dim=1), atol=1e-5, rtol=0)


def test_images_are_resized_as_pillow_does(models, make_batch):
    batch = make_batch(1)
    Ensemble(models[:1], (0.7, 1.3))(batch)
    for seen, size in zip(models[0].seen, [(17, 14), (31, 26)], strict=True):
        assert seen.shape == (1, 3, *size)
        for channel, original in zip(seen[0], batch["images"][0], strict=True):
            # Of floats: Pillow rounds and clips bytes between its two passes.
            theirs = Image.fromarray(original.float().numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
            np.testing.assert_allclose(channel.numpy(), np.asarray(theirs).clip(0, 255), atol=1e-2)
        assert seen.min() >= 0
        assert seen.max() <= 255


def test_models_see_the_images_as_they_are_at_scale_1(models, make_batch):
    batch = make_batch()
    before = batch["images"].clone()
    Ensemble(models, (1.0,), flip=True)(batch)
    assert all(model.seen[0] is batch["images"] for model in models)
    assert torch.equal(batch["images"], before)


def test_a_zero_feature_stays_zero(make_batch):
    model = Moments(4)
    nn.init.zeros_(model.linear.weight)
    nn.init.zeros_(model.linear.bias)
    assert torch.equal(Ensemble([model], flip=True)(make_batch()), torch.zeros(4, 4))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_features_are_added_in_float32(make_batch, dtype):
    class Half(nn.Module):
        def forward(self, batch):
            return torch.full((4, 8), 300.0, dtype=dtype)  # its norm and sum overflow in float16

    found = Ensemble([Half()] * 3, (1.0, 1.1), flip=True)(make_batch())
    torch.testing.assert_close(found, torch.full((4, 8), 8**-0.5))


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_features_of_different_sizes_are_refused(make_batch, combine):
    with pytest.raises(InputError, match=rf"5 and 16 dimensions, so they have no {combine}: combine them by concat\.$"):
        Ensemble([Moments(16), Moments(5)], combine=combine)(make_batch())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no model"),
        (([nn.Identity()], ()), "scales are empty"),
        (([nn.Identity()], (1.0, 0.0)), "scales are 1.0, 0.0"),
        (([nn.Identity()], (float("nan"),)), "scales are nan"),
        (([nn.Identity()], (float("inf"),)), "scales are inf"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        Ensemble(*arguments)


def test_unknown_combination():
    with pytest.raises(InputError, match="'max': use one of sum, concat, mean"):
        Ensemble([nn.Identity()], combine="max")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("combine", ["sum", "concat", "mean"])
def test_cuda(models, make_batch, combine):
    batch = make_batch()
    expected = Ensemble(models, (0.9, 1.2), flip=True, combine=combine)(batch)
    on_device = Ensemble(models, (0.9, 1.2), flip=True, combine=combine).cuda()
    found = on_device({"images": batch["images"].cuda().contiguous(memory_format=torch.channels_last)})
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=0)
