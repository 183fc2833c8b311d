"""Maps of where a model looks, in colours over the image.

Shape shorthand: H×W pixels.
"""

from __future__ import annotations

import matplotlib
import numpy as np

__all__ = ["heat_over"]

_COVER = 0.6
"""Share of the colour where the map is 1."""


def heat_over(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The image under the map: the higher its value, the brighter the colour and the more of it covers the image.

    Args:
        image: (H, W, 3) uint8 RGB.
        heat: (H, W), 0 to 1; where it is 0 the image stays what it is.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    colours = 255 * matplotlib.colormaps["inferno"](heat)[..., :3]
    cover = _COVER * heat[..., None]
    return np.rint((1 - cover) * image + cover * colours).astype(np.uint8)
