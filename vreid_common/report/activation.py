"""Where a model looks when it finds two images alike: Grad-CAM of their similarity.

The form is Grad-CAM's (Selvaraju et al., ICCV 2017, Eq. 1-2) with the cosine of the two features in the place of a class score,
and with two changes that make a map say what the similarity consists of. The lengths of the features are constants: otherwise
it would say only what turns a feature, as much against its partner as towards it, and nothing of two images that are the same.
And what no place adds, such as the shift of a BNNeck, is shared out evenly, so that the map before its ReLU adds up to the
cosine. Where a feature is an affine function of a feature map's mean, as with FastReID's heads and average pooling, the value
of each place is then its exact share (Stylianou et al., Visualizing Deep Similarity Networks, WACV 2019).

It needs a gradient and a weighted sum, which are written out here: packages for Grad-CAM call a classifier with a Tensor, want
a layer by name and stretch every map from its own least to its own largest value. Here a batch dict goes in, the layer is
found, and a map that has nothing to say stays empty.

Shape shorthand: B images, P = B / 2 pairs, C channels, h×w positions of a feature map, H×W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vreid_common.errors import InputError
from vreid_common.features import evaluation_mode
from vreid_common.features.collector import MAIN_FEATURE

__all__ = ["similarity_maps"]

_TINY = torch.finfo(torch.float32).tiny


def similarity_maps(model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """How much each place of an image adds to its similarity to its partner, for each feature of a model.

    The map is ReLU(Σ_c a_c A_c + b), A the last feature map on the feature's way with more than one position, and a_c the mean
    over its positions of d (f_1 · f_2 / n) / d A_c with n = ‖f_1‖ ‖f_2‖ constant; b is the same everywhere and makes the sum
    over the positions f_1 · f_2 / n. So a model of two branches has a map of each if it returns a feature of each.

    Args:
        model: called with a batch; returns (B, D) features, or several by name. Its weights, modes and gradients stay what
            they are.
        batch: a batch (docs/architecture.md) on the model's device whose images 2p and 2p + 1 are a pair.

    Returns:
        Name → (B, H, W) float32 on the CPU in [0, 1], 1 being the largest value of an image's map; all 0 where none is above 0.

    Raises:
        InputError: the model has no feature map on a feature's way.
    """
    # Gradients flow from the images on, so that frozen weights do not matter.
    images = batch["images"].detach().float().requires_grad_(True)
    with torch.enable_grad(), evaluation_mode(model), _feature_maps(model) as maps:
        output = model({**batch, "images": images})
        features = output if isinstance(output, Mapping) else {MAIN_FEATURE: output}
        return {name: _map_of(name, feature.float(), maps, images) for name, feature in features.items()}


@contextmanager
def _feature_maps(model: nn.Module) -> Iterator[list[Tensor]]:
    """All outputs of the model's parts that are feature maps of more than one position, in the order of the calls."""
    maps: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-2:].numel() > 1 and output.requires_grad:
            maps.append(output)

    handles = [module.register_forward_hook(keep) for module in model.modules()]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _map_of(name: str, feature: Tensor, maps: list[Tensor], images: Tensor) -> Tensor:
    first, second = feature[0::2], feature[1::2]
    lengths = (first.norm(dim=1) * second.norm(dim=1)).detach().clamp_min(_TINY)
    cosines = (first * second).sum(dim=1) / lengths
    similarity = cosines.sum()  # no image has a part in another pair's
    on_the_way: list[tuple[Tensor, Tensor]] = []
    if maps and similarity.requires_grad:
        gradients = torch.autograd.grad(similarity, maps, retain_graph=True, allow_unused=True)
        on_the_way = [pair for pair in zip(maps, gradients, strict=True) if pair[1] is not None]
    if not on_the_way:
        raise InputError(f"The model's feature {name!r} does not come from a feature map, so it has no activation map.")
    activation, gradient = on_the_way[-1]
    weights = gradient.float().mean(dim=(2, 3), keepdim=True)
    values = (weights * activation.detach().float()).sum(dim=1, keepdim=True)
    elsewhere = cosines.detach().repeat_interleave(2) - values.sum(dim=(1, 2, 3))
    values = (values + elsewhere[:, None, None, None] / values[0].numel()).relu()
    values = interpolate(values, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    largest = values.amax(dim=(1, 2), keepdim=True)
    return (values / largest.clamp_min(_TINY)).cpu()
