"""A trained model as a function of images alone, for tracing: preprocessing before it, the mean with the mirror image after.

Shape shorthand: B images; H×W pixels; D feature dimensions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.transforms.functional import center_crop

from vreid_common.errors import InputError
from vreid_common.export.record import PREPROCESSINGS
from vreid_common.export.resize import resize_like_pillow

__all__ = ["DeployedNetwork", "without_normalization"]


class DeployedNetwork(nn.Module):
    """``model`` called with images instead of a batch, in evaluation mode, its features a tuple.

    Args:
        model: a meta-architecture, which normalises its images itself.
        preprocessing: one of ``PREPROCESSINGS``.
        size: (height, width) that "resize" resizes to.
        crop: (height, width) that it cuts out of the middle then; None cuts nothing.
        flip: return the mean of an image's and its mirror image's features, as TEST.FLIP does.

    Raises:
        InputError: ``preprocessing`` is "none", and the model has no mean to do without.
    """

    def __init__(
        self,
        model: nn.Module,
        preprocessing: str = "normalize",
        size: tuple[int, int] = (0, 0),
        crop: tuple[int, int] | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__()
        if preprocessing not in PREPROCESSINGS:
            raise InputError(f"The preprocessing is {preprocessing!r}: use one of {', '.join(PREPROCESSINGS)}.")
        self.model = without_normalization(model) if preprocessing == "none" else model
        self.preprocessing = preprocessing
        self.size = size
        self.crop = crop
        self.flip = flip
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            images: (B, 3, H, W), as ``ExportRecord.preprocessing`` says.

        Returns:
            (B, D) float32 of each feature.
        """
        if self.preprocessing == "resize":
            images = resize_like_pillow(images.float(), self.size)
            images = images if self.crop is None else center_crop(images, list(self.crop))
        found = self._features(images)
        if not self.flip:
            return found
        mirrored = self._features(images.flip(dims=(3,)))
        return tuple((first + second) / 2 for first, second in zip(found, mirrored, strict=True))

    def _features(self, images: Tensor) -> tuple[Tensor, ...]:
        output = self.model({"images": images})
        features = tuple(output.values()) if isinstance(output, Mapping) else (output,)
        return tuple(feature.float() for feature in features)


def without_normalization(model: nn.Module) -> nn.Module:
    """A copy of ``model`` that takes images which are normalised already: its mean is 0 and its deviation 1.

    Raises:
        InputError: the model has no ``pixel_mean`` and ``pixel_std``, as FastReID's meta-architectures have.
    """
    model = copy.deepcopy(model)
    normalizing = [module for module in model.modules() if hasattr(module, "pixel_mean") and hasattr(module, "pixel_std")]
    if not normalizing:
        raise InputError(f"{type(model).__name__} has no pixel_mean and pixel_std to leave out: leave it in the graph.")
    for module in normalizing:
        module.pixel_mean.zero_()
        module.pixel_std.fill_(1)
    return model
