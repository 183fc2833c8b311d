"""What an exported file says of itself: what it takes, what it gives, and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from vreid_common.errors import InputError

__all__ = ["PREPROCESSINGS", "ExportRecord"]

PREPROCESSINGS = ("none", "normalize", "resize")
"""What the graph does to its input: nothing, subtract mean and divide by deviation, or resize (and crop) before that."""

_FORMAT = "vreid-export-1"
_PREFIX = "vreid."
_LARGEST_SIDE = 16384
"""Pixels of a side of an image that a network sees."""


@dataclass(frozen=True)
class ExportRecord:
    """The metadata of an exported file.

    Attributes:
        preprocessing: one of ``PREPROCESSINGS``. The input is (batch, 3, height, width) RGB: float32 that is normalised already
            with "none"; else uint8 0..255, with "resize" of any height and width.
        size: (height, width) that images are resized to, as INPUT.SIZE_TEST.
        crop: (height, width) that is cut out of their middle then, None where INPUT.CROP is off.
        pixel_mean, pixel_std: of R, G, B, in grey values.
        flip: whether features are the mean of those of an image and of its mirror image.
        features: output's name → its dimensions; the first is the main one.
        project: package that the configuration's project has, "" without one.
        architecture: MODEL.META_ARCHITECTURE.
        checkpoint: SHA-256 of the checkpoint's file.
        config: SHA-256 of what of the configuration the network is built from.
        versions: package → version.
    """

    preprocessing: str
    size: tuple[int, int]
    crop: tuple[int, int] | None
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    flip: bool
    features: dict[str, int]
    project: str
    architecture: str
    checkpoint: str
    config: str
    versions: dict[str, str]

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that the network sees."""
        return self.crop or self.size

    def _check(self) -> None:
        """Raises ``ValueError`` where a value cannot be one of ``vreid export``: images of this size are to be made."""
        sizes = [self.size, *([self.crop] if self.crop is not None else [])]
        texts = [self.project, self.architecture, self.checkpoint, self.config]
        sound = (
            self.preprocessing in PREPROCESSINGS
            and all(len(size) == 2 and all(type(side) is int and 0 < side <= _LARGEST_SIDE for side in size) for size in sizes)
            and all(len(values) == 3 and all(map(_is_number, values)) for values in (self.pixel_mean, self.pixel_std))
            and type(self.flip) is bool
            and all(isinstance(text, str) for text in texts)
            and bool(self.features)
            and all(type(dimensions) is int and dimensions > 0 for dimensions in self.features.values())
        )
        if not sound:
            raise ValueError("not the values of an export")

    def to_properties(self) -> dict[str, str]:
        """Texts for ONNX's metadata_props: each attribute as JSON under "vreid.<name>"."""
        values = {"format": _FORMAT, **asdict(self)}
        return {f"{_PREFIX}{name}": json.dumps(value) for name, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], file: str) -> ExportRecord:
        """What ``to_properties`` wrote.

        Raises:
            InputError: the properties are not those of a ``file`` that ``vreid export`` wrote.
        """
        try:
            values: dict[str, Any] = {
                name.removeprefix(_PREFIX): json.loads(text) for name, text in properties.items() if name.startswith(_PREFIX)
            }
            if values.pop("format") != _FORMAT:
                raise KeyError("format")
            values = {field.name: values[field.name] for field in fields(cls)}
            for name in ("size", "crop", "pixel_mean", "pixel_std"):
                values[name] = values[name] and tuple(values[name])
            record = cls(**values)
            record._check()
            return record
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InputError(f"{file} lacks the metadata of `vreid export` (format {_FORMAT}): export it again.") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
