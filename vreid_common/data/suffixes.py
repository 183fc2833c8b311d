"""Which files are images by their names, and what to say of those that are not."""

import os
from collections import Counter
from collections.abc import Iterable
from functools import cache

from PIL import Image

__all__ = ["image_suffixes", "say_suffixes"]

# Kinds that hold one picture. Pillow also opens icons, PostScript and the head of a video, which nobody means by images.
_PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic",
    ".heif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi",
)  # fmt: skip


@cache
def image_suffixes() -> tuple[str, ...]:
    """Suffixes, in lower case, of the kinds of images that can be read here: what Pillow was built with decides."""
    readable = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return tuple(suffix for suffix in _PICTURES if suffix in readable)


def say_suffixes(names: Iterable[str], *, most: int = 5) -> str:
    """How many files there are of each suffix: ``"12 .png, 3 .txt and 1 without a suffix"``, the most frequent first."""
    counts = Counter(os.path.splitext(name)[1].lower() or "without a suffix" for name in names)  # noqa: PTH122
    said = [f"{count:,} {suffix}" for suffix, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    if len(said) > most:
        others = sum(sorted(counts.values(), reverse=True)[most - 1 :])
        said = [*said[: most - 1], f"{others:,} of other kinds"]
    return f"{', '.join(said[:-1])} and {said[-1]}" if said[1:] else "".join(said)
