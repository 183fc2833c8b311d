"""How large a rendered data set is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FRAMES_PER_TRACKLET", "SIZES", "RenderSize"]

FRAMES_PER_TRACKLET = (3, 4, 4, 4, 5, 5, 5, 6, 6, 8)
"""Ten tracklets in a row have these lengths in some order: 5 images each on average, and exactly 5 where their number is a
multiple of ten."""


@dataclass(frozen=True)
class RenderSize:
    """Counts of one rendered data set.

    Attributes:
        train_ids, test_ids: identities of each half; none is in both.
        cameras: cameras of the scene.
        visits: cameras that each vehicle passes; one passage is one tracklet of 3 to 8 images.
        image_size: width and height of every image in pixels.

    Raises:
        ValueError: a count that makes no data set.
    """

    train_ids: int
    test_ids: int
    cameras: int
    visits: int
    image_size: int = 96

    def __post_init__(self) -> None:
        if self.train_ids < 0 or self.test_ids < 0 or self.train_ids + self.test_ids < 1:
            raise ValueError(f"A rendered data set needs identities, got train_ids={self.train_ids}, test_ids={self.test_ids}.")
        if not 1 <= self.visits <= self.cameras:
            raise ValueError(f"visits must be 1 .. cameras, got visits={self.visits}, cameras={self.cameras}.")
        if not 16 <= self.image_size <= 1024:
            raise ValueError(f"image_size must be 16 .. 1024 pixels, got {self.image_size}.")

    @property
    def tracklets(self) -> int:
        """Number of tracklets."""
        return (self.train_ids + self.test_ids) * self.visits


SIZES: dict[str, RenderSize] = {
    "tiny": RenderSize(train_ids=8, test_ids=6, cameras=4, visits=3),
    "demo": RenderSize(train_ids=90, test_ids=36, cameras=8, visits=5),
    "medium": RenderSize(train_ids=240, test_ids=160, cameras=12, visits=5),
    "veri": RenderSize(train_ids=576, test_ids=200, cameras=20, visits=13),
    "large": RenderSize(train_ids=1200, test_ids=800, cameras=20, visits=10),
}
"""Sizes by the name in ``cfg.DATASETS.RENDER.SIZE``: 211, 3,150, 10,000, 50,441 and 100,000 images.

``tiny`` is for tests, ``demo`` for the projects' studies, ``veri`` has VeRi-776's numbers of identities and cameras.
"""
