"""What a street camera does to the light that reaches it: exposure, colour cast, haze, blur, noise and JPEG.

Shape shorthand: S × S pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from vreid_common.synthetic.street import Site

__all__ = ["expose", "to_srgb"]

_USUAL_LEVEL, _AUTOMATIC = 1.25, 0.85
_LUMA = np.array([0.299, 0.587, 0.114])


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to uint8 sRGB, clipped, same shape."""
    return np.round(np.power(np.clip(linear, 0.0, 1.0), np.float32(1 / 2.2)) * np.float32(255)).astype(np.uint8)


def expose(linear: np.ndarray, site: Site, level: float, detail: float, motion: float, rng: np.random.Generator) -> np.ndarray:
    """A street camera's picture.

    Args:
        linear: (S, S, 3) float32 linear RGB.
        level: light on the ground; the camera's automatic exposure follows it, but not all the way.
        detail: pixels of the camera's frame for each pixel of the picture; below 1 the picture is enlarged, so blurred.
        motion: length in pixels of the blur along the rows.
        rng: draws noise and the auto-exposure's error.

    Returns:
        (S, S, 3) uint8 sRGB.
    """
    size = linear.shape[0]
    image = cv2.GaussianBlur(linear, (0, 0), 0.3 + site.blur)
    if detail < 0.95:
        small = max(12, int(size * detail))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    if motion > 1.5:
        image = cv2.blur(image, (int(motion), 1))
    gain = site.exposure * (_USUAL_LEVEL / level) ** _AUTOMATIC * float(np.exp(rng.normal(0, 0.08)))
    mix = site.saturation * np.eye(3) + (1.0 - site.saturation) * _LUMA  # rows sum to 1: grey stays grey
    image = cv2.transform(image, mix * (gain * site.cast))
    image = cv2.pow(cv2.max(image, 0.0), site.contrast / 2.2) + np.float32(site.haze)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image += np.float32(site.noise) * noise * (np.float32(0.6) + cv2.sqrt(image))
    image *= np.float32(255)
    image += np.float32(0.5)
    return np.clip(image, 0, 255, out=image).astype(np.uint8)
